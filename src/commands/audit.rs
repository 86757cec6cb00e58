//! `ai-mcp-gateway audit`.

use std::fmt::Write as _;

use serde_json::json;

use crate::config::Settings;
use crate::startup::{self, ServeError};
use crate::store::{Audit, OpenError};
use gateway_actors::protocol::StoreError;

/// Why the books were not found to balance.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// They do not.
    #[error("the books do not balance: {0} differences, listed above")]
    Differences(usize),
    /// The database did not open.
    #[error(transparent)]
    Open(#[from] ServeError),
    /// The database did not answer.
    #[error("the books could not be read; see that the database can be reached and try again")]
    Store(#[from] StoreError),
}

impl From<OpenError> for AuditError {
    fn from(error: OpenError) -> Self {
        Self::Open(error.into())
    }
}

impl AuditError {
    /// The exit code: 1 when the books do not balance, others after `sysexits.h`.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Differences(_) => 1,
            Self::Open(error) => error.exit_code(),
            Self::Store(_) => 69,
        }
    }
}

/// Proves the books of the settings' database: what the ledger, the budgets' periods, the slices and the call records say
/// must be the same. Gateways may run meanwhile. What was found is said, as a table or as one line of JSON. Blocks.
///
/// # Errors
/// When the books do not balance, or cannot be read.
pub fn audit(settings: &Settings, as_json: bool, say: impl FnOnce(&str)) -> Result<(), AuditError> {
    let store = startup::open_existing_store(settings)?;
    let audit = store.block_on(store.audit());
    store.shutdown(startup::STORE_SHUTDOWN);
    let audit = audit?;
    say(&match as_json {
        true => json_of(&audit),
        false => table_of(&audit),
    });
    match audit.differences.len() {
        0 => Ok(()),
        some => Err(AuditError::Differences(some)),
    }
}

fn json_of(audit: &Audit) -> String {
    let difference = |found: &crate::store::Difference| json!({ "check": found.check, "what": found.what, "expected": found.expected, "found": found.found });
    let differences: Vec<_> = audit.differences.iter().map(difference).collect();
    json!({
        "balanced": differences.is_empty(),
        "accounts": audit.accounts,
        "callRecords": audit.records,
        "recordedNanoUsd": audit.recorded.0,
        "recordedUsd": audit.recorded.to_usd_string(),
        "differences": differences,
    })
    .to_string()
}

fn table_of(audit: &Audit) -> String {
    let mut text = format!(
        "{} call records, {} in all; {} budget periods",
        audit.records, audit.recorded, audit.accounts
    );
    if audit.differences.is_empty() {
        text.push_str("\nthe books balance");
        return text;
    }
    let widest = |of: fn(&crate::store::Difference) -> usize, least: usize| {
        audit.differences.iter().map(of).max().unwrap_or_default().max(least)
    };
    let check = widest(|difference| difference.check.len(), "check".len());
    let what = widest(|difference| difference.what.chars().count(), "what".len());
    let line = |text: &mut String, cells: [&str; 4]| {
        let [name, of, expected, found] = cells;
        // Writing to memory does not fail.
        let _ = write!(text, "\n{name:check$}  {of:what$}  {expected:>20}  {found:>20}");
    };
    line(&mut text, ["check", "what", "expected", "found"]);
    for difference in &audit.differences {
        let (expected, found) = (difference.expected.to_string(), difference.found.to_string());
        line(&mut text, [difference.check, &difference.what, &expected, &found]);
    }
    text
}

#[cfg(test)]
mod tests {
    use gateway_actors::protocol::NanoUsd;

    use super::*;
    use crate::store::Difference;

    fn audit(differences: Vec<Difference>) -> Audit {
        Audit {
            accounts: 2,
            records: 7,
            recorded: NanoUsd(1_500_000_000),
            differences,
        }
    }

    #[test]
    fn an_audit_is_told_as_a_table_and_as_json() {
        let balanced = audit(Vec::new());
        assert_eq!(
            table_of(&balanced),
            "7 call records, $1.5 in all; 2 budget periods\nthe books balance"
        );
        assert!(json_of(&balanced).contains("\"balanced\":true"));
        let off = audit(vec![Difference {
            check: "ledger_posted",
            what: "global total".to_owned(),
            expected: 5,
            found: 4,
        }]);
        let table = table_of(&off);
        let row = table.lines().last().unwrap();
        assert_eq!(
            row.split_whitespace().collect::<Vec<_>>(),
            ["ledger_posted", "global", "total", "5", "4"]
        );
        let json: serde_json::Value = serde_json::from_str(&json_of(&off)).unwrap();
        assert_eq!(
            (&json["balanced"], &json["differences"][0]["found"]),
            (&json!(false), &json!(4))
        );
    }
}
