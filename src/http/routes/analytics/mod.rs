//! `GET /v1/analytics` and what is below it: sums over time, the dearest calls, and how many failed.

mod csv;
mod dearest;
mod errors;
mod question;

use actix_web::{HttpRequest, HttpResponse};
use gateway_actors::protocol::{Dimension, Interval, ReportGroup};
use serde::Serialize;

use self::question::{Form, Question};
use super::report::{Bounds, NamedSums, Report, Sums, total};
use crate::http::error::Failure;
use crate::http::middleware::Incoming;
use crate::http::respond::{json, micros_text};
use crate::http::shared::Edge;

pub(super) use self::dearest::top_expensive;
pub(super) use self::errors::error_rate;

/// The names by which the time is bounded.
const BOUNDS: Bounds = Bounds { from: "from", to: "to" };

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Analytics {
    from: String,
    to: String,
    interval: Option<Interval>,
    group_by: Vec<Dimension>,
    rows: Vec<NamedSums>,
    totals: Sums,
}

pub(super) async fn get(request: HttpRequest, edge: Edge, incoming: Incoming) -> Result<HttpResponse, Failure> {
    let question = Question::read(&request)?;
    let report = Report::new(&request, &edge, incoming)?;
    let (report, from, to) = report.lately(&question.query, BOUNDS)?;
    let groups = edge.shared().reports.report(question.asked(report.filter.clone()));
    let groups = report.answer(groups).await?;
    match question.form {
        Form::Csv => Ok(csv::respond(question.interval, &question.dimensions, groups)),
        Form::Json => json(&Analytics {
            from: micros_text(from),
            to: micros_text(to),
            interval: question.interval,
            rows: groups
                .iter()
                .map(|group| row(group, &question))
                .collect::<Result<_, _>>()?,
            totals: Sums::new(&total(&groups)?)?,
            group_by: question.dimensions,
        }),
    }
}

fn row(group: &ReportGroup, question: &Question<'_>) -> Result<NamedSums, Failure> {
    let mut names = Vec::with_capacity(2 + group.values.len());
    if let Some(period) = &group.period {
        names.push(("period", Some(period.id.clone())));
        names.push(("periodStart", Some(micros_text(period.starts_at).into())));
    }
    for (dimension, value) in question.dimensions.iter().zip(&group.values) {
        names.push((dimension.as_str(), value.clone()));
    }
    Ok(NamedSums {
        names,
        sums: Sums::new(&group.sums)?,
    })
}
