//! Row E20, and amounts at the ends of their ranges.

use serde_json::{Value, json};

use crate::scene::{On, Scene, on_each_database, path};

on_each_database![e20_an_impossible_amount_is_refused_by_name_and_changes_nothing,];

fn e20_an_impossible_amount_is_refused_by_name_and_changes_nothing(on: On) {
    let scene = Scene::new(on);
    let (admin, path) = (scene.admin(), path("project:p"));
    scene.set("project:p", &json!({ "limitUsd": "0.3", "window": "total" }));
    let before = scene.budget("project:p");
    assert_eq!(before["limitNanoUsd"], 300_000_000);
    for (field, value) in [
        ("limitUsd", json!(-1)),
        ("limitUsd", json!("-1")),
        ("limitUsd", json!(1e30)),
        ("limitUsd", json!("1e30")),
        ("limitUsd", json!("abc")),
        ("limitUsd", Value::Null),
        ("limitUsd", json!(0.1 + 0.2)),
        ("limitUsd", json!("0.0000000001")),
        ("limitUsd", json!("9223372036.854775808")),
        ("limitNanoUsd", json!(-1)),
        ("limitNanoUsd", json!(0.5)),
        ("limitNanoUsd", json!(9_223_372_036_854_775_808_u64)),
    ] {
        let body = json!({ field: value, "window": "total" });
        let error = admin.send_json("PUT", &path, &body).error(400);
        assert_eq!(error["param"], field, "{body}: {error}");
    }
    for (field, value) in [
        ("window", json!("yearly")),
        ("onExhausted", json!("shrug")),
        ("maxLayer", json!("L9")),
        ("alertPercents", json!([0])),
        ("spentNanoUsd", json!(0)),
    ] {
        let mut body = json!({ "limitUsd": "1", "window": "total" });
        body[field] = value;
        let error = admin.send_json("PUT", &path, &body).error(400);
        assert_eq!(error["param"], field, "{body}: {error}");
    }
    for scope in ["team:x", "project:", "global:x", "key:no-such-shape"] {
        let body = json!({ "limitUsd": "1", "window": "total" });
        let error = admin.send_json("PUT", &super::scene::path(scope), &body).error(400);
        assert_eq!(error["param"], "scope", "{scope}: {error}");
    }
    assert_eq!(scene.budget("project:p"), before);
    assert_eq!(scene.books().number("SELECT count(*) AS n FROM budgets"), 1);
    // Texts are taken to the last digit.
    for (text, nano) in [("0.000000001", 1), ("0", 0), ("9223372036.854775807", i64::MAX)] {
        scene.set("project:p", &json!({ "limitUsd": text, "window": "total" }));
        assert_eq!(scene.budget("project:p")["limitNanoUsd"], nano);
    }
    scene.finish();
}
