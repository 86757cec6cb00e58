//! The answer to `/v1/route` and `/v1/chat`.

use actix_web::HttpResponse;
use gateway_actors::protocol::{ConversationId, RequestId, Served};
use serde::Serialize;

use crate::answer::{Answerer, Performance, Routing, finish_reason};
use crate::escalation::Offered;
use crate::http::error::Failure;
use crate::http::middleware::Incoming;
use crate::http::respond::json;

/// What there is to tell.
#[derive(Debug)]
pub(super) struct AskAnswer<'a> {
    pub(super) text: &'a str,
    /// Nothing when the same message had been answered before.
    pub(super) served: Option<&'a Served>,
    pub(super) conversation: &'a ConversationId,
    /// Whether the conversation has it.
    pub(super) stored: bool,
    /// A better answer that may be had.
    pub(super) escalation: Option<Offered>,
    /// Whether it is told in full how the answer came to be.
    pub(super) explain: bool,
    pub(super) incoming: Incoming,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    result: ResultPart<'a>,
    routing: Routing<'a>,
    context: Context<'a>,
    performance: Performance,
    #[serde(skip_serializing_if = "Option::is_none")]
    escalation: Option<&'a Offered>,
    request_id: RequestId,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultPart<'a> {
    response: &'a str,
    #[serde(flatten)]
    by: Answerer<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    conversation_id: &'a ConversationId,
    /// Told only where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<bool>,
}

pub(super) fn answer(given: &AskAnswer<'_>) -> Result<HttpResponse, Failure> {
    let body = body(given)?;
    tracing::debug!(request_id = %given.incoming.id, routing = body.routing.summary(), "answered");
    json(&body)
}

fn body<'a>(given: &'a AskAnswer<'a>) -> Result<Body<'a>, Failure> {
    let performance = Performance::new(given.served, given.incoming.arrived.elapsed());
    Ok(Body {
        result: ResultPart {
            response: given.text,
            by: Answerer::of(given.served),
            finish_reason: finish_reason(given.served),
        },
        routing: Routing::of(given.served, given.explain),
        context: Context {
            conversation_id: given.conversation,
            stored: (!given.stored).then_some(false),
        },
        performance: performance.map_err(|_not_json| Failure::internal())?,
        escalation: given.escalation.as_ref(),
        request_id: given.incoming.id,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gateway_actors::protocol::{AnswerEnd, NanoUsd, TokenUsage, UsageSource};
    use serde_json::{Value, json};
    use tokio::time::Instant;

    use super::*;
    use crate::http::testing::model;

    fn rendered(served: Option<&Served>) -> (String, Value) {
        let given = AskAnswer {
            text: "Async/await is...",
            served,
            conversation: &"conv-123".parse().unwrap(),
            stored: true,
            escalation: None,
            explain: true,
            incoming: Incoming {
                id: RequestId::generate(),
                arrived: Instant::now(),
            },
        };
        let text = serde_json::to_string(&body(&given).unwrap()).unwrap();
        let value = serde_json::from_str(&text).unwrap();
        (text, value)
    }

    #[test]
    fn the_answer_has_the_shape_that_clients_know_and_an_exact_cost() {
        let served = Served {
            model: Arc::new(model("small", "alpha")),
            attempts: Vec::new(),
            usage: TokenUsage {
                input: 50,
                output: 200,
                ..TokenUsage::default()
            },
            usage_source: UsageSource::Reported,
            cost: NanoUsd(9_007_199_254_740_993),
            dropped: Vec::new(),
            routing: None,
            end: Some(AnswerEnd::Length),
        };
        let (text, value) = rendered(Some(&served));
        assert!(
            text.contains(r#""cost":9007199.254740993,"costNanoUsd":9007199254740993"#),
            "{text}"
        );
        assert_eq!(
            value["result"],
            json!({"response": "Async/await is...", "model": "small", "provider": "alpha", "layer": "L0",
                "finishReason": "length"})
        );
        // Of a named model nothing was decided, so that there is nothing more to explain.
        assert_eq!(value["routing"], json!({"summary": "", "fromCache": false}));
        assert_eq!(value["context"], json!({"conversationId": "conv-123"}));
        assert_eq!(value.get("escalation"), None);
        assert_eq!(value["performance"]["tokens"], json!({"input": 50, "output": 200}));
    }

    #[test]
    fn an_answer_given_before_says_so_and_costs_nothing() {
        let (_, value) = rendered(None);
        assert_eq!(value["routing"]["fromCache"], true);
        assert_eq!(value["performance"]["costNanoUsd"], 0);
        assert_eq!(value["result"]["model"], Value::Null);
        assert_eq!(value["result"].get("finishReason"), None, "nobody knows it any more");
    }
}
