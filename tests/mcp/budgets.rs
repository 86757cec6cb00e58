//! A server and an MCP process on one file spend from one budget.

use serde_json::json;

use crate::process::{LIMIT, Process};
use crate::support::{Gateway, Model, Provider, Setup, wait_for};

const GLOBAL: &str = "/v1/admin/budgets/global";
/// What an answer of five tokens costs, in nano-USD.
const COST: i64 = 10_000;

#[test]
fn l15_what_an_mcp_process_spends_is_missing_in_the_servers_budget_and_neither_goes_beyond_it() {
    let alpha = Provider::start("alpha");
    let model = Model::free("alpha-paid", &alpha).priced("0", "2").window(16_000);
    let setup = Setup::new()
        .env("CHAT_MODELS", "alpha-paid")
        .provider(&alpha)
        .model(&model);
    let gateway = Gateway::start(setup.clone());
    let client = gateway.client();
    let limit = |nano: i64| {
        let reply = client.send_json("PUT", GLOBAL, &json!({ "limitNanoUsd": nano, "window": "total" }));
        assert_eq!(reply.status, 200, "{}", reply.text());
    };
    let wait_until_spent = |nano: i64| {
        wait_for("all to be posted, and nothing to be held", LIMIT, || {
            let budget = client.get(GLOBAL).json();
            budget["heldNanoUsd"] == 0 && budget["spentNanoUsd"] == nano
        });
    };
    limit(1_000_000_000);
    let mut process = Process::start_in(&setup, gateway.folder());
    process.begin();
    process.works("code_agent", &json!({ "task": "say it" }));
    wait_until_spent(COST);

    limit(2 * COST);
    let refused = process.call("code_agent", &json!({ "task": "say it again" }));
    assert_eq!(refused["isError"], true, "{refused}");
    assert!(refused.to_string().contains("budget"), "{refused}");
    let mut body = crate::support::chat("hello");
    body["max_tokens"] = json!(5);
    assert_eq!(client.post("/v1/chat/completions", &body).status, 200);
    client.post("/v1/chat/completions", &body).error(402);
    wait_until_spent(2 * COST);
    assert_eq!(alpha.requests(), 2);

    limit(1_000_000_000);
    process.works("code_agent", &json!({ "task": "say it again" }));
    wait_until_spent(3 * COST);
    process.finish();
    gateway.finish();
}
