//! What the guard around the routes and the connection tell each other.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::HttpSettings;

/// How long the rest of a body may take to come after the last answer.
pub(super) const CLOSING: Duration = Duration::from_secs(1);

/// What the guard around the routes and the connection tell each other.
#[derive(Debug)]
pub(in crate::http) struct Traffic {
    head_timeout: Duration,
    /// Requests whose head was read, answered or not.
    begun: Cell<u64>,
    /// Those of them whose answer is not made yet.
    under_way: Cell<usize>,
    /// Whether anything came since the last request.
    is_coming: Cell<bool>,
    /// When the next request must be there whole with its head, or the connection ends. Nothing while one is under way,
    /// nor before the first: its head is actix's own to watch, which answers 408.
    due: Cell<Option<Instant>>,
    /// How long the next request may take to come.
    patience: Cell<Duration>,
    /// Whom to wake when no request is under way any more.
    waiting: RefCell<Option<Waker>>,
}

/// A request under way on a connection; ends when dropped.
#[derive(Debug)]
pub(in crate::http) struct UnderWay {
    traffic: Rc<Traffic>,
    closes: bool,
}

impl Traffic {
    pub(super) fn new(settings: &HttpSettings) -> Self {
        Self {
            head_timeout: settings.head_timeout,
            begun: Cell::new(0),
            under_way: Cell::new(0),
            is_coming: Cell::new(false),
            due: Cell::new(None),
            patience: Cell::new(settings.keep_alive + settings.head_timeout),
            waiting: RefCell::new(None),
        }
    }

    /// The head of a request was read.
    pub(in crate::http) fn begin(self: &Rc<Self>) -> UnderWay {
        self.begun.set(self.begun.get() + 1);
        self.under_way.set(self.under_way.get() + 1);
        self.is_coming.set(false);
        self.due.set(None);
        UnderWay {
            traffic: Rc::clone(self),
            closes: false,
        }
    }

    /// How many requests were begun so far.
    pub(super) fn begun(&self) -> u64 {
        self.begun.get()
    }

    /// Whether a request was begun and is not answered yet.
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.get() > 0
    }

    /// Wakes this when no request is under way any more.
    pub(super) fn wake_when_answered(&self, waker: &Waker) {
        let _ = self.waiting.replace(Some(waker.clone()));
    }

    /// When the next request must be there.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due.get()
    }

    /// The client has taken some of an answer that waited for it: its next request is not due before it has all.
    pub(super) fn put_off(&self) {
        if self.due.get().is_some() {
            self.due.set(Some(Instant::now() + self.patience.get()));
        }
    }

    /// Something has come.
    pub(super) fn heard(&self) {
        if let Some(due) = self.due.get()
            && !self.is_coming.replace(true)
        {
            self.due.set(Some(due.min(Instant::now() + self.head_timeout)));
        }
    }

    /// Whether the next request should have been there.
    pub(super) fn is_late(&self) -> bool {
        self.due.get().is_some_and(|due| due <= Instant::now())
    }
}

impl UnderWay {
    /// The answer is the last on this connection. actix reads the rest of a chunked body before it closes, however long
    /// that takes.
    pub(in crate::http) fn close_after(&mut self) {
        self.closes = true;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let traffic = &self.traffic;
        traffic.under_way.set(traffic.under_way.get().saturating_sub(1));
        if traffic.under_way.get() == 0 {
            // actix ends idle connections itself, but not those on which the rest of a body is still to come.
            if self.closes {
                traffic.patience.set(CLOSING);
            }
            traffic.due.set(Some(Instant::now() + traffic.patience.get()));
            if let Some(waiting) = traffic.waiting.take() {
                waiting.wake();
            }
        }
    }
}
