//! Every dialect of clients before every dialect of providers: what is said comes across.

use serde_json::json;

use crate::scene::{Kind, assert_asked_as, is_stream, start};
use crate::support::{Content, Gateway, Provider, Reply, UsageScript};
use crate::tongue::{Heard, Tongue, Usage};

/// Does this for each pair, whole and streamed.
fn for_each_pair(look: impl Fn(&Pair)) {
    for kind in Kind::ALL {
        let alpha = Provider::start("alpha");
        let gateway = start(&[(&alpha, kind)]);
        let mut pair = Pair {
            alpha,
            gateway,
            kind,
            tongue: Tongue::Chat,
            stream: false,
        };
        for tongue in Tongue::ALL {
            for stream in [false, true] {
                (pair.tongue, pair.stream) = (tongue, stream);
                println!("{tongue:?} before {kind:?}, stream: {stream}");
                look(&pair);
            }
        }
        pair.alpha.say(Content::text());
        pair.gateway.finish();
    }
}

/// A client's dialect before a provider's.
struct Pair {
    alpha: Provider,
    gateway: Gateway,
    kind: Kind,
    tongue: Tongue,
    stream: bool,
}

impl Pair {
    fn post(&self, body: &serde_json::Value) -> Reply {
        let client = self
            .gateway
            .client()
            .with_header("authorization", "Bearer callers-own-key")
            .with_header("x-api-key", "callers-own-key");
        let reply = client.post(self.tongue.path(), body);
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(is_stream(&reply), self.stream);
        assert_asked_as(self.kind, &self.alpha.last_request(), self.stream);
        reply
    }

    fn ask(&self) -> (serde_json::Value, Heard) {
        let body = self.tongue.ask("one", "hello you there", self.stream);
        let reply = self.post(&body);
        (body, self.tongue.heard(&reply))
    }
}

#[test]
fn an_answer_and_its_usage_come_across_and_are_what_the_provider_charges() {
    for_each_pair(|pair| {
        let (alpha, gateway) = (&pair.alpha, &pair.gateway);
        alpha.set_usage(UsageScript {
            cached: 2,
            ..UsageScript::default()
        });
        let body = pair.tongue.ask("one", "hello you there", pair.stream);
        let reply = pair.post(&body);
        let heard = pair.tongue.heard(&reply);
        assert_eq!(heard.text, "alpha-1 alpha-2 alpha-3 alpha-4 alpha-5");
        assert_eq!(
            (reply.header("x-gateway-model"), reply.header("x-gateway-provider")),
            (Some("one"), Some("alpha"))
        );
        let bill = alpha.bill().pop().unwrap();
        // Ollama does not tell what it reads from its cache.
        let cached = if pair.kind == Kind::Ollama {
            0
        } else {
            bill.cached_tokens
        };
        let expected = Usage {
            input: bill.input_tokens,
            cached,
            output: bill.output_tokens,
        };
        assert_eq!(heard.usage, expected);
        let calls = gateway.wait_for_calls(alpha.bill().len());
        let call = calls.iter().find(|call| call.request_id == reply.request_id()).unwrap();
        let tokens = [call.input_tokens, call.cached_input_tokens, call.output_tokens];
        let charged = [bill.input_tokens, cached, bill.output_tokens].map(|count| i64::try_from(count).unwrap());
        assert_eq!(tokens, charged);
        assert!(
            call.success && !call.estimated && call.streamed == pair.stream,
            "{call:?}"
        );
        assert_eq!((call.model_id.as_str(), call.provider.as_str()), ("one", "alpha"));
    });
}

