//! Why a body has no bound, told by a name that the client knows.

use std::borrow::Cow;
use std::fmt::Display;

use gateway_actors::protocol::{Dialect, ErrorKind, GatewayError};

use crate::dialects::neutral::Feature;

/// By whose names a body's parts are told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Names {
    /// The body's own: the client wrote it.
    Own,
    /// Those of the client's dialect: the body was written anew for another.
    Of(Dialect),
}

/// The longest word of a client's that is repeated to it.
const MOST_WORD_BYTES: usize = 40;

/// Refuses what stands here in the body: what it is, and what to do instead.
pub(super) fn refuse(names: Names, at: &impl Display, feature: Feature, what: &str, instead: &str) -> GatewayError {
    let name: Cow<'static, str> = match names {
        Names::Own => Cow::Owned(at.to_string()),
        Names::Of(client) => Cow::Borrowed(feature.name_in(client)),
    };
    refuse_named(name, what, instead)
}

/// Refuses a field by this name.
pub(super) fn refuse_named(name: impl Into<Cow<'static, str>>, what: &str, instead: &str) -> GatewayError {
    let name = name.into();
    let message = format!("`{name}`: a budget pays for this call, and {what}; {instead}");
    GatewayError::new(ErrorKind::CostUnbounded, message).with_param(name)
}

/// A word of the client's for a message; nothing if it is not fit to stand in one.
pub(super) fn shown(word: &str) -> Option<&str> {
    let is_fit = word.len() <= MOST_WORD_BYTES && word.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'`');
    (is_fit && !word.is_empty()).then_some(word)
}
