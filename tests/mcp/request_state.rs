//! The state by which a call comes again in revision 2026-07-28: good for whom it was made, and for nobody else.

use gateway_actors::protocol::RateLimits;
use serde_json::{Value, json};

use crate::escalation::{Scene, said, task};
use crate::process::{Process, meta, tool_error};
use crate::support::{KeyHolder, PostgresDatabase, make_keys};

/// A call of a client that can ask its user.
fn call(task: &Value) -> Value {
    let mut with_forms = meta("2026-07-28");
    with_forms["io.modelcontextprotocol/clientCapabilities"] = json!({"elicitation": {"form": {}}});
    json!({"name": "code_agent", "arguments": task, "_meta": with_forms})
}

#[test]
fn a_state_that_is_another_callers_or_for_another_task_or_changed_spends_nothing() {
    let scene = Scene::new();
    let database = PostgresDatabase::create();
    let holder = || KeyHolder {
        project: Some("p"),
        user: None,
        limits: RateLimits::default(),
    };
    let [one, other] = make_keys(&database.url(), [holder(), holder()], &[]);
    let setup = |key: &str| {
        let setup = scene.setup().env("DATABASE_URL", &database.url());
        setup.env("GATEWAY_API_KEY", key)
    };
    let mut process = Process::start(&setup(&one));
    let asked = process.result("tools/call", &call(&task()));
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let state = asked["requestState"].as_str().unwrap().to_owned();
    let again = |task: &Value, state: &str| {
        let mut params = call(task);
        params["requestState"] = json!(state);
        params["inputResponses"] = json!({"escalate": said("accept", "approve")});
        params
    };
    let same = again(&task(), &state);

    let mut stranger = Process::start(&setup(&other));
    let refused = stranger.result("tools/call", &same);
    assert_eq!(tool_error(&refused)["type"], "escalation_invalid", "another caller's");
    stranger.finish();
    let elsewhere = json!({"task": "Sort another list", "conversationId": "c-1"});
    for wrong in [again(&elsewhere, &state), again(&task(), &format!("{state}A"))] {
        let refused = process.result("tools/call", &wrong);
        assert_eq!(tool_error(&refused)["type"], "escalation_invalid", "{wrong}");
    }
    assert_eq!(scene.beta.requests(), 0, "paid without leave");

    let told = process.result("tools/call", &same)["structuredContent"].clone();
    assert_eq!(told["escalation"]["decision"], "approved", "{told}");
    assert_eq!(scene.beta.requests(), 1);
    process.finish();
}