#[test]
fn a_tool_is_called_and_its_result_comes_back_with_the_reasoning_before_it() {
    for_each_pair(|pair| {
        let alpha = &pair.alpha;
        alpha.say(Content::calls(&[("weather", r#"{"city":"Oslo \"x\""}"#)]).thinking());
        let (body, heard) = pair.ask();
        assert_eq!(heard.calls.len(), 1, "{heard:?}");
        let call = &heard.calls[0];
        assert_eq!(
            (call.name.as_str(), &call.arguments),
            ("weather", &json!({ "city": "Oslo \"x\"" }))
        );
        assert!(!call.id.is_empty());
        assert_eq!(heard.thoughts, "alpha-thought-1 alpha-thought-2");
        let end = match pair.tongue {
            Tongue::Chat => "tool_calls",
            Tongue::Responses => "completed",
            Tongue::Messages => "tool_use",
        };
        assert_eq!(heard.end, end);

        let reply = pair.post(&pair.tongue.follow(&body, &heard, "sunny there"));
        assert_eq!(
            pair.tongue.heard(&reply).text,
            "alpha-1 alpha-2 alpha-3 alpha-4 alpha-5"
        );
        let sent = alpha.last_request();
        assert!(
            sent.messages().last().unwrap().contains("sunny there"),
            "{}",
            sent.text()
        );
        assert!(sent.text().contains("Oslo"), "{}", sent.text());
        if pair.kind.seals() {
            assert!(
                sent.text().contains(&alpha.sealed()),
                "the state is lost: {}",
                sent.text()
            );
        }
    });
}

#[test]
fn an_answer_says_that_it_reached_its_longest_length() {
    for_each_pair(|pair| {
        pair.alpha.say(Content::cut_text());
        let (_, heard) = pair.ask();
        let end = match pair.tongue {
            Tongue::Chat => "length",
            Tongue::Responses => "max_output_tokens",
            Tongue::Messages => "max_tokens",
        };
        assert_eq!(heard.end, end);
        assert_eq!(heard.text, "alpha-1 alpha-2 alpha-3 alpha-4 alpha-5");
    });
}

#[test]
fn a_refusal_is_told_as_one() {
    for_each_pair(|pair| {
        pair.alpha.say(Content::refusal());
        let (_, heard) = pair.ask();
        // Ollama knows no refusals.
        assert_eq!(heard.is_refusal, pair.kind != Kind::Ollama, "{heard:?}");
    });
}

#[test]
fn what_only_one_model_can_read_is_kept_from_others_and_said_to_be() {
    for kind in Kind::ALL.into_iter().filter(|kind| kind.seals()) {
        for other in Kind::ALL.into_iter().filter(|other| *other != kind) {
            let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
            let gateway = start(&[(&alpha, kind), (&beta, other)]);
            alpha.say(Content::text().thinking());
            for tongue in Tongue::ALL {
                println!("{tongue:?} before {kind:?} and then {other:?}");
                let name = match tongue {
                    Tongue::Chat => "messages.reasoning_details",
                    Tongue::Responses => "input.reasoning.encrypted_content",
                    Tongue::Messages => "messages.thinking.signature",
                };
                let body = tongue.ask("one", "hello", false);
                let heard = tongue.heard(&gateway.client().post(tongue.path(), &body));
                assert_eq!(heard.thoughts, "alpha-thought-1 alpha-thought-2");
                let mut next = tongue.follow(&body, &heard, "and now");
                let reply = gateway.client().post(tongue.path(), &next);
                assert_eq!(tongue.heard(&reply).text, heard.text);
                assert!(alpha.last_request().text().contains(&alpha.sealed()));
                let dropped = reply.header("x-gateway-dropped").unwrap_or_default();
                assert!(!dropped.contains(name), "{dropped:?}");

                next["model"] = json!("two");
                let reply = gateway.client().post(tongue.path(), &next);
                assert_eq!(tongue.heard(&reply).text, "beta-1 beta-2 beta-3 beta-4 beta-5");
                let sent = beta.last_request();
                assert!(!sent.text().contains(&alpha.sealed()), "{}", sent.text());
                assert!(
                    sent.text().contains("alpha-5") && sent.text().contains("and now"),
                    "{}",
                    sent.text()
                );
                let dropped = reply.header("x-gateway-dropped").unwrap_or_default();
                assert!(dropped.contains(name), "{dropped:?} lacks {name}");
            }
            alpha.say(Content::text());
            gateway.finish();
        }
    }
}
