//! Rows and the protocol's types, turned into one another.

use std::sync::Arc;

use diesel::prelude::*;
use gateway_actors::protocol::{CallRecord, MessageStatus, Role, StoredMessage};

use super::error::Fault;
use super::schema::{llm_calls, messages};

/// A message as it is read back to callers.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = messages)]
pub(super) struct MessageRow {
    seq: i64,
    role: String,
    content: String,
    status: String,
    created_at: i64,
}

impl TryFrom<MessageRow> for StoredMessage {
    type Error = Fault;

    fn try_from(row: MessageRow) -> Result<Self, Fault> {
        let role = [Role::User, Role::Assistant]
            .into_iter()
            .find(|role| role.as_str() == row.role)
            .ok_or_else(|| Fault::failed("a message has an unknown role"))?;
        Ok(Self {
            seq: row.seq,
            role,
            content: Arc::from(row.content),
            status: status(&row.status)?,
            created_at: row.created_at,
        })
    }
}

/// The status with this spelling.
pub(super) fn status(text: &str) -> Result<MessageStatus, Fault> {
    [MessageStatus::Pending, MessageStatus::Done, MessageStatus::Failed]
        .into_iter()
        .find(|status| status.as_str() == text)
        .ok_or_else(|| Fault::failed("a message has an unknown status"))
}

/// A message as it is stored.
#[derive(Debug, Insertable)]
#[diesel(table_name = messages)]
pub(super) struct NewMessage<'a> {
    pub(super) conversation_id: &'a str,
    pub(super) seq: i64,
    pub(super) role: &'static str,
    pub(super) content: &'a str,
    pub(super) status: &'static str,
    pub(super) client_message_id: Option<&'a str>,
    pub(super) request_id: Option<&'a str>,
    pub(super) created_at: i64,
}

/// A call record as it is stored. Counts beyond what the database holds are stored as the largest that it does.
#[derive(Debug, Insertable)]
#[diesel(table_name = llm_calls, treat_none_as_default_value = false)]
pub(super) struct CallRow<'a> {
    pub(super) attempt_id: String,
    request_id: String,
    ordinal: i32,
    instance_id: String,
    cell: i32,
    conversation_id: Option<&'a str>,
    user_id: Option<&'a str>,
    project_id: Option<&'a str>,
    endpoint: &'a str,
    model_id: &'a str,
    api_model: &'a str,
    provider: &'a str,
    layer: &'static str,
    task: &'static str,
    input_tokens: i64,
    cached_input_tokens: i64,
    output_tokens: i64,
    reasoning_tokens: i64,
    usage_source: &'static str,
    cost_nano_usd: i64,
    held_nano_usd: i64,
    input_price_pico_usd: Option<i64>,
    cached_input_price_pico_usd: Option<i64>,
    output_price_pico_usd: Option<i64>,
    estimated: bool,
    streamed: bool,
    outcome: &'static str,
    status: Option<i32>,
    success: bool,
    first_byte_us: Option<i64>,
    duration_us: i64,
    started_at: i64,
    created_at: i64,
}

impl<'a> CallRow<'a> {
    /// The row of this record, first stored at `now` (microseconds since 1970).
    pub(super) fn new(record: &'a CallRecord, now: i64) -> Self {
        let sent = &record.dispatch;
        Self {
            attempt_id: sent.attempt.to_string(),
            request_id: sent.attempt.request.to_string(),
            ordinal: sent.attempt.ordinal.into(),
            instance_id: sent.instance.to_string(),
            cell: sent.cell.0.into(),
            conversation_id: sent.conversation.as_ref().map(|id| id.as_str()),
            user_id: sent.user_id.as_deref(),
            project_id: sent.project_id.as_deref(),
            endpoint: &sent.endpoint,
            model_id: sent.model.as_str(),
            api_model: &sent.api_model,
            provider: sent.provider.as_str(),
            layer: sent.layer.as_str(),
            task: sent.task.as_str(),
            input_tokens: saturating(record.usage.input),
            cached_input_tokens: saturating(record.usage.cached_input),
            output_tokens: saturating(record.usage.output),
            reasoning_tokens: saturating(record.usage.reasoning),
            usage_source: record.usage_source.as_str(),
            cost_nano_usd: record.cost.0,
            held_nano_usd: sent.held.0,
            input_price_pico_usd: sent.price.map(|price| saturating(price.input.0)),
            cached_input_price_pico_usd: sent.price.map(|price| saturating(price.cached_input.0)),
            output_price_pico_usd: sent.price.map(|price| saturating(price.output.0)),
            estimated: record.estimated,
            streamed: sent.streamed,
            outcome: record.outcome.as_str(),
            status: record.status.map(Into::into),
            success: record.succeeded(),
            first_byte_us: record.first_byte_us.map(saturating),
            duration_us: saturating(record.duration_us),
            started_at: sent.started_at,
            created_at: now,
        }
    }
}

fn saturating(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
