//! Where tools hand their requests in: the way to the pipeline of the MCP edge's own cell.
//!
//! A pipeline stays on its cell's thread, and the protocol's tasks are on another. So a request crosses as an [`Order`],
//! and its answer comes back the same way.

use std::rc::Rc;
use std::sync::Arc;

use gateway_actors::dispatch::Pipeline;
use gateway_actors::protocol::{
    CallContext, ChatCall, ConversationId, GatewayError, PlanRequest, Served, TurnCall, TurnDialect,
};
use tokio::sync::{mpsc, oneshot};

use crate::dialects::openai_chat::PlainText;

/// Orders that wait to be taken to the pipeline. They are taken at once, and the slots bound how many there are.
const WAITING: usize = 16;

/// What is to be asked.
#[derive(Debug)]
pub(crate) struct Question {
    /// Instructions for the model.
    pub(crate) system: &'static str,
    /// The message.
    pub(crate) message: Arc<str>,
    /// The conversation it is a turn of.
    pub(crate) conversation: Option<ConversationId>,
    /// What to plan for, with the needs left open.
    pub(crate) plan: PlanRequest,
    /// Who asks, where, and until when.
    pub(crate) context: CallContext,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The answer's text.
    pub(crate) text: Arc<str>,
    /// How it came to be; nothing when the message had been answered before.
    pub(crate) served: Option<Served>,
}

#[derive(Debug)]
struct Order {
    question: Question,
    reply: oneshot::Sender<Result<Reply, GatewayError>>,
}

/// Takes questions. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Desk(mpsc::Sender<Order>);

/// The questions handed in, for the thread of the cell.
#[derive(Debug)]
pub(crate) struct Orders(mpsc::Receiver<Order>);

impl Desk {
    /// A desk, and what is handed in at it.
    pub(crate) fn new() -> (Self, Orders) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(sender), Orders(receiver))
    }

    /// Gets an answer. When the returned future is dropped nobody waits any more, but a call that was sent is settled.
    ///
    /// # Errors
    /// See `ErrorKind`; `component_failed` when the cell is gone.
    pub(crate) async fn ask(&self, question: Question) -> Result<Reply, GatewayError> {
        let (reply, answer) = oneshot::channel();
        let gone = || GatewayError::component_failed("worker");
        let order = Order { question, reply };
        self.0.send(order).await.map_err(|_order| gone())?;
        answer.await.unwrap_or_else(|_dropped| Err(gone()))
    }
}

impl Orders {
    /// Takes every order to the pipeline. Runs on the thread of the pipeline's cell, until the desk is gone.
    pub(crate) async fn serve(mut self, pipeline: Pipeline) {
        while let Some(Order { question, mut reply }) = self.0.recv().await {
            let pipeline = pipeline.clone();
            actix_rt::spawn(async move {
                let answered = tokio::select! {
                    answered = answer(&pipeline, question) => answered,
                    // The pipeline carries on what must be carried on.
                    () = reply.closed() => return,
                };
                // Whoever waited may have left.
                let _ = reply.send(answered);
            });
        }
    }
}

async fn answer(pipeline: &Pipeline, question: Question) -> Result<Reply, GatewayError> {
    let Question {
        system,
        message,
        conversation,
        plan,
        context,
    } = question;
    let dialect = PlainText {
        system: Some(system.into()),
        message: Arc::clone(&message),
        max_tokens: None,
        temperature: None,
    };
    if let Some(conversation) = conversation {
        let turn = pipeline.turn(TurnCall {
            conversation,
            client_message_id: None,
            message,
            plan,
            dialect: Rc::new(dialect),
            context,
        });
        let given = turn.await?;
        return Ok(Reply {
            text: given.text,
            served: given.served,
        });
    }
    let (outgoing, needs) = dialect.request(&[]);
    let plan = PlanRequest { needs, ..plan };
    let call = ChatCall {
        plan,
        outgoing,
        context,
    };
    let given = pipeline.complete(call).await?;
    Ok(Reply {
        text: dialect.answer_text(&given.completion)?.into(),
        served: Some(given.served),
    })
}
