//! What a case is made of: a body in each client's dialect, and where the body for each provider must hold what it asks.

use bytes::Bytes;
use gateway_actors::protocol::Dialect;
use serde_json::{Map, Value};

use super::models::Models;
use crate::dialects::neutral::{Feature, Opaque, OpaqueKind, Origin};

/// A member of every body that no dialect has.
pub(super) const PROBE: &str = "x_probe_nobody_knows";

/// Stands in a body for what only the model that is asked can read, as its client got it.
pub(super) const OWN_STATE: &str = "OWN_STATE";

/// What that is in the provider's own field.
pub(super) const SEALED: &str = "c2VhbGVk";

/// One row of the tables.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) feature: Feature,
    /// What of the feature, if it is not simply there.
    pub(super) says: &'static str,
    /// The models that are asked.
    pub(super) models: Models,
    /// How each client asks.
    pub(super) asked: Asked,
    /// Texts, with `|` between them, of which one is in what a client asks, and none in what the feature was left out of.
    pub(super) mark: &'static str,
    /// Where each provider is told.
    pub(super) held: Held,
}

/// The members with which a client asks, as JSON text, beside those of the plainest request. Nothing where the dialect
/// does not have the feature, or where another case of the same row has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) chat: Option<&'static str>,
    pub(super) responses: Option<&'static str>,
    pub(super) messages: Option<&'static str>,
}

/// JSON pointers into a provider's body, each with the JSON that must be there; [`ABSENT`] where nothing may be. No
/// pointers where the provider cannot be told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) chat: Places,
    pub(super) responses: Places,
    pub(super) messages: Places,
    pub(super) gemini: Places,
    pub(super) ollama: Places,
}

type Places = &'static [(&'static str, &'static str)];

/// What stands for no value at all.
pub(super) const ABSENT: &str = "absent";

/// Held nowhere.
pub(super) const NOWHERE: Held = Held {
    chat: &[],
    responses: &[],
    messages: &[],
    gemini: &[],
    ollama: &[],
};

impl Case {
    /// The row's words.
    pub(super) fn row(&self) -> String {
        match (self.feature, self.says) {
            (feature, "") => feature.label().to_owned(),
            // In an error's words it stands beside the field.
            (Feature::OtherContent, says) => format!("content of another kind: {says}"),
            (feature, says) => format!("{}: {says}", feature.label()),
        }
    }

    /// The members with which a client asks.
    pub(super) fn members(&self, client: Dialect) -> Option<&'static str> {
        match client {
            Dialect::OpenaiChat => self.asked.chat,
            Dialect::OpenaiResponses => self.asked.responses,
            _ => self.asked.messages,
        }
    }

    /// Where a provider must be told what.
    pub(super) fn places(&self, provider: Dialect) -> Places {
        match provider {
            Dialect::OpenaiChat => self.held.chat,
            Dialect::OpenaiResponses => self.held.responses,
            Dialect::AnthropicMessages => self.held.messages,
            Dialect::Gemini => self.held.gemini,
            Dialect::Ollama => self.held.ollama,
        }
    }
}

/// The members of the plainest request.
pub(super) fn plainest(client: Dialect) -> &'static [(&'static str, &'static str)] {
    match client {
        Dialect::OpenaiChat => &[("messages", r#"[{"role": "user", "content": "hi"}]"#)],
        Dialect::OpenaiResponses => &[("input", r#""hi""#)],
        _ => &[
            ("max_tokens", "4000"),
            ("messages", r#"[{"role": "user", "content": "hi"}]"#),
        ],
    }
}

/// The names of the members that a text has.
pub(super) fn names(members: &str) -> Vec<String> {
    let object: Map<String, Value> =
        serde_json::from_str(&format!("{{{members}}}")).unwrap_or_else(|error| panic!("{error}: {members}"));
    object.into_iter().map(|(name, _)| name).collect()
}

/// A whole body: the model `asked`, the plainest request save what is asked otherwise, these members, and one that nobody
/// knows.
pub(super) fn body(client: Dialect, members: &str) -> Bytes {
    let own = names(members);
    let plain = plainest(client).iter();
    let mut all = vec![r#""model": "asked""#.to_owned()];
    all.extend(
        plain
            .filter(|(name, _)| !own.iter().any(|own| own == name))
            .map(|(name, value)| format!("\"{name}\" : {value}")),
    );
    all.extend((!members.is_empty()).then(|| members.trim().to_owned()));
    all.push(format!("\"{PROBE}\": {{\"n\": 1.50}}"));
    Bytes::from(format!("{{ {} }}\n", all.join(" ,\n")))
}

/// The members with what only the asked model can read in its place: as the model made it, where it speaks the client's
/// dialect, and with its mark where not.
pub(super) fn with_state(members: &str, client: Dialect, provider: Dialect, maker: Origin) -> String {
    let (kind, data) = match provider {
        Dialect::OpenaiChat => (
            OpaqueKind::Details,
            format!(r#"{{"type":"reasoning.text","signature":"{SEALED}","format":"unknown","index":0}}"#),
        ),
        Dialect::OpenaiResponses => (OpaqueKind::Encrypted, format!("rs_1|{SEALED}")),
        Dialect::AnthropicMessages => (OpaqueKind::Signature, SEALED.to_owned()),
        Dialect::Gemini | Dialect::Ollama => (OpaqueKind::ThoughtSignature, SEALED.to_owned()),
    };
    let field = if client == provider {
        SEALED.to_owned()
    } else {
        let made = Opaque {
            kind,
            data: data.into(),
            origin: None,
        };
        let native = match client {
            Dialect::OpenaiChat => OpaqueKind::Details,
            Dialect::OpenaiResponses => OpaqueKind::Encrypted,
            _ => OpaqueKind::Signature,
        };
        made.to_field(native, maker).into_owned()
    };
    let escaped = serde_json::to_string(&field).unwrap();
    members.replace(&format!("\"{OWN_STATE}\""), &escaped)
}
