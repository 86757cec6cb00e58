//! Rows and the protocol's types, turned into one another.

use std::sync::Arc;

use diesel::prelude::*;
use gateway_actors::protocol::{Layer, MessageStatus, ResponseId, Role, StoredMessage, StoredResponse};

use super::error::Fault;
use super::schema::{messages, responses};

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

/// The dearest layer that answered in a conversation.
pub(super) fn route_layer(text: Option<&str>) -> Result<Option<Layer>, Fault> {
    let layer = text.map(str::parse).transpose();
    layer.map_err(|_unknown| Fault::failed("a conversation has an unknown layer"))
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

/// A whole row of `responses`, in the order of its columns.
#[derive(Debug, Queryable)]
pub(super) struct ResponseRow {
    id: String,
    previous_id: Option<String>,
    request_id: String,
    model: String,
    input: String,
    body: String,
    created_at: i64,
    expires_at: i64,
}

impl ResponseRow {
    /// The response that it went on from.
    pub(super) fn previous(&self) -> Result<Option<ResponseId>, Fault> {
        self.previous_id.as_deref().map(response_id).transpose()
    }
}

fn response_id(text: &str) -> Result<ResponseId, Fault> {
    ResponseId::from_stored(text).map_err(|_invalid| Fault::failed("a response has an id that is none"))
}

impl TryFrom<ResponseRow> for StoredResponse {
    type Error = Fault;

    fn try_from(row: ResponseRow) -> Result<Self, Fault> {
        let request = row.request_id.parse();
        Ok(Self {
            id: response_id(&row.id)?,
            previous: row.previous()?,
            request: request.map_err(|_invalid| Fault::failed("a response is of a request that is none"))?,
            created_at: row.created_at,
            model: row.model.into(),
            input: row.input.into(),
            body: row.body.into(),
            expires_at: row.expires_at,
        })
    }
}

/// A response as it is stored, also over one of the same id that has expired.
#[derive(Debug, Insertable, AsChangeset)]
#[diesel(table_name = responses, treat_none_as_null = true)]
pub(super) struct NewResponse<'a> {
    id: &'a str,
    previous_id: Option<&'a str>,
    request_id: &'a str,
    model: &'a str,
    input: &'a str,
    body: &'a str,
    created_at: i64,
    expires_at: i64,
}

impl<'a> NewResponse<'a> {
    /// The row of a response, of whose request this is the id.
    pub(super) fn new(response: &'a StoredResponse, request: &'a str) -> Self {
        Self {
            id: response.id.as_str(),
            previous_id: response.previous.as_ref().map(ResponseId::as_str),
            request_id: request,
            model: &response.model,
            input: &response.input,
            body: &response.body,
            created_at: response.created_at,
            expires_at: response.expires_at,
        }
    }
}
