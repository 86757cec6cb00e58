//! Every behaviour, in every dialect.

use std::time::Duration;

use super::scene::Spoken;
use super::{SOON, client};
use crate::support::{Behaviour, Content, Provider, SseEvent, wait_for};

fn pieces(spoken: Spoken, events: &[SseEvent]) -> Vec<String> {
    events.iter().filter_map(|event| spoken.piece(&event.data)).collect()
}

fn answer(provider: &Provider) -> (u64, u64, bool) {
    let bill = provider.bill();
    let charge = bill.last().unwrap();
    (charge.input_tokens, charge.output_tokens, charge.whole)
}

#[test]
fn every_dialect_answers_whole_and_in_pieces_and_charges_for_it() {
    for spoken in Spoken::ALL {
        let provider = Provider::start("alpha");
        provider.set_tokens(3);
        let body = spoken.whole(&provider, "one two three four");
        assert_eq!(spoken.text(&body), "alpha-1 alpha-2 alpha-3", "{spoken:?}");
        assert_eq!(answer(&provider), (4, 3, true), "{spoken:?}");
        let events = spoken.stream(&provider, "one two");
        assert_eq!(
            pieces(spoken, &events),
            ["alpha-1 ", "alpha-2 ", "alpha-3"],
            "{spoken:?}"
        );
        assert_eq!(answer(&provider), (2, 3, true), "{spoken:?}");
        let bill = provider.bill();
        assert_eq!(
            (bill.len(), bill[1].model.as_str(), bill[1].message.as_str()),
            (2, "m-1", "one two")
        );
        if !matches!(spoken, Spoken::Ollama) {
            assert!(
                body.to_string().contains(&bill[0].id),
                "{spoken:?} does not tell the id {}",
                bill[0].id
            );
        }
    }
}

#[test]
fn no_dialect_tells_usage_when_it_is_missing() {
    for spoken in Spoken::ALL {
        let provider = Provider::start("alpha");
        for streamed in [false, true] {
            let reply = spoken.ask(&provider, "hello", streamed);
            let words = ["_tokens", "TokenCount", "eval_count"];
            assert!(words.iter().any(|word| reply.text().contains(word)), "{spoken:?}");
            provider.set(Behaviour::UsageMissing);
            let reply = spoken.ask(&provider, "hello", streamed);
            // The request's own cap is repeated by one dialect.
            let text = reply.text().replace("max_output_tokens", "");
            assert!(!words.iter().any(|word| text.contains(word)), "{spoken:?}: {text}");
            provider.set(Behaviour::Answer);
        }
    }
}

#[test]
fn an_error_in_the_place_of_the_first_event_is_the_dialects_own_and_costs_nothing() {
    for spoken in Spoken::ALL {
        let provider = Provider::start("alpha");
        provider.set(Behaviour::ErrorFrameFirst);
        let reply = spoken.ask(&provider, "hello", true);
        let events = spoken.events(&reply);
        assert!(
            events.len() == 1 && spoken.is_error(&events[0]) && !reply.cut,
            "{spoken:?}: {events:?}"
        );
        assert!(reply.text().contains("secret-upstream-detail"));
        let whole = spoken.whole(&provider, "hello");
        assert!(!whole["error"].is_null(), "{spoken:?}: {whole}");
        assert!(provider.bill().is_empty());
    }
}

#[test]
fn an_error_after_some_events_ends_the_stream_and_what_was_sent_is_charged() {
    for spoken in Spoken::ALL {
        for events in [0, 2, 9] {
            let provider = Provider::start("alpha");
            provider.set_tokens(4);
            provider.set(Behaviour::ErrorAfterEvents(events));
            let reply = spoken.ask(&provider, "hello", true);
            let seen = spoken.events(&reply);
            assert_eq!(pieces(spoken, &seen).len(), events.min(4), "{spoken:?}");
            let (last, before) = seen.split_last().unwrap();
            assert!(
                spoken.is_error(last) && !before.iter().any(|event| spoken.is_error(event)),
                "{spoken:?}"
            );
            assert!(!reply.cut);
            assert_eq!(answer(&provider), (1, events.min(4).try_into().unwrap(), false));
        }
    }
}

#[test]
fn a_stream_can_be_cut_after_any_piece_and_after_any_frame() {
    for spoken in Spoken::ALL {
        let provider = Provider::start("alpha");
        provider.set_tokens(2);
        let whole = spoken.ask(&provider, "hello", true);
        for count in [0, 1, 2, 7] {
            provider.set(Behaviour::DieAfterEvents(count));
            let reply = spoken.ask(&provider, "hello", true);
            assert!(reply.cut && whole.text().len() > reply.text().len(), "{spoken:?}");
            assert_eq!(pieces(spoken, &spoken.events(&reply)).len(), count.min(2), "{spoken:?}");
            assert_eq!(answer(&provider), (1, count.min(2).try_into().unwrap(), false));
        }
        provider.set(Behaviour::TruncatedBody);
        let reply = spoken.ask(&provider, "hello", true);
        assert!(
            reply.cut && pieces(spoken, &spoken.events(&reply)).len() == 1,
            "{spoken:?}"
        );
        let all = spoken.events(&whole);
        for count in 0..=all.len() + 1 {
            provider.set(Behaviour::DieAfterFrames(count));
            let reply = spoken.ask(&provider, "hello", true);
            assert!(reply.cut, "{spoken:?}");
            assert_eq!(spoken.events(&reply).len(), count.min(all.len()), "{spoken:?} {count}");
        }
    }
}

