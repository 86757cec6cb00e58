//! What administrators send, read and checked: the one set of rules for HTTP and the command line. Every complaint names
//! its field.

use std::sync::Arc;
use std::time::Duration;

use gateway_actors::protocol::{
    AccessRole, BudgetRule, ErrorKind, GatewayError, KeyChange, Layer, NanoUsd, OnExhausted, RateLimits, Scope, Window,
};

use crate::config::decimal;
use crate::fields::{Fields, within};
use crate::moment::micros_of;

/// Bytes of a name or label.
const LABEL_BYTES: usize = 256;
/// Names and patterns of models in a key.
const MOST_MODELS: usize = 200;
/// Digits behind the point of an amount in USD.
const USD_DIGITS: i32 = 9;
pub(crate) const MOST_ALERTS: usize = 20;
pub(crate) const DEFAULT_ALERTS: [u8; 3] = [50, 80, 100];
/// A week: longer than any rollout of a new key takes.
const LONGEST_GRACE: u32 = 7 * 86_400;
const LARGEST: u64 = i64::MAX.unsigned_abs();

const CREATE: &[&str] = &[
    "name",
    "projectId",
    "userId",
    "role",
    "maxLayer",
    "models",
    "expiresAt",
    "rpm",
    "tpm",
    "maxConcurrent",
    "budget",
];
const UPDATE: &[&str] = &["name", "maxLayer", "models", "expiresAt", "rpm", "tpm", "maxConcurrent"];
const BUDGET: &[&str] = &[
    "limitUsd",
    "limitNanoUsd",
    "window",
    "onExhausted",
    "maxLayer",
    "alertPercents",
];
const LIMITS: &[&str] = &["rpm", "tpm", "maxConcurrent"];

/// A key that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyDraft {
    pub(super) name: Arc<str>,
    pub(super) project: Option<Arc<str>>,
    pub(super) user: Option<Arc<str>>,
    pub(super) role: AccessRole,
    pub(super) max_layer: Option<Layer>,
    pub(super) models: Option<Arc<[Arc<str>]>>,
    pub(super) expires_at: Option<i64>,
    pub(super) limits: RateLimits,
    pub(super) budget: Option<BudgetRule>,
}

impl KeyDraft {
    /// Reads what `POST /v1/admin/keys` gets.
    ///
    /// # Errors
    /// `malformed_json`, or `invalid_request` with the field at fault.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, GatewayError> {
        let fields = Fields::parse(body, CREATE)?;
        let label = |name| Ok::<_, GatewayError>(fields.label(name, LABEL_BYTES)?.map(Arc::from));
        let budget = fields.object("budget", BUDGET)?;
        Ok(Self {
            name: name(&fields)?.ok_or_else(|| GatewayError::invalid("name", "`name` is required"))?,
            project: label("projectId")?,
            user: label("userId")?,
            role: fields.word("role")?.unwrap_or(AccessRole::User),
            max_layer: fields.word("maxLayer")?,
            models: models(&fields)?,
            expires_at: moment(&fields)?,
            limits: rates(&fields)?,
            budget: budget
                .map(|budget| budget_of(&budget).map_err(|error| within("budget", error)))
                .transpose()?,
        })
    }
}

/// Reads what `PATCH /v1/admin/keys/{id}` gets: what is absent stays, null takes the value away.
///
/// # Errors
/// `malformed_json`, or `invalid_request` with the field at fault.
pub(crate) fn key_change(body: &[u8]) -> Result<KeyChange, GatewayError> {
    let fields = Fields::parse(body, UPDATE)?;
    let rates = rates(&fields)?;
    let given = |name| fields.is_given(name);
    if given("name") && fields.value("name").is_none() {
        return Err(GatewayError::invalid("name", "`name` must be a text"));
    }
    if !UPDATE.iter().any(|name| given(name)) {
        let message = format!("nothing is to be changed; give one of {}", UPDATE.join(", "));
        return Err(GatewayError::new(ErrorKind::InvalidRequest, message));
    }
    Ok(KeyChange {
        name: name(&fields)?,
        max_layer: given("maxLayer").then_some(fields.word("maxLayer")?),
        models: given("models").then_some(models(&fields)?),
        expires_at: given("expiresAt").then_some(moment(&fields)?),
        rpm: given("rpm").then_some(rates.rpm),
        tpm: given("tpm").then_some(rates.tpm),
        max_concurrent: given("maxConcurrent").then_some(rates.max_concurrent),
    })
}

/// Reads what `POST /v1/admin/keys/{id}/rotate` gets: how long the old text is still taken; nothing at all is 0.
///
/// # Errors
/// `malformed_json`, or `invalid_request` with the field at fault.
pub(crate) fn grace(body: &[u8]) -> Result<Duration, GatewayError> {
    if body.is_empty() {
        return Ok(Duration::ZERO);
    }
    let fields = Fields::parse(body, &["graceSeconds"])?;
    let seconds = fields.whole_number("graceSeconds", 0..=LONGEST_GRACE)?.unwrap_or(0);
    Ok(Duration::from_secs(seconds.into()))
}

/// Reads what `PUT /v1/admin/budgets/{scope}` gets.
///
/// # Errors
/// `malformed_json`, or `invalid_request` with the field at fault.
pub(crate) fn budget_rule(body: &[u8]) -> Result<BudgetRule, GatewayError> {
    budget_of(&Fields::parse(body, BUDGET)?)
}

