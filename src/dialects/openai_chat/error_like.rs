//! Errors that have no name of their own in a stream: events of the shapes that servers use who put theirs into no `error`.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialects::fault::ErrorObject;
use crate::dialects::json::{is_non_empty_container, raw_text};

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    object: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    /// That of servers made with FastAPI: a text, or a list of what is wrong with the request.
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
    #[serde(borrow)]
    errors: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    /// MiniMax's.
    #[serde(borrow)]
    base_resp: Option<Status<'a>>,
}

#[derive(Deserialize)]
struct Status<'a> {
    #[serde(borrow)]
    status_code: Option<&'a RawValue>,
}

/// Reads an event that has neither a choice nor an `error`. What says that it is an error is one; what only looks like one
/// is, unless `may_be_other`: something else explains why there is no choice in it.
///
/// `object` or `type` is `error` with vLLM, SGLang and Mistral; `message` and `code` stand by themselves with DashScope.
pub(super) fn error_like(json: &str, may_be_other: bool) -> Option<ErrorObject> {
    let members: Members<'_> = serde_json::from_str(json).ok()?;
    let says_so = [members.object, members.kind].into_iter().flatten();
    let says_so = says_so.filter_map(raw_text).any(|word| word == "error");
    let is_text = |value: &&RawValue| raw_text(value).is_some_and(|text| !text.is_empty());
    let has_detail = members
        .detail
        .is_some_and(|detail| is_text(&detail) || is_non_empty_container(detail));
    let has_code = members.code.is_some_and(is_failure);
    let looks_so = has_detail
        || members.errors.is_some_and(is_non_empty_container)
        || members.message.as_ref().is_some_and(is_text) && has_code
        || members
            .base_resp
            .is_some_and(|status| status.status_code.is_some_and(is_failure));
    if says_so || looks_so && !may_be_other {
        serde_json::from_str(json).ok().map(ErrorObject::read)
    } else {
        None
    }
}

/// Whether a code is that of a failure.
fn is_failure(code: &RawValue) -> bool {
    let word = raw_text(code).unwrap_or(code.get());
    !["", "0", "200"].contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_says_that_it_is_an_error_is_one_wherever_it_stands() {
        for json in [
            r#"{"object":"error","message":"boom","type":"InternalServerError","param":null,"code":500}"#,
            r#"{"type":"error","message":"boom"}"#,
        ] {
            assert!(error_like(json, true).is_some(), "{json}");
        }
        let told = error_like(
            r#"{"object":"error","message":"m","code":"rate_limit_exceeded"}"#,
            false,
        )
        .unwrap();
        assert_eq!(told.refusal.map(|(status, _)| status), Some(429));
    }

    #[test]
    fn an_event_that_looks_like_an_error_is_one_where_nothing_else_explains_it() {
        for json in [
            r#"{"detail":"boom"}"#,
            r#"{"detail":[{"loc":["body"],"msg":"bad"}]}"#,
            r#"{"errors":[{"message":"boom"}]}"#,
            r#"{"code":"InternalError","message":"boom","request_id":"r"}"#,
            r#"{"id":"x","choices":null,"base_resp":{"status_code":1002,"status_msg":"rate limit"}}"#,
        ] {
            assert!(error_like(json, false).is_some(), "{json}");
            assert!(error_like(json, true).is_none(), "{json}");
        }
        for json in [
            "{}",
            r#"{"id":"x","object":"chat.completion.chunk","choices":[],"prompt_filter_results":[]}"#,
            r#"{"detail":null,"errors":[],"code":0,"message":"success"}"#,
            r#"{"code":null,"message":"hello"}"#,
            r#"{"type":"ping"}"#,
            r#"{"base_resp":{"status_code":0,"status_msg":""}}"#,
        ] {
            assert!(error_like(json, false).is_none(), "{json}");
        }
    }
}
