//! `GET /v1/server-stats`: what was served since the process started, and what is under way.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::HttpResponse;
use gateway_actors::protocol::Totals;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::http::error::Failure;
use crate::http::respond::{json, now_text, usd};
use crate::http::shared::{Edge, Shared};

#[derive(Serialize)]
struct ServerStats<'a> {
    uptime: Uptime,
    requests: Requests,
    llm: Llm,
    memory: Memory,
    providers: BTreeMap<&'a str, bool>,
    gateway: UnderWay,
    timestamp: String,
}

#[derive(Serialize)]
struct Uptime {
    seconds: u64,
    formatted: String,
}

/// Requests that are over, refused ones included; the health and stats routes do not count.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Requests {
    total: u64,
    average_duration: f64,
}

/// Attempts, failed ones too.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Llm {
    total_calls: u64,
    failed_calls: u64,
    tokens: Tokens,
    cost: Cost,
}

#[derive(Serialize)]
struct Tokens {
    input: u64,
    output: u64,
    total: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cost {
    total: Box<RawValue>,
    total_nano_usd: i64,
    currency: &'static str,
}

/// There is no heap of a runtime to tell of, so these are resident memory now and at its peak.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    heap_used: u64,
    heap_total: u64,
    unit: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UnderWay {
    in_flight: usize,
    body_bytes: usize,
    open_holds: i64,
    leases: i64,
    open_streams: i64,
    open_turns: i64,
    unwritten_records: u64,
}

pub(super) async fn get(edge: Edge) -> Result<HttpResponse, Failure> {
    let shared = edge.shared();
    let cells = shared.totals.iter().map(|cell| cell.load());
    let totals = cells.fold(Totals::default(), Totals::and);
    let stats = ServerStats {
        uptime: uptime(shared.started().elapsed()),
        requests: Requests {
            total: shared.requests.count(),
            average_duration: shared.requests.average_ms(),
        },
        llm: llm(totals)?,
        memory: memory(&std::fs::read_to_string("/proc/self/status").unwrap_or_default()),
        providers: shared
            .providers
            .iter()
            .map(|provider| (provider.name.as_str(), provider.has_key))
            .collect(),
        gateway: under_way(shared, totals),
        timestamp: now_text(),
    };
    std::future::ready(json(&stats)).await
}

fn uptime(up: Duration) -> Uptime {
    let seconds = up.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    Uptime {
        seconds,
        formatted: format!("{hours}h {minutes}m {}s", seconds % 60),
    }
}

fn llm(totals: Totals) -> Result<Llm, Failure> {
    Ok(Llm {
        total_calls: totals.calls,
        failed_calls: totals.failures,
        tokens: Tokens {
            input: totals.input_tokens,
            output: totals.output_tokens,
            total: totals.input_tokens.saturating_add(totals.output_tokens),
        },
        cost: Cost {
            total: usd(totals.cost)?,
            total_nano_usd: totals.cost.0,
            currency: "USD",
        },
    })
}

fn under_way(shared: &Shared, totals: Totals) -> UnderWay {
    UnderWay {
        in_flight: shared.admission.in_flight(),
        body_bytes: shared.bodies.held(),
        open_holds: shared.gauges.holds.get(),
        leases: shared.gauges.attempts.get(),
        open_streams: shared.gauges.streams.get(),
        open_turns: shared.gauges.turns.get(),
        unwritten_records: totals.unwritten,
    }
}

/// Reads Linux's `/proc/self/status`; zeros where there is none.
fn memory(status: &str) -> Memory {
    let mib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|rest| rest.split_ascii_whitespace().next()?.parse::<u64>().ok());
        kib.unwrap_or_default().div_ceil(1024)
    };
    Memory {
        heap_used: mib("VmRSS:"),
        heap_total: mib("VmHWM:"),
        unit: "MB",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_is_written_in_hours_minutes_and_seconds() {
        assert_eq!(uptime(Duration::from_secs(3_600)).formatted, "1h 0m 0s");
        assert_eq!(uptime(Duration::from_secs(90_061)).formatted, "25h 1m 1s");
    }

    #[test]
    fn memory_is_read_from_what_linux_tells() {
        let memory = memory("Name:\tx\nVmHWM:\t  122880 kB\nVmRSS:\t   45056 kB\n");
        assert_eq!((memory.heap_used, memory.heap_total), (44, 120));
    }
}