fn budget_of(fields: &Fields<'_>) -> Result<BudgetRule, GatewayError> {
    let window = fields.word::<Window>("window")?;
    let alerts = fields.ascending("alertPercents", MOST_ALERTS, 1..=100)?;
    Ok(BudgetRule {
        limit: limit(fields)?,
        window: window
            .ok_or_else(|| GatewayError::invalid("window", "`window` is required: total, daily, weekly or monthly"))?,
        on_exhausted: fields.word("onExhausted")?.unwrap_or(OnExhausted::Refuse),
        max_layer: fields.word("maxLayer")?,
        alert_percents: alerts.unwrap_or_else(|| DEFAULT_ALERTS.to_vec()),
    })
}

/// Money is never a JSON number with a point, since many programs would make a float of it.
pub(crate) fn limit(fields: &Fields<'_>) -> Result<NanoUsd, GatewayError> {
    let usd = fields.is_given("limitUsd");
    match (usd, fields.is_given("limitNanoUsd")) {
        (true, true) => Err(GatewayError::invalid(
            "limitNanoUsd",
            "`limitUsd` and `limitNanoUsd` exclude each other; send one of them",
        )),
        (false, false) => Err(GatewayError::invalid(
            "limitUsd",
            "`limitUsd` is required, a text such as \"1.00\" (or `limitNanoUsd`, a whole number)",
        )),
        (false, true) => match fields.large_number("limitNanoUsd", 0..=LARGEST)? {
            Some(limit) => nano_usd("limitNanoUsd", limit),
            None => Err(GatewayError::invalid(
                "limitNanoUsd",
                "`limitNanoUsd` must be a whole number",
            )),
        },
        (true, false) => {
            let text = fields.required_text("limitUsd").map_err(|_no_text| {
                GatewayError::invalid("limitUsd", "`limitUsd` must be a text such as \"1.00\", not a number")
            })?;
            let is_plain = text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-');
            let scaled = match is_plain {
                true => decimal::scaled(&text, USD_DIGITS),
                false => Err("be a decimal number such as 1.00".to_owned()),
            };
            let scaled = scaled.map_err(|must| GatewayError::invalid("limitUsd", format!("`limitUsd` must {must}")));
            nano_usd("limitUsd", scaled?)
        }
    }
}

fn nano_usd(name: &'static str, nano: u64) -> Result<NanoUsd, GatewayError> {
    let nano = i64::try_from(nano);
    nano.map(NanoUsd)
        .map_err(|_too_large| GatewayError::invalid(name, format!("`{name}` must be a smaller number")))
}

/// Reads what `PUT /v1/admin/limits/{scope}` gets.
///
/// # Errors
/// `malformed_json`, or `invalid_request` with the field at fault.
pub(crate) fn rate_limits(body: &[u8]) -> Result<RateLimits, GatewayError> {
    let limits = rates(&Fields::parse(body, LIMITS)?)?;
    match limits == RateLimits::default() {
        false => Ok(limits),
        true => {
            let message = format!("no limit is given; give one of {}, or DELETE them", LIMITS.join(", "));
            Err(GatewayError::new(ErrorKind::InvalidRequest, message))
        }
    }
}

/// Reads what a budget is for.
///
/// # Errors
/// `invalid_request` when it is no scope.
pub(crate) fn scope(text: &str) -> Result<Scope, GatewayError> {
    text.parse()
        .map_err(|error| GatewayError::invalid("scope", format!("{error}")))
}

/// Reads what rates are for: a project or a user.
///
/// # Errors
/// `invalid_request` for all others.
pub(crate) fn limited_scope(text: &str) -> Result<Scope, GatewayError> {
    match scope(text)? {
        scope @ (Scope::Project(_) | Scope::User(_)) => Ok(scope),
        Scope::Key(_) => Err(GatewayError::invalid(
            "scope",
            "a key's rates are its own: change them with PATCH /v1/admin/keys/{id}",
        )),
        Scope::Global | Scope::Conversation(_) => {
            Err(GatewayError::invalid("scope", "rates are for project:ID or user:ID"))
        }
    }
}

fn name(fields: &Fields<'_>) -> Result<Option<Arc<str>>, GatewayError> {
    Ok(fields.label("name", LABEL_BYTES)?.map(Arc::from))
}

fn models(fields: &Fields<'_>) -> Result<Option<Arc<[Arc<str>]>>, GatewayError> {
    let models = fields.labels("models", MOST_MODELS, LABEL_BYTES)?;
    Ok(models.map(|models| models.into_iter().map(Arc::from).collect()))
}

fn moment(fields: &Fields<'_>) -> Result<Option<i64>, GatewayError> {
    let Some(text) = fields.text("expiresAt")? else {
        return Ok(None);
    };
    micros_of(&text).map(Some).ok_or_else(|| {
        let message = "`expiresAt` must be a moment in RFC 3339, such as 2027-01-31T00:00:00Z";
        GatewayError::invalid("expiresAt", message)
    })
}

fn rates(fields: &Fields<'_>) -> Result<RateLimits, GatewayError> {
    Ok(RateLimits {
        rpm: fields.whole_number("rpm", 0..=u32::MAX)?,
        tpm: fields.large_number("tpm", 0..=LARGEST)?,
        max_concurrent: fields.whole_number("maxConcurrent", 0..=u32::MAX)?,
    })
}

#[cfg(test)]
#[path = "drafts_tests.rs"]
mod tests;
