//! What an attempt costs when its tokens have more than three prices.

use serde_json::json;

use crate::COMPLETIONS;
use crate::support::{Behaviour, Gateway, Model, Provider, Setup, chat, streamed_chat};

const BODY: &str = r#"{"id":"c-1","object":"chat.completion","created":1764000000,"model":"m","choices":[{"index":0,
    "message":{"role":"assistant","content":"yes"},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,
    "completion_tokens":10,"total_tokens":110,"prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":20},
    "completion_tokens_details":{"reasoning_tokens":4}}}"#;

const STREAM: &str = concat!(
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n",
    r#"data: {"id":"c-1","object":"chat.completion.chunk","created":1764000000,"model":"m","choices":[{"index":0,"#,
    r#""delta":{"role":"assistant","content":"yes"},"finish_reason":"stop"}]}"#,
    "\n\n",
    r#"data: {"id":"c-1","object":"chat.completion.chunk","created":1764000000,"model":"m","choices":[],"usage":{"#,
    r#""prompt_tokens":100,"completion_tokens":6,"total_tokens":110,"prompt_cache_hit_tokens":60,"#,
    r#""prompt_tokens_details":{"cache_write_tokens":20},"completion_tokens_details":{"reasoning_tokens":4}}}"#,
    "\n\ndata: [DONE]\n\n",
);

/// A gateway with a model that is dearer above so many tokens.
fn start(provider: &Provider, above: u32) -> Gateway {
    Gateway::start(
        Setup::new()
            .provider(provider)
            .model(&Model::free("alpha-small", provider).priced("3", "15"))
            .toml(&format!(
                "cached_input_usd_per_mtok = 0.3\ncache_write_5m_usd_per_mtok = 3.75\nreasoning_usd_per_mtok = 40\n\
                 long_context = {{ above_tokens = {above}, input_usd_per_mtok = 6, cached_input_usd_per_mtok = 0.6, \
                 cache_write_5m_usd_per_mtok = 7.5, output_usd_per_mtok = 22.5 }}"
            )),
    )
}

#[test]
fn every_kind_of_token_is_booked_at_its_price_and_a_long_input_at_those_of_its_tier() {
    for (above, cost) in [
        // 20 x 3 + 60 x 0.3 + 20 x 3.75 + 6 x 15 + 4 x 40 micro-USD
        (100, 403_000),
        // 20 x 6 + 60 x 0.6 + 20 x 7.5 + 10 x 22.5
        (99, 531_000),
    ] {
        let alpha = Provider::start("alpha");
        let gateway = start(&alpha, above);
        alpha.set(Behaviour::Status(200, &[("content-type", "application/json")], BODY));
        let answer = gateway
            .client()
            .post("/v1/route", &json!({ "message": "hello" }))
            .json();
        assert_eq!(answer["performance"]["costNanoUsd"], cost, "{answer}");
        assert_eq!(answer["performance"]["tokens"], json!({ "input": 100, "output": 10 }));
        let reply = gateway.client().post(COMPLETIONS, &chat("hello"));
        assert_eq!(reply.status, 200, "{}", reply.text());
        // The reasoning is beside the completion here, as the total tells.
        alpha.set(Behaviour::Raw(STREAM.as_bytes()));
        let reply = gateway.client().post(COMPLETIONS, &streamed_chat("hello"));
        assert_eq!(reply.status, 200, "{}", reply.text());

        for call in gateway.wait_for_calls(3) {
            assert_eq!((call.cost_nano_usd, call.estimated), (cost, false), "{call:?}");
            assert_eq!((call.input_tokens, call.cached_input_tokens), (100, 60), "{call:?}");
            assert_eq!(
                (call.cache_write_5m_tokens, call.cache_write_1h_tokens),
                (20, 0),
                "{call:?}"
            );
            assert_eq!((call.output_tokens, call.reasoning_tokens), (10, 4), "{call:?}");
            let price: serde_json::Value = serde_json::from_str(call.price.as_deref().unwrap()).unwrap();
            assert_eq!(price["cache_write_5m"], 3_750_000, "{price}");
            assert_eq!(price["long_context"]["above"], above, "{price}");
        }
        let stats = gateway.client().get("/v1/server-stats").json();
        assert_eq!(
            stats["llm"]["tokens"],
            json!({ "input": 300, "output": 30, "total": 330 })
        );
        assert_eq!(stats["llm"]["cost"]["totalNanoUsd"], 3 * cost);
        alpha.set(Behaviour::Answer);
        gateway.finish();
    }
}
