//! What becomes of a request on its way to a provider, told by what was written for it.

use bytes::Bytes;
use gateway_actors::protocol::{Dialect, ErrorKind, GatewayError, Model, Outgoing, OutgoingRequest as _};
use serde_json::Value;

use super::case::{ABSENT, Case, OWN_STATE, PROBE, body, names, with_state};
use super::known_members::is_known;
use crate::dialects::anthropic_messages::MessagesRequest;
use crate::dialects::bounds::Bounding;
use crate::dialects::neutral::{Feature, Origin};
use crate::dialects::openai_chat::ChatCompletionsRequest;
use crate::dialects::openai_responses::ResponsesRequest;
use crate::dialects::translation::{self, CHAT, ClientSide, MESSAGES, RESPONSES};

/// One cell of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    /// The client's own bytes go to the provider.
    AsSent,
    /// The provider's body says the same.
    Carried,
    /// It is left out, and the client is told.
    Dropped,
    /// The client gets an error that names the field.
    Refused,
    /// The client's dialect, or the provider's models, have no such thing.
    None,
}

impl Cell {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::AsSent => "as sent",
            Self::Carried => "carried",
            Self::Dropped => "dropped",
            Self::Refused => "refused",
            Self::None => "–",
        }
    }
}

/// The client's side.
fn side(client: Dialect) -> &'static ClientSide {
    match client {
        Dialect::OpenaiChat => &CHAT,
        Dialect::OpenaiResponses => &RESPONSES,
        _ => &MESSAGES,
    }
}

/// Sends a body on its real way: through the client's own request to a provider of its dialect, and by translation to any
/// other.
pub(super) fn sent(client: Dialect, body: &Bytes, model: &Model) -> Result<Outgoing, GatewayError> {
    if client != model.dialect {
        return translation::write(side(client), body, model, false, Bounding::NONE);
    }
    let body = body.clone();
    match client {
        Dialect::OpenaiChat => ChatCompletionsRequest::scan(body)?.write_for(model, None),
        Dialect::OpenaiResponses => ResponsesRequest::scan(body)?.write_for(model, None),
        _ => MessagesRequest::scan(body)?.write_for(model, None),
    }
}

/// What becomes of a case's feature between this client and this provider.
///
/// # Errors
/// When it is none of the things that may become of it, in words.
pub(super) fn classify(case: &Case, client: Dialect, provider: Dialect) -> Result<Cell, String> {
    let Some(members) = case.members(client) else {
        return Ok(Cell::None);
    };
    let model = case.models.model(provider);
    // Nothing that such a model makes is sealed.
    if members.contains(OWN_STATE) && provider == Dialect::Ollama {
        return Ok(Cell::None);
    }
    let members = with_state(members, client, provider, Origin::of(&model));
    let asked = body(client, &members);
    let name = case.feature.name_in(client);
    let outgoing = match sent(client, &asked, &model) {
        Ok(outgoing) => outgoing,
        Err(error) => {
            let whole = whole(case.feature).map(|whole| whole.name_in(client));
            return refused(&error, name, whole, &members, &asked).map(|()| Cell::Refused);
        }
    };
    let written = outgoing.body.to_bytes();
    let is_dropped = outgoing.dropped.iter().any(|dropped| dropped == name);
    if client == provider {
        if is_dropped {
            return left_out(case, name, &members, &written).map(|()| Cell::Dropped);
        }
        return as_sent(&asked, &written, &model).map(|()| Cell::AsSent);
    }
    written_anew(&asked, &written, &outgoing, &model)?;
    if is_dropped {
        return left_out(case, name, &members, &written).map(|()| Cell::Dropped);
    }
    let value: Value = serde_json::from_slice(&written).map_err(|error| error.to_string())?;
    let places = case.places(provider);
    if places.is_empty() {
        return Err(format!(
            "carried, but nobody says where: {value}, dropped {:?}",
            outgoing.dropped
        ));
    }
    for (pointer, expected) in places {
        let expected: Option<Value> = (*expected != ABSENT)
            .then(|| serde_json::from_str(expected).unwrap_or_else(|error| panic!("{error}: {expected}")));
        if value.pointer(pointer) != expected.as_ref() {
            return Err(format!(
                "`{pointer}` is not {expected:?}: {value}, dropped {:?}",
                outgoing.dropped
            ));
        }
    }
    Ok(Cell::Carried)
}

