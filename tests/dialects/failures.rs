//! Streams that fail: whatever a provider's dialect and wherever its stream ends, the client has a whole answer of one
//! provider, or an error of its own dialect at the end of what it has.

use serde_json::{Value, json};

use crate::scene::{Kind, setup, text_model};
use crate::streams::folded;
use crate::support::{Behaviour, Content, Gateway, Provider, Reply};
use crate::tongue::{Heard, Tongue, list, text};

/// Nothing keeps the gateway from asking the first provider again and again, or from asking the second.
const PATIENT: &str = "[breaker]\nconsecutive_failures = 1000\nfailure_percent = 100\nmin_calls = 100000\n";

const ALPHAS: &str = "alpha-1 alpha-2 alpha-3 alpha-4 alpha-5";
const BETAS: &str = "beta-1 beta-2 beta-3 beta-4 beta-5";

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// With the first provider's answer.
    ByAlpha,
    /// With the second's.
    ByBeta,
    /// With an error behind a part of the first's.
    InError,
}

/// The stream is whole and one provider's, or broken and said to be.
#[track_caller]
fn ended(tongue: Tongue, kind: Kind, reply: &Reply) -> Ended {
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(!reply.cut, "{}", reply.text());
    let text = reply.text();
    assert!(!(text.contains("alpha-") && text.contains("beta-")), "spliced: {text}");
    let events = reply.sse();
    let folded = folded(tongue, &events);
    if let Some(error) = &folded.error {
        assert!(!folded.has_ended && !text.contains("beta-"), "{text}");
        assert!(!text.contains("[DONE]") && !text.contains("message_stop"), "{text}");
        assert!(!error.is_null());
        return Ended::InError;
    }
    // Chat completions may do without the mark of the end, and where a stream goes through as it is none is made up.
    let needs_no_mark = (tongue, kind) == (Tongue::Chat, Kind::Chat);
    let is_whole = folded.has_ended || folded.has_reason && needs_no_mark;
    assert!(is_whole, "neither an end nor an error: {text}");
    let heard = Heard::of(tongue, &folded.body);
    match heard.text.as_str() {
        ALPHAS => {
            assert_eq!(heard.thoughts, "alpha-thought-1 alpha-thought-2", "{text}");
            let calls: Vec<_> = heard.calls.iter().map(|call| &call.arguments["city"]).collect();
            assert_eq!(calls, ["Oslo", "Bergen"], "{text}");
            Ended::ByAlpha
        }
        BETAS => Ended::ByBeta,
        other => panic!("a part as if it were the whole: {other}"),
    }
}

/// Some of a stream's cuts, in their order, are made good by the other provider. Once something was said, none is.
#[track_caller]
fn assert_no_way_back(cuts: &[Ended]) {
    assert!(
        cuts.contains(&Ended::InError) && cuts.contains(&Ended::ByBeta) && cuts.contains(&Ended::ByAlpha),
        "{cuts:?}"
    );
    let first = cuts.iter().position(|how| *how != Ended::ByBeta).unwrap();
    assert!(!cuts[first..].contains(&Ended::ByBeta), "{cuts:?}");
}

/// How many frames the provider's last stream had.
fn frames(alpha: &Provider) -> usize {
    let body = String::from_utf8(alpha.last_body()).unwrap();
    let end = ["\r\n\r\n", "\n\n", "\n"].into_iter().find(|end| body.contains(end));
    body.matches(end.unwrap()).count()
}

