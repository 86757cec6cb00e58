//! Rows G11 to G13: answers that are none, and answers that lead elsewhere.

use crate::COMPLETIONS;
use crate::scene::{Scene, assert_answered_by, assert_refused, for_model};
use crate::support::{Behaviour, Provider, chat, streamed_chat};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

/// Tries a fault alone, where it is told as this word, and with another provider behind it.
#[track_caller]
fn is_told_and_made_good(scene: &Scene, fault: &Behaviour, status: u16, word: &str) {
    for streamed in [false, true] {
        let mut request = for_model("alpha-small");
        let mut free_choice = for_model("auto");
        if streamed {
            request = streamed_chat("hello");
            free_choice = streamed_chat("hello");
            request["model"] = "alpha-small".into();
        }
        scene.mend_alpha();
        scene.alpha.set(fault.clone());
        let beta = scene.beta.requests();
        let reply = scene.client().post(COMPLETIONS, &request);
        let error = assert_refused(&reply, status, word);
        assert_eq!(scene.beta.requests(), beta, "{error}");
        assert_answered_by(&scene.client().post(COMPLETIONS, &free_choice), "beta");
    }
}

#[test]
fn g11_what_is_no_answer_is_told_as_such_and_made_good_by_another_provider() {
    let cases = [
        (Behaviour::HTML, "upstream_malformed"),
        (Behaviour::Status(200, JSON, "{}"), "upstream_malformed"),
        (Behaviour::Status(200, JSON, r#"{"choices":[]}"#), "upstream_malformed"),
        (Behaviour::Status(200, JSON, "[1,2]"), "upstream_malformed"),
        (
            Behaviour::Status(200, JSON, "secret-upstream-detail"),
            "upstream_malformed",
        ),
    ];
    let scene = Scene::new();
    for (fault, word) in cases {
        is_told_and_made_good(&scene, &fault, 502, word);
    }
    scene.end();
}

#[test]
fn g11_an_empty_answer_and_an_error_under_a_good_status_are_no_answers() {
    let scene = Scene::new();
    let error = Behaviour::Status(200, JSON, r#"{"error":{"message":"secret-upstream-detail"}}"#);
    for (fault, streamed, words) in [
        (Behaviour::Status(200, JSON, ""), false, ["upstream_empty"; 2]),
        (error.clone(), false, ["upstream_malformed"; 2]),
        (error, true, ["upstream_error", "upstream_malformed"]),
        (Behaviour::EmptyStream, true, ["upstream_empty"; 2]),
        (Behaviour::CommentsOnly, true, ["upstream_empty"; 2]),
    ] {
        scene.alpha.set(fault.clone());
        let mut request = if streamed {
            streamed_chat("hello")
        } else {
            chat("hello")
        };
        request["model"] = "alpha-small".into();
        let reply = scene.client().post(COMPLETIONS, &request);
        let told = reply.error(502)["code"].as_str().unwrap_or_default().to_owned();
        assert!(words.contains(&told.as_str()), "{fault:?}: {told}");
        assert_refused(&reply, 502, &told);
        scene.mend_alpha();
    }
    scene.end();
}

#[test]
fn g11_an_answer_without_a_body_by_its_status_is_empty_whatever_it_announces() {
    let cases: [(&'static [u8], &str); 3] = [
        (
            b"HTTP/1.1 204 No Content\r\ncontent-length: 500\r\n\r\n",
            "upstream_empty",
        ),
        (
            b"HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n",
            "upstream_empty",
        ),
        (
            b"HTTP/1.1 304 Not Modified\r\ncontent-length: 500\r\n\r\n",
            "upstream_error",
        ),
    ];
    let scene = Scene::new();
    for (bytes, word) in cases {
        is_told_and_made_good(&scene, &Behaviour::Raw(bytes), 502, word);
    }
    scene.end();
}

#[test]
fn g12_an_answer_that_is_cut_off_is_told_as_such_and_made_good_by_another_provider() {
    let cases: [&'static [u8]; 4] = [
        // Less than announced.
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"choices\":[{\"message\":{\"content\":\"he",
        // Cut in a chunk, and between chunks.
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n40\r\n{\"choices\":[",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nc\r\n{\"choices\":[\r\n",
        // Whole, but not JSON to its end.
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 13\r\nconnection: close\r\n\r\n{\"choices\":[{",
    ];
    let scene = Scene::new();
    for bytes in cases {
        scene.mend_alpha();
        scene.alpha.set(Behaviour::Raw(bytes));
        assert_refused(&scene.ask_alpha(), 502, "upstream_error");
        assert_answered_by(&scene.ask(), "beta");
    }
    scene.mend_alpha();
    scene.alpha.set(Behaviour::DieAfterEvents(0));
    let mut request = streamed_chat("hello");
    request["model"] = "alpha-small".into();
    // Nothing of the answer had come: whether the provider had one to give is not known.
    assert_refused(&scene.client().post(COMPLETIONS, &request), 502, "upstream_empty");
    scene.end();
}

#[test]
fn g12_answers_in_bytes_that_are_no_http_are_told_as_such() {
    let scene = Scene::new();
    let cases: [&'static [u8]; 3] = [
        b"secret-upstream-detail\r\n\r\n",
        b"HTTP/1.1 999999 x\r\n\r\n",
        b"\x00\xff\xfe\r\n\r\n",
    ];
    for bytes in cases {
        scene.alpha.set(Behaviour::Raw(bytes));
        assert_refused(&scene.ask_alpha(), 502, "upstream_malformed");
        scene.mend_alpha();
    }
    scene.end();
}

#[test]
fn g13_a_redirect_is_not_followed_and_the_key_goes_nowhere_else() {
    let elsewhere = Provider::start("elsewhere");
    let location: &'static str = Box::leak(format!("{}/chat/completions", elsewhere.base_url()).into_boxed_str());
    let headers: &'static [(&str, &str)] = Box::leak(Box::new([("location", location)]));
    let scene = Scene::new();
    for status in [301, 302, 303, 307, 308] {
        is_told_and_made_good(&scene, &Behaviour::Status(status, headers, ""), 502, "upstream_error");
    }
    assert_eq!(
        elsewhere.requests() + elsewhere.probes().len(),
        0,
        "the request was sent elsewhere"
    );
    scene.end();
}
