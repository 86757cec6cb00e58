//! Leave to spend: nothing is paid before somebody approves, in whatever way the client can be asked.

use gateway_actors::protocol::RateLimits;
use serde_json::{Value, json};

use crate::process::{LIMIT, Process, meta, tool_error};
use crate::support::{Behaviour, KeyHolder, Model, PostgresDatabase, Provider, Setup, make_keys, wait_for};

/// An answer that ends where no limit was set.
const CUT: Behaviour = Behaviour::Status(
    200,
    &[("content-type", "application/json")],
    r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"half of it"},"finish_reason":"length"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}"#,
);

/// A free model that cuts its answers, and a dearer one that needs leave.
pub(crate) struct Scene {
    alpha: Provider,
    pub(crate) beta: Provider,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let scene = Self {
            alpha: Provider::start("alpha"),
            beta: Provider::start("beta"),
        };
        scene.alpha.set(CUT);
        scene
    }

    pub(crate) fn setup(&self) -> Setup {
        Setup::free_l0(&[&self.alpha])
            .provider(&self.beta)
            .model(&Model::free("dear", &self.beta).priced("1", "2").layer("L1"))
            .env("ENABLE_AUTO_ESCALATE", "false")
    }
}

pub(crate) fn task() -> Value {
    json!({"task": "Sort a list", "conversationId": "c-1"})
}

/// What the client's user says.
pub(crate) fn said(action: &str, choice: &str) -> Value {
    json!({"action": action, "content": {"escalate": choice}})
}

/// Begins a session whose client can ask its user.
fn begin_asking(process: &mut Process) {
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {"elicitation": {}},
        "clientInfo": {"name": "test", "version": "1"}});
    process.result("initialize", &params);
    process.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
}

#[test]
fn an_elicited_yes_spends_and_a_no_does_not() {
    let scene = Scene::new();
    let mut process = Process::start(&scene.setup());
    begin_asking(&mut process);
    let mut questions = 0;
    for (action, choice, paid) in [
        ("decline", "approve", 0),
        ("accept", "reject", 0),
        ("cancel", "approve", 0),
        ("accept", "approve", 1),
    ] {
        let id = process.ask_tool("code_agent", &task());
        let is_question = |message: &Value| message["method"] == "elicitation/create";
        questions += 1;
        let asked = process
            .wait_for_messages("a question", questions, is_question)
            .pop()
            .unwrap();
        assert_eq!(scene.beta.requests(), 0, "paid before anybody approved");
        process.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": said(action, choice)}));
        let told = process.answer(&id)["result"]["structuredContent"].clone();
        assert_eq!(scene.beta.requests(), paid, "{action} {choice}: {told}");
        let (decision, costs) = if paid == 1 {
            ("approved", true)
        } else {
            ("rejected", false)
        };
        assert_eq!(told["escalation"]["decision"], decision, "{told}");
        assert_eq!(
            told["performance"]["costNanoUsd"].as_i64().unwrap() > 0,
            costs,
            "{told}"
        );
        assert_eq!(told["result"] == "half of it", paid == 0, "{told}");
    }
    process.close_input();
    assert_eq!(process.wait_exit(LIMIT), 0);
    let dear = process
        .calls()
        .into_iter()
        .filter(|call| call.provider == "beta")
        .count();
    assert_eq!(dear, 1);
    process.finish();
}

/// Which of two words counts is nobody's to guess.
#[test]
fn a_yes_beside_a_no_does_not_spend() {
    let scene = Scene::new();
    let mut process = Process::start(&scene.setup());
    begin_asking(&mut process);
    let id = process.ask_tool("code_agent", &task());
    let is_question = |message: &Value| message["method"] == "elicitation/create";
    let asked = process.wait_for_messages("a question", 1, is_question).remove(0);
    let answer = format!(
        r#"{{"jsonrpc":"2.0","id":{},"result":{{"action":"accept","content":{{"escalate":"reject","escalate":"approve"}}}}}}"#,
        asked["id"]
    );
    process.send_bytes(format!("{answer}\n").as_bytes());
    let told = process.answer(&id)["result"]["structuredContent"].clone();
    assert_eq!(told["escalation"]["decision"], "rejected", "{told}");
    process.finish();

    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start_in(&scene.setup(), folder.path());
    process.begin();
    let told = process.works("code_agent", &task());
    let token = told["escalation"]["token"].as_str().unwrap();
    for (number, members) in [
        r#""escalationDecision":"reject","escalationDecision":"approve""#,
        r#""escalationDecision":"approve","\u0065scalationDecision":"reject""#,
        r#""escalationDecision":"approve","task":"Sort a list""#,
    ]
    .into_iter()
    .enumerate()
    {
        let call = format!(
            r#"{{"jsonrpc":"2.0","id":"twice-{number}","method":"tools/call","params":{{"name":"code_agent","arguments":{{"task":"Sort a list","conversationId":"c-1","escalationToken":"{token}",{members}}}}}}}"#
        );
        process.send_bytes(format!("{call}\n").as_bytes());
        let said = process.answer(&json!(format!("twice-{number}")));
        assert_eq!(said["error"]["code"], -32602, "{said}");
    }
    assert_eq!(scene.beta.requests(), 0);
    process.finish();
}

