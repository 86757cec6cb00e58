//! A report as CSV (RFC 4180), sent as it is written.

use std::convert::Infallible;

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};
use bytes::Bytes;
use futures_util::stream;
use gateway_actors::protocol::{Dimension, Interval, ReportGroup};

const CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8; header=present");
const ATTACHED: HeaderValue = HeaderValue::from_static("attachment; filename=\"analytics.csv\"");
/// Lines that are written at once.
const LINES: usize = 512;

const SUMS: [&str; 12] = [
    "calls",
    "succeeded",
    "failed",
    "estimated",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_nano_usd",
    "cost_usd",
    "estimated_nano_usd",
    "duration_us",
];

/// The answer.
pub(super) fn respond(interval: Option<Interval>, dimensions: &[Dimension], groups: Vec<ReportGroup>) -> HttpResponse {
    let mut head = header_line(interval, dimensions);
    let mut groups = groups.into_iter();
    let mut is_first = true;
    let pieces = std::iter::from_fn(move || {
        let mut text = std::mem::take(&mut head);
        for group in groups.by_ref().take(LINES) {
            write_line(&mut text, &group);
        }
        let goes_on = is_first || !text.is_empty();
        is_first = false;
        goes_on.then(|| Ok::<_, Infallible>(Bytes::from(text)))
    });
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, CSV))
        .insert_header((header::CONTENT_DISPOSITION, ATTACHED))
        .streaming(stream::iter(pieces))
}

fn header_line(interval: Option<Interval>, dimensions: &[Dimension]) -> String {
    let mut names: Vec<&str> = Vec::new();
    if interval.is_some() {
        names.push("period");
    }
    names.extend(dimensions.iter().map(|dimension| dimension.as_str()));
    names.extend(SUMS);
    names.join(",") + "\r\n"
}

fn write_line(text: &mut String, group: &ReportGroup) {
    let sums = &group.sums;
    if let Some(period) = &group.period {
        text.push_str(&cell(&period.id));
        text.push(',');
    }
    for value in &group.values {
        text.push_str(&cell(value.as_deref().unwrap_or_default()));
        text.push(',');
    }
    let numbers = [
        sums.calls.to_string(),
        sums.succeeded.to_string(),
        sums.calls.saturating_sub(sums.succeeded).to_string(),
        sums.estimated.to_string(),
        sums.input_tokens.to_string(),
        sums.cached_input_tokens.to_string(),
        sums.output_tokens.to_string(),
        sums.reasoning_tokens.to_string(),
        sums.cost.0.to_string(),
        sums.cost.to_usd_string(),
        sums.estimated_cost.0.to_string(),
        sums.duration_us.to_string(),
    ];
    text.push_str(&numbers.join(","));
    text.push_str("\r\n");
}

/// A text as a cell. One that a spreadsheet would run as a formula gets an apostrophe before it.
fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let guard = if is_formula { "'" } else { "" };
    if is_formula || text.contains(['"', ',', '\r', '\n']) || text.trim() != text {
        return format!("\"{guard}{}\"", text.replace('"', "\"\""));
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;
    use gateway_actors::protocol::{CallSums, NanoUsd, Window};

    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formula_survives() {
        for (text, written) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "\"'=1+1\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@cmd", "\"'@cmd\""),
            ("\t=1", "\"'\t=1\""),
            ("{{7*7}}", "{{7*7}}"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(cell(text), written, "{text:?}");
        }
    }

    #[actix_web::test]
    async fn every_group_is_a_line_however_many_there_are() {
        for count in [0, 1, LINES, LINES + 1, 3 * LINES] {
            let group = ReportGroup {
                period: Some(Window::Daily.period_at(1_795_953_600_000_000)),
                values: vec![Some("=x".into()), None],
                sums: CallSums {
                    calls: 3,
                    succeeded: 1,
                    cost: NanoUsd(1_500_000_000),
                    ..CallSums::default()
                },
            };
            let answer = respond(
                Some(Interval::Day),
                &[Dimension::Project, Dimension::User],
                vec![group; count],
            );
            assert_eq!(answer.headers().get("content-type").unwrap(), CSV);
            let body = to_bytes(answer.into_body()).await.unwrap();
            let text = std::str::from_utf8(&body).unwrap();
            let mut lines = text.split_terminator("\r\n");
            let head = lines.next().unwrap();
            assert!(head.starts_with("period,project,user,calls,"), "{head}");
            let lines: Vec<&str> = lines.collect();
            assert_eq!(lines.len(), count);
            for line in lines {
                assert_eq!(line, "2026-11-29,\"'=x\",,3,1,2,0,0,0,0,0,1500000000,1.5,0,0");
                assert_eq!(line.split(',').count(), head.split(',').count());
            }
        }
    }
}
