//! Turns, call records and responses to store.

use std::sync::Arc;
use std::time::Duration;

use crate::protocol::{
    AttemptId, CallRecord, CellId, Charges, CloseTurn, ConversationId, DispatchRecord, InstanceId, KeyId, Layer,
    NanoUsd, OpenTurn, Outcome, PicoUsdPerToken, Price, RequestId, ResponseId, Scope, StoredResponse, TaskType,
    TokenUsage, UsageSource,
};

/// A conversation's id.
///
/// # Panics
/// When the text is none.
#[must_use]
#[expect(clippy::unwrap_used, reason = "a test that gives a text that is no id is wrong")]
pub fn conversation(id: &str) -> ConversationId {
    id.parse().unwrap()
}

/// A turn of a new request and a new instance that holds the conversation for a minute.
#[must_use]
pub fn turn(conversation: &ConversationId, message: &str) -> OpenTurn {
    OpenTurn {
        conversation: conversation.clone(),
        request: RequestId::generate(),
        instance: InstanceId::generate(),
        user_id: Some("user-1".into()),
        project_id: None,
        client_message_id: None,
        message: message.into(),
        lease: Duration::from_secs(60),
        history_limit: 50,
    }
}

/// The end of a turn, whose message has this number.
#[must_use]
pub fn close(turn: &OpenTurn, user_seq: i64, answer: Option<&str>) -> CloseTurn {
    CloseTurn {
        conversation: turn.conversation.clone(),
        request: turn.request,
        user_seq,
        answer: answer.map(Into::into),
    }
}

/// A new attempt with every field set.
#[must_use]
pub fn dispatch() -> DispatchRecord {
    DispatchRecord {
        attempt: AttemptId {
            request: RequestId::generate(),
            ordinal: 1,
        },
        instance: InstanceId::generate(),
        cell: CellId(3),
        conversation: Some(conversation("conv-1")),
        key_id: Some(KeyId::generate()),
        user_id: Some("user-1".into()),
        project_id: Some("project \"one\"".into()),
        endpoint: "/v1/chat".into(),
        model: "alpha-small".into(),
        api_model: "gpt-4o-mini".into(),
        provider: "alpha".into(),
        layer: Layer::L1,
        task: TaskType::CreateProject,
        price: Some(Price::plain(
            PicoUsdPerToken(150_000),
            PicoUsdPerToken(75_000),
            PicoUsdPerToken(600_000),
        )),
        held: NanoUsd(5_000),
        charges: Some(Arc::new(Charges {
            epoch: 2,
            to: vec![
                (Scope::Global, "2026-11".into()),
                (Scope::Project("project \"one\"".into()), "total".into()),
            ],
        })),
        streamed: true,
        started_at: 1_700_000_000_000_000,
    }
}

/// How an attempt ended well.
#[must_use]
pub fn finished(dispatch: &DispatchRecord) -> CallRecord {
    CallRecord {
        dispatch: dispatch.clone(),
        outcome: Outcome::Completed,
        status: Some(200),
        usage: TokenUsage {
            input: 10,
            cached_input: 4,
            cache_write_5m: 3,
            cache_write_1h: 2,
            output: 20,
            reasoning: 5,
        },
        usage_source: UsageSource::Reported,
        cost: NanoUsd(1_234),
        estimated: false,
        first_byte_us: Some(120),
        duration_us: 4_500,
    }
}

/// A new attempt that ended well.
#[must_use]
pub fn finished_call() -> Arc<CallRecord> {
    Arc::new(finished(&dispatch()))
}

/// A response's id.
///
/// # Panics
/// When the text is none.
#[must_use]
#[expect(clippy::unwrap_used, reason = "a test that gives a text that is no id is wrong")]
pub fn response_id(id: &str) -> ResponseId {
    id.parse().unwrap()
}

/// A response of a new request that goes on from this one, and is kept for a thousand years.
#[must_use]
pub fn response(id: &str, previous: Option<&str>) -> StoredResponse {
    const MADE: i64 = 1_700_000_000_000_000;
    StoredResponse {
        id: response_id(id),
        previous: previous.map(response_id),
        request: RequestId::generate(),
        created_at: MADE,
        model: "alpha-small".into(),
        input: format!(r#"[{{"role":"user","content":"question of {id}"}}]"#).into(),
        body: format!(r#"{{"id":"{id}","object":"response","status":"completed","output":[]}}"#).into(),
        expires_at: MADE + 1_000 * 365 * 86_400 * 1_000_000,
    }
}
