//! The row of a call record.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use gateway_actors::protocol::{AttemptId, CallRecord, IdText, KeyId, Outcome, PicoUsdPerToken, Price};
use serde::Serialize;

/// A call record as it is stored. Counts beyond what the database holds are stored as the largest that it does.
#[derive(Debug)]
pub(super) struct CallRow<'a> {
    pub(super) attempt_id: &'a str,
    pub(super) request_id: &'a str,
    pub(super) ordinal: i32,
    pub(super) instance_id: &'a str,
    pub(super) cell: i32,
    pub(super) conversation_id: Option<&'a str>,
    pub(super) user_id: Option<&'a str>,
    pub(super) project_id: Option<&'a str>,
    pub(super) endpoint: &'a str,
    pub(super) model_id: &'a str,
    pub(super) api_model: &'a str,
    pub(super) provider: &'a str,
    pub(super) layer: &'static str,
    pub(super) task: &'static str,
    pub(super) input_tokens: i64,
    pub(super) cached_input_tokens: i64,
    pub(super) output_tokens: i64,
    pub(super) reasoning_tokens: i64,
    pub(super) usage_source: &'static str,
    pub(super) cost_nano_usd: i64,
    pub(super) held_nano_usd: i64,
    pub(super) input_price_pico_usd: Option<i64>,
    pub(super) cached_input_price_pico_usd: Option<i64>,
    pub(super) output_price_pico_usd: Option<i64>,
    pub(super) estimated: bool,
    pub(super) streamed: bool,
    pub(super) outcome: &'static str,
    pub(super) status: Option<i32>,
    pub(super) success: bool,
    pub(super) first_byte_us: Option<i64>,
    pub(super) duration_us: i64,
    pub(super) started_at: i64,
    pub(super) created_at: i64,
    pub(super) cache_write_5m_tokens: i64,
    pub(super) cache_write_1h_tokens: i64,
    pub(super) price: Option<String>,
    pub(super) key_id: Option<&'a str>,
    pub(super) charges: Option<String>,
    pub(super) purpose: &'static str,
    pub(super) output_cap_tokens: Option<i64>,
}

/// The printed ids of a call record, which its row refers to.
#[derive(Debug)]
pub(super) struct RowIds {
    attempt: IdText,
    request: IdText,
    instance: IdText,
}

impl From<&CallRecord> for RowIds {
    fn from(record: &CallRecord) -> Self {
        let sent = &record.dispatch;
        Self {
            attempt: sent.attempt.text(),
            request: sent.attempt.request.text(),
            instance: sent.instance.text(),
        }
    }
}

impl RowIds {
    /// The row's key.
    pub(super) fn attempt(&self) -> &str {
        &self.attempt
    }
}

/// Whether what some of these records cost is to be posted.
pub(super) fn are_charged(records: &[Arc<CallRecord>]) -> bool {
    records.iter().any(|record| record.dispatch.charges.is_some())
}

/// What is left of these records when each attempt has one, in the order of the attempts' ids: the first, save that a
/// finished one replaces one found interrupted. One statement cannot insert a row and replace it too; and replicas that
/// insert the same rows in the same order do not wait for each other in a circle.
pub(super) fn one_for_each_attempt(records: Vec<Arc<CallRecord>>) -> Vec<Arc<CallRecord>> {
    let mut kept: HashMap<AttemptId, Arc<CallRecord>> = HashMap::with_capacity(records.len());
    for record in records {
        match kept.entry(record.dispatch.attempt) {
            Entry::Vacant(place) => {
                place.insert(record);
            }
            Entry::Occupied(mut place) => {
                if place.get().outcome == Outcome::Interrupted && record.outcome != Outcome::Interrupted {
                    place.insert(record);
                }
            }
        }
    }
    let mut records: Vec<_> = kept.into_values().collect();
    // By the ids themselves, which sort as their printed forms do.
    records.sort_unstable_by_key(|record| record.dispatch.attempt);
    records
}

