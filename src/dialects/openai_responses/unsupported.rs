//! What of the dialect the gateway does not do, refused by name with what to do instead.

use gateway_actors::protocol::GatewayError;
use serde_json::value::RawValue;

/// The members of a request that ask for it, if they are there.
#[derive(Debug, Default)]
pub(super) struct Unsupported<'a> {
    pub(super) background: Option<&'a RawValue>,
    pub(super) conversation: Option<&'a RawValue>,
    pub(super) prompt: Option<&'a RawValue>,
}

/// Checks that a request asks for none of it. `background` may be false, and all may be `null`.
///
/// # Errors
/// `invalid_request` naming the member.
pub(super) fn refuse_unsupported(asked: &Unsupported<'_>) -> Result<(), GatewayError> {
    let is_asked = |value: Option<&RawValue>, none: &[&str]| value.is_some_and(|value| !none.contains(&value.get()));
    let found = if is_asked(asked.background, &["null", "false"]) {
        (
            "background",
            "`background` is not offered here: leave it out, and take the answer as a stream if it takes long",
        )
    } else if is_asked(asked.conversation, &["null"]) {
        (
            "conversation",
            "`conversation` is not offered here: continue with `previous_response_id`, or send the whole conversation in \
             `input`",
        )
    } else if is_asked(asked.prompt, &["null"]) {
        (
            "prompt",
            "`prompt` names a template that a provider has stored, which is not offered here: send its text in \
             `instructions` and `input`",
        )
    } else {
        return Ok(());
    };
    Err(GatewayError::invalid(found.0, found.1))
}
