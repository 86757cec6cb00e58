//! Rows of `escalations`, turned into the protocol's types and back.

use gateway_actors::protocol::{ConversationId, EscalationState, NanoUsd, NewEscalation, StoredEscalation};
use uuid::Uuid;

use super::error::Fault;
use super::transfer::EscalationRow;

/// A column holds what nobody wrote there.
fn broken<E>(_error: E) -> Fault {
    Fault::failed("an offer's row cannot be read")
}

fn hex(digest: [u8; 16]) -> String {
    Uuid::from_bytes(digest).simple().to_string()
}

fn digest(hex: &str) -> Result<[u8; 16], Fault> {
    Ok(Uuid::try_parse(hex).map_err(broken)?.into_bytes())
}

impl EscalationRow {
    /// The row of an offer that nobody has decided about. A model's words may hold a NUL, which PostgreSQL does not take:
    /// it is left out.
    pub(super) fn new(offer: &NewEscalation, now: i64) -> Self {
        Self {
            id: offer.id.to_string(),
            caller: hex(offer.caller),
            endpoint: offer.endpoint.to_string(),
            request_id: offer.request.to_string(),
            conversation_id: offer.conversation.as_ref().map(|id| id.as_str().to_owned()),
            user_seq: offer.user_seq,
            body: offer.body.to_string(),
            request_hash: hex(offer.request_digest),
            from_layer: offer.from.to_string(),
            to_layer: offer.to.to_string(),
            reason: offer.reason.to_string(),
            estimated_nano_usd: offer.estimated.0,
            note: offer.note.replace('\0', ""),
            answer: offer.answer.as_deref().map(|answer| answer.replace('\0', "")),
            state: EscalationState::Pending.to_string(),
            created_at: now,
            expires_at: offer.expires_at,
            decided_at: None,
        }
    }
}

impl TryFrom<EscalationRow> for StoredEscalation {
    type Error = Fault;

    fn try_from(row: EscalationRow) -> Result<Self, Fault> {
        let conversation = row.conversation_id.as_deref().map(ConversationId::from_stored);
        let new = NewEscalation {
            id: row.id.parse().map_err(broken)?,
            caller: digest(&row.caller)?,
            endpoint: row.endpoint.into(),
            request: row.request_id.parse().map_err(broken)?,
            conversation: conversation.transpose().map_err(broken)?,
            user_seq: row.user_seq,
            body: row.body.into(),
            request_digest: digest(&row.request_hash)?,
            from: row.from_layer.parse().map_err(broken)?,
            to: row.to_layer.parse().map_err(broken)?,
            reason: row.reason.parse().map_err(broken)?,
            estimated: NanoUsd(row.estimated_nano_usd),
            note: row.note.into(),
            answer: row.answer.map(Into::into),
            expires_at: row.expires_at,
        };
        Ok(Self {
            new,
            state: row.state.parse().map_err(broken)?,
        })
    }
}
