//! What is under way in the process now.

use gateway_actors::protocol::{Gauges, NanoUsd, Totals};
use serde::Serialize;

/// Counts of what has begun and is not over.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UnderWay {
    in_flight: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_bytes: Option<usize>,
    open_holds: i64,
    held_nano_usd: i64,
    leases: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    open_streams: Option<i64>,
    open_turns: i64,
    unwritten_records: u64,
}

impl UnderWay {
    /// What every edge has: this many requests, calls that may cost so much at most, and the gauges.
    pub(crate) fn new(in_flight: usize, held: NanoUsd, gauges: &Gauges, totals: Totals) -> Self {
        Self {
            in_flight,
            waiting: None,
            body_bytes: None,
            open_holds: gauges.holds.get(),
            held_nano_usd: held.0,
            leases: gauges.attempts.get(),
            open_streams: None,
            open_turns: gauges.turns.get(),
            unwritten_records: totals.unwritten,
        }
    }

    /// With what only HTTP has: requests that wait for a place, request bodies, of which this many bytes are held, and
    /// streams.
    pub(crate) fn with_http(self, waiting: usize, body_bytes: usize, gauges: &Gauges) -> Self {
        Self {
            waiting: Some(waiting),
            body_bytes: Some(body_bytes),
            open_streams: Some(gauges.streams.get()),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_tells_of_a_queue_bodies_and_streams() {
        let (gauges, totals) = (Gauges::default(), Totals::default());
        let text = |under_way: UnderWay| serde_json::to_string(&under_way).unwrap();
        assert_eq!(
            text(UnderWay::new(2, NanoUsd(9), &gauges, totals)),
            r#"{"inFlight":2,"openHolds":0,"heldNanoUsd":9,"leases":0,"openTurns":0,"unwrittenRecords":0}"#
        );
        assert_eq!(
            text(UnderWay::new(2, NanoUsd(9), &gauges, totals).with_http(3, 70, &gauges)),
            r#"{"inFlight":2,"waiting":3,"bodyBytes":70,"openHolds":0,"heldNanoUsd":9,"leases":0,"openStreams":0,"openTurns":0,"unwrittenRecords":0}"#
        );
    }
}
