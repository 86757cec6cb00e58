//! What an edge hands to the pipeline, and what it gets back.

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::catalogue::Model;
use super::errors::GatewayError;
use super::escalations::Amend;
use super::ids::ConversationId;
use super::money::NanoUsd;
use super::orchestra::LegRole;
use super::outgoing::OutgoingRequest;
use super::record::Outcome;
use super::router::{Needs, PlanRequest, Reason};
use super::store::StoredMessage;
use super::story::{AnswerEnd, RoutingStory};
use super::tenancy::Caller;
use super::upstream::Completion;
use super::usage::{TokenUsage, UsageSource};

/// Who asks, where, and until when.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The endpoint that was asked, for example `/v1/chat/completions`.
    pub endpoint: Arc<str>,
    /// Who asks.
    pub caller: Caller,
    /// The user: the key's own, else the caller's name for it.
    pub user_id: Option<Arc<str>>,
    /// The project: the key's own, else the caller's name for it.
    pub project_id: Option<Arc<str>>,
    /// When the answer must be there.
    pub deadline: Instant,
    /// Where the request's steps are told, if somebody watches.
    pub watcher: Option<CallWatcher>,
    /// Is told of the tokens that the request's attempts used, if somebody counts them.
    pub meter: Option<Arc<dyn TokenMeter>>,
    /// Something of the edge's that is kept until nothing is left to do for the request, whoever still waits for it: a
    /// place among those that run.
    pub place: Option<Arc<dyn fmt::Debug + Send + Sync>>,
}

/// Counts tokens for a limit.
pub trait TokenMeter: fmt::Debug + Send + Sync {
    /// An attempt has ended, having used so many tokens, input and output together; nothing where nobody knows, since
    /// what it used was not told and may have been much.
    fn used(&self, tokens: Option<u64>);
}

/// A step of a request on its way to an answer.
#[derive(Debug, Clone)]
pub enum CallStep {
    /// The router has answered.
    Routed {
        /// How many models may be tried.
        candidates: usize,
        /// The one that is tried first.
        first: Arc<Model>,
    },
    /// Calls are begun for something: side by side where there are several models.
    Leg {
        /// What for.
        role: LegRole,
        /// The models that are asked first.
        models: Vec<Arc<Model>>,
    },
    /// A call is being sent to a provider.
    Attempt {
        /// 1 for the request's first attempt.
        ordinal: u8,
        /// The model that is asked.
        model: Arc<Model>,
    },
}

/// Watches a request's steps. Nobody waits for it: a step that it has no room for is not told. That something was sent is
/// never missed.
#[derive(Debug, Clone)]
pub struct CallWatcher {
    steps: mpsc::Sender<CallStep>,
    has_sent: Arc<AtomicBool>,
}

impl CallWatcher {
    /// A watcher, and the receiver of the steps. It has room for this many that were not read yet, at least one.
    #[must_use]
    pub fn channel(room: usize) -> (Self, mpsc::Receiver<CallStep>) {
        let (steps, receiver) = mpsc::channel(room.max(1));
        let has_sent = Arc::default();
        (Self { steps, has_sent }, receiver)
    }

    /// Tells a step.
    pub fn tell(&self, step: CallStep) {
        if matches!(step, CallStep::Attempt { .. }) {
            self.has_sent.store(true, Ordering::Release);
        }
        // A watcher that is gone or slow misses it.
        let _ = self.steps.try_send(step);
    }

    /// Whether a call was sent to a provider by now, whichever steps were missed.
    #[must_use]
    pub fn has_sent(&self) -> bool {
        self.has_sent.load(Ordering::Acquire)
    }
}

/// A request without memory: everything to be sent is in it.
#[derive(Debug, Clone)]
pub struct ChatCall {
    /// What to plan for.
    pub plan: PlanRequest,
    /// What to send.
    pub outgoing: Rc<dyn OutgoingRequest>,
    /// Who asks, where, and until when.
    pub context: CallContext,
}

/// Knows how the turns of a conversation are written for a provider, and how its answer is read.
pub trait TurnDialect: fmt::Debug {
    /// The request that asks for an answer to the new message after this history (oldest first), and its needs.
    fn request(&self, history: &[StoredMessage]) -> (Rc<dyn OutgoingRequest>, Needs);

