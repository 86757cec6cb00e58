//! Rows and the protocol's types, turned into one another.

use std::sync::Arc;

use diesel::prelude::*;
use gateway_actors::protocol::{MessageStatus, Role, StoredMessage};

use super::error::Fault;
use super::schema::messages;

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
