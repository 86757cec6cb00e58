//! What the reports have in common: whose records they are of, from when to when, and how long they may take.

mod share;
mod sums;

use std::sync::Arc;

use actix_web::HttpRequest;
use gateway_actors::protocol::{
    CallFilter, CallSums, Dimension, ErrorKind, GatewayError, RecordOwner, ReportGroup, ReportQuestion, StoreError,
    StoreFuture,
};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};

use crate::dates;
use crate::http::error::Failure;
use crate::http::extract::{Query, deadline};
use crate::http::middleware::{Asker, Incoming};
use crate::http::shared::Edge;

pub(super) use self::share::share;
pub(super) use self::sums::{NamedSums, Sums, folded};

/// How far back a report looks that names no beginning: 30 days.
const USUAL_US: i64 = 30 * 86_400_000_000;
/// Bytes of a project's or user's id.
const LABEL_BYTES: usize = 256;

/// The names by which a report's time is bounded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) from: &'static str,
    pub(super) to: &'static str,
}

/// One report that is being made.
pub(super) struct Report<'a> {
    edge: &'a Edge,
    deadline: Instant,
    pub(super) filter: CallFilter,
}

impl<'a> Report<'a> {
    /// A report over the records that the caller may see.
    pub(super) fn new(request: &HttpRequest, edge: &'a Edge, incoming: Incoming) -> Result<Self, Failure> {
        let Asker(caller) = Asker::of(request)?;
        let longest = edge.shared().settings.default_deadline;
        Ok(Self {
            edge,
            deadline: deadline(request, incoming.arrived, longest)?,
            filter: CallFilter::of(RecordOwner::seen_by(&caller)),
        })
    }

    /// Bounds it in time, and to a project and a user, as the query says.
    pub(super) fn bounded(mut self, query: &Query<'_>, bounds: Bounds) -> Result<Self, GatewayError> {
        self.filter.since = moment_of(query, bounds.from)?;
        self.filter.until = moment_of(query, bounds.to)?;
        if let (Some(since), Some(until)) = (self.filter.since, self.filter.until)
            && until <= since
        {
            let message = format!("`{}` must be after `{}`", bounds.to, bounds.from);
            return Err(GatewayError::invalid(bounds.to, message));
        }
        self.filter.project = label(query, "projectId")?;
        self.filter.user = label(query, "userId")?;
        Ok(self)
    }

    /// The same; one that names no beginning looks 30 days back from its end, and one without an end ends now.
    pub(super) fn lately(mut self, query: &Query<'_>, bounds: Bounds) -> Result<(Self, i64, i64), GatewayError> {
        self = self.bounded(query, bounds)?;
        let until = self.filter.until.unwrap_or_else(now_us);
        let since = self.filter.since.unwrap_or(until.saturating_sub(USUAL_US));
        if until <= since {
            let message = format!("`{}` must be in the past", bounds.from);
            return Err(GatewayError::invalid(bounds.from, message));
        }
        self.filter.since = Some(since);
        self.filter.until = Some(until);
        Ok((self, since, until))
    }

    /// Waits for an answer of the database, until the request's deadline.
    pub(super) async fn answer<T>(&self, answer: StoreFuture<T>) -> Result<T, Failure> {
        match timeout_at(self.deadline, answer).await {
            Ok(answer) => Ok(answer?),
            Err(_elapsed) => Err(too_late().into()),
        }
    }

    /// The sums, told apart by these dimensions.
    pub(super) async fn groups(&self, dimensions: &[Dimension], most_groups: u32) -> Result<Vec<ReportGroup>, Failure> {
        let question = ReportQuestion {
            filter: self.filter.clone(),
            interval: None,
            dimensions: dimensions.to_vec(),
            most_groups,
        };
        self.answer(self.edge.shared().reports.report(question)).await
    }
}

/// The sums of all groups.
pub(super) fn total<'g>(groups: impl IntoIterator<Item = &'g ReportGroup>) -> Result<CallSums, Failure> {
    let mut groups = groups.into_iter();
    let total = groups.try_fold(CallSums::default(), |sum, group| sum.checked_add(group.sums));
    total.ok_or_else(|| StoreError::ReportTooLarge.into())
}

/// A moment of the query.
fn moment_of(query: &Query<'_>, name: &'static str) -> Result<Option<i64>, GatewayError> {
    let Some(text) = query.text(name) else {
        return Ok(None);
    };
    match dates::parse(text) {
        Some(moment) => Ok(Some(moment)),
        None => Err(GatewayError::invalid(name, format!("`{name}` must {}", dates::MUST_BE))),
    }
}

/// A project's or user's id.
fn label(query: &Query<'_>, name: &'static str) -> Result<Option<Arc<str>>, GatewayError> {
    match query.text(name) {
        Some(text) if text.is_empty() || text.len() > LABEL_BYTES || text.chars().any(char::is_control) => {
            let message = format!("`{name}` must be 1 to {LABEL_BYTES} bytes without control characters");
            Err(GatewayError::invalid(name, message))
        }
        text => Ok(text.map(Arc::from)),
    }
}

fn now_us() -> i64 {
    let now = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000;
    i64::try_from(now).unwrap_or(i64::MAX)
}

fn too_late() -> GatewayError {
    GatewayError::new(
        ErrorKind::DeadlineExceeded,
        "the report was not ready before the request's deadline; ask for a shorter time or allow more time",
    )
}
