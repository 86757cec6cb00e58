//! `ai-mcp-gateway reprice`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use gateway_actors::protocol::{Price, StoreError};
use serde_json::json;

use crate::config::Settings;
use crate::dates;
use crate::startup::{self, ServeError};
use crate::store::{OpenError, Repriced, Repricing};

/// What to reprice.
#[derive(Debug, Clone, Default)]
pub struct RepriceOrder {
    /// From when on: a date or a time with an offset.
    pub since: String,
    /// Until when.
    pub until: Option<String>,
    /// The one model whose records it is about; all that have a price in the catalogue without it.
    pub model: Option<String>,
    /// Whether it is only said what would change.
    pub dry_run: bool,
    /// Whether it is said as JSON.
    pub as_json: bool,
}

/// Why records were not repriced. What was written before stays, and is not done again.
#[derive(Debug, thiserror::Error)]
pub enum RepriceError {
    /// A moment is none.
    #[error("--{flag} must {}", dates::MUST_BE)]
    Moment {
        /// The flag.
        flag: &'static str,
    },
    /// The end is not after the beginning.
    #[error("--until must be after --since")]
    Backwards,
    /// The catalogue has no price for the model.
    #[error("the catalogue has no model {0:?} with a price: give the id of one that has, as in [[models]]")]
    NoPrice(String),
    /// The database did not open.
    #[error(transparent)]
    Open(#[from] ServeError),
    /// The database refused.
    #[error(
        "the records could not all be repriced: mend the database and run the same command again, which goes on where this \
         one stopped"
    )]
    Store(#[from] StoreError),
}

impl From<OpenError> for RepriceError {
    fn from(error: OpenError) -> Self {
        Self::Open(error.into())
    }
}

impl RepriceError {
    /// The exit code, after `sysexits.h`.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Moment { .. } | Self::Backwards | Self::NoPrice(_) => 64,
            Self::Open(error) => error.exit_code(),
            Self::Store(_) => 69,
        }
    }
}

/// Applies the catalogue's prices to call records that were made at others, and corrects the budgets that they are charged
/// to. Records whose usage nobody knows keep what was held for them. Gateways may run meanwhile. Blocks.
///
/// # Errors
/// When the order cannot be, or the database refuses.
pub fn reprice(settings: &Settings, order: &RepriceOrder, say: impl FnOnce(&str)) -> Result<(), RepriceError> {
    let since = dates::parse(&order.since).ok_or(RepriceError::Moment { flag: "since" })?;
    let until = order.until.as_deref();
    let until = until.map(|text| dates::parse(text).ok_or(RepriceError::Moment { flag: "until" }));
    let until = until.transpose()?;
    if until.is_some_and(|until| until <= since) {
        return Err(RepriceError::Backwards);
    }
    let repricing = Repricing {
        since,
        until,
        prices: Arc::new(prices(settings, order.model.as_deref())?),
        dry_run: order.dry_run,
    };
    let store = startup::open_existing_store(settings)?;
    let done = store.reprice(&repricing);
    store.shutdown(startup::STORE_SHUTDOWN);
    let mut done = done?;
    if order.model.is_some() {
        // Nobody asked about the others.
        done.unpriced.clear();
    }
    say(&match order.as_json {
        true => json_of(&done, order.dry_run),
        false => text_of(&done, order.dry_run),
    });
    Ok(())
}

/// The catalogue's prices, or that of one model.
fn prices(settings: &Settings, only: Option<&str>) -> Result<HashMap<String, Price>, RepriceError> {
    let models = settings.models.iter();
    let wanted = models.filter(|model| only.is_none_or(|only| model.id.as_str() == only));
    let priced = wanted.filter_map(|model| Some((model.id.to_string(), model.price?)));
    let priced: HashMap<_, _> = priced.collect();
    match only {
        Some(only) if priced.is_empty() => Err(RepriceError::NoPrice(only.to_owned())),
        _ => Ok(priced),
    }
}

fn json_of(done: &Repriced, dry_run: bool) -> String {
    let budgets = done
        .budgets
        .iter()
        .map(|(scope, period, by)| json!({ "scope": scope, "period": period, "byNanoUsd": by.0 }));
    json!({
        "dryRun": dry_run,
        "lookedAt": done.looked_at,
        "repriced": done.repriced,
        "keptAtHold": done.kept,
        "beforeNanoUsd": done.before.0,
        "afterNanoUsd": done.after.0,
        "budgets": budgets.collect::<Vec<_>>(),
        "unpricedModels": done.unpriced,
    })
    .to_string()
}

fn text_of(done: &Repriced, dry_run: bool) -> String {
    let would = if dry_run { "would be repriced" } else { "repriced" };
    let mut text = format!(
        "{} call records looked at, {} {would}: {} before, {} after",
        done.looked_at, done.repriced, done.before, done.after
    );
    // Writing to memory does not fail.
    if done.kept > 0 {
        let _ = write!(
            text,
            "\n{} keep what was held for them, since nobody knows what they used",
            done.kept
        );
    }
    for (scope, period, by) in &done.budgets {
        let _ = write!(text, "\nbudget {scope} {period}: {by}");
    }
    if !done.unpriced.is_empty() {
        let models: Vec<&str> = done.unpriced.iter().map(String::as_str).collect();
        let _ = write!(
            text,
            "\nwithout a price in the catalogue, left as they are: {}",
            models.join(", ")
        );
    }
    text
}
