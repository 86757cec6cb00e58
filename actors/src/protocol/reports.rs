//! The port to reports: sums over the call records, and single records. Reads only.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::ConversationId;
use super::layer::{UnknownWord, words};
use super::money::NanoUsd;
use super::scope::{Period, Window};
use super::store::StoreFuture;
use super::tenancy::{AccessRole, Caller, KeyId};

words! {
    /// What the sums of a report are told apart by.
    Dimension {
        /// The gateway's name for the model.
        Model = "model",
        /// The model's layer.
        Layer = "layer",
        /// The provider.
        Provider = "provider",
        /// The project.
        Project = "project",
        /// The user.
        User = "user",
        /// The virtual key's id.
        Key = "key",
        /// How the call ended, for example `completed`.
        Outcome = "outcome",
        /// What the call was made for, for example `answer` ([`LegRole`](super::LegRole)).
        Purpose = "purpose",
    }
}

words! {
    /// A stretch of the calendar (UTC) that the sums of a report are told apart by.
    Interval {
        /// A day.
        Day = "day",
        /// A week from Monday (ISO 8601).
        Week = "week",
        /// A calendar month.
        Month = "month",
    }
}

impl Interval {
    /// The window whose periods these are.
    #[must_use]
    pub const fn window(self) -> Window {
        match self {
            Self::Day => Window::Daily,
            Self::Week => Window::Weekly,
            Self::Month => Window::Monthly,
        }
    }
}

/// Whose call records are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordOwner {
    /// Everybody's.
    Everyone,
    /// Those of a virtual key.
    Key(KeyId),
    /// Those of a project, a user, or a user within a project; of everybody where neither is named.
    Labels {
        /// The project.
        project: Option<Arc<str>>,
        /// The user.
        user: Option<Arc<str>>,
    },
}

impl RecordOwner {
    /// The records that a caller may look at: its own project's and user's, or its key's where that has neither; an
    /// operator and an administrator see all.
    #[must_use]
    pub fn seen_by(caller: &Caller) -> Self {
        match caller.key() {
            Some(key) if key.role == AccessRole::Operator => Self::Everyone,
            _ => Self::judged_by(caller),
        }
    }

    /// The records that a caller may say something of: its own, where an operator, who reads only, has no more than a
    /// user; an administrator may of all.
    #[must_use]
    pub fn judged_by(caller: &Caller) -> Self {
        match caller.key() {
            Some(key) if key.role != AccessRole::Admin => match (&key.project, &key.user) {
                (None, None) => Self::Key(key.id.clone()),
                (project, user) => Self::Labels {
                    project: project.clone(),
                    user: user.clone(),
                },
            },
            _ => Self::Everyone,
        }
    }
}

/// Which call records are looked at: those for which all of this holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallFilter {
    /// Whose they are.
    pub owner: RecordOwner,
    /// They were sent then or later, in microseconds since 1970 (UTC).
    pub since: Option<i64>,
    /// They were sent before then.
    pub until: Option<i64>,
    /// The conversation they belong to.
    pub conversation: Option<ConversationId>,
    /// Whether a conversation without a tenant means every tenant's conversation of that name.
    pub of_all_tenants: bool,
    /// The project they are recorded for.
    pub project: Option<Arc<str>>,
    /// The user they are recorded for.
    pub user: Option<Arc<str>>,
}

impl CallFilter {
    /// All records of these owners.
    #[must_use]
    pub const fn of(owner: RecordOwner) -> Self {
        Self {
            owner,
            since: None,
            until: None,
            conversation: None,
            of_all_tenants: false,
            project: None,
            user: None,
        }
    }
}

/// Dimensions that one report may be told apart by.
pub const MOST_DIMENSIONS: usize = 3;

/// A report: sums over records, told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportQuestion {
    /// The records.
    pub filter: CallFilter,
    /// The stretches of time that they are told apart by, if they are.
    pub interval: Option<Interval>,
    /// What else they are told apart by: each once, at most [`MOST_DIMENSIONS`].
    pub dimensions: Vec<Dimension>,
    /// A report of more groups than this is refused with [`StoreError::ReportTooLarge`](super::StoreError::ReportTooLarge).
    pub most_groups: u32,
}