/// What a feature is nothing without.
fn whole(feature: Feature) -> Option<Feature> {
    (feature == Feature::DocumentName).then_some(Feature::Document)
}

/// The bytes are the client's, save for the model's name.
fn as_sent(asked: &Bytes, written: &Bytes, model: &Model) -> Result<(), String> {
    let asked = std::str::from_utf8(asked).unwrap();
    let own = format!(r#""model": "{}""#, model.api_model);
    let expected = asked.replacen(r#""model": "asked""#, &own, 1);
    if written == expected.as_bytes() && expected != asked {
        Ok(())
    } else {
        Err(format!("not as sent: {written:?}"))
    }
}

/// The body is none that was passed on: it has the provider's own members alone, its model, and nothing of what nobody
/// knows, of which the client is told.
pub(super) fn written_anew(asked: &Bytes, written: &Bytes, outgoing: &Outgoing, model: &Model) -> Result<(), String> {
    let value: Value = serde_json::from_slice(written).map_err(|error| error.to_string())?;
    let members = value.as_object().ok_or("the body is no object")?;
    if let Some(foreign) = members.keys().find(|name| !is_known(model.dialect, name)) {
        return Err(format!("the provider does not know the member `{foreign}`: {value}"));
    }
    // Where the model is in the address, it is not in the body.
    let named = (model.dialect != Dialect::Gemini).then_some(&*model.api_model);
    if value.get("model").and_then(Value::as_str) != named {
        return Err(format!("not the provider's model: {value}"));
    }
    let is_probed = std::str::from_utf8(written).unwrap().contains(PROBE);
    if is_probed || written == asked || !outgoing.dropped.iter().any(|name| name == PROBE) {
        return Err(format!(
            "what nobody knows is passed on, or not told: {value}, dropped {:?}",
            outgoing.dropped
        ));
    }
    Ok(())
}

/// The feature's mark is in what the client asked and not in what was written, and the client knows the field by this name.
fn left_out(case: &Case, name: &str, members: &str, written: &Bytes) -> Result<(), String> {
    is_clients_own(name, members)?;
    let written = std::str::from_utf8(written).unwrap();
    let marks = || case.mark.split('|').filter(|mark| !mark.is_empty());
    if !marks().any(|mark| members.contains(mark)) {
        return Err(format!("dropped, but `{}` is no mark in {members}", case.mark));
    }
    if let Some(mark) = marks().find(|mark| written.contains(mark)) {
        return Err(format!("dropped, but `{mark}` is still there: {written}"));
    }
    Ok(())
}

/// The refusal is of the feature's own field, or of the `whole` that it is a part of.
fn refused(error: &GatewayError, name: &str, whole: Option<&str>, members: &str, asked: &Bytes) -> Result<(), String> {
    if error.kind != ErrorKind::InvalidRequest {
        return Err(format!("not refused by name: {error:?}"));
    }
    let param = error.param.as_deref().unwrap_or_default();
    if param == name || whole.is_some_and(|whole| whole == param) {
        return is_clients_own(name, members);
    }
    // A place such as `messages[0].content[1].file`: in what the client asked, and there.
    let pointer = format!("/{}", param.replace('[', "/").replace(']', "").replace('.', "/"));
    let top = pointer.split('/').nth(1).unwrap_or_default();
    let asked: Value = serde_json::from_slice(asked).unwrap();
    if asked.pointer(&pointer).is_some() && names(members).iter().any(|own| own == top) {
        return Ok(());
    }
    Err(format!("another fault than that of `{name}`: {error:?}"))
}

/// Every word of a name is one of what the client asked: the name of a member, or a `type` or `role`.
fn is_clients_own(name: &str, members: &str) -> Result<(), String> {
    match name.split('.').find(|word| !members.contains(&format!("\"{word}\""))) {
        None => Ok(()),
        Some(word) => Err(format!(
            "`{name}` is no name of the client's: there is no `{word}` in {members}"
        )),
    }
}
