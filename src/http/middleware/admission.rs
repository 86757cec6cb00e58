//! How many requests may be under way: a fixed number, and a few more that wait shortly for a place.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::{HttpMessage, HttpRequest};
use gateway_actors::protocol::{ErrorKind, GatewayError, Gauge, GaugeGuard};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use crate::config::HttpSettings;
use crate::http::shared::Lifecycle;

/// A place among the requests under way; dropped when the last byte of the answer is gone.
pub(crate) type Place = OwnedSemaphorePermit;

/// Counts a request that was let in before the drain, from then until its answer is there, or has begun as a stream. It
/// is kept among the request's extensions.
#[derive(Debug)]
pub(crate) struct Unanswered {
    _guard: GaugeGuard,
}

/// Hands out the places.
#[derive(Debug)]
pub(crate) struct Admission {
    places: Arc<Semaphore>,
    max_in_flight: usize,
    queue: Semaphore,
    max_waiting: usize,
    queue_wait: Duration,
    lifecycle: watch::Receiver<Lifecycle>,
    /// Requests without an answer that are not known to ask for a stream.
    whole: Arc<Gauge>,
    /// Requests whose streams have not begun.
    streams: Arc<Gauge>,
}

impl Admission {
    pub(crate) fn new(settings: &HttpSettings, lifecycle: watch::Receiver<Lifecycle>) -> Self {
        Self {
            places: Arc::new(Semaphore::new(settings.max_in_flight)),
            max_in_flight: settings.max_in_flight,
            queue: Semaphore::new(settings.queue),
            max_waiting: settings.queue,
            queue_wait: settings.queue_wait,
            lifecycle,
            whole: Arc::default(),
            streams: Arc::default(),
        }
    }

    /// How many requests are under way.
    pub(crate) fn in_flight(&self) -> usize {
        self.max_in_flight.saturating_sub(self.places.available_permits())
    }

    /// How many requests wait for a place.
    pub(crate) fn waiting(&self) -> usize {
        self.max_waiting.saturating_sub(self.queue.available_permits())
    }

    /// How many requests that came before the drain wait for an answer which is not known to be a stream.
    pub(crate) fn whole_answers_awaited(&self) -> i64 {
        self.whole.get()
    }

    /// How many requests that came before the drain wait for a stream to begin.
    pub(crate) fn streams_awaited(&self) -> i64 {
        self.streams.get()
    }

    /// The answer to this request will be a stream, which has a limit of its own when the process ends.
    pub(crate) fn asks_for_a_stream(&self, request: &HttpRequest) {
        let mut extensions = request.extensions_mut();
        if extensions.contains::<Unanswered>() {
            extensions.insert(Unanswered {
                _guard: self.streams.enter(),
            });
        }
    }

    /// Takes a place, after waiting for one where needed. A process that drains begins nothing new, and does not wait
    /// for those who look.
    pub(crate) async fn enter(&self, method: &Method) -> Result<(Place, Option<Unanswered>), GatewayError> {
        // Counted before the stage is looked at, so that whoever sets the stage and then counts misses nobody.
        let unanswered = Unanswered {
            _guard: self.whole.enter(),
        };
        let is_draining = *self.lifecycle.borrow() >= Lifecycle::Draining;
        if is_draining && method == Method::POST {
            let message = "the gateway is shutting down; send the request again";
            return Err(GatewayError::new(ErrorKind::Draining, message).with_retry_after(Duration::from_secs(1)));
        }
        let unanswered = (!is_draining).then_some(unanswered);
        Ok((self.place().await?, unanswered))
    }

    async fn place(&self) -> Result<Place, GatewayError> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place);
        }
        let Ok(_waiting) = self.queue.try_acquire() else {
            return Err(overloaded());
        };
        match timeout(self.queue_wait, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(overloaded()),
        }
    }
}