#[test]
fn calls_of_tools_can_be_cut_too() {
    for spoken in [
        Spoken::Chat,
        Spoken::Responses,
        Spoken::Anthropic,
        Spoken::Gemini,
        Spoken::Ollama,
    ] {
        let provider = Provider::start("alpha");
        provider.say(Content::calls(&[
            ("look", r#"{"at":"this"}"#),
            ("ask", r#"{"for":"that"}"#),
        ]));
        let whole = spoken.ask(&provider, "hello", true);
        assert_eq!(answer(&provider), (1, 6, true), "{spoken:?}");
        provider.set(Behaviour::DieAfterEvents(1));
        let reply = spoken.ask(&provider, "hello", true);
        assert!(
            reply.cut && reply.text().contains("look") && !reply.text().contains("ask\""),
            "{spoken:?}"
        );
        assert!(whole.text().contains("ask\""), "{spoken:?}");
    }
}

#[test]
fn streams_without_events_have_none_and_cost_nothing() {
    for spoken in Spoken::ALL {
        let provider = Provider::start("alpha");
        for behaviour in [Behaviour::EmptyStream, Behaviour::CommentsOnly] {
            provider.set(behaviour);
            let reply = spoken.ask(&provider, "hello", true);
            assert!(
                spoken.events(&reply).is_empty() && !reply.cut && reply.status == 200,
                "{spoken:?}"
            );
        }
        for behaviour in [Behaviour::BROKEN, Behaviour::HTML] {
            provider.set(behaviour);
            let reply = spoken.ask(&provider, "hello", true);
            assert_ne!(
                (reply.status, reply.header("content-type")),
                (200, Some("application/json"))
            );
        }
        assert!(provider.bill().is_empty() && provider.requests() == 4);
    }
}

#[test]
fn stalls_and_resets_are_the_same_in_every_dialect() {
    let stalls = [
        Behaviour::StallBeforeHead,
        Behaviour::StallBeforeFirstEvent,
        Behaviour::StallMidStream,
    ];
    for spoken in Spoken::ALL {
        let provider = Provider::start("alpha");
        // One piece is enough to be in the middle.
        provider.set_tokens(1);
        for (place, behaviour) in stalls.iter().enumerate() {
            provider.set(behaviour.clone());
            let request = spoken.request("hello", true);
            let (client, path) = (client(&provider), spoken.path(true));
            if place == 0 {
                let asking = std::thread::spawn(move || client.try_post(path, &request).is_err());
                wait_for("the request", SOON, || provider.running() == 1);
                provider.kill();
                assert!(asking.join().unwrap(), "{spoken:?}");
                provider.revive();
                continue;
            }
            let stream = client.open_stream(path, &request);
            wait_for("the piece", SOON, || {
                answer(&provider) == (1, u64::from(place == 2), false)
            });
            drop(stream);
            wait_for("the stall to end", SOON, || provider.running() == 0);
        }
        provider.set(Behaviour::ResetAfterRequest);
        let request = spoken.request("hello", true);
        assert!(client(&provider).try_post(spoken.path(true), &request).is_err());
    }
}

#[test]
fn slow_and_held_answers_are_whole_in_the_end() {
    for spoken in Spoken::ALL {
        let provider = Provider::start("alpha");
        provider.set_tokens(2);
        provider.set(Behaviour::Slow(Duration::from_millis(1)));
        assert_eq!(pieces(spoken, &spoken.stream(&provider, "hello")).len(), 2);
        assert_eq!(spoken.text(&spoken.whole(&provider, "hello")), "alpha-1 alpha-2");
        provider.set(Behaviour::Held);
        let held = client(&provider);
        let (path, request) = (spoken.path(true), spoken.request("hello", true));
        let asking = std::thread::spawn(move || held.post(path, &request));
        wait_for("the request", SOON, || provider.running() == 1);
        provider.set(Behaviour::Answer);
        assert_eq!(
            pieces(spoken, &spoken.events(&asking.join().unwrap())).len(),
            2,
            "{spoken:?}"
        );
    }
}

#[test]
fn every_dialect_keeps_to_the_cap_of_the_request() {
    let caps = [
        (Spoken::Chat, "/max_tokens"),
        (Spoken::Chat, "/max_completion_tokens"),
        (Spoken::Completions, "/max_tokens"),
        (Spoken::Responses, "/max_output_tokens"),
        (Spoken::Anthropic, "/max_tokens"),
        (Spoken::Gemini, "/generationConfig/maxOutputTokens"),
        (Spoken::Ollama, "/options/num_predict"),
    ];
    for (spoken, place) in caps {
        let provider = Provider::start("alpha");
        let mut body = spoken.request("hello", false);
        let (mut inner, path) = (&mut body, place.split('/').skip(1));
        for name in path {
            inner = &mut inner[name];
        }
        *inner = 1.into();
        let reply = client(&provider).post(spoken.path(false), &body);
        assert_eq!(spoken.text(&reply.json()), "alpha-1", "{place}");
    }
}
