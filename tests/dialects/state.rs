//! Opaque state that does not say who made it, before providers of one dialect: it is given to one of them, and to no other
//! where it may come from that one.

use serde_json::{Value, json};

use crate::scene::{Kind, setup, start};
use crate::support::{Behaviour, Client, Content, Gateway, Provider, Reply};
use crate::tongue::{Tongue, list};

/// A client's dialect, and the kind of the providers that speak it.
const NATIVE: [(Tongue, Kind); 3] = [
    (Tongue::Chat, Kind::Chat),
    (Tongue::Responses, Kind::Responses),
    (Tongue::Messages, Kind::Anthropic),
];

/// What some provider made.
const SEAL: &str = "c2VhbGVk";

/// What the client calls it.
fn name(tongue: Tongue) -> &'static str {
    match tongue {
        Tongue::Chat => "messages.reasoning_details",
        Tongue::Responses => "input.reasoning.encrypted_content",
        Tongue::Messages => "messages.thinking.signature",
    }
}

/// The reasoning of a model with its state in it, before what was said.
fn sealed_turns(tongue: Tongue) -> Vec<Value> {
    match tongue {
        Tongue::Chat => vec![json!({
            "role": "assistant",
            "content": "I think",
            "reasoning_details": [{ "type": "reasoning.encrypted", "data": SEAL }],
        })],
        Tongue::Responses => vec![
            json!({ "type": "reasoning", "summary": [], "encrypted_content": SEAL }),
            json!({ "role": "assistant", "content": "I think" }),
        ],
        Tongue::Messages => vec![json!({
            "role": "assistant",
            "content": [
                { "type": "thinking", "thinking": "hm", "signature": SEAL },
                { "type": "text", "text": "I think" },
            ],
        })],
    }
}

/// A conversation that goes on behind such reasoning.
fn going_on(tongue: Tongue, model: &str, stream: bool) -> Value {
    let mut body = tongue.ask(model, "hello", stream);
    let turns = if tongue == Tongue::Responses {
        "input"
    } else {
        "messages"
    };
    let turns = body[turns].as_array_mut().unwrap();
    turns.extend(sealed_turns(tongue));
    turns.push(json!({ "role": "user", "content": "and now" }));
    body
}

fn dropped(reply: &Reply) -> &str {
    reply.header("x-gateway-dropped").unwrap_or_default()
}

/// The provider got all of the conversation but this state, and the client was told.
#[track_caller]
fn assert_left_out(tongue: Tongue, provider: &Provider, reply: &Reply, seal: &str) {
    tongue.heard(reply);
    let sent = provider.last_request();
    assert!(!sent.text().contains(seal), "{}", sent.text());
    assert!(sent.text().contains("and now"), "{}", sent.text());
    assert_eq!(dropped(reply), name(tongue));
}

#[test]
fn state_reaches_the_first_provider_as_it_came_and_one_that_refuses_it_is_asked_once_more_without() {
    for (tongue, kind) in NATIVE {
        let alpha = Provider::start("alpha");
        let gateway = start(&[(&alpha, kind)]);
        let client = gateway.client();
        for stream in [false, true] {
            println!("{tongue:?}, stream: {stream}");
            let body = going_on(tongue, "one", stream);
            let asked = alpha.requests();
            let ask = || client.post(tongue.path(), &body);

            let reply = ask();
            tongue.heard(&reply);
            assert!(alpha.last_request().text().contains(SEAL));
            assert_eq!((dropped(&reply), alpha.requests()), ("", asked + 1));

            alpha.set(Behaviour::RefuseIfHolds(SEAL.into()));
            assert_left_out(tongue, &alpha, &ask(), SEAL);
            assert_eq!(alpha.requests(), asked + 3);

            // Where the state is not why, the client is told of the refusal.
            alpha.set(Behaviour::RefuseIfHolds("and now".into()));
            let reply = ask();
            reply.error(400);
            assert!(!reply.text().contains("secret-upstream-detail"));
            assert_eq!(alpha.requests(), asked + 5);

            // And what has none is not asked twice.
            alpha.set(Behaviour::RefuseIfHolds("hello".into()));
            client
                .post(tongue.path(), &tongue.ask("one", "hello", stream))
                .error(400);
            assert_eq!(alpha.requests(), asked + 6);
            alpha.set(Behaviour::Answer);
        }
        gateway.finish();
    }
}

