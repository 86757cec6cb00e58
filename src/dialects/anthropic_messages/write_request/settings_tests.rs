use gateway_actors::protocol::Dialect;
use serde_json::json;

use super::super::super::testing::{BY_BUDGET, BY_EFFORT, hello, model, number, raw, write};
use super::super::write_request;
use super::*;
use crate::dialects::neutral::{Effort, Reasoning, Schema};

#[test]
fn sampling_goes_as_far_as_the_model_takes_it() {
    for (api_model, thinks, expected, lost) in [
        ("kimi-k3", false, json!([0.7, 0.9, 40]), &[][..]),
        (
            "kimi-k3",
            true,
            json!([null, null, null]),
            &["temperature", "top_k", "top_p"],
        ),
        (BY_BUDGET, false, json!([0.7, null, 40]), &["top_p"]),
        (
            "claude-opus-4-7",
            false,
            json!([null, null, null]),
            &["temperature", "top_k", "top_p"],
        ),
    ] {
        let mut request = hello();
        (request.temperature, request.top_p, request.top_k) = (number("0.7"), number("0.9"), number("40"));
        request.reasoning = thinks.then_some(Reasoning {
            effort: Some(Effort::Low),
            ..Reasoning::default()
        });
        let (body, told) = write(&request, api_model).unwrap();
        let written = json!([body["temperature"], body["top_p"], body["top_k"]]);
        assert_eq!(written, expected, "{api_model}");
        assert_eq!(told, lost, "{api_model}");
    }
    // What happens anyhow needs no telling.
    let mut request = hello();
    (request.temperature, request.top_p) = (number("1"), number("1.0"));
    let (body, told) = write(&request, "claude-opus-4-7").unwrap();
    assert!(body.get("temperature").is_none() && body.get("top_p").is_none() && told.is_empty());
    for (temperature, top_p, param) in [
        ("1.01", "1", "temperature"),
        ("-0.1", "1", "temperature"),
        ("1", "1.5", "top_p"),
    ] {
        (request.temperature, request.top_p) = (number(temperature), number(top_p));
        assert_eq!(write(&request, BY_EFFORT).unwrap_err().param.unwrap(), param);
    }
}

#[test]
fn what_the_dialect_has_nothing_for_is_left_out_or_refused() {
    type Change = fn(&mut Request<'static>);
    let harmless: [(Change, &str); 8] = [
        (|request| request.seed = number("1"), "seed"),
        (|request| request.min_p = number("0.1"), "min_p"),
        (|request| request.frequency_penalty = number("0.1"), "frequency_penalty"),
        (|request| request.presence_penalty = number("0.1"), "presence_penalty"),
        (|request| request.verbosity = Some("low".into()), "verbosity"),
        (|request| request.metadata = Some(raw("{}")), "metadata"),
        (|request| request.cache_key = Some("k".into()), "prompt_cache_key"),
        (|request| request.service_tier = Some("flex".into()), "service_tier"),
    ];
    for (change, name) in harmless {
        let mut request = hello();
        change(&mut request);
        let (body, lost) = write(&request, BY_EFFORT).unwrap();
        assert_eq!((body.as_object().unwrap().len(), &*lost), (3, &[name.into()][..]));
    }
    let refused: [(Change, &str); 6] = [
        (|request| request.answers = 2, "n"),
        (|request| request.logprobs = Some(0), "logprobs"),
        (|request| request.logit_bias = Some(raw("{}")), "logit_bias"),
        (|request| request.format = Some(Format::JsonObject), "response_format"),
        (|request| request.stop = vec!["END".into(), "\n".into()], "stop"),
        (|request| request.stop = vec!["".into()], "stop"),
    ];
    for (change, name) in refused {
        let mut request = hello();
        change(&mut request);
        assert_eq!(write(&request, BY_EFFORT).unwrap_err().param.unwrap(), name);
    }
}

#[test]
fn an_end_user_whom_the_api_would_not_be_told_of_goes_as_a_digest() {
    let longest = "u".repeat(256);
    let written = |user: &str| {
        let mut request = hello();
        request.user = Some(user.to_owned().into());
        let (body, lost) = write(&request, BY_EFFORT).unwrap();
        assert!(lost.is_empty(), "{lost:?}");
        body["metadata"]["user_id"].as_str().unwrap().to_owned()
    };
    for fine in [
        "u",
        "user-12",
        "123456",
        "0f8fad5b-d9cb-469f-a165-70867728950e",
        &longest,
    ] {
        assert_eq!(written(fine), fine);
    }
    let too_long = format!("{longest}u");
    for other in ["someone@example.com", "+49 (30) 123-456", "12345678", &too_long] {
        let digest = written(other);
        assert_eq!((digest.len(), &digest), (64, &written(other)), "{other}");
    }
}

#[test]
fn a_schema_a_user_a_tier_and_a_stream_are_carried() {
    let mut request = hello();
    request.format = Some(Format::JsonSchema(Schema {
        name: Some("answer".into()),
        description: None,
        schema: raw(r#"{"type":"object","const":1.50}"#),
        strict: Some(true),
    }));
    request.user = Some("u".into());
    request.service_tier = Some("default".into());
    request.stream = true;
    request.stop = vec!["END".into()];
    let mut losses = Losses::new(Dialect::OpenaiChat, Dialect::AnthropicMessages);
    let body = write_request(&request, &model(BY_EFFORT), &mut losses).unwrap();
    let body = String::from_utf8(body).unwrap();
    assert!(body.ends_with(
        r#""output_config":{"format":{"type":"json_schema","schema":{"type":"object","const":1.50}}},"stop_sequences":["END"],"metadata":{"user_id":"u"},"service_tier":"standard_only","stream":true}"#
    ), "{body}");
    assert_eq!(losses.into_dropped(), [""; 0]);
}
