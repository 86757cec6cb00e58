//! In which ways what an answer holds may reach a client, for each of the dialects that clients speak: what was seen is
//! the first of them that the answer meets, whole and as a stream.

mod chat;
mod messages;
mod responses;

use gateway_actors::protocol::Dialect;

use super::row::Row;
use super::want::Outcome;

/// The ways, the best first.
pub(super) fn outcomes(client: Dialect, provider: Dialect, row: Row) -> Vec<Outcome> {
    match client {
        Dialect::OpenaiResponses => responses::outcomes(provider, row),
        Dialect::AnthropicMessages => messages::outcomes(provider, row),
        _ => chat::outcomes(provider, row),
    }
}
