//! Counts since the process started, and what it uses now.

use std::sync::Arc;
use std::time::Duration;

use gateway_actors::protocol::{BudgetTotals, CellTotals, NanoUsd, Totals};
use serde::Serialize;
use serde_json::value::RawValue;

/// How long the process has run.
#[derive(Debug, Serialize)]
pub(crate) struct Uptime {
    seconds: u64,
    formatted: String,
}

impl Uptime {
    pub(crate) fn new(up: Duration) -> Self {
        let seconds = up.as_secs();
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        Self {
            seconds,
            formatted: format!("{hours}h {minutes}m {}s", seconds % 60),
        }
    }
}

/// The totals of all cells together.
pub(crate) fn of_all_cells(cells: &[Arc<CellTotals>]) -> Totals {
    cells
        .iter()
        .map(|cell| cell.load())
        .fold(Totals::default(), Totals::and)
}

/// What everything under way may cost at most, in all cells together.
pub(crate) fn held_by_all_cells(cells: &[Arc<BudgetTotals>]) -> NanoUsd {
    cells.iter().map(|cell| cell.load().held).sum()
}

/// Attempts, failed ones too.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Llm {
    total_calls: u64,
    failed_calls: u64,
    tokens: Tokens,
    cost: Cost,
}

#[derive(Debug, Serialize)]
struct Tokens {
    input: u64,
    output: u64,
    total: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Cost {
    total: Box<RawValue>,
    total_nano_usd: i64,
    currency: &'static str,
}

impl Llm {
    /// # Errors
    /// Never: an amount's decimal text is a JSON number.
    pub(crate) fn new(totals: Totals) -> Result<Self, serde_json::Error> {
        Ok(Self {
            total_calls: totals.calls,
            failed_calls: totals.failures,
            tokens: Tokens {
                input: totals.input_tokens,
                output: totals.output_tokens,
                total: totals.input_tokens.saturating_add(totals.output_tokens),
            },
            cost: Cost {
                total: usd_number(totals.cost)?,
                total_nano_usd: totals.cost.0,
                currency: "USD",
            },
        })
    }
}

/// An amount as a JSON number of USD, exact at every size since no float is on the way.
///
/// # Errors
/// Never: an amount's decimal text is a JSON number.
pub(crate) fn usd_number(amount: NanoUsd) -> Result<Box<RawValue>, serde_json::Error> {
    RawValue::from_string(amount.to_usd_string())
}

/// There is no heap of a runtime to tell of, so these are resident memory now and at its peak.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Memory {
    heap_used: u64,
    heap_total: u64,
    unit: &'static str,
}

impl Memory {
    /// What Linux tells of this process; zeros elsewhere.
    pub(crate) fn now() -> Self {
        Self::read(&std::fs::read_to_string("/proc/self/status").unwrap_or_default())
    }

    fn read(status: &str) -> Self {
        let mib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|rest| rest.split_ascii_whitespace().next()?.parse::<u64>().ok());
            kib.unwrap_or_default().div_ceil(1024)
        };
        Self {
            heap_used: mib("VmRSS:"),
            heap_total: mib("VmHWM:"),
            unit: "MB",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_is_written_in_hours_minutes_and_seconds() {
        assert_eq!(Uptime::new(Duration::from_secs(3_600)).formatted, "1h 0m 0s");
        assert_eq!(Uptime::new(Duration::from_secs(90_061)).formatted, "25h 1m 1s");
    }

    #[test]
    fn amounts_are_json_numbers_without_a_float_in_between() {
        for (nano, text) in [(0, "0"), (1, "0.000000001"), (i64::MAX, "9223372036.854775807")] {
            assert_eq!(
                serde_json::to_string(&usd_number(NanoUsd(nano)).unwrap()).unwrap(),
                text
            );
        }
    }

    #[test]
    fn memory_is_read_from_what_linux_tells() {
        let memory = Memory::read("Name:\tx\nVmHWM:\t  122880 kB\nVmRSS:\t   45056 kB\n");
        assert_eq!((memory.heap_used, memory.heap_total), (44, 120));
    }
}
