use std::cell::RefCell;

use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, call_service, read_body_json};
use gateway_actors::protocol::{Layer, Leave, TaskType, TodoList, TodoStatus, TodoStep};
use serde_json::{Value, json};

use super::*;
use crate::agent::samples::{agent_answer, need};
use crate::http::testing::{Told, app, parts};

/// What the pipeline was asked.
type Seen = Rc<RefCell<Vec<AgentCall>>>;

/// A pipeline that wants leave for the first task, and has it from then on.
fn pipeline(seen: &Seen) -> Told {
    let seen = Rc::clone(seen);
    Told {
        agent: Box::new(move |call| {
            let is_first = seen.borrow().is_empty();
            seen.borrow_mut().push(call);
            Ok(if is_first {
                AgentAnswer {
                    user_seq: Some(3),
                    ..agent_answer("so far", 0, Some(need()))
                }
            } else {
                agent_answer("better", 12, None)
            })
        }),
        ..Told::default()
    }
}

macro_rules! post {
    ($app:expr, $path:expr, $body:expr) => {{
        let request = TestRequest::post()
            .uri($path)
            .insert_header(("host", "localhost"))
            .set_json($body)
            .to_request();
        let response = call_service(&$app, request).await;
        let status = response.status();
        let body: Value = read_body_json(response).await;
        (status, body)
    }};
}

#[actix_web::test]
async fn a_task_is_done_and_told_in_full() {
    let told = Told {
        agent: Box::new(|call| {
            assert_eq!(call.plan.task, TaskType::Code);
            assert!(call.is_trivial && call.amend.is_none() && call.turn.is_none());
            assert!(call.message.contains("Sort a list"), "{}", call.message);
            assert_eq!(&*call.context.endpoint, "/v1/code-agent");
            assert_eq!(call.context.user_id.as_deref(), Some("u"));
            let step = |text: &str, status| TodoStep {
                text: text.to_owned(),
                status,
                model: None,
                result: None,
            };
            Ok(AgentAnswer {
                todo: Some(TodoList {
                    id: "todo_1".into(),
                    task: "t".into(),
                    steps: vec![step("a", TodoStatus::Done), step("b", TodoStatus::Open)],
                }),
                status: AgentStatus::Partial,
                ..agent_answer("done", 1_500, None)
            })
        }),
        ..Told::default()
    };
    let app = app(parts(), told).await;
    let (status, body) = post!(
        app,
        "/v1/code-agent",
        json!({"task": "Sort a list", "userId": "u", "quality": "high"})
    );
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(
        body["result"],
        json!({"response": "done", "model": "small", "provider": "alpha", "layer": "L0"})
    );
    assert_eq!(body["status"], "partial");
    assert_eq!(
        body["todo"]["steps"][1],
        json!({"text": "b", "status": "open", "model": null})
    );
    assert_eq!(body["quality"]["level"], "high");
    assert_eq!(body["quality"]["assessment"], "not checked");
    assert_eq!(body["routing"]["complexity"], "complex");
    assert_eq!(body["performance"]["costNanoUsd"], 1_500);
    assert_eq!(body["context"], json!({"conversationId": null}));
    assert!(body["requestId"].as_str().unwrap().starts_with("req_"));
    assert!(body.get("escalation").is_none());
}

#[actix_web::test]
async fn an_offer_is_approved_with_the_next_request_or_by_its_own_path_and_once() {
    for by_path in [false, true] {
        let seen = Seen::default();
        let app = app(parts(), pipeline(&seen)).await;
        let mut task = json!({"task": "Sort a list", "conversationId": "c-1", "clientMessageId": "m"});
        let (_, body) = post!(app, "/v1/code-agent", &task);
        let escalation = &body["escalation"];
        assert_eq!(escalation["suggestedLayer"], "L2", "{body}");
        assert_eq!(escalation["estimatedCostNanoUsd"], 12_300_000);
        let token = escalation["token"].as_str().unwrap().to_owned();
        task["escalationToken"] = json!(token);
        let path = format!("/v1/escalations/{token}/approve");
        let (path, sent) = if by_path {
            (path.as_str(), json!({}))
        } else {
            ("/v1/code-agent", task)
        };
        let (status, body) = post!(app, path, &sent);
        assert_eq!(
            (status, &body["result"]["response"]),
            (StatusCode::OK, &json!("better")),
            "{body}"
        );
        {
            let seen = seen.borrow();
            let [first, second] = seen.as_slice() else {
                panic!("{} calls", seen.len())
            };
            assert_eq!((first.plan.wish.leave, first.amend), (Leave::Standing, None));
            assert_eq!(
                (second.plan.wish.leave, second.amend.map(|place| place.user_seq)),
                (Leave::UpTo(Layer::L2), Some(3))
            );
            assert_eq!(
                (second.plan.wish.floor, second.plan.wish.above),
                (Some(Layer::L2), Some(Layer::L0))
            );
            assert!(
                second
                    .plan
                    .wish
                    .note
                    .as_deref()
                    .is_some_and(|note| note.contains("Sort a list"))
            );
            assert_eq!(second.message, first.message);
        }
        let (status, body) = post!(app, path, &sent);
        assert_eq!(
            (status, &body["error"]["type"]),
            (StatusCode::CONFLICT, &json!("escalation_used")),
            "{body}"
        );
        assert_eq!(seen.borrow().len(), 2);
    }
}

#[actix_web::test]
async fn a_token_is_good_for_the_task_that_it_was_given_for_alone() {
    let seen = Seen::default();
    let app = app(parts(), pipeline(&seen)).await;
    let (_, body) = post!(app, "/v1/code-agent", json!({"task": "Sort a list"}));
    let token = body["escalation"]["token"].clone();
    for other in [
        json!({"task": "Sort a list!", "escalationToken": token}),
        json!({"task": "Sort a list", "quality": "critical", "escalationToken": token}),
        json!({"task": "Sort a list", "escalationToken": "esc1.a.b"}),
    ] {
        let (status, body) = post!(app, "/v1/code-agent", &other);
        assert_eq!(
            (status, &body["error"]["type"]),
            (StatusCode::FORBIDDEN, &json!("escalation_invalid")),
            "{other}: {body}"
        );
    }
    assert_eq!(seen.borrow().len(), 1);
}