impl<'a> CallRow<'a> {
    /// The row of this record, whose ids these are, first stored at `now` (microseconds since 1970).
    pub(super) fn new(record: &'a CallRecord, ids: &'a RowIds, now: i64) -> Self {
        let sent = &record.dispatch;
        Self {
            attempt_id: &ids.attempt,
            request_id: &ids.request,
            ordinal: sent.attempt.ordinal.into(),
            instance_id: &ids.instance,
            cell: sent.cell.0.into(),
            conversation_id: sent.conversation.as_ref().map(|id| id.as_str()),
            user_id: sent.user_id.as_deref(),
            project_id: sent.project_id.as_deref(),
            endpoint: &sent.endpoint,
            model_id: sent.model.as_str(),
            api_model: &sent.api_model,
            provider: sent.provider.as_str(),
            layer: sent.layer.as_str(),
            task: sent.task.as_str(),
            input_tokens: saturating(record.usage.input),
            cached_input_tokens: saturating(record.usage.cached_input),
            output_tokens: saturating(record.usage.output),
            reasoning_tokens: saturating(record.usage.reasoning),
            usage_source: record.usage_source.as_str(),
            cost_nano_usd: record.cost.0,
            held_nano_usd: sent.held.0,
            input_price_pico_usd: sent.price.map(|price| saturating(price.rates.input.0)),
            cached_input_price_pico_usd: sent.price.map(|price| saturating(price.rates.cached_input.0)),
            output_price_pico_usd: sent.price.map(|price| saturating(price.rates.output.0)),
            estimated: record.estimated,
            streamed: sent.streamed,
            outcome: record.outcome.as_str(),
            status: record.status.map(Into::into),
            success: record.succeeded(),
            first_byte_us: record.first_byte_us.map(saturating),
            duration_us: saturating(record.duration_us),
            started_at: sent.started_at,
            created_at: now,
            cache_write_5m_tokens: saturating(record.usage.cache_write_5m),
            cache_write_1h_tokens: saturating(record.usage.cache_write_1h),
            price: sent.price.as_ref().and_then(whole_price),
            key_id: sent.key_id.as_ref().map(KeyId::as_str),
            charges: sent.charges.as_deref().and_then(json_of),
            purpose: sent.purpose.as_str(),
            output_cap_tokens: sent.output_cap.map(saturating),
        }
    }
}

fn saturating(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A price as call records keep it.
#[derive(Debug)]
pub(super) struct PriceColumns {
    pub(super) input: i64,
    pub(super) cached_input: i64,
    pub(super) output: i64,
    /// The price as JSON, where the three do not say all of it.
    pub(super) whole: Option<String>,
}

impl PriceColumns {
    pub(super) fn of(price: &Price) -> Self {
        Self {
            input: saturating(price.rates.input.0),
            cached_input: saturating(price.rates.cached_input.0),
            output: saturating(price.rates.output.0),
            whole: whole_price(price),
        }
    }

    /// The price; nothing if it cannot be read.
    pub(super) fn price(&self) -> Option<Price> {
        if let Some(whole) = &self.whole {
            return serde_json::from_str(whole).ok();
        }
        let of = |stored: i64| u64::try_from(stored).ok().map(PicoUsdPerToken);
        Some(Price::plain(of(self.input)?, of(self.cached_input)?, of(self.output)?))
    }
}

/// The price as JSON, if the three columns of prices do not say all of it: most prices need no text.
fn whole_price(price: &Price) -> Option<String> {
    if price.is_plain() {
        return None;
    }
    json_of(price)
}

fn json_of(value: &impl Serialize) -> Option<String> {
    let json = serde_json::to_string(value);
    debug_assert!(json.is_ok(), "writing numbers and texts to memory does not fail");
    json.ok()
}

/// Calls another macro with every column of [`CallRow`]: its name, its type in the database and its type here.
macro_rules! call_columns {
    ($callback:ident) => {
        $callback! {
            attempt_id: Text => &'a str,
            request_id: Text => &'a str,
            ordinal: Integer => i32,
            instance_id: Text => &'a str,
            cell: Integer => i32,
            conversation_id: Nullable<Text> => Option<&'a str>,
            user_id: Nullable<Text> => Option<&'a str>,
            project_id: Nullable<Text> => Option<&'a str>,
            endpoint: Text => &'a str,
            model_id: Text => &'a str,
            api_model: Text => &'a str,
            provider: Text => &'a str,
            layer: Text => &'static str,
            task: Text => &'static str,
            input_tokens: BigInt => i64,
            cached_input_tokens: BigInt => i64,
            output_tokens: BigInt => i64,
            reasoning_tokens: BigInt => i64,
            usage_source: Text => &'static str,
            cost_nano_usd: BigInt => i64,
            held_nano_usd: BigInt => i64,
            input_price_pico_usd: Nullable<BigInt> => Option<i64>,
            cached_input_price_pico_usd: Nullable<BigInt> => Option<i64>,
            output_price_pico_usd: Nullable<BigInt> => Option<i64>,
            estimated: Bool => bool,
            streamed: Bool => bool,
            outcome: Text => &'static str,
            status: Nullable<Integer> => Option<i32>,
            success: Bool => bool,
            first_byte_us: Nullable<BigInt> => Option<i64>,
            duration_us: BigInt => i64,
            started_at: BigInt => i64,
            created_at: BigInt => i64,
            cache_write_5m_tokens: BigInt => i64,
            cache_write_1h_tokens: BigInt => i64,
            price: Nullable<Text> => Option<String>,
            key_id: Nullable<Text> => Option<&'a str>,
            charges: Nullable<Text> => Option<String>,
            purpose: Text => &'static str,
            output_cap_tokens: Nullable<BigInt> => Option<i64>,
        }
    };
}

pub(super) use call_columns;
