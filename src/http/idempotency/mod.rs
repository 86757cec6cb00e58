//! `Idempotency-Key`: the same request sent again is answered with what was answered before, and nothing is done twice.
//!
//! The first request with a key claims the work in the database, before anything is asked of a model. From then on the
//! work belongs to a task of its own: a client that leaves does not stop it, since it is likely to come back for the
//! answer. What came of it is kept before the client has the end of it. Nothing is kept of a request that failed before a
//! provider was asked, nor of one that the process gave up because it ends: the next one does the work.
//!
//! An idempotency key belongs to a virtual key and a route: what one key may ask, another of its tenant may not. Requests without one pass by all of this.

mod answer;
mod key;
mod relay;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::FutureExt;
use gateway_actors::protocol::{
    CallWatcher, Claimed, Dialect, ErrorKind, GatewayError, IdempotencyClaim, IdempotencyName, IdempotencyStore,
    InstanceId, KeptAnswer, RequestId,
};
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use super::error::{ErrorShape, Failure};
use super::middleware::Asker;
use super::shared::Edge;
use crate::config::IdempotencySettings;

pub(super) use self::key::{Key, key};

/// How much longer than its deadline a request may take before its work counts as abandoned: its answer is still to be
/// kept.
const MARGIN: Duration = Duration::from_secs(30);
/// When a client may ask again for what is under way.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// Streams that are read to their end although their clients have left.
const LEFT_STREAMS: usize = 64;

/// What the edge needs for idempotency keys.
#[derive(Debug, Clone)]
pub struct Idempotency {
    store: Arc<dyn IdempotencyStore>,
    instance: InstanceId,
    settings: IdempotencySettings,
    left_streams: Arc<Semaphore>,
}

impl Idempotency {
    /// Keys of this database, claimed for this process.
    #[must_use]
    pub fn new(store: Arc<dyn IdempotencyStore>, instance: InstanceId, settings: IdempotencySettings) -> Self {
        Self {
            store,
            instance,
            settings,
            left_streams: Arc::new(Semaphore::new(LEFT_STREAMS)),
        }
    }
}

/// A request with a key, its body read and found to be good.
pub(super) struct Asking {
    pub(super) request: HttpRequest,
    pub(super) edge: Edge,
    pub(super) id: RequestId,
    pub(super) endpoint: Arc<str>,
    pub(super) body: Bytes,
    pub(super) deadline: Instant,
    /// The shape in which its client is told of errors.
    pub(super) shape: ErrorShape,
}

/// Has the work of a request with a key done once: by this request, or it was done before.
pub(super) async fn once<F>(
    asking: Asking,
    key: Key,
    work: impl FnOnce(Once) -> F + 'static,
) -> Result<HttpResponse, Failure>
where
    F: Future<Output = Result<HttpResponse, Failure>> + 'static,
{
    let parts = asking.edge.shared().idempotency.clone();
    let name = IdempotencyName {
        owner: format!("{}|{}", owner(&asking.request), asking.endpoint).into(),
        key: key.0,
    };
    let wanted = IdempotencyClaim {
        name: name.clone(),
        body_hash: format!("{:x}", Bytes::copy_from_slice(&Sha256::digest(&asking.body))).into(),
        request: asking.id,
        instance: parts.instance,
        running_for: asking.deadline.saturating_duration_since(Instant::now()) + MARGIN,
    };
    let claim = Claim::new(parts, name, asking.id);
    let (shape, exhausted) = (asking.shape, asking.edge.shared().exhausted_status);
    // A task of its own: it goes on when the client leaves and this future is dropped, also while the database still
    // writes the claim. Otherwise nobody would do the work that is claimed then, nor give the claim up.
    let done = actix_rt::spawn(async move {
        if let Some(answered) = claim.make(wanted).await? {
            return Ok(answered);
        }
        // Nobody reads the steps: whether something was sent is all that matters.
        let (watcher, _steps) = CallWatcher::channel(1);
        let watched = watcher.clone();
        let (head, awaited) = oneshot::channel();
        let once = Once {
            claim: Rc::clone(&claim),
            watcher,
            head: Rc::new(RefCell::new(Some(awaited))),
        };
        let outcome = AssertUnwindSafe(async { work(once).await }).catch_unwind().await;
        let outcome = outcome.unwrap_or_else(|_panic| Err(Failure::internal()));
        match outcome {
            Ok(response) if response.body().size() == BodySize::Stream => {
                // The stream's relay keeps it. It is gone if the stream was over at once.
                let _ = head.send(answer::Head::of(&response));
                Ok(response)
            }
            Ok(response) => keep_whole(&claim, response).await,
            Err(failure) => {
                if watched.has_sent() && is_final(failure.error()) {
                    let told = failure.render(shape, exhausted, claim.request);
                    let (head, body) = (answer::Head::of(&told), told.into_body().try_into_bytes());
                    claim.keep(head, body.unwrap_or_default()).await;
                } else {
                    claim.give_up().await;
                }
                Err(failure)
            }
        }
    });
    done.await.unwrap_or_else(|_panic| Err(Failure::internal()))
}

