//! A client's request, read for a model that holds conversations and does not complete texts.
//!
//! The wire format is that of the `openai` Python package, version 3.57.0 (`types/completion_create_params.py`). The text
//! becomes a user's message. What has no meaning in a conversation is refused by name: tokens in a text's place, several
//! texts, `suffix`, `echo`, `best_of`, `logprobs`, and an answer of no tokens.

use std::borrow::Cow;

use gateway_actors::protocol::GatewayError;
use serde_json::value::RawValue;

use crate::dialects::json::text;
use crate::dialects::neutral::{Feature, Losses, Message, Number, Request, Role};
use crate::dialects::object::{AnyNumber, Count, Flag, List, Object, Present, Text, TextOr, object, read_body};
use crate::dialects::place::At;

object! {
    /// The whole body. `model` and `stream_options` are read elsewhere.
    Body {
        model = "model": Present,
        prompt = "prompt": TextOr<'a, List<&'a RawValue>>,
        suffix = "suffix": Text<'a>,
        echo = "echo": Flag,
        best_of = "best_of": Count,
        n = "n": Count,
        logprobs = "logprobs": Present,
        max_tokens = "max_tokens": Count,
        temperature = "temperature": AnyNumber<'a>,
        top_p = "top_p": AnyNumber<'a>,
        top_k = "top_k": AnyNumber<'a>,
        min_p = "min_p": AnyNumber<'a>,
        seed = "seed": AnyNumber<'a>,
        frequency_penalty = "frequency_penalty": AnyNumber<'a>,
        presence_penalty = "presence_penalty": AnyNumber<'a>,
        stop = "stop": TextOr<'a, List<Text<'a>>>,
        logit_bias = "logit_bias": Object<'a>,
        user = "user": Text<'a>,
        stream = "stream": Flag,
        stream_options = "stream_options": Present,
    }
}

/// Reads a body. Where no limit of tokens is given, none is made up.
///
/// # Errors
/// `invalid_request` naming the field that is not what it must be, or that only a model that completes texts can be asked
/// for.
pub(in crate::dialects) fn read_request<'a>(body: &'a str, losses: &mut Losses) -> Result<Request<'a>, GatewayError> {
    let body: Body<'a> = read_body(body)?;
    losses.call(Feature::MaxTokens, "max_tokens");
    let stream = body.stream == Some(Flag(true));
    let is_above_one = |count: Option<Count>| count.is_some_and(|Count(count)| count > 1);
    let has_suffix = body.suffix.as_ref().is_some_and(|Text(suffix)| !suffix.is_empty());
    for (name, is_asked) in [
        ("suffix", has_suffix),
        ("echo", body.echo == Some(Flag(true))),
        ("best_of", is_above_one(body.best_of)),
        ("logprobs", body.logprobs.is_some()),
        ("n", stream && is_above_one(body.n)),
        ("max_tokens", body.max_tokens == Some(Count(0))),
    ] {
        if is_asked {
            return Err(only_completions(name));
        }
    }
    let number = |number: Option<AnyNumber<'a>>| -> Option<Number<'a>> { number.map(|AnyNumber(number)| number) };
    Ok(Request {
        messages: vec![Message::text(Role::User, prompt(body.prompt)?)],
        max_output_tokens: body.max_tokens.map(|Count(limit)| limit),
        temperature: number(body.temperature),
        top_p: number(body.top_p),
        top_k: number(body.top_k),
        min_p: number(body.min_p),
        seed: number(body.seed),
        frequency_penalty: number(body.frequency_penalty),
        presence_penalty: number(body.presence_penalty),
        stop: match body.stop {
            None => Vec::new(),
            Some(TextOr::Text(stop)) => vec![stop],
            Some(TextOr::Other(List(stop))) => stop.into_iter().map(|Text(stop)| stop).collect(),
        },
        answers: body.n.map_or(1, |Count(n)| n),
        logit_bias: body.logit_bias.map(|Object(bias)| bias),
        user: body.user.map(|Text(user)| user),
        stream,
        unknown: body.others,
        ..Request::default()
    })
}