    /// The answer's text.
    ///
    /// # Errors
    /// When the answer has no text: a refusal, or a call of a tool that nobody offered.
    fn answer_text(&self, completion: &Completion) -> Result<String, GatewayError>;

    /// How the answer ended; nothing where that cannot be read.
    fn answer_end(&self, _completion: &Completion) -> Option<AnswerEnd> {
        None
    }
}

/// A turn of a stored conversation.
#[derive(Debug, Clone)]
pub struct TurnCall {
    /// The conversation.
    pub conversation: ConversationId,
    /// The client's own id for the message: the same id is answered once.
    pub client_message_id: Option<Arc<str>>,
    /// The user's message.
    pub message: Arc<str>,
    /// What to plan for; its needs are replaced by those of the whole turn.
    pub plan: PlanRequest,
    /// How it is written and read.
    pub dialect: Rc<dyn TurnDialect>,
    /// Who asks, where, and until when.
    pub context: CallContext,
    /// The user's message whose stored answer is replaced by a better one: no turn is opened then.
    pub amend: Option<Amend>,
}

/// One attempt, as the routing summary tells it.
#[derive(Debug, Clone)]
pub struct AttemptTrace {
    /// Its place among the request's attempts, from 1.
    pub ordinal: u8,
    /// What it was made for.
    pub role: LegRole,
    /// The model tried.
    pub model: Arc<Model>,
    /// Why it was tried at this place.
    pub reason: Reason,
    /// How it ended.
    pub outcome: Outcome,
    /// What it cost.
    pub cost: NanoUsd,
}

/// How a request came to its answer.
#[derive(Debug, Clone)]
pub struct Served {
    /// The model that answered.
    pub model: Arc<Model>,
    /// Every attempt that has ended, in the order of their places: the answering one last, unless others checked it.
    pub attempts: Vec<AttemptTrace>,
    /// The tokens of all attempts.
    pub usage: TokenUsage,
    /// Where the counts come from.
    pub usage_source: UsageSource,
    /// The cost of all attempts.
    pub cost: NanoUsd,
    /// The client's names for what the answering model was not told, since its dialect has nothing for it.
    pub dropped: Vec<Cow<'static, str>>,
    /// What was decided and done for it; nothing where the caller named the model.
    pub routing: Option<Box<RoutingStory>>,
    /// How the answer ended, where that was read; of several that are given as one, the first end that is not by itself.
    pub end: Option<AnswerEnd>,
}

impl Served {
    /// The attempts in one line, for example `L0 fast (breaker open): timed_out -> L0 small (next in its layer by price)`;
    /// of a request of several legs as [`RoutingStory::summary`] tells it.
    #[must_use]
    pub fn summary(&self) -> String {
        if let Some(story) = self.routing.as_ref().filter(|story| !story.legs.is_empty()) {
            return story.summary();
        }
        let attempts: Vec<String> = self.attempts.iter().map(AttemptTrace::text).collect();
        attempts.join(" -> ")
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What the provider answered, in the client's dialect.
    pub completion: Completion,
    /// How it came to be.
    pub served: Served,
}

/// The answer of a turn.
#[derive(Debug, Clone)]
pub struct TurnAnswer {
    /// The answer's text.
    pub text: Arc<str>,
    /// How it came to be; nothing when the same client message id had been answered before.
    pub served: Option<Served>,
    /// The place of the user's message; nothing when it had been answered before.
    pub user_seq: Option<i64>,
    /// Whether the answer is stored: one that replaces another may come too late for that.
    pub stored: bool,
}

/// A stream that has begun: its first meaningful event is there.
///
/// The channel's sender belongs to a task of its own, which settles the attempt whether or not this is read to the
/// end. Dropping the receiver tells it that the client has left.
#[derive(Debug)]
pub struct AnswerStream {
    /// The model that answers.
    pub model: Arc<Model>,
    /// The client's names for what it was not told, since its dialect has nothing for it.
    pub dropped: Vec<Cow<'static, str>>,
    /// What was decided for it; nothing where the caller named the model.
    pub routing: Option<Box<RoutingStory>>,
    /// Whole events in the client's dialect. The last item is an error when the stream was cut, and an empty piece
    /// when it came to its end: some providers send no end mark, and none is made up.
    pub events: mpsc::Receiver<Result<Bytes, GatewayError>>,
}
