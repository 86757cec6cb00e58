use gateway_actors::protocol::{ModelId, TodoStep};
use serde_json::{Value, json};

use super::*;
use crate::agent::samples::{served, story};

fn shown(value: impl Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

#[test]
fn an_answer_that_nobody_checked_says_so() {
    let served = served(None);
    assert_eq!(
        shown(Quality::of(QualityLevel::Normal, Some(&served))),
        json!({"level": "normal", "confidence": null, "crossCheck": {"status": "off", "models": []},
            "assessment": "not checked"})
    );
    assert_eq!(
        shown(Quality::of(QualityLevel::Normal, None))["assessment"],
        "not checked"
    );
}

#[test]
fn a_check_is_told_in_words() {
    let mut told = story(CheckStatus::Agreed);
    (told.votes, told.confidence) = (Some((2, 3)), Some(0.81));
    let with_story = served(Some(told));
    let quality = shown(Quality::of(QualityLevel::High, Some(&with_story)));
    assert_eq!(quality["assessment"], "agreed by 2 of 3");
    assert_eq!(
        quality["crossCheck"],
        json!({"status": "agreed", "models": ["b"], "agreed": 2, "of": 3, "confidence": 0.81})
    );
    for check in CheckStatus::ALL {
        let mut told = story(*check);
        told.check_reason = (*check == CheckStatus::Unavailable).then_some("timeout");
        let words = assessment(&told);
        assert!(!words.is_empty(), "{check}");
        assert_eq!(words.contains("timeout"), *check == CheckStatus::Unavailable, "{check}");
    }
    let mut told = story(CheckStatus::Off);
    told.check_reason = Some(gateway_actors::protocol::CheckPlan::AT_ONCE);
    assert!(assessment(&told).contains("asked at once"));
}

#[test]
fn a_list_is_told_with_the_model_of_each_step_that_is_done() {
    let step = |text: &str, status, model: Option<&str>| TodoStep {
        text: text.to_owned(),
        status,
        model: model.map(ModelId::from),
        result: Some("kept, and not told here".into()),
    };
    let list = TodoList {
        id: "todo_1".into(),
        task: "x".into(),
        steps: vec![
            step("Write it", TodoStatus::Done, Some("small")),
            step("Test it", TodoStatus::Open, None),
        ],
    };
    assert_eq!(
        shown(Todo::of(&list)),
        json!({"id": "todo_1", "steps": [{"text": "Write it", "status": "done", "model": "small"},
            {"text": "Test it", "status": "open", "model": null}]})
    );
}
