//! What `/v1/analytics` was asked for.

use actix_web::HttpRequest;
use actix_web::http::header;
use gateway_actors::protocol::{CallFilter, Dimension, GatewayError, Interval, MOST_DIMENSIONS, ReportQuestion};

use crate::http::extract::Query;

const ACCEPTED: [&str; 7] = ["from", "to", "groupBy", "interval", "format", "projectId", "userId"];
/// Rows of a JSON answer.
const MOST_ROWS: u32 = 10_000;
/// Rows of a CSV answer.
const MOST_LINES: u32 = 100_000;

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Csv,
}

/// The question.
#[derive(Debug)]
pub(super) struct Question<'a> {
    pub(super) query: Query<'a>,
    pub(super) interval: Option<Interval>,
    pub(super) dimensions: Vec<Dimension>,
    pub(super) form: Form,
}

impl<'a> Question<'a> {
    /// Reads it off the query and the header `Accept`.
    pub(super) fn read(request: &'a HttpRequest) -> Result<Self, GatewayError> {
        let query = Query::parse(request.query_string(), &ACCEPTED)?;
        let mut interval = query.text("interval").map(interval_of).transpose()?;
        let mut dimensions = Vec::new();
        for word in query.text("groupBy").into_iter().flat_map(|list| list.split(',')) {
            match (word.parse::<Dimension>(), word.parse::<Interval>()) {
                (Ok(dimension), _) if !dimensions.contains(&dimension) => dimensions.push(dimension),
                (_, Ok(stretch)) if interval.is_none_or(|interval| interval == stretch) => interval = Some(stretch),
                (_, Ok(_)) => {
                    let message = "`groupBy` names another stretch of time than `interval`, or two; give one";
                    return Err(GatewayError::invalid("groupBy", message));
                }
                _ => return Err(not_a_group()),
            }
        }
        if dimensions.len() > MOST_DIMENSIONS {
            let message = format!("`groupBy` may name at most {MOST_DIMENSIONS} things beside a stretch of time");
            return Err(GatewayError::invalid("groupBy", message));
        }
        Ok(Self {
            form: form(request, &query)?,
            query,
            interval,
            dimensions,
        })
    }

    /// The question to the store, over these records.
    pub(super) fn asked(&self, filter: CallFilter) -> ReportQuestion {
        ReportQuestion {
            filter,
            interval: self.interval,
            dimensions: self.dimensions.clone(),
            most_groups: match self.form {
                Form::Json => MOST_ROWS,
                Form::Csv => MOST_LINES,
            },
        }
    }
}

fn interval_of(word: &str) -> Result<Interval, GatewayError> {
    word.parse().map_err(|_unknown| {
        let message = "`interval` must be one of day, week, month";
        GatewayError::invalid("interval", message)
    })
}

fn not_a_group() -> GatewayError {
    let message = "`groupBy` must be a list, separated by commas, each once, of day, week, month, model, layer, \
                   provider, project, user, key, outcome, purpose";
    GatewayError::invalid("groupBy", message)
}

/// What `format` says, else what `Accept` asks for.
fn form(request: &HttpRequest, query: &Query<'_>) -> Result<Form, GatewayError> {
    match query.text("format") {
        Some("json") => Ok(Form::Json),
        Some("csv") => Ok(Form::Csv),
        Some(_) => Err(GatewayError::invalid("format", "`format` must be json or csv")),
        None => {
            let mut accepted = request.headers().get_all(header::ACCEPT);
            let asks = accepted.any(|value| value.as_bytes().split(|byte| *byte == b',').any(is_csv));
            Ok(if asks { Form::Csv } else { Form::Json })
        }
    }
}

/// Whether a part of an `Accept` header names CSV.
fn is_csv(part: &[u8]) -> bool {
    let kind = part.split(|byte| *byte == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"text/csv")
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn read(query: &str) -> Result<(Option<Interval>, Vec<Dimension>, Form), Option<String>> {
        let request = TestRequest::with_uri(&format!("/v1/analytics?{query}")).to_http_request();
        let question = Question::read(&request).map_err(|error| error.param.map(|param| param.into_owned()))?;
        Ok((question.interval, question.dimensions, question.form))
    }

    #[test]
    fn groups_are_listed_and_a_stretch_of_time_may_be_among_them() {
        assert_eq!(read(""), Ok((None, Vec::new(), Form::Json)));
        assert_eq!(
            read("groupBy=model,day,layer&format=csv"),
            Ok((Some(Interval::Day), vec![Dimension::Model, Dimension::Layer], Form::Csv))
        );
        assert_eq!(
            read("groupBy=week&interval=week"),
            Ok((Some(Interval::Week), Vec::new(), Form::Json))
        );
    }

    #[test]
    fn b20_what_no_report_is_grouped_by_is_refused_by_its_name() {
        for (query, param) in [
            ("groupBy=__proto__", "groupBy"),
            ("groupBy=model;drop", "groupBy"),
            ("groupBy=model,model", "groupBy"),
            ("groupBy=", "groupBy"),
            ("groupBy=model,", "groupBy"),
            ("groupBy=day,week", "groupBy"),
            ("groupBy=day&interval=month", "groupBy"),
            ("groupBy=model,layer,provider,user", "groupBy"),
            ("interval=hour", "interval"),
            ("format=xml", "format"),
            ("group_by=model", "group_by"),
            ("groupBy=model&groupBy=layer", "groupBy"),
        ] {
            assert_eq!(read(query), Err(Some(param.to_owned())), "{query}");
        }
    }

    #[test]
    fn csv_may_be_asked_for_by_the_header() {
        for (accept, form) in [
            ("text/csv", Form::Csv),
            ("application/json;q=0.5, Text/CSV;header=present", Form::Csv),
            ("*/*", Form::Json),
            ("text/csvx", Form::Json),
        ] {
            let request = TestRequest::with_uri("/v1/analytics")
                .insert_header((header::ACCEPT, accept))
                .to_http_request();
            assert_eq!(Question::read(&request).unwrap().form, form, "{accept}");
        }
    }
}