#[test]
fn in_revision_2026_07_28_the_call_comes_again_with_what_was_decided() {
    let scene = Scene::new();
    let mut process = Process::start(&scene.setup());
    let mut with_forms = meta("2026-07-28");
    with_forms["io.modelcontextprotocol/clientCapabilities"] = json!({"elicitation": {"form": {}}});
    for (action, choice, paid) in [
        ("decline", "approve", 0),
        ("accept", "reject", 0),
        ("accept", "approve", 1),
    ] {
        let mut params = json!({"name": "code_agent", "arguments": task(), "_meta": with_forms});
        let asked = process.result("tools/call", &params);
        assert_eq!(asked["resultType"], "input_required", "{asked}");
        assert_eq!(scene.beta.requests(), 0, "paid before anybody approved");
        params["requestState"] = asked["requestState"].clone();
        params["inputResponses"] = json!({"escalate": said(action, choice)});
        let told = process.result("tools/call", &params)["structuredContent"].clone();
        assert_eq!(scene.beta.requests(), paid, "{action} {choice}: {told}");
        assert_eq!(told["result"] == "half of it", paid == 0, "{told}");
        // The same again is refused, and asks nobody.
        let again = process.result("tools/call", &params);
        assert_eq!(tool_error(&again)["type"], "escalation_used");
        assert_eq!(scene.beta.requests(), paid);
    }
    process.finish();
}

#[test]
fn without_elicitation_the_token_is_an_argument_in_another_process_too() {
    let scene = Scene::new();
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start_in(&scene.setup(), folder.path());
    process.begin();
    let told = process.works("code_agent", &task());
    assert_eq!(told["result"], "half of it");
    assert_eq!(told["escalation"]["suggestedLayer"], "L1", "{told}");
    let token = told["escalation"]["token"].as_str().unwrap().to_owned();
    process.finish();
    assert_eq!(scene.beta.requests(), 0);

    let mut process = Process::start_in(&scene.setup(), folder.path());
    process.begin();
    let decide = |token: &str| json!({"escalationToken": token, "escalationDecision": "approve"});
    let last = token.chars().next_back().unwrap();
    let tampered = format!("{}{}", &token[..token.len() - 1], if last == 'A' { 'E' } else { 'A' });
    for wrong in [tampered.as_str(), "esc1.a.b"] {
        assert_eq!(
            process.fails("code_agent", &decide(wrong))["type"],
            "escalation_invalid"
        );
    }
    assert_eq!(scene.beta.requests(), 0);
    let better = process.works("code_agent", &decide(&token));
    assert_eq!(
        (&better["routing"]["model"], scene.beta.requests()),
        (&json!("dear"), 1),
        "{better}"
    );
    assert_eq!(process.fails("code_agent", &decide(&token))["type"], "escalation_used");
    assert_eq!(scene.beta.requests(), 1);
    // The better answer is the conversation's.
    assert!(better["context"].get("stored").is_none(), "{better}");
    scene.beta.set(Behaviour::Answer);
    process.works(
        "code_agent",
        &json!({"task": "And now?", "conversationId": "c-1", "layer": "L1"}),
    );
    let sent: Value = serde_json::from_slice(&scene.beta.last_request().body).unwrap();
    let messages = sent["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 4, "{sent}");
    assert_eq!(messages[2]["content"], better["result"], "{sent}");
    process.finish();
}

#[test]
fn when_the_dearer_model_fails_the_answer_so_far_stays_and_nobody_is_asked_again() {
    let scene = Scene::new();
    let mut process = Process::begun(&scene.setup());
    let told = process.works("code_agent", &task());
    let asked = scene.alpha.requests();
    scene.alpha.set(Behaviour::Answer);
    scene.beta.set(Behaviour::BROKEN);
    let decide = json!({"escalationToken": told["escalation"]["token"], "escalationDecision": "approve"});
    let kept = process.works("code_agent", &decide);
    assert_eq!(kept["result"], "half of it", "{kept}");
    assert_eq!(kept["escalation"]["decision"], "approved", "{kept}");
    assert!(kept["escalation"]["error"].is_string(), "{kept}");
    assert_eq!(scene.alpha.requests(), asked, "the free model was asked once more");
    assert!(scene.beta.requests() > 0);
    process.finish();
}

#[test]
fn a_token_is_good_for_its_caller_alone_and_until_it_ends() {
    let scene = Scene::new();
    let database = PostgresDatabase::create();
    let holder = || KeyHolder {
        project: Some("p"),
        user: None,
        limits: RateLimits::default(),
    };
    let [one, other] = make_keys(&database.url(), [holder(), holder()], &[]);
    let setup = |key: &str| {
        let setup = scene
            .setup()
            .env("DATABASE_URL", &database.url())
            .env("GATEWAY_API_KEY", key);
        setup.toml("[routing]\nescalation_ttl_s = 2")
    };
    let mut process = Process::begun(&setup(&one));
    let decide =
        |told: &Value| json!({"escalationToken": told["escalation"]["token"], "escalationDecision": "approve"});
    let told = process.works("code_agent", &task());
    let mut stranger = Process::begun(&setup(&other));
    assert_eq!(
        stranger.fails("code_agent", &decide(&told))["type"],
        "escalation_invalid"
    );
    stranger.finish();
    wait_for("the offer to end", LIMIT, || has_ended(&told));
    assert_eq!(
        process.fails("code_agent", &decide(&told))["type"],
        "escalation_expired"
    );
    assert_eq!(scene.beta.requests(), 0);
    process.finish();
}

/// Whether the offer has ended by this machine's clock.
fn has_ended(told: &Value) -> bool {
    let ends = told["escalation"]["expiresAt"].as_str().unwrap();
    let ends = time::OffsetDateTime::parse(ends, &time::format_description::well_known::Rfc3339).unwrap();
    time::OffsetDateTime::now_utc() > ends
}
