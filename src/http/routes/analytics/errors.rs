//! `GET /v1/analytics/error-rate`: how many calls failed, and how.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse};
use gateway_actors::protocol::{Dimension, Outcome, ReportGroup};
use serde::Serialize;
use serde_json::value::RawValue;

use super::BOUNDS;
use crate::http::error::Failure;
use crate::http::extract::Query;
use crate::http::middleware::Incoming;
use crate::http::respond::{json, micros_text};
use crate::http::routes::report::{Report, share};
use crate::http::shared::Edge;

const APART: [Dimension; 3] = [Dimension::Provider, Dimension::Model, Dimension::Outcome];
const MOST_GROUPS: u32 = 10_000;
/// How a call may end that nobody has to mend: well, or cut short on our side or the client's.
const NO_ERRORS: [Outcome; 4] = [
    Outcome::Completed,
    Outcome::ClientLeft,
    Outcome::Superseded,
    Outcome::Cut,
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorRate {
    from: String,
    to: String,
    #[serde(flatten)]
    all: Rate,
    by_provider: Vec<Named>,
    by_model: Vec<Named>,
}

#[derive(Serialize)]
struct Named {
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<Arc<str>>,
    #[serde(flatten)]
    rate: Rate,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rate {
    calls: u64,
    errors: u64,
    error_rate: Box<RawValue>,
    /// Calls by how they ended.
    outcomes: BTreeMap<Arc<str>, u64>,
}

impl Rate {
    fn new(outcomes: BTreeMap<Arc<str>, u64>) -> Result<Self, Failure> {
        let is_error = |outcome: &str| !NO_ERRORS.iter().any(|fine| fine.as_str() == outcome);
        let calls: u64 = outcomes.values().sum();
        let errors: u64 = outcomes
            .iter()
            .filter(|(outcome, _)| is_error(outcome))
            .map(|(_, calls)| calls)
            .sum();
        Ok(Self {
            calls,
            errors,
            error_rate: share(u128::from(errors), calls.into())?,
            outcomes,
        })
    }
}

pub(in crate::http::routes) async fn error_rate(
    request: HttpRequest,
    edge: Edge,
    incoming: Incoming,
) -> Result<HttpResponse, Failure> {
    let query = Query::parse(request.query_string(), &["from", "to", "projectId", "userId"])?;
    let (report, from, to) = Report::new(&request, &edge, incoming)?.lately(&query, BOUNDS)?;
    let groups = report.groups(&APART, MOST_GROUPS).await?;
    let mut all = rates(&groups, |_, _| ())?;
    json(&ErrorRate {
        from: micros_text(from),
        to: micros_text(to),
        all: match all.pop() {
            Some(((), rate)) => rate,
            None => Rate::new(BTreeMap::new())?,
        },
        by_provider: rates(&groups, |provider, _| provider)?
            .into_iter()
            .map(|(provider, rate)| Named {
                provider,
                model: None,
                rate,
            })
            .collect(),
        by_model: rates(&groups, |provider, model| (provider, model))?
            .into_iter()
            .map(|((provider, model), rate)| Named { provider, model, rate })
            .collect(),
    })
}

/// The rates of calls told apart by a key, those with the most errors first.
fn rates<K: Ord>(
    groups: &[ReportGroup],
    key: impl Fn(Option<Arc<str>>, Option<Arc<str>>) -> K,
) -> Result<Vec<(K, Rate)>, Failure> {
    let mut by_key: BTreeMap<K, BTreeMap<Arc<str>, u64>> = BTreeMap::new();
    for group in groups {
        let value = |place: usize| group.values.get(place).cloned().flatten();
        let outcomes = by_key.entry(key(value(0), value(1))).or_default();
        *outcomes.entry(value(2).unwrap_or_default()).or_default() += group.sums.calls;
    }
    let rates = by_key
        .into_iter()
        .map(|(key, outcomes)| Ok((key, Rate::new(outcomes)?)));
    let mut rates: Vec<(K, Rate)> = rates.collect::<Result<_, Failure>>()?;
    rates.sort_by_key(|(_, rate)| Reverse(rate.errors));
    Ok(rates)
}