/// The text to go on with.
fn prompt<'a>(prompt: Option<TextOr<'a, List<&'a RawValue>>>) -> Result<Cow<'a, str>, GatewayError> {
    match prompt.ok_or_else(|| At::top("prompt").required())? {
        TextOr::Text(prompt) => Ok(prompt),
        TextOr::Other(List(items)) => match items.as_slice() {
            [one] => text(one).ok_or_else(|| only_completions("prompt")),
            _ => Err(only_completions("prompt")),
        },
    }
}

/// The refusal of what only a model that completes texts can be asked for.
fn only_completions(name: &'static str) -> GatewayError {
    let words = match name {
        "prompt" => "must be one text for this model; send a text at a time, or ask for a model that completes texts",
        _ => {
            "cannot be carried to this model, which holds conversations; leave it out or ask for a model that completes texts"
        }
    };
    At::top(name).wrong(words)
}

#[cfg(test)]
mod tests {
    use gateway_actors::protocol::Dialect;

    use super::*;
    use crate::dialects::neutral::PartKind;

    fn losses() -> Losses {
        Losses::new(Dialect::OpenaiChat, Dialect::AnthropicMessages)
    }

    fn refused(members: &str) -> String {
        let body = format!(r#"{{"model":"m",{members}}}"#);
        let error = read_request(&body, &mut losses()).unwrap_err();
        error.param.unwrap_or_default().into_owned()
    }

    /// Written from `types/completion_create_params.py` of the `openai` package, version 3.57.0.
    const RICH: &str = r#"{"model":"m","prompt":"Once upon","max_tokens":16,"temperature":0.70,"top_p":1,"n":2,"stream":false,
        "logprobs":null,"echo":false,"stop":["\n"],"presence_penalty":0.5,"frequency_penalty":-0.5,"best_of":1,"seed":7,
        "logit_bias":{"50256":-100},"user":"u","suffix":null,"stream_options":null,"x_mine":1}"#;

    #[test]
    fn a_text_becomes_a_users_message_and_the_rest_keeps_its_meaning() {
        let request = read_request(RICH, &mut losses()).unwrap();
        let [message] = request.messages.as_slice() else {
            panic!()
        };
        assert!(matches!(
            &message.parts[0].kind,
            PartKind::Text(Cow::Borrowed("Once upon"))
        ));
        assert_eq!(
            (message.role, request.max_output_tokens, request.answers),
            (Role::User, Some(16), 2)
        );
        assert_eq!(request.temperature.map(Number::as_str), Some("0.70"));
        assert_eq!(
            (request.stop, request.unknown),
            (vec!["\n".into()], vec![Cow::Borrowed("x_mine")])
        );
        let in_array = read_request(r#"{"model":"m","prompt":["a\n"]}"#, &mut losses()).unwrap();
        assert!(matches!(&in_array.messages[0].parts[0].kind, PartKind::Text(text) if text == "a\n"));
    }

    #[test]
    fn what_only_a_model_that_completes_texts_can_do_is_refused_by_name() {
        for (members, param) in [
            (r#""prompt":["a","b"]"#, "prompt"),
            (r#""prompt":[1,2]"#, "prompt"),
            (r#""prompt":[[1,2]]"#, "prompt"),
            (r#""prompt":[]"#, "prompt"),
            (r#""prompt":null"#, "prompt"),
            (r#""prompt":"a","suffix":"b""#, "suffix"),
            (r#""prompt":"a","echo":true"#, "echo"),
            (r#""prompt":"a","best_of":2"#, "best_of"),
            (r#""prompt":"a","logprobs":0"#, "logprobs"),
            (r#""prompt":"a","max_tokens":0"#, "max_tokens"),
            (r#""prompt":"a","n":2,"stream":true"#, "n"),
            (r#""prompt":"a","stop":[1]"#, "stop[0]"),
            (r#""prompt":"a","echo":"yes""#, "echo"),
        ] {
            assert_eq!(refused(members), param, "{members}");
        }
    }
}