/// Sums over call records. Exact: what cannot be held is refused, never rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallSums {
    /// Calls of providers, failed ones too.
    pub calls: u64,
    /// Those of them that brought a whole answer.
    pub succeeded: u64,
    /// Those of them whose cost is an upper bound.
    pub estimated: u64,
    /// Input tokens.
    pub input_tokens: u64,
    /// Those of them that came from a provider's cache.
    pub cached_input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Those of them that are reasoning.
    pub reasoning_tokens: u64,
    /// What they cost.
    pub cost: NanoUsd,
    /// The part of it that is an upper bound.
    pub estimated_cost: NanoUsd,
    /// The time that they took together, in microseconds.
    pub duration_us: u64,
    /// When the first was sent, in microseconds since 1970 (UTC); 0 where there is none.
    pub first_at: i64,
    /// When the last was sent; 0 where there is none.
    pub last_at: i64,
}

impl CallSums {
    /// Both together; nothing if a sum cannot be held.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let (first_at, last_at) = match (self.calls, other.calls) {
            (0, _) => (other.first_at, other.last_at),
            (_, 0) => (self.first_at, self.last_at),
            _ => (self.first_at.min(other.first_at), self.last_at.max(other.last_at)),
        };
        Some(Self {
            calls: self.calls.checked_add(other.calls)?,
            succeeded: self.succeeded.checked_add(other.succeeded)?,
            estimated: self.estimated.checked_add(other.estimated)?,
            input_tokens: self.input_tokens.checked_add(other.input_tokens)?,
            cached_input_tokens: self.cached_input_tokens.checked_add(other.cached_input_tokens)?,
            output_tokens: self.output_tokens.checked_add(other.output_tokens)?,
            reasoning_tokens: self.reasoning_tokens.checked_add(other.reasoning_tokens)?,
            cost: NanoUsd(self.cost.0.checked_add(other.cost.0)?),
            estimated_cost: NanoUsd(self.estimated_cost.0.checked_add(other.estimated_cost.0)?),
            duration_us: self.duration_us.checked_add(other.duration_us)?,
            first_at,
            last_at,
        })
    }
}

/// One group of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportGroup {
    /// The stretch of time, where the report is told apart by it.
    pub period: Option<Period>,
    /// What the group is of each dimension, in the question's order; nothing where the records do not say.
    pub values: Vec<Option<Arc<str>>>,
    /// Its sums.
    pub sums: CallSums,
}

/// One call record, as a report tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedCall {
    /// The attempt's id.
    pub attempt: String,
    /// The request's id.
    pub request: String,
    /// The stored id of its conversation.
    pub conversation: Option<String>,
    /// The user it is recorded for.
    pub user: Option<String>,
    /// The project it is recorded for.
    pub project: Option<String>,
    /// The id of the virtual key that asked.
    pub key: Option<String>,
    /// The endpoint that was asked.
    pub endpoint: String,
    /// The gateway's name for the model.
    pub model: String,
    /// The provider.
    pub provider: String,
    /// The model's layer.
    pub layer: String,
    /// What it was made for.
    pub purpose: String,
    /// How it ended.
    pub outcome: String,
    /// What it cost.
    pub cost: NanoUsd,
    /// Whether that is an upper bound.
    pub estimated: bool,
    /// Whether a budget pays for it and it is more than its request allowed: its present cost more than was held for it, or
    /// its output more than the bound.
    pub above_allowed: bool,
    /// Input tokens.
    pub input_tokens: i64,
    /// Output tokens.
    pub output_tokens: i64,
    /// The time that it took, in microseconds.
    pub duration_us: i64,
    /// When it was sent, in microseconds since 1970 (UTC).
    pub started_at: i64,
}

