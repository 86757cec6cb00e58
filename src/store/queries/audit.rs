//! Proving the books: what the ledger, the periods, the slices and the call records say must be the same.
//!
//! All of it is read within one transaction of the caller's, which sees one moment of the database: what is under way is
//! no difference.

use std::collections::BTreeMap;

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::{Charges, NanoUsd};

use super::Connection;
use super::statement::Statement;
use crate::store::books::{Audit, Difference};
use crate::store::error::QueryError;

/// For so long a lease that ran out may wait for a gateway to end it: ten minutes, in microseconds.
const OVERDUE_US: i64 = 600_000_000;
/// Differences of one kind that are told of.
const MOST: i64 = 100;

/// What the books say of a scope in a period.
#[derive(Debug, Default)]
struct Account {
    /// The period's own figures; nothing where there is no such period.
    stands: Option<(i64, i64)>,
    ledger_posted: i64,
    ledger_held: i64,
    opening: i64,
    slices_held: i64,
    pools: i64,
    recorded: i64,
}

type Accounts = BTreeMap<(String, String), Account>;

/// Proves the books. `now` is in microseconds since 1970, by the database's clock.
pub(in super::super) async fn audit(connection: &mut Connection, now: i64) -> Result<Audit, QueryError> {
    let mut audit = Audit::default();
    let accounts = accounts(connection, &mut audit).await?;
    audit.accounts = accounts.len();
    for ((scope, period), account) in &accounts {
        audit
            .differences
            .extend(account.differences(&format!("{scope} {period}")));
    }
    for (check, statement) in [
        (
            "slice_of_ended_lease",
            Statement::new(
                "SELECT s.scope || ' ' || s.period || ' ' || s.instance_id || '/' || CAST(s.epoch AS TEXT) AS what,
                    CAST(0 AS BIGINT) AS expected, s.held AS found
                 FROM budget_slices AS s LEFT JOIN budget_leases AS l
                    ON l.instance_id = s.instance_id AND l.epoch = s.epoch
                 WHERE s.held <> 0 AND (l.state IS NULL OR l.state <> 'live')",
            ),
        ),
        (
            "slice_sum",
            Statement::new(
                "SELECT s.scope || ' ' || s.period || ' ' || s.instance_id || '/' || CAST(s.epoch AS TEXT) AS what,
                    CASE WHEN s.granted - s.returned > s.posted THEN s.granted - s.returned - s.posted
                        ELSE CAST(0 AS BIGINT) END AS expected, s.held AS found
                 FROM budget_slices AS s JOIN budget_leases AS l
                    ON l.instance_id = s.instance_id AND l.epoch = s.epoch
                 WHERE l.state = 'live' AND s.held <> CASE WHEN s.granted - s.returned > s.posted
                    THEN s.granted - s.returned - s.posted ELSE 0 END",
            ),
        ),
        (
            "lease_ran_out",
            Statement::new(
                "SELECT instance_id || '/' || CAST(epoch AS TEXT) AS what, CAST(0 AS BIGINT) AS expected,
                    expires_at AS found
                 FROM budget_leases WHERE state = 'live' AND expires_at < ",
            )
            .number(now.saturating_sub(OVERDUE_US)),
        ),
        (
            "record_twice",
            Statement::new(
                "SELECT request_id || '.' || CAST(ordinal AS TEXT) AS what, CAST(1 AS BIGINT) AS expected,
                    COUNT(*) AS found
                 FROM llm_calls GROUP BY request_id, ordinal HAVING COUNT(*) > 1",
            ),
        ),
        (
            "negative_cost",
            Statement::new(
                "SELECT attempt_id AS what, CAST(0 AS BIGINT) AS expected, cost_nano_usd AS found
                 FROM llm_calls WHERE cost_nano_usd < 0",
            ),
        ),
    ] {
        let statement = statement.sql(" ORDER BY 1 LIMIT ").number(MOST).build();
        let rows: Vec<DifferenceRow> = statement.load(connection).await?;
        audit.differences.extend(rows.into_iter().map(|row| Difference {
            check,
            what: row.what,
            expected: row.expected,
            found: row.found,
        }));
    }
    Ok(audit)
}

