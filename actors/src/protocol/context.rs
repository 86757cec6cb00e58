//! Messages of the ContextActor, and the permit to run a turn of a conversation.

use std::fmt;
use std::sync::Arc;

use actix::Message;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::errors::{ErrorKind, GatewayError};
use super::ids::{ConversationId, ModelId, ProviderName, RequestId};
use super::layer::Layer;
use super::orchestra::ConversationMark;

/// Asks for the right to run a turn. The permit comes when the turns before it are over.
#[derive(Debug, Message)]
#[rtype(result = "Result<oneshot::Receiver<TurnPermit>, ContextError>")]
pub struct BeginTurn {
    /// The conversation.
    pub conversation: ConversationId,
    /// The request whose turn it is.
    pub request: RequestId,
}

/// Tells that a turn is over (one way; sent by the permit when it is dropped).
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct EndTurn {
    /// The conversation.
    pub conversation: ConversationId,
    /// The request whose turn it was.
    pub request: RequestId,
}

/// Asks what is known of a conversation that has no id.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Option<LoopNote>")]
pub struct FindLoop {
    /// Whose it is.
    pub tenant: Option<Arc<str>>,
    /// What it is known by ([`LoopKey::conversation`](super::LoopKey::conversation)).
    pub conversation: ConversationMark,
    /// When it is asked.
    pub now: Instant,
}

/// Tells what is to be known of a conversation that has no id (one way).
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct KeepLoop {
    /// Whose it is.
    pub tenant: Option<Arc<str>>,
    /// What it is known by.
    pub conversation: ConversationMark,
    /// What is to be known.
    pub note: LoopNote,
    /// When it is told.
    pub now: Instant,
}

/// What is known of a conversation that has no id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoopNote {
    /// The dearest layer that has answered in it.
    pub floor: Layer,
    /// The newest user turn ([`LoopKey::turn`](super::LoopKey::turn)).
    pub turn: [u8; 16],
    /// The model that answered it.
    pub model: ModelId,
    /// That model's provider.
    pub provider: ProviderName,
}

/// Why a turn cannot begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// As many turns wait for this conversation as may.
    #[error("this conversation already has {waiting} messages waiting; try again when they are answered")]
    Busy {
        /// How many wait.
        waiting: usize,
    },
    /// The ContextActor is being rebuilt.
    #[error("the conversations are restarting; try again")]
    Restarting,
}

impl From<ContextError> for GatewayError {
    fn from(error: ContextError) -> Self {
        match error {
            ContextError::Busy { .. } => Self::new(ErrorKind::ConversationBusy, error.to_string())
                .with_retry_after(std::time::Duration::from_secs(1)),
            ContextError::Restarting => Self::component_failed("context"),
        }
    }
}

/// Where a permit ends: implemented by the ContextActor's address.
pub trait TurnSink: fmt::Debug + Send + Sync {
    /// Ends the turn.
    fn end(&self, end: EndTurn);
}

/// A turn that runs; alive as long as its permit.
#[derive(Debug)]
pub struct RunningTurn {
    /// The conversation.
    pub conversation: ConversationId,
    /// The request whose turn it is.
    pub request: RequestId,
}

/// The right to run one turn of a conversation. Dropping it lets the next one begin.
pub struct TurnPermit {
    turn: Arc<RunningTurn>,
    sink: Arc<dyn TurnSink>,
}

impl TurnPermit {
    /// A permit that ends at `sink`.
    #[must_use]
    pub fn new(turn: Arc<RunningTurn>, sink: Arc<dyn TurnSink>) -> Self {
        Self { turn, sink }
    }
}

/// The way a permit goes to whoever waits for it.
#[derive(Debug)]
pub struct PermitSender(oneshot::Sender<TurnPermit>);

impl PermitSender {
    /// A sender, and the receiver that gets its permit.
    #[must_use]
    pub fn channel() -> (Self, oneshot::Receiver<TurnPermit>) {
        let (sender, receiver) = oneshot::channel();
        (Self(sender), receiver)
    }

    /// Whether nobody waits any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Hands the permit over. If nobody waits any more it is dropped, which ends the turn.
    pub fn send(self, permit: TurnPermit) {
        let _ = self.0.send(permit);
    }
}

impl Drop for TurnPermit {
    fn drop(&mut self) {
        self.sink.end(EndTurn {
            conversation: self.turn.conversation.clone(),
            request: self.turn.request,
        });
    }
}

impl fmt::Debug for TurnPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TurnPermit")
            .field("turn", &self.turn)
            .finish_non_exhaustive()
    }
}
