//! Vectors when a provider fails, and vectors without any provider.

use serde_json::{Value, json};

use crate::scene::{KEY, Kind};
use crate::support::{Behaviour, CallRow, Gateway, Provider, Reply, Setup};
use crate::tongue::list;

const PATH: &str = "/v1/embeddings";

/// Three tokens in two texts, by the name that both providers have for their model.
fn request() -> Value {
    json!({ "model": "vectors-api", "input": ["one two", "three"] })
}

/// Two providers with a model that makes vectors, the first of them impatiently waited for. A million tokens cost 1 and 2
/// USD.
fn setup(first: (&Provider, Kind), second: (&Provider, Kind)) -> Setup {
    let mut setup = Setup::new().env("PROVIDER_KEY", KEY);
    for ((provider, kind), usd) in [first, second].into_iter().zip(["1", "2"]) {
        let name = provider.name();
        let lines = "api_key_env = \"PROVIDER_KEY\"\ntimeouts = { first_byte_ms = 500 }";
        setup = setup.provider_kind(provider, kind.word(), lines).toml(&format!(
            "[[models]]\nid = \"{name}-vectors\"\nprovider = \"{name}\"\napi_model = \"vectors-api\"\nlayer = \"L0\"\n\
             context_window = 8000\nmax_output_tokens = 1\ncapabilities = [\"embeddings\"]\n\
             input_usd_per_mtok = {usd}\noutput_usd_per_mtok = 0\n"
        ));
    }
    // What the gateway is asked at the end whether it still answers.
    let second = second.0.name();
    setup.toml(&format!(
        "[[models]]\nid = \"words\"\nprovider = \"{second}\"\napi_model = \"words-api\"\nlayer = \"L0\"\n\
         context_window = 8000\nmax_output_tokens = 4000\ncapabilities = [\"chat\"]\n\
         input_usd_per_mtok = 0\noutput_usd_per_mtok = 0\n"
    ))
}

/// A way to fail: what the provider does, whether it may charge for it, and what the record says.
struct Failure {
    begin: fn(&Provider),
    is_charged: bool,
    outcome: &'static str,
    status: Option<i32>,
}

const FAILURES: [Failure; 3] = [
    Failure {
        begin: |provider| provider.set(Behaviour::BROKEN),
        is_charged: false,
        outcome: "refused",
        status: Some(500),
    },
    Failure {
        begin: Provider::kill,
        is_charged: false,
        outcome: "connect_failed",
        status: None,
    },
    Failure {
        begin: |provider| provider.set(Behaviour::StallBeforeHead),
        is_charged: true,
        outcome: "timed_out",
        status: None,
    },
];

/// The answer is whole, and this provider's.
#[track_caller]
fn assert_is_of(reply: &Reply, provider: &str) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("x-gateway-provider"), Some(provider));
    let answer = reply.json();
    assert_eq!(list(&answer["data"]).len(), 2, "{answer}");
    assert_eq!(answer["usage"], json!({ "prompt_tokens": 3, "total_tokens": 3 }));
    answer["data"].clone()
}

