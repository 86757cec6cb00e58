//! Applying corrected prices to call records, a batch at a time.
//!
//! A record that has the present price already is passed over, so that whatever was done may be done again. What a record
//! costs more or less goes to the budgets that it is charged to, within the same transaction.

use std::collections::BTreeMap;

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::{Charges, NanoUsd, Price, Tier, TokenUsage};

use super::reports::between;
use super::statement::Statement;
use super::{Connection, books, dialect};
use crate::store::books::{Repriced, Repricing};
use crate::store::call_row::PriceColumns;
use crate::store::error::{Fault, QueryError};
use crate::store::ledger::{Book, Event, Missing, PeriodKey};

/// Records in one transaction.
const BATCH: i64 = 500;

/// Changes of what was spent, and the records that they are for, by scope and period.
type Changes = BTreeMap<PeriodKey, (i64, i64)>;

/// What came of a batch, and its last attempt.
type Batch = (Repriced, Option<String>);

/// Reprices the batch behind this attempt inside the running transaction; what came of it, and the events that were raised.
pub(in super::super) async fn reprice(
    connection: &mut Connection,
    repricing: &Repricing,
    behind: Option<&str>,
) -> Result<(Batch, Vec<Event>), QueryError> {
    let rows = batch(connection, repricing, behind).await?;
    let last = rows.last().map(|row| row.attempt_id.clone());
    let mut done = Repriced::default();
    let mut changes = Changes::new();
    for row in rows {
        done.looked_at += 1;
        let Some(price) = repricing.prices.get(&row.model_id) else {
            done.unpriced.insert(row.model_id);
            continue;
        };
        if row.price() == Some(*price) {
            continue;
        }
        let usage = row.usage();
        if row.estimated && usage == TokenUsage::default() {
            done.kept += 1;
            continue;
        }
        let cost = price.cost(&usage);
        done.repriced += 1;
        done.before += NanoUsd(row.cost_nano_usd);
        done.after += cost;
        note_changes(&mut changes, &row, cost)?;
        if !repricing.dry_run {
            write(connection, &row.attempt_id, price, cost).await?;
        }
    }
    let mut raised = Vec::new();
    if !repricing.dry_run {
        raised = adjust(connection, &changes).await?;
    }
    let budgets = changes
        .into_iter()
        .map(|(key, (by, _))| (key.scope.to_string(), key.period.to_string(), NanoUsd(by)));
    done.budgets.extend(budgets);
    Ok(((done, last), raised))
}

/// The records behind this attempt, locked where they are to be written.
async fn batch(
    connection: &mut Connection,
    repricing: &Repricing,
    behind: Option<&str>,
) -> Result<Vec<PricedRow>, QueryError> {
    let statement = Statement::new(
        "SELECT attempt_id, model_id, cost_nano_usd, estimated, input_tokens, cached_input_tokens,
            cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, input_price_pico_usd,
            cached_input_price_pico_usd, output_price_pico_usd, price, charges
         FROM llm_calls WHERE 1 = 1",
    );
    let mut statement = between(statement, Some(repricing.since), repricing.until);
    if let Some(behind) = behind {
        statement = statement.sql(" AND attempt_id > ").text(behind);
    }
    statement = statement.sql(" ORDER BY attempt_id LIMIT ").number(BATCH);
    if !repricing.dry_run {
        statement = statement.sql(dialect::FOR_UPDATE);
    }
    Ok(statement.build().load(connection).await?)
}

/// Notes by how much a record's new cost changes what was spent of the budgets that it is charged to.
fn note_changes(changes: &mut Changes, row: &PricedRow, cost: NanoUsd) -> Result<(), QueryError> {
    let by = cost.0.saturating_sub(row.cost_nano_usd);
    let Some(charges) = row.charges.as_deref().filter(|_| by != 0) else {
        return Ok(());
    };
    let charges: Charges = serde_json::from_str(charges)
        .map_err(|_unreadable| Fault::failed("what a call record is charged to cannot be read"))?;
    for (scope, period) in charges.to {
        let scope = scope.to_string().into();
        let key = PeriodKey { scope, period };
        let (sum, calls) = changes.entry(key).or_default();
        *sum = sum.saturating_add(by);
        *calls += 1;
    }
    Ok(())
}

async fn write(connection: &mut Connection, attempt: &str, price: &Price, cost: NanoUsd) -> Result<(), QueryError> {
    let columns = PriceColumns::of(price);
    let statement = Statement::new("UPDATE llm_calls SET cost_nano_usd = ")
        .number(cost.0)
        .sql(", input_price_pico_usd = ")
        .number(columns.input)
        .sql(", cached_input_price_pico_usd = ")
        .number(columns.cached_input)
        .sql(", output_price_pico_usd = ")
        .number(columns.output)
        .sql(", price = ");
    let statement = match columns.whole {
        Some(whole) => statement.text(whole),
        None => statement.sql("NULL"),
    };
    let statement = statement.sql(" WHERE attempt_id = ").text(attempt);
    statement.build().execute(connection).await?;
    Ok(())
}

/// Corrects what was spent of budgets in their periods, by so much for so many calls; the events that were raised.
async fn adjust(connection: &mut Connection, changes: &Changes) -> Result<Vec<Event>, QueryError> {
    let keys: Vec<PeriodKey> = changes.keys().cloned().collect();
    let locked = books::lock_periods(connection, &keys, Missing::Skip).await?;
    let mut book = Book::new(locked, Vec::new());
    for (key, (by, calls)) in changes {
        if !book.correct(key, *by, *calls) {
            return Err(Fault::failed("a call record is charged to a period that is not in the books").into());
        }
    }
    Ok(books::write(connection, book.into_changes()).await?)
}

#[derive(Debug, QueryableByName)]
struct PricedRow {
    #[diesel(sql_type = Text)]
    attempt_id: String,
    #[diesel(sql_type = Text)]
    model_id: String,
    #[diesel(sql_type = BigInt)]
    cost_nano_usd: i64,
    #[diesel(sql_type = Bool)]
    estimated: bool,
    #[diesel(sql_type = BigInt)]
    input_tokens: i64,
    #[diesel(sql_type = BigInt)]
    cached_input_tokens: i64,
    #[diesel(sql_type = BigInt)]
    cache_write_5m_tokens: i64,
    #[diesel(sql_type = BigInt)]
    cache_write_1h_tokens: i64,
    #[diesel(sql_type = BigInt)]
    output_tokens: i64,
    #[diesel(sql_type = BigInt)]
    reasoning_tokens: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    input_price_pico_usd: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    cached_input_price_pico_usd: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    output_price_pico_usd: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    price: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    charges: Option<String>,
}

impl PricedRow {
    /// The price that the record was made with.
    fn price(&self) -> Option<Price> {
        PriceColumns {
            input: self.input_price_pico_usd?,
            cached_input: self.cached_input_price_pico_usd?,
            output: self.output_price_pico_usd?,
            whole: self.price.clone(),
        }
        .price()
    }

    fn usage(&self) -> TokenUsage {
        let count = |stored: i64| u64::try_from(stored).unwrap_or_default();
        TokenUsage {
            input: count(self.input_tokens),
            cached_input: count(self.cached_input_tokens),
            cache_write_5m: count(self.cache_write_5m_tokens),
            cache_write_1h: count(self.cache_write_1h_tokens),
            cache_write_untold: 0,
            output: count(self.output_tokens),
            reasoning: count(self.reasoning_tokens),
            tier: Tier::Untold,
        }
    }
}