/// Breaks the first provider's stream everywhere.
fn breaks_everywhere(tongue: Tongue) {
    for kind in Kind::ALL {
        let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
        let second = if kind == Kind::Chat {
            Kind::Anthropic
        } else {
            Kind::Chat
        };
        let setup = setup(&[(&alpha, kind), (&beta, second)]);
        let gateway = Gateway::start(setup.toml(PATIENT));
        // Something of every sort.
        let calls = [("weather", r#"{"city":"Oslo"}"#), ("weather", r#"{"city":"Bergen"}"#)];
        alpha.say(Content::calls(&calls).after_text().thinking());
        let ask = || gateway.client().post(tongue.path(), &tongue.ask("auto", "hello", true));
        assert_eq!(ended(tongue, kind, &ask()), Ended::ByAlpha);
        let count = frames(&alpha);
        assert!(count > 5, "{kind:?}: {count}");
        let cuts = (0..=count).map(Behaviour::DieAfterFrames);
        let ends = (0..=count).map(Behaviour::EndAfterFrames);
        // All pieces of text and reasoning; calls are in pieces in some dialects only.
        let errors = (0..=7).map(Behaviour::ErrorAfterEvents);
        let mut seen = Vec::new();
        for behaviour in cuts.chain(ends).chain(errors) {
            println!("{tongue:?} before {kind:?}: {behaviour:?}");
            let asked = alpha.requests();
            alpha.set(behaviour.clone());
            let how = ended(tongue, kind, &ask());
            assert!(alpha.requests() > asked, "the first provider was not asked");
            match behaviour {
                Behaviour::DieAfterFrames(0) | Behaviour::EndAfterFrames(0) | Behaviour::ErrorAfterEvents(0) => {
                    assert_eq!(how, Ended::ByBeta);
                }
                // What was said cannot be taken back.
                Behaviour::ErrorAfterEvents(_) => assert_eq!(how, Ended::InError),
                _ => {}
            }
            seen.push(how);
            // The budget of retries grows with answers.
            alpha.set(Behaviour::Answer);
            for _ in 0..5 {
                assert_eq!(ended(tongue, kind, &ask()), Ended::ByAlpha);
            }
        }
        println!("{tongue:?} before {kind:?}: {seen:?}");
        for cuts in seen[..2 * (count + 1)].chunks(count + 1) {
            assert_no_way_back(cuts);
        }
        gateway.finish();
    }
}

#[test]
fn a_chat_completion_is_whole_or_ends_in_an_error_wherever_its_stream_breaks() {
    breaks_everywhere(Tongue::Chat);
}

#[test]
fn a_response_is_whole_or_ends_in_an_error_wherever_its_stream_breaks() {
    breaks_everywhere(Tongue::Responses);
}

#[test]
fn a_message_is_whole_or_ends_in_an_error_wherever_its_stream_breaks() {
    breaks_everywhere(Tongue::Messages);
}

/// How a stream of two choices ended, or one of a completion: the texts in it, whether each that has begun is told to be
/// finished, and what came last.
#[track_caller]
fn ended_in_choices(reply: &Reply, choices: usize) -> Ended {
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(!reply.cut, "{}", reply.text());
    let mut events = reply.sse();
    let is_done = events.last().is_some_and(|event| event.is_done());
    let is_error = events.last().is_some_and(|event| event.data.get("error").is_some());
    if is_done || is_error {
        events.pop();
    }
    let mut texts = vec![String::new(); choices];
    let mut finished = vec![false; choices];
    for choice in events.iter().flat_map(|event| list(&event.data["choices"])) {
        let place = usize::try_from(choice["index"].as_u64().unwrap()).unwrap();
        texts[place] += &(text(&choice["delta"]["content"]) + &text(&choice["text"]));
        finished[place] |= choice["finish_reason"].is_string();
    }
    if is_error {
        assert!(!reply.text().contains("beta-"), "{}", reply.text());
        return Ended::InError;
    }
    let is_by = |whole: &str| texts.iter().all(|text| text == whole) && !finished.contains(&false);
    match () {
        () if is_by(ALPHAS) => Ended::ByAlpha,
        () if is_by(BETAS) => Ended::ByBeta,
        () => panic!("a part as if it were the whole: {}", reply.text()),
    }
}

/// Breaks the first provider's stream everywhere, by a cut of the connection and by an end of the body.
#[track_caller]
fn breaks_in_choices(alpha: &Provider, gateway: &Gateway, path: &str, body: &Value) {
    let choices = body["n"].as_u64().map_or(1, |n| usize::try_from(n).unwrap());
    let ask = || ended_in_choices(&gateway.client().post(path, body), choices);
    assert_eq!(ask(), Ended::ByAlpha);
    let count = frames(alpha);
    for way in [Behaviour::DieAfterFrames, Behaviour::EndAfterFrames] {
        let mut seen = Vec::new();
        for behaviour in (0..=count).map(way) {
            println!("{path}, {choices} choices: {behaviour:?}");
            alpha.set(behaviour);
            seen.push(ask());
            // The budget of retries grows with answers.
            alpha.set(Behaviour::Answer);
            for _ in 0..5 {
                assert_eq!(ask(), Ended::ByAlpha);
            }
        }
        assert_no_way_back(&seen);
    }
}

#[test]
fn two_choices_are_whole_or_end_in_an_error_wherever_their_stream_breaks() {
    let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
    let gateway = Gateway::start(setup(&[(&alpha, Kind::Chat), (&beta, Kind::Chat)]).toml(PATIENT));
    let mut body = Tongue::Chat.ask("auto", "hello", true);
    body["n"] = json!(2);
    breaks_in_choices(&alpha, &gateway, Tongue::Chat.path(), &body);
    gateway.finish();
}

#[test]
fn a_completion_is_whole_or_ends_in_an_error_wherever_its_stream_breaks() {
    let body = |model: &str| json!({ "model": model, "prompt": "once upon", "max_tokens": 50, "stream": true });
    for kind in Kind::ALL {
        let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
        let gateway = Gateway::start(setup(&[(&alpha, kind), (&beta, Kind::Chat)]).toml(PATIENT));
        breaks_in_choices(&alpha, &gateway, "/v1/completions", &body("auto"));
        gateway.finish();
    }
    let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
    // Of models that are no task's, the one at no price comes first, however often it has failed.
    let texts = text_model("first", &alpha) + &text_model("second", &beta).replace("mtok = 0", "mtok = 1");
    let setup = setup(&[(&alpha, Kind::Chat), (&beta, Kind::Chat)]).toml(&(texts + PATIENT));
    let gateway = Gateway::start(setup);
    breaks_in_choices(&alpha, &gateway, "/v1/completions", &body("texts-api"));
    gateway.finish();
}

#[test]
fn a_whole_answer_that_breaks_comes_from_the_other_provider() {
    for kind in Kind::ALL {
        let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
        let gateway = Gateway::start(setup(&[(&alpha, kind), (&beta, Kind::Gemini)]).toml(PATIENT));
        for tongue in Tongue::ALL {
            for behaviour in [
                Behaviour::DieAfterFrames(3),
                Behaviour::ErrorAfterEvents(0),
                Behaviour::HTML,
            ] {
                alpha.set(behaviour.clone());
                let asked = alpha.requests();
                let reply = gateway
                    .client()
                    .post(tongue.path(), &tongue.ask("auto", "hello", false));
                assert_eq!(
                    tongue.heard(&reply).text,
                    BETAS,
                    "{tongue:?} before {kind:?}: {behaviour:?}"
                );
                assert_eq!(alpha.requests(), asked + 1);
                alpha.set(Behaviour::Answer);
                for _ in 0..5 {
                    let reply = gateway
                        .client()
                        .post(tongue.path(), &tongue.ask("auto", "hello", false));
                    assert_eq!(tongue.heard(&reply).text, ALPHAS);
                }
            }
        }
        gateway.finish();
    }
}

/// Gemini's way to say that it could not use what the model made.
const UNUSABLE: &str = r#"{"candidates":[{"content":{},"finishReason":"MALFORMED_FUNCTION_CALL","index":0}],
    "usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":4,"totalTokenCount":13}}"#;

#[test]
fn what_a_model_made_of_one_clients_requests_closes_it_to_nobody() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(setup(&[(&alpha, Kind::Gemini)]));
    alpha.set(Behaviour::Status(
        200,
        &[("content-type", "application/json")],
        UNUSABLE,
    ));
    let ask = |stream| {
        gateway
            .client()
            .post(Tongue::Chat.path(), &Tongue::Chat.ask("one", "hello", stream))
    };
    for number in 0..12 {
        let error = ask(number % 2 == 1).error(502);
        assert_eq!(error["code"], "upstream_malformed", "{error}");
        let said = error["message"].as_str().unwrap();
        assert!(said.starts_with("what the model made of this request"), "{said}");
    }
    alpha.set(Behaviour::Answer);
    assert_eq!(ask(false).status, 200);
    gateway.finish();
}