/// Whether asking again would be told the same: not where the process itself ended the request.
fn is_final(error: &GatewayError) -> bool {
    !matches!(error.kind, ErrorKind::Draining | ErrorKind::ClientClosed)
}

/// Keeps an answer that is there as a whole.
async fn keep_whole(claim: &Claim, response: HttpResponse) -> Result<HttpResponse, Failure> {
    let head = answer::Head::of(&response);
    let (response, body) = response.into_parts();
    let body = body.try_into_bytes().map_err(|_no_bytes| Failure::internal())?;
    claim.keep(head, body.clone()).await;
    Ok(response.set_body(BoxBody::new(body)))
}

/// Whose key it is: the virtual key's, which keeps its id when it is rotated. Callers without one share one room.
fn owner(request: &HttpRequest) -> String {
    let extensions = request.extensions();
    let key = extensions.get::<Asker>().and_then(|asker| asker.0.key());
    key.map(|key| format!("k={}", key.id)).unwrap_or_default()
}

fn in_progress() -> GatewayError {
    let message = "the request with this idempotency key is still being answered; ask again for its answer";
    GatewayError::new(ErrorKind::IdempotencyInProgress, message)
        .with_param("Idempotency-Key")
        .with_retry_after(ASK_AGAIN)
}

fn mismatch() -> GatewayError {
    let message = "this idempotency key was used for another body; use a new one for a new request";
    GatewayError::new(ErrorKind::IdempotencyMismatch, message).with_param("Idempotency-Key")
}

/// The work of one request, for whoever does it.
pub(super) struct Once {
    claim: Rc<Claim>,
    watcher: CallWatcher,
    head: Rc<RefCell<Option<oneshot::Receiver<answer::Head>>>>,
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").finish_non_exhaustive()
    }
}

impl Once {
    /// Is to be told of the request's steps: whether a provider was asked decides what is kept.
    pub(super) fn watcher(&self) -> CallWatcher {
        self.watcher.clone()
    }

    /// The same events, of which the last come only once they all are kept. Goes on when nobody takes them.
    pub(super) fn relay(
        &self,
        dialect: Dialect,
        events: mpsc::Receiver<Result<Bytes, GatewayError>>,
    ) -> mpsc::Receiver<Result<Bytes, GatewayError>> {
        let Some(head) = self.head.borrow_mut().take() else {
            return events;
        };
        relay::start(Rc::clone(&self.claim), head, dialect, events)
    }
}

/// A claim that was granted, or may have been. When it is dropped before anything was kept, it is given up.
#[derive(Debug)]
struct Claim {
    parts: Idempotency,
    name: IdempotencyName,
    request: RequestId,
    is_open: Cell<bool>,
}

impl Claim {
    fn new(parts: Idempotency, name: IdempotencyName, request: RequestId) -> Rc<Self> {
        Rc::new(Self {
            parts,
            name,
            request,
            is_open: Cell::new(true),
        })
    }

    /// Makes the claim; the answer, if the work was done before.
    async fn make(&self, wanted: IdempotencyClaim) -> Result<Option<HttpResponse>, Failure> {
        // An error may hide that it was granted: then it stays open, and is given up when it is dropped.
        let claimed = self.parts.store.claim(wanted).await?;
        self.is_open.set(claimed == Claimed::Run);
        match claimed {
            Claimed::Run => Ok(None),
            Claimed::Answered(answer) => answer::replay(answer).map(Some),
            Claimed::Running => Err(in_progress().into()),
            Claimed::OtherBody => Err(mismatch().into()),
        }
    }

    /// Keeps the answer. One that cannot be kept is delivered all the same, since it is paid for: who asks again is told
    /// that the request is being answered until its time has run out.
    async fn keep(&self, head: answer::Head, body: Bytes) {
        let fits = body.len() <= self.parts.settings.max_body_bytes;
        self.keep_answer(KeptAnswer {
            status: head.status,
            headers: head.headers,
            body: fits.then_some(body),
        })
        .await;
    }

    async fn keep_answer(&self, answer: KeptAnswer) {
        if !self.is_open.replace(false) {
            return;
        }
        let ttl = self.parts.settings.ttl;
        let kept = self.parts.store.keep(self.name.clone(), self.request, answer, ttl);
        if let Err(error) = kept.await {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(request = %self.request, %error, cause, "an answer under an idempotency key could not be kept");
        }
    }

    /// Lets the next request do the work; that it may is known when this is ready, unless the database is away.
    async fn give_up(&self) {
        if !self.is_open.replace(false) {
            return;
        }
        let given_up = self.parts.store.give_up(self.name.clone(), self.request);
        if let Err(error) = given_up.await {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(request = %self.request, %error, cause, "an idempotency key stays claimed until its time has run out");
        }
    }

    /// Says that the work goes on.
    async fn prolong(&self) {
        let prolonged = self.parts.store.prolong(self.name.clone(), self.request, MARGIN * 2);
        if let Err(error) = prolonged.await {
            tracing::debug!(request = %self.request, %error, "an idempotency key's claim was not prolonged");
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.is_open.get() {
            // The job is under way before its answer is waited for.
            drop(self.parts.store.give_up(self.name.clone(), self.request));
        }
    }
}