#[test]
fn texts_become_vectors_at_the_second_provider_when_the_first_fails() {
    let kinds = [
        (Kind::Chat, Kind::Gemini),
        (Kind::Gemini, Kind::Ollama),
        (Kind::Ollama, Kind::Chat),
    ];
    for (first, second) in kinds {
        for failure in &FAILURES {
            println!("{first:?} and then {second:?}: {}", failure.outcome);
            let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
            let gateway = Gateway::start(setup((&alpha, first), (&beta, second)));
            let well = assert_is_of(&gateway.client().post(PATH, &request()), "alpha");
            assert_eq!((alpha.bill().len(), beta.requests()), (1, 0));

            (failure.begin)(&alpha);
            let reply = gateway.client().post(PATH, &request());
            let vectors = assert_is_of(&reply, "beta");
            // The scripted providers' vectors follow from the texts.
            assert_eq!(numbers(&vectors), numbers(&well));

            let charges = usize::from(failure.is_charged);
            assert_eq!((alpha.bill().len(), beta.bill().len()), (1 + charges, 1));
            let calls = gateway.wait_for_calls(3);
            let calls: Vec<&CallRow> = calls
                .iter()
                .filter(|call| call.request_id == reply.request_id())
                .collect();
            let [failed, answered] = calls[..] else {
                panic!("not two attempts: {calls:?}");
            };
            assert_eq!((failed.ordinal, failed.provider.as_str()), (1, "alpha"));
            assert_eq!(
                (failed.outcome.as_str(), failed.status),
                (failure.outcome, failure.status)
            );
            assert!(!failed.success && !failed.streamed, "{failed:?}");
            // What may have been charged is booked at the worst case: a token for each byte that was sent or came, at 1000
            // nano-USD each.
            assert_eq!(failed.estimated, failure.is_charged, "{failed:?}");
            let bytes = alpha.last_request().body.len().max(request().to_string().len());
            let worst = 1_000 * i64::try_from(bytes).unwrap();
            assert_eq!(
                failed.cost_nano_usd,
                if failure.is_charged { worst } else { 0 },
                "{failed:?}"
            );

            assert_eq!((answered.ordinal, answered.provider.as_str()), (2, "beta"));
            assert_eq!((answered.outcome.as_str(), answered.status), ("completed", Some(200)));
            assert!(answered.success && !answered.estimated, "{answered:?}");
            assert_eq!(
                (answered.input_tokens, answered.output_tokens, answered.cost_nano_usd),
                (3, 0, 6_000)
            );
            gateway.finish();
        }
    }
}

fn numbers(vectors: &Value) -> Vec<Vec<f64>> {
    let vectors = list(vectors).iter().map(|item| list(&item["embedding"]));
    vectors
        .map(|vector| vector.iter().map(|number| number.as_f64().unwrap()).collect())
        .collect()
}

#[test]
fn a_request_for_vectors_that_a_provider_refuses_is_tried_nowhere_else() {
    let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
    let gateway = Gateway::start(setup((&alpha, Kind::Chat), (&beta, Kind::Chat)));
    alpha.set(Behaviour::Status(
        400,
        &[("content-type", "application/json")],
        r#"{"error":{"message":"secret-upstream-detail","type":"invalid_request_error"}}"#,
    ));
    let reply = gateway.client().post(PATH, &request());
    assert!((400..500).contains(&reply.status), "{}", reply.text());
    assert_eq!((alpha.requests(), beta.requests()), (1, 0));
    alpha.set(Behaviour::Answer);
    gateway.finish();
}

#[test]
fn the_simulator_makes_vectors_for_whoever_has_no_provider() {
    let gateway = Gateway::start(Setup::new().env("SIMULATOR_ENABLED", "true"));
    let client = gateway.client();
    let ask = |model: &str, input: Value| {
        let reply = client.post(PATH, &json!({ "model": model, "input": input }));
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.header("x-gateway-model"), Some("simulator-embeddings"));
        reply.json()
    };
    let answer = ask("simulator-embeddings", json!(["one two", "three"]));
    let vectors = numbers(&answer["data"]);
    for vector in &vectors {
        let length: f64 = vector.iter().map(|number| number * number).sum();
        assert!((length - 1.0).abs() < 1e-4, "{length}");
    }
    assert_ne!(vectors[0], vectors[1]);
    // Seven bytes and five, at four a token.
    assert_eq!(answer["usage"], json!({ "prompt_tokens": 4, "total_tokens": 4 }));
    // The same again, by whatever name and beside whatever else.
    assert_eq!(numbers(&ask("auto", json!("three"))["data"]), vectors[1..]);
    let listed = client.get("/v1/models").json();
    let listed = list(&listed["data"])
        .iter()
        .find(|model| model["id"] == "simulator-embeddings");
    assert_eq!(listed.unwrap()["gateway"]["capabilities"], json!(["embeddings"]));
    let calls = gateway.wait_for_calls(2);
    let tokens: Vec<_> = calls
        .iter()
        .map(|call| (call.input_tokens, call.output_tokens))
        .collect();
    assert_eq!(tokens, [(4, 0), (2, 0)]);
    gateway.finish();
}