/// Reports over the call records. Each answer is of one moment of the database.
///
/// Records are looked for by the time in their ids where a filter bounds the time: one whose clock was set by more than
/// an hour between its request and its call is not found so, but by a filter without a bound.
pub trait ReportStore: fmt::Debug + Send + Sync {
    /// The groups of a report, by time, then the dearest first.
    fn report(&self, question: ReportQuestion) -> StoreFuture<Vec<ReportGroup>>;

    /// The calls that cost most, the dearest first.
    fn dearest_calls(&self, filter: CallFilter, limit: u32) -> StoreFuture<Vec<ReportedCall>>;
}

#[cfg(test)]
mod tests {
    use super::super::tenancy::{KeyIdentity, RateLimits};
    use super::*;

    fn caller(role: AccessRole, project: Option<&str>, user: Option<&str>) -> (Caller, KeyId) {
        let id = KeyId::generate();
        let key = KeyIdentity {
            id: id.clone(),
            project: project.map(Arc::from),
            user: user.map(Arc::from),
            role,
            max_layer: None,
            models: None,
            expires_at: None,
            limits: RateLimits::default(),
        };
        (Caller::Key(Arc::new(key)), id)
    }

    #[test]
    fn a_user_sees_its_own_records_and_an_operator_all() {
        let (nobody, id) = caller(AccessRole::User, None, None);
        assert_eq!(RecordOwner::seen_by(&nobody), RecordOwner::Key(id));
        let (member, _) = caller(AccessRole::User, Some("p"), None);
        let labels = |project: Option<&str>, user: Option<&str>| RecordOwner::Labels {
            project: project.map(Arc::from),
            user: user.map(Arc::from),
        };
        assert_eq!(RecordOwner::seen_by(&member), labels(Some("p"), None));
        let (person, _) = caller(AccessRole::User, Some("p"), Some("u"));
        assert_eq!(RecordOwner::seen_by(&person), labels(Some("p"), Some("u")));
        for role in [AccessRole::Operator, AccessRole::Admin] {
            assert_eq!(
                RecordOwner::seen_by(&caller(role, Some("p"), None).0),
                RecordOwner::Everyone
            );
        }
        assert_eq!(RecordOwner::seen_by(&Caller::Local), RecordOwner::Everyone);
    }

    #[test]
    fn an_operator_judges_its_own_answers_only_and_an_administrator_all() {
        let (operator, id) = caller(AccessRole::Operator, None, None);
        assert_eq!(RecordOwner::judged_by(&operator), RecordOwner::Key(id));
        let (user, id) = caller(AccessRole::User, None, None);
        assert_eq!(RecordOwner::judged_by(&user), RecordOwner::Key(id));
        let (member, _) = caller(AccessRole::Operator, Some("p"), None);
        let own = RecordOwner::Labels {
            project: Some("p".into()),
            user: None,
        };
        assert_eq!(RecordOwner::judged_by(&member), own);
        let (admin, _) = caller(AccessRole::Admin, Some("p"), None);
        assert_eq!(RecordOwner::judged_by(&admin), RecordOwner::Everyone);
        assert_eq!(RecordOwner::judged_by(&Caller::Local), RecordOwner::Everyone);
    }

    #[test]
    fn sums_keep_their_first_and_last_and_are_refused_when_they_cannot_be_held() {
        let one = CallSums {
            calls: 1,
            cost: NanoUsd(i64::MAX - 1),
            first_at: 5,
            last_at: 5,
            ..CallSums::default()
        };
        let other = CallSums {
            calls: 2,
            cost: NanoUsd(1),
            first_at: 3,
            last_at: 4,
            ..CallSums::default()
        };
        assert_eq!(CallSums::default().checked_add(one), Some(one));
        assert_eq!(one.checked_add(CallSums::default()), Some(one));
        let both = one.checked_add(other).unwrap();
        assert_eq!(
            (both.calls, both.cost.0, both.first_at, both.last_at),
            (3, i64::MAX, 3, 5)
        );
        assert_eq!(both.checked_add(other), None);
    }
}
