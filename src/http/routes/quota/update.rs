//! `POST /v1/quota/update`: sets a budget, or changes some of what holds for one.

use actix_web::{HttpRequest, HttpResponse, web};
use gateway_actors::protocol::{AccessRole, BudgetRule, GatewayError, NanoUsd, OnExhausted, Scope, Window};

use super::shown::Quota;
use crate::admin::{self, DEFAULT_ALERTS, MOST_ALERTS};
use crate::fields::Fields;
use crate::http::error::Failure;
use crate::http::respond::json;
use crate::http::routes::admin::body;
use crate::http::shared::Edge;

const ACCEPTED: [&str; 7] = [
    "scope",
    "limitUsd",
    "limitNanoUsd",
    "window",
    "onExhausted",
    "maxLayer",
    "alertPercents",
];

pub(in crate::http::routes) async fn update(
    request: HttpRequest,
    payload: web::Payload,
    edge: Edge,
) -> Result<HttpResponse, Failure> {
    let body = body(&request, payload, &edge).await?;
    let fields = Fields::parse(&body, &ACCEPTED)?;
    let scope: Scope = admin::scope(&fields.required_text("scope")?)?;
    let store = &edge.shared().budget_store;
    let there = store.budget(scope.clone()).await?.map(|status| status.rule);
    let rule = changed(there, &fields)?;
    let status = store.set_budget(scope.clone(), rule).await?;
    json(&Quota::new(&scope, &status, AccessRole::Admin)?)
}

/// What holds then: what is not given stays as it is, or is as usual for a budget that is new, whose limit must be given.
fn changed(there: Option<BudgetRule>, fields: &Fields<'_>) -> Result<BudgetRule, GatewayError> {
    let given = |name| fields.is_given(name);
    let limit = match there {
        Some(_) if !given("limitUsd") && !given("limitNanoUsd") => None,
        _ => Some(admin::limit(fields)?),
    };
    let before = there.unwrap_or_else(|| BudgetRule {
        limit: NanoUsd::ZERO,
        window: Window::Total,
        on_exhausted: OnExhausted::Refuse,
        max_layer: None,
        alert_percents: DEFAULT_ALERTS.to_vec(),
    });
    Ok(BudgetRule {
        limit: limit.unwrap_or(before.limit),
        window: fields.word("window")?.unwrap_or(before.window),
        on_exhausted: fields.word("onExhausted")?.unwrap_or(before.on_exhausted),
        max_layer: match given("maxLayer") {
            true => fields.word("maxLayer")?,
            false => before.max_layer,
        },
        alert_percents: fields
            .ascending("alertPercents", MOST_ALERTS, 1..=100)?
            .unwrap_or(before.alert_percents),
    })
}

#[cfg(test)]
mod tests {
    use gateway_actors::protocol::Layer;

    use super::*;

    fn change(there: Option<BudgetRule>, body: &str) -> Result<BudgetRule, Option<String>> {
        let fields = Fields::parse(body.as_bytes(), &ACCEPTED).map_err(|error| error.param.map(Into::into))?;
        changed(there, &fields).map_err(|error| error.param.map(Into::into))
    }

    #[test]
    fn a_new_budget_needs_a_limit_and_is_as_usual_for_the_rest() {
        let rule = change(None, r#"{"limitUsd":"1.50"}"#).unwrap();
        assert_eq!((rule.limit, rule.window), (NanoUsd(1_500_000_000), Window::Total));
        assert_eq!((rule.on_exhausted, rule.max_layer), (OnExhausted::Refuse, None));
        assert_eq!(rule.alert_percents, DEFAULT_ALERTS);
        for (body, param) in [
            ("{}", "limitUsd"),
            (r#"{"limitUsd":1.5}"#, "limitUsd"),
            (r#"{"limitUsd":"-1"}"#, "limitUsd"),
            (r#"{"limitUsd":"1","limitNanoUsd":1}"#, "limitNanoUsd"),
            (r#"{"limitUsd":"1","window":"hourly"}"#, "window"),
            (r#"{"limitUsd":"1","spent":0}"#, "spent"),
        ] {
            assert_eq!(change(None, body), Err(Some(param.to_owned())), "{body}");
        }
    }

    #[test]
    fn what_is_not_given_of_a_budget_stays_as_it_is() {
        let there = BudgetRule {
            limit: NanoUsd(5),
            window: Window::Daily,
            on_exhausted: OnExhausted::FreeOnly,
            max_layer: Some(Layer::L1),
            alert_percents: vec![90],
        };
        assert_eq!(change(Some(there.clone()), "{}"), Ok(there.clone()));
        let changed = change(Some(there.clone()), r#"{"limitNanoUsd":7,"maxLayer":null}"#).unwrap();
        assert_eq!(
            changed,
            BudgetRule {
                limit: NanoUsd(7),
                max_layer: None,
                ..there
            }
        );
    }
}
