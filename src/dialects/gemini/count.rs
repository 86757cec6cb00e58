//! `countTokens`: how many input tokens a request would have.

use gateway_actors::protocol::{GatewayError, Model};
use serde::{Deserialize, Serialize};

use super::write_request::{Body, request_body};
use crate::dialects::json::body;
use crate::dialects::neutral::{Losses, Request};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CountRequest<'a> {
    generate_content_request: Body<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Count {
    total_tokens: u64,
}

/// Writes the question for the count of a request's input tokens: instructions and tools are counted too, which they are
/// not where the question has contents alone.
///
/// # Errors
/// As [`write_request`](super::write_request).
pub(in crate::dialects) fn write_count_request(
    request: &Request<'_>,
    model: &Model,
    losses: &mut Losses,
) -> Result<Vec<u8>, GatewayError> {
    let mut generate_content_request = request_body(request, model, losses)?;
    let name = &*model.api_model;
    generate_content_request.model = Some(if name.contains('/') {
        name.to_owned()
    } else {
        format!("models/{name}")
    });
    body(&CountRequest {
        generate_content_request,
    })
}

/// Reads the answer to it; nothing if it is none.
pub(in crate::dialects) fn read_count(body: &[u8]) -> Option<u64> {
    if body.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    let count: Count = serde_json::from_slice(body).ok()?;
    Some(count.total_tokens)
}

#[cfg(test)]
mod tests {
    use gateway_actors::protocol::Dialect;
    use serde_json::{Value, json};

    use super::super::testing::model;
    use super::*;
    use crate::dialects::neutral::{Message, Role};

    #[test]
    fn the_whole_request_is_counted_under_the_models_full_name() {
        let request = Request {
            messages: vec![
                Message::text(Role::System, "Be brief."),
                Message::text(Role::User, "Hi"),
            ],
            ..Request::default()
        };
        for name in ["gemini-2.5-pro", "models/gemini-2.5-pro"] {
            let mut losses = Losses::new(Dialect::AnthropicMessages, Dialect::Gemini);
            let written = write_count_request(&request, &model(name), &mut losses).unwrap();
            let expected = json!({"generateContentRequest": {
                "model": "models/gemini-2.5-pro",
                "systemInstruction": {"parts": [{"text": "Be brief."}]},
                "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
                "generationConfig": {},
            }});
            assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), expected, "{name}");
        }
    }

    #[test]
    fn a_count_is_read_and_nothing_else_is_one() {
        let body = br#" {"totalTokens":31,"promptTokensDetails":[{"modality":"TEXT","tokenCount":31}]}"#;
        assert_eq!(read_count(body), Some(31));
        for other in [
            "",
            "{}",
            "[31]",
            "31",
            r#"{"totalTokens":-1}"#,
            r#"{"totalTokens":"#,
            r#"{"error":{}}"#,
        ] {
            assert_eq!(read_count(other.as_bytes()), None, "{other}");
        }
    }
}
