use super::*;

fn param(result: Result<impl std::fmt::Debug, GatewayError>) -> (ErrorKind, String) {
    let error = result.unwrap_err();
    (error.kind, error.param.unwrap_or_default().into_owned())
}

#[test]
fn a_full_key_is_read_as_it_was_written() {
    let body =
        br#"{"name":"ci","projectId":"p","userId":"u","role":"operator","maxLayer":"L1","models":["gpt-*","sim"],
        "expiresAt":"2027-01-31T00:00:00Z","rpm":60,"tpm":100000,"maxConcurrent":4,
        "budget":{"limitUsd":"1.00","window":"daily","onExhausted":"free_only"}}"#;
    let draft = KeyDraft::parse(body).unwrap();
    assert_eq!((&*draft.name, draft.role), ("ci", AccessRole::Operator));
    assert_eq!(
        (draft.project.as_deref(), draft.user.as_deref()),
        (Some("p"), Some("u"))
    );
    assert_eq!(draft.max_layer, Some(Layer::L1));
    assert_eq!(draft.models.as_deref().map(<[_]>::len), Some(2));
    assert_eq!(draft.expires_at, Some(1_801_353_600_000_000));
    assert_eq!(
        draft.limits,
        RateLimits {
            rpm: Some(60),
            tpm: Some(100_000),
            max_concurrent: Some(4)
        }
    );
    let budget = draft.budget.unwrap();
    assert_eq!((budget.limit, budget.window), (NanoUsd(1_000_000_000), Window::Daily));
    assert_eq!(budget.on_exhausted, OnExhausted::FreeOnly);
    assert_eq!(budget.alert_percents, [50, 80, 100]);
}

#[test]
fn every_impossible_value_of_a_key_is_refused_with_its_field() {
    for (member, field) in [
        (r#""role":"root""#, "role"),
        (r#""maxLayer":"L9""#, "maxLayer"),
        (r#""models":[]"#, "models"),
        (r#""models":"gpt""#, "models"),
        (r#""models":[""]"#, "models"),
        (r#""expiresAt":"tomorrow""#, "expiresAt"),
        (r#""expiresAt":5"#, "expiresAt"),
        (r#""rpm":-1"#, "rpm"),
        (r#""rpm":1.5"#, "rpm"),
        (r#""tpm":"many""#, "tpm"),
        (r#""maxConcurrent":1e3"#, "maxConcurrent"),
        (r#""projectId":"""#, "projectId"),
        (r#""allowed_routes":["/*"]"#, "allowed_routes"),
        (r#""hash":"00""#, "hash"),
        (r#""budget":5"#, "budget"),
        (r#""budget":{}"#, "budget.limitUsd"),
        (r#""budget":{"limitUsd":"-1","window":"total"}"#, "budget.limitUsd"),
        (
            r#""budget":{"limitUsd":"1","window":"total","spent":0}"#,
            "budget.spent",
        ),
        (r#""budget":{"limitUsd":"1"}"#, "budget.window"),
    ] {
        let body = format!(r#"{{"name":"ci",{member}}}"#);
        assert_eq!(
            param(KeyDraft::parse(body.as_bytes())),
            (ErrorKind::InvalidRequest, field.to_owned()),
            "{body}"
        );
    }
    assert_eq!(param(KeyDraft::parse(b"{}")).1, "name");
    assert_eq!(param(KeyDraft::parse(br#"{"name":null}"#)).1, "name");
}

#[test]
fn limits_are_exact_or_refused() {
    let rule = |limit: &str| budget_rule(format!(r#"{{"limitUsd":{limit},"window":"total"}}"#).as_bytes());
    for (text, nano) in [
        (r#""0""#, 0),
        (r#""1.00""#, 1_000_000_000),
        (r#""0.3""#, 300_000_000),
        (r#""0.000000001""#, 1),
        (r#""9223372036.854775807""#, i64::MAX),
    ] {
        assert_eq!(rule(text).unwrap().limit, NanoUsd(nano), "{text}");
    }
    for bad in [
        "-1",
        r#""-1""#,
        r#""-0""#,
        "1",
        "1.0",
        "1e30",
        r#""1e30""#,
        r#""1e3""#,
        r#""abc""#,
        r#""""#,
        r#"".""#,
        r#""1,00""#,
        r#""+1""#,
        r#"" 1""#,
        r#""0.1+0.2""#,
        r#""0.0000000001""#,
        r#""9223372036.854775808""#,
        r#""99999999999999999999""#,
        "null",
        "[]",
        "true",
        r#""NaN""#,
    ] {
        assert_eq!(
            param(rule(bad)),
            (ErrorKind::InvalidRequest, "limitUsd".to_owned()),
            "{bad}"
        );
    }
    let nano = |limit: &str| budget_rule(format!(r#"{{"limitNanoUsd":{limit},"window":"total"}}"#).as_bytes());
    assert_eq!(nano("5").unwrap().limit, NanoUsd(5));
    for bad in ["-1", "1.5", "1e9", "null", r#""5""#, "9223372036854775808"] {
        assert_eq!(param(nano(bad)).1, "limitNanoUsd", "{bad}");
    }
    let both = br#"{"limitUsd":"1","limitNanoUsd":5,"window":"total"}"#;
    assert_eq!(param(budget_rule(both)).1, "limitNanoUsd");
    for bad in ["[0]", "[101]", "[80,50]", "[50,50]", "[1.5]", "50"] {
        let body = format!(r#"{{"limitUsd":"1","window":"total","alertPercents":{bad}}}"#);
        assert_eq!(param(budget_rule(body.as_bytes())).1, "alertPercents", "{bad}");
    }
}

#[test]
fn a_change_leaves_alone_what_it_does_not_name_and_null_takes_away() {
    let change = key_change(br#"{"rpm":5,"models":null}"#).unwrap();
    assert_eq!(
        change,
        KeyChange {
            rpm: Some(Some(5)),
            models: Some(None),
            ..KeyChange::default()
        }
    );
    for (body, field) in [
        (r#"{"name":null}"#, "name"),
        (r#"{"role":"admin"}"#, "role"),
        (r#"{"projectId":"q"}"#, "projectId"),
        (r#"{"budget":{}}"#, "budget"),
        (r#"{}"#, ""),
    ] {
        assert_eq!(param(key_change(body.as_bytes())).1, field, "{body}");
    }
}

#[test]
fn rates_are_for_projects_and_users_and_not_for_nothing() {
    assert!(limited_scope("project:a").is_ok() && limited_scope("user:a b").is_ok());
    for bad in ["global", "key:x", "conversation:c", "team:x", ""] {
        assert_eq!(param(limited_scope(bad)).1, "scope", "{bad}");
    }
    assert_eq!(rate_limits(br#"{"rpm":0}"#).unwrap().rpm, Some(0));
    assert!(rate_limits(b"{}").is_err());
    assert_eq!(grace(b"").unwrap(), Duration::ZERO);
    assert_eq!(grace(br#"{"graceSeconds":60}"#).unwrap(), Duration::from_secs(60));
    assert_eq!(param(grace(br#"{"graceSeconds":-1}"#)).1, "graceSeconds");
}
