//! Progress notifications: told to a client that asked for them with a progress token.

use gateway_actors::protocol::{CallStep, CallWatcher};
use rmcp::RoleServer;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RequestContext};
use tokio::sync::mpsc;

/// Steps that a slow client may leave unread. A request has a handful.
const ROOM: usize = 16;

/// The way to tell a client how far its call is; tells nothing if it did not ask.
#[derive(Debug)]
pub(super) struct Progress {
    told: Option<(Peer<RoleServer>, ProgressToken)>,
    count: f64,
}

impl Progress {
    pub(super) fn of(context: &RequestContext<RoleServer>) -> Self {
        let token = context.meta.get_progress_token();
        Self {
            told: token.map(|token| (context.peer.clone(), token)),
            count: 0.0,
        }
    }

    /// A watcher for the pipeline, if somebody wants to know.
    pub(super) fn watcher(&self) -> (Option<CallWatcher>, mpsc::Receiver<CallStep>) {
        let (watcher, steps) = CallWatcher::channel(ROOM);
        (self.told.is_some().then_some(watcher), steps)
    }

    /// Does the work while telling its steps.
    pub(super) async fn tell_during<T>(
        &mut self,
        mut steps: mpsc::Receiver<CallStep>,
        work: impl Future<Output = T>,
    ) -> T {
        let mut work = std::pin::pin!(work);
        let done = loop {
            tokio::select! {
                Some(step) = steps.recv() => self.tell(in_words(&step)).await,
                done = &mut work => break done,
            }
        };
        // Steps come from another thread: some may have been told just before the work ended.
        while let Ok(step) = steps.try_recv() {
            self.tell(in_words(&step)).await;
        }
        done
    }

    /// Tells one step. A client that is gone misses it.
    pub(super) async fn tell(&mut self, message: String) {
        let Some((peer, token)) = &self.told else {
            return;
        };
        self.count += 1.0;
        let step = ProgressNotificationParam::new(token.clone(), self.count).with_message(message);
        if let Err(error) = peer.notify_progress(step).await {
            tracing::debug!(%error, "a progress notification was not sent");
        }
    }
}

fn in_words(step: &CallStep) -> String {
    match step {
        CallStep::Routed { candidates, first } => {
            format!("routed: {} {} first, of {candidates}", first.layer, first.id)
        }
        CallStep::Leg { role, models } => {
            let models: Vec<&str> = models.iter().map(|model| model.id.as_str()).collect();
            format!("{role}: asking {}", models.join(", "))
        }
        CallStep::Attempt { ordinal, model } => format!("attempt {ordinal}: asking {} {}", model.layer, model.id),
    }
}
