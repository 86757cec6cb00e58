//! What came before a request that goes on from an earlier answer.

use gateway_actors::protocol::{Chain, ErrorKind, GatewayError, ProviderName, ResponseId, StoredResponse};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialects::openai_responses::{ResponsesRequest, sealed_items};
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
        Chain::Whole(links) => {
            let catalogue = shared.catalogue.load();
            let maker = |model: &str| catalogue.by_id(model).map(|model| model.provider.clone());
            let (items, makers) = items(&links, maker)?;
            Ok(request.with_history(&items, makers)?)
        }
        Chain::Broken { .. } => Err(not_found().into()),
        Chain::TooLong | Chain::TooLarge => {
            let message = "the conversation before this request is too long; send what matters of it as `input`";
            Err(refused(message).into())
        }
    }
}

/// The items of a conversation, oldest first, as the text of a JSON array; and who made the sealed ones among them, as far
/// as it is known. `maker`: the provider of a model.
fn items(
    links: &[StoredResponse],
    maker: impl Fn(&str) -> Option<ProviderName>,
) -> Result<(String, Vec<Option<ProviderName>>), Failure> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        output: Option<&'a RawValue>,
    }
    let mut all = String::from("[");
    let mut makers = Vec::new();
    for link in links {
        let body: Body<'_> = serde_json::from_str(&link.body).map_err(|error| {
            tracing::error!(response = %link.id, %error, "a stored response cannot be read");
            Failure::internal()
        })?;
        let output = body.output.map_or("[]", RawValue::get);
        // Who made what the client itself sent is not known.
        makers.resize(makers.len() + sealed_items(&link.input), None);
        match sealed_items(output) {
            0 => {}
            sealed => makers.resize(makers.len() + sealed, maker(&link.model)),
        }
        for array in [&*link.input, output] {
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
    Ok((all, makers))
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
        let whole = |links: &[StoredResponse]| items(links, |_| None).unwrap().0;
        assert_eq!(whole(&links), r#"[{"a":1},{"b":2},{"c":3},{"d":4}]"#);
        assert_eq!(whole(&[]), "[]");
        let broken = StoredResponse {
            body: "{".into(),
            ..link("[]", "[]")
        };
        assert!(items(&[broken], |_| None).is_err());
    }

    #[test]
    fn the_makers_of_sealed_items_are_the_providers_of_the_models_that_answered() {
        let sealed = r#"[{"type":"reasoning","encrypted_content":"gAAA"},{"type":"message"}]"#;
        let of_model = |link: StoredResponse, model: &str| StoredResponse {
            model: model.into(),
            ..link
        };
        let links = [
            of_model(link("[]", sealed), "a"),
            of_model(link(sealed, "[]"), "a"),
            of_model(link("[]", sealed), "gone"),
            of_model(link("[]", sealed), "b"),
        ];
        let known = |model: &str| (model != "gone").then(|| ProviderName::from(model));
        let expected = [Some("a".into()), None, None, Some("b".into())];
        assert_eq!(items(&links, known).unwrap().1, expected);
    }
}