fn overloaded() -> GatewayError {
    let message = "the gateway has as many requests under way as it can take; try again shortly";
    GatewayError::new(ErrorKind::Overloaded, message).with_retry_after(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use futures_util::future::join_all;
    use tokio::time::Instant;

    use super::*;

    fn admission(max_in_flight: usize, queue: usize, lifecycle: Lifecycle) -> Admission {
        let settings = HttpSettings {
            max_in_flight,
            queue,
            ..HttpSettings::default()
        };
        Admission::new(&settings, watch::channel(lifecycle).1)
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_find_no_place_wait_and_the_rest_is_refused_at_once() {
        let admission = admission(2, 3, Lifecycle::Serving);
        let start = Instant::now();
        let answers = join_all((0..10).map(|_| async {
            let place = admission.enter(&Method::POST).await;
            (place, start.elapsed())
        }))
        .await;
        let waits: Vec<(bool, u128)> = answers
            .iter()
            .map(|(place, wait)| (place.is_ok(), wait.as_millis()))
            .collect();
        assert_eq!(waits.iter().filter(|wait| **wait == (true, 0)).count(), 2);
        assert_eq!(waits.iter().filter(|wait| **wait == (false, 0)).count(), 5);
        assert_eq!(waits.iter().filter(|(got, wait)| !got && *wait >= 100).count(), 3);
        assert_eq!(admission.in_flight(), 2);
        drop(answers);
        assert_eq!(admission.in_flight(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_waits_gets_the_place_that_becomes_free() {
        let admission = admission(1, 1, Lifecycle::Serving);
        let first = admission.enter(&Method::POST).await.unwrap();
        let (second, ()) = tokio::join!(admission.enter(&Method::POST), async {
            assert_eq!(admission.waiting(), 1);
            drop(first);
        });
        assert!(second.is_ok());
        assert_eq!(admission.waiting(), 0);
    }

    #[tokio::test]
    async fn a_process_that_drains_takes_no_new_work_but_lets_people_look() {
        let admission = admission(1, 1, Lifecycle::Draining);
        assert_eq!(
            admission.enter(&Method::POST).await.unwrap_err().kind,
            ErrorKind::Draining
        );
        let (_place, unanswered) = admission.enter(&Method::GET).await.unwrap();
        assert!(unanswered.is_none());
        assert_eq!(admission.whole_answers_awaited(), 0, "nobody waits for those who look");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_place_when_the_drain_begins_is_waited_for() {
        let (lifecycle, watching) = watch::channel(Lifecycle::Serving);
        let settings = HttpSettings {
            max_in_flight: 1,
            queue: 1,
            ..HttpSettings::default()
        };
        let admission = Admission::new(&settings, watching);
        let (first, answered) = admission.enter(&Method::POST).await.unwrap();
        drop(answered);
        let (second, ()) = tokio::join!(admission.enter(&Method::POST), async {
            lifecycle.send_replace(Lifecycle::Draining);
            assert_eq!(admission.whole_answers_awaited(), 1);
            drop(first);
        });
        assert!(second.unwrap().1.is_some());
    }

    #[tokio::test]
    async fn a_request_is_waited_for_as_a_whole_answer_until_it_is_known_to_ask_for_a_stream() {
        let admission = admission(2, 0, Lifecycle::Serving);
        let request = TestRequest::default().to_http_request();
        admission.asks_for_a_stream(&request);
        assert_eq!(admission.streams_awaited(), 0, "of a request that is not counted");
        let (_place, unanswered) = admission.enter(&Method::POST).await.unwrap();
        request.extensions_mut().insert(unanswered.unwrap());
        let awaited = || (admission.whole_answers_awaited(), admission.streams_awaited());
        assert_eq!(awaited(), (1, 0));
        admission.asks_for_a_stream(&request);
        assert_eq!(awaited(), (0, 1));
        request.extensions_mut().remove::<Unanswered>();
        assert_eq!(awaited(), (0, 0));
    }
}
