//! The request pipeline of a cell: plan, hold, attempts, stream pump, settle.

use std::rc::Rc;

use crate::protocol::{Answer, AnswerStream, ChatCall, ErrorKind, GatewayError, TurnAnswer, TurnCall};

/// Takes requests through the actors of one cell. Cheap to clone; stays on its cell's thread.
#[derive(Debug, Clone)]
pub struct Pipeline {
    inner: Rc<()>,
}

impl Pipeline {
    /// Gets a whole answer. The attempt goes on, and is settled, when the returned future is dropped.
    ///
    /// # Errors
    /// When no candidate could answer; see [`ErrorKind`].
    pub async fn complete(&self, call: ChatCall) -> Result<Answer, GatewayError> {
        std::future::ready(()).await;
        drop((call, Rc::clone(&self.inner)));
        Err(GatewayError::new(ErrorKind::NotSupported, "being built"))
    }

    /// Gets a stream whose first meaningful event is there.
    ///
    /// # Errors
    /// When no candidate could begin one; see [`ErrorKind`].
    pub async fn stream(&self, call: ChatCall) -> Result<AnswerStream, GatewayError> {
        std::future::ready(()).await;
        drop((call, Rc::clone(&self.inner)));
        Err(GatewayError::new(ErrorKind::NotSupported, "being built"))
    }

    /// Runs a turn of a stored conversation: the message is durable before a model is asked, the answer before it
    /// is returned.
    ///
    /// # Errors
    /// When the turn could not begin, no candidate could answer or the answer could not be stored.
    pub async fn turn(&self, call: TurnCall) -> Result<TurnAnswer, GatewayError> {
        std::future::ready(()).await;
        drop((call, Rc::clone(&self.inner)));
        Err(GatewayError::new(ErrorKind::NotSupported, "being built"))
    }
}