#[test]
fn another_provider_that_takes_over_is_not_given_the_state() {
    for (tongue, kind) in NATIVE {
        let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
        let gateway = start(&[(&alpha, kind), (&beta, kind)]);
        alpha.set(Behaviour::BROKEN);
        let reply = gateway
            .client()
            .post(tongue.path(), &going_on(tongue, "auto", tongue == Tongue::Chat));
        assert!(alpha.last_request().text().contains(SEAL));
        assert_left_out(tongue, &beta, &reply, SEAL);
        assert!(beta.last_request().text().contains("I think"));
        gateway.finish();
    }
}

/// Has the first provider fail until it is not asked any more.
fn break_for_good(client: &Client, alpha: &Provider) {
    alpha.set(Behaviour::BROKEN);
    for _ in 0..1_000 {
        let asked = alpha.requests();
        Tongue::Chat.heard(&client.post(Tongue::Chat.path(), &Tongue::Chat.ask("auto", "others", false)));
        if alpha.requests() == asked {
            return;
        }
    }
    panic!("the provider is still asked");
}

#[test]
fn a_later_turn_at_another_provider_is_without_the_state_where_it_is_known_who_answered() {
    for (tongue, kind) in NATIVE {
        println!("{tongue:?}");
        let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
        let setup = setup(&[(&alpha, kind), (&beta, kind)]);
        let gateway = Gateway::start(setup.toml("[breaker]\nconsecutive_failures = 1"));
        let client = gateway.client();
        alpha.say(Content::text().thinking());
        let body = tongue.ask("auto", "hello", false);
        let heard = tongue.heard(&client.post(tongue.path(), &body));
        let mut next = tongue.follow(&body, &heard, "and now");
        let mut seal = alpha.sealed();
        if tongue == Tongue::Chat {
            seal = SEAL.to_owned();
            next["messages"][1]["reasoning_details"] = json!([{ "type": "reasoning.encrypted", "data": SEAL }]);
        }
        assert!(next.to_string().contains(&seal));
        break_for_good(&client, &alpha);
        let asked = alpha.requests();
        let reply = client.post(tongue.path(), &next);
        assert_left_out(tongue, &beta, &reply, &seal);
        assert_eq!(alpha.requests(), asked);
        gateway.finish();
    }
}

#[test]
fn kept_answers_go_on_with_the_state_of_each_provider_for_itself_alone() {
    let tongue = Tongue::Responses;
    for stream in [false, true] {
        let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
        let gateway = start(&[(&alpha, Kind::Responses), (&beta, Kind::Responses)]);
        let client = gateway.client();
        for provider in [&alpha, &beta] {
            provider.say(Content::text().thinking());
        }
        let ask = |model: &str, previous: Option<&str>| {
            let mut body = tongue.ask(model, "and now", stream);
            body["previous_response_id"] = json!(previous);
            let reply = client.post(tongue.path(), &body);
            tongue.heard(&reply);
            let id = match stream {
                true => reply.sse().pop().unwrap().data["response"]["id"].clone(),
                false => reply.json()["id"].clone(),
            };
            (reply, id.as_str().unwrap().to_owned())
        };
        let holds = |provider: &Provider, of: &Provider| provider.last_request().text().contains(&of.sealed());

        let (_, one) = ask("one", None);
        let (reply, two) = ask("one", Some(&one));
        assert!(holds(&alpha, &alpha));
        assert_eq!(dropped(&reply), "");

        let (reply, three) = ask("two", Some(&two));
        assert_left_out(tongue, &beta, &reply, &alpha.sealed());
        assert_eq!(beta.last_request().messages().len(), 5);

        let (reply, _) = ask("one", Some(&three));
        assert_left_out(tongue, &alpha, &reply, &beta.sealed());
        assert!(holds(&alpha, &alpha));
        let sent = alpha.last_request().json();
        let kinds: Vec<_> = list(&sent["input"]).iter().map(|item| item["type"].as_str()).collect();
        assert_eq!(kinds.iter().filter(|kind| **kind == Some("reasoning")).count(), 2);

        // Whoever takes over gets what is its own.
        alpha.set(Behaviour::BROKEN);
        let (reply, _) = ask("auto", Some(&three));
        assert_left_out(tongue, &beta, &reply, &alpha.sealed());
        assert!(holds(&beta, &beta));
        gateway.finish();
    }
}
