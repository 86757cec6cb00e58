//! What came before a request that goes on from an earlier answer.

use gateway_actors::protocol::{Chain, ErrorKind, GatewayError, ResponseId, StoredResponse};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialects::openai_responses::ResponsesRequest;
use crate::http::error::Failure;
use crate::http::shared::Shared;

/// How many answers in a row a request may go on from.
const MOST_LINKS: u32 = 1_000;

/// The request with everything before it in front of its own input.
pub(super) async fn with_history(
    request: ResponsesRequest,
    shared: &Shared,
    tenant: Option<&str>,
) -> Result<ResponsesRequest, Failure> {
    let Some(previous) = request.previous_response() else {
        return Ok(request);
    };
    if !shared.response_settings.store {
        let message = "this gateway keeps no answers; send the whole conversation as `input`";
        return Err(refused(message).into());
    }
    let id: ResponseId = previous.parse().map_err(|_unknown| not_found())?;
    match shared.responses.chain(&id.within(tenant), MOST_LINKS).await? {
        Chain::Whole(links) => Ok(request.with_history(&items(&links)?)?),
        Chain::Broken { .. } => Err(not_found().into()),
        Chain::TooLong | Chain::TooLarge => {
            let message = "the conversation before this request is too long; send what matters of it as `input`";
            Err(refused(message).into())
        }
    }
}

/// The items of a conversation, oldest first, as the text of a JSON array.
fn items(links: &[StoredResponse]) -> Result<String, Failure> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        output: Option<&'a RawValue>,
    }
    let mut all = String::from("[");
    for link in links {
        let body: Body<'_> = serde_json::from_str(&link.body).map_err(|error| {
            tracing::error!(response = %link.id, %error, "a stored response cannot be read");
            Failure::internal()
        })?;
        for array in [Some(&*link.input), body.output.map(RawValue::get)]
            .into_iter()
            .flatten()
        {
            let inner = array.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            let inner = inner.unwrap_or_default().trim();
            if !inner.is_empty() {
                if all.len() > 1 {
                    all.push(',');
                }
                all.push_str(inner);
            }
        }
    }
    all.push(']');
    Ok(all)
}

fn not_found() -> GatewayError {
    let message = "there is no such answer to go on from: it was never kept, was deleted or has expired; send the \
                   conversation as `input`";
    GatewayError::new(ErrorKind::PreviousResponseNotFound, message).with_param("previous_response_id")
}

fn refused(message: &'static str) -> GatewayError {
    GatewayError::invalid("previous_response_id", message)
}

#[cfg(test)]
mod tests {
    use gateway_actors::protocol::RequestId;

    use super::*;

    fn link(input: &str, output: &str) -> StoredResponse {
        StoredResponse {
            id: ResponseId::generate(),
            previous: None,
            request: RequestId::generate(),
            created_at: 0,
            model: "m".into(),
            input: input.into(),
            body: format!(r#"{{"id":"r","output":{output}}}"#).into(),
            expires_at: 1,
        }
    }

    #[test]
    fn items_of_all_links_stand_in_their_order() {
        let links = [
            link("[{\"a\":1}]", "[{\"b\":2},{\"c\":3}]"),
            link("[ ]", "[]"),
            link("[{\"d\":4}]", "[]"),
        ];
        assert_eq!(items(&links).unwrap(), r#"[{"a":1},{"b":2},{"c":3},{"d":4}]"#);
        assert_eq!(items(&[]).unwrap(), "[]");
        let broken = StoredResponse {
            body: "{".into(),
            ..link("[]", "[]")
        };
        assert!(items(&[broken]).is_err());
    }
}