impl Account {
    fn differences(&self, what: &str) -> Vec<Difference> {
        let (posted, held) = self.stands.unwrap_or_default();
        let explained = self.opening.saturating_add(self.recorded).saturating_add(self.pools);
        let checks = [
            ("ledger_posted", posted, self.ledger_posted),
            ("ledger_held", held, self.ledger_held),
            ("slices_held", held, self.slices_held),
            ("records_posted", explained, posted),
        ];
        let mut found: Vec<Difference> = checks
            .into_iter()
            .filter(|(_, expected, found)| expected != found)
            .map(|(check, expected, found)| Difference {
                check,
                what: what.to_owned(),
                expected,
                found,
            })
            .collect();
        if self.stands.is_none() {
            found.push(Difference {
                check: "no_period",
                what: what.to_owned(),
                expected: 1,
                found: 0,
            });
        }
        found
    }
}

/// What each source says of every account.
async fn accounts(connection: &mut Connection, audit: &mut Audit) -> Result<Accounts, QueryError> {
    let mut accounts = Accounts::new();
    let of = |row: &FiguresRow| -> (String, String) { (row.scope.clone(), row.period.clone()) };
    let periods = "SELECT scope, period, posted AS a, held AS b, CAST(0 AS BIGINT) AS c FROM budget_periods";
    for row in figures(connection, periods).await? {
        accounts.entry(of(&row)).or_default().stands = Some((row.a, row.b));
    }
    let ledger = "SELECT scope, period, CAST(SUM(posted_delta) AS BIGINT) AS a, CAST(SUM(held_delta) AS BIGINT) AS b,
            CAST(SUM(CASE WHEN kind = 'opening' THEN posted_delta ELSE 0 END) AS BIGINT) AS c
         FROM budget_ledger GROUP BY scope, period";
    for row in figures(connection, ledger).await? {
        let account = accounts.entry(of(&row)).or_default();
        (account.ledger_posted, account.ledger_held, account.opening) = (row.a, row.b, row.c);
    }
    let slices = "SELECT scope, period, CAST(SUM(held) AS BIGINT) AS a, CAST(SUM(expired) AS BIGINT) AS b,
            CAST(0 AS BIGINT) AS c
         FROM budget_slices GROUP BY scope, period";
    for row in figures(connection, slices).await? {
        let account = accounts.entry(of(&row)).or_default();
        (account.slices_held, account.pools) = (row.a, row.b);
    }
    // Calls that are charged to the same are told of together: they are many, and what they are charged to is little.
    let records: Vec<ChargedRow> = Statement::new(
        "SELECT charges, COUNT(*) AS calls, CAST(SUM(cost_nano_usd) AS BIGINT) AS cost FROM llm_calls GROUP BY charges",
    )
    .build()
    .load(connection)
    .await?;
    for row in records {
        audit.records = audit.records.saturating_add(row.calls);
        audit.recorded += NanoUsd(row.cost);
        let Some(charges) = &row.charges else { continue };
        let Ok(charges) = serde_json::from_str::<Charges>(charges) else {
            audit.differences.push(Difference {
                check: "unreadable_charges",
                what: "call records".to_owned(),
                expected: 0,
                found: row.calls,
            });
            continue;
        };
        for (scope, period) in &charges.to {
            let account = accounts.entry((scope.to_string(), period.to_string())).or_default();
            account.recorded = account.recorded.saturating_add(row.cost);
        }
    }
    Ok(accounts)
}

async fn figures(connection: &mut Connection, statement: &str) -> Result<Vec<FiguresRow>, QueryError> {
    Ok(Statement::new(statement).build().load(connection).await?)
}

#[derive(Debug, QueryableByName)]
struct FiguresRow {
    #[diesel(sql_type = Text)]
    scope: String,
    #[diesel(sql_type = Text)]
    period: String,
    #[diesel(sql_type = BigInt)]
    a: i64,
    #[diesel(sql_type = BigInt)]
    b: i64,
    #[diesel(sql_type = BigInt)]
    c: i64,
}

#[derive(Debug, QueryableByName)]
struct ChargedRow {
    #[diesel(sql_type = Nullable<Text>)]
    charges: Option<String>,
    #[diesel(sql_type = BigInt)]
    calls: i64,
    #[diesel(sql_type = BigInt)]
    cost: i64,
}

#[derive(Debug, QueryableByName)]
struct DifferenceRow {
    #[diesel(sql_type = Text)]
    what: String,
    #[diesel(sql_type = BigInt)]
    expected: i64,
    #[diesel(sql_type = BigInt)]
    found: i64,
}
