//! Sums as JSON: counts, tokens, and money both in whole nano-USD and in USD.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use gateway_actors::protocol::{CallSums, ReportGroup, StoreError};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::http::error::Failure;
use crate::status::usd_number;

/// The sums of a group of calls.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http::routes) struct Sums {
    calls: u64,
    succeeded: u64,
    failed: u64,
    /// Calls whose cost is an upper bound.
    estimated: u64,
    tokens: Tokens,
    cost: Cost,
    /// None without calls.
    average_duration_ms: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tokens {
    input: u64,
    cached_input: u64,
    output: u64,
    reasoning: u64,
    total: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cost {
    total: Box<RawValue>,
    total_nano_usd: i64,
    /// The part of it that is an upper bound.
    estimated_nano_usd: i64,
    currency: &'static str,
}

impl Sums {
    pub(in crate::http::routes) fn new(sums: &CallSums) -> Result<Self, Failure> {
        Ok(Self {
            calls: sums.calls,
            succeeded: sums.succeeded,
            failed: sums.calls.saturating_sub(sums.succeeded),
            estimated: sums.estimated,
            tokens: Tokens {
                input: sums.input_tokens,
                cached_input: sums.cached_input_tokens,
                output: sums.output_tokens,
                reasoning: sums.reasoning_tokens,
                total: sums.input_tokens.saturating_add(sums.output_tokens),
            },
            cost: Cost {
                total: usd_number(sums.cost).map_err(|_never| Failure::internal())?,
                total_nano_usd: sums.cost.0,
                estimated_nano_usd: sums.estimated_cost.0,
                currency: "USD",
            },
            average_duration_ms: sums.duration_us.checked_div(sums.calls).map(|micros| micros / 1_000),
        })
    }
}

/// Sums under what they are of: names and values first, then the sums.
pub(in crate::http::routes) struct NamedSums {
    pub(in crate::http::routes) names: Vec<(&'static str, Option<Arc<str>>)>,
    pub(in crate::http::routes) sums: Sums,
}

impl Serialize for NamedSums {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.names {
            map.serialize_entry(name, value)?;
        }
        let sums = &self.sums;
        map.serialize_entry("calls", &sums.calls)?;
        map.serialize_entry("succeeded", &sums.succeeded)?;
        map.serialize_entry("failed", &sums.failed)?;
        map.serialize_entry("estimated", &sums.estimated)?;
        map.serialize_entry("tokens", &sums.tokens)?;
        map.serialize_entry("cost", &sums.cost)?;
        map.serialize_entry("averageDurationMs", &sums.average_duration_ms)?;
        map.end()
    }
}

/// The groups put together by one of their dimensions, which `name` is the name of; the dearest first.
pub(in crate::http::routes) fn folded(
    groups: &[ReportGroup],
    dimension: usize,
    name: &'static str,
) -> Result<Vec<NamedSums>, Failure> {
    let mut by_value: BTreeMap<Option<Arc<str>>, CallSums> = BTreeMap::new();
    for group in groups {
        let value = group.values.get(dimension).cloned().flatten();
        let sum = by_value.entry(value).or_default();
        *sum = sum.checked_add(group.sums).ok_or(StoreError::ReportTooLarge)?;
    }
    let mut folded: Vec<_> = by_value.into_iter().collect();
    folded.sort_by_key(|(_, sums)| Reverse(sums.cost));
    let named = folded.into_iter().map(|(value, sums)| {
        Ok(NamedSums {
            names: vec![(name, value)],
            sums: Sums::new(&sums)?,
        })
    });
    named.collect()
}
