//! What the handlers ask of the request pipeline. A trait, so that the edge can be tested without actors.

use std::fmt;

use futures_core::future::LocalBoxFuture;
use gateway_actors::dispatch::Pipeline;
use gateway_actors::protocol::{
    AgentAnswer, AgentCall, Answer, AnswerStream, ChatCall, ConversationId, GatewayError, Plan, TurnAnswer, TurnCall,
};

/// Takes requests to the models; see [`Pipeline`], whose methods these are.
pub trait RequestPipeline: fmt::Debug {
    /// Gets a whole answer.
    fn complete(&self, call: ChatCall) -> LocalBoxFuture<'_, Result<Answer, GatewayError>>;

    /// Gets a stream whose first meaningful event is there.
    fn stream(&self, call: ChatCall) -> LocalBoxFuture<'_, Result<AnswerStream, GatewayError>>;

    /// Runs a turn of a stored conversation.
    fn turn(&self, call: TurnCall) -> LocalBoxFuture<'_, Result<TurnAnswer, GatewayError>>;

    /// Does a code agent's task.
    fn agent(&self, call: AgentCall) -> LocalBoxFuture<'_, Result<AgentAnswer, GatewayError>>;

    /// What would be done for a request, without doing it.
    fn explain(
        &self,
        call: ChatCall,
        conversation: Option<ConversationId>,
    ) -> LocalBoxFuture<'_, Result<Plan, GatewayError>>;
}

/// The pipeline of a worker whose cell may have failed to start: the process is about to end then.
impl<P: RequestPipeline> RequestPipeline for Option<P> {
    fn complete(&self, call: ChatCall) -> LocalBoxFuture<'_, Result<Answer, GatewayError>> {
        self.as_ref().map_or_else(broken, |pipeline| pipeline.complete(call))
    }

    fn stream(&self, call: ChatCall) -> LocalBoxFuture<'_, Result<AnswerStream, GatewayError>> {
        self.as_ref().map_or_else(broken, |pipeline| pipeline.stream(call))
    }

    fn turn(&self, call: TurnCall) -> LocalBoxFuture<'_, Result<TurnAnswer, GatewayError>> {
        self.as_ref().map_or_else(broken, |pipeline| pipeline.turn(call))
    }

    fn agent(&self, call: AgentCall) -> LocalBoxFuture<'_, Result<AgentAnswer, GatewayError>> {
        self.as_ref().map_or_else(broken, |pipeline| pipeline.agent(call))
    }

    fn explain(
        &self,
        call: ChatCall,
        conversation: Option<ConversationId>,
    ) -> LocalBoxFuture<'_, Result<Plan, GatewayError>> {
        self.as_ref()
            .map_or_else(broken, |pipeline| pipeline.explain(call, conversation))
    }
}

fn broken<'a, T: 'a>() -> LocalBoxFuture<'a, Result<T, GatewayError>> {
    Box::pin(std::future::ready(Err(GatewayError::component_failed("worker"))))
}

impl RequestPipeline for Pipeline {
    fn complete(&self, call: ChatCall) -> LocalBoxFuture<'_, Result<Answer, GatewayError>> {
        Box::pin(self.complete(call))
    }

    fn stream(&self, call: ChatCall) -> LocalBoxFuture<'_, Result<AnswerStream, GatewayError>> {
        Box::pin(self.stream(call))
    }

    fn turn(&self, call: TurnCall) -> LocalBoxFuture<'_, Result<TurnAnswer, GatewayError>> {
        Box::pin(self.turn(call))
    }

    fn agent(&self, call: AgentCall) -> LocalBoxFuture<'_, Result<AgentAnswer, GatewayError>> {
        Box::pin(self.agent(call))
    }

    fn explain(
        &self,
        call: ChatCall,
        conversation: Option<ConversationId>,
    ) -> LocalBoxFuture<'_, Result<Plan, GatewayError>> {
        Box::pin(self.explain(call, conversation))
    }
}
