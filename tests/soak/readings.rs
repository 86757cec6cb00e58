//! What the system and the gateway itself tell of the process while it works.

use std::time::Duration;

use crate::support::Gateway;

/// How the process was at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// Since the load began.
    pub(crate) at: Duration,
    /// Requests that clients had sent by then.
    pub(crate) requests: u64,
    /// Resident memory.
    pub(crate) rss_kib: u64,
    /// Open files and sockets.
    pub(crate) files: usize,
    pub(crate) threads: u64,
}

impl Reading {
    /// Looks at the process.
    pub(crate) fn take(gateway: &Gateway, at: Duration, requests: u64) -> Self {
        Self {
            at,
            requests,
            rss_kib: gateway.system_number("VmRSS"),
            files: gateway.open_files(),
            threads: gateway.system_number("Threads"),
        }
    }
}

/// How fast memory grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Slope {
    pub(crate) kib_per_minute: f64,
    pub(crate) bytes_per_request: f64,
}

impl Slope {
    /// Through the second half of the readings, where caches and pools have filled.
    pub(crate) fn of_second_half(readings: &[Reading]) -> Self {
        let half = &readings[readings.len() / 2..];
        let rss = |reading: &Reading| reading.rss_kib as f64;
        Self {
            kib_per_minute: least_squares(
                half.iter()
                    .map(|reading| (reading.at.as_secs_f64() / 60.0, rss(reading))),
            ),
            bytes_per_request: 1024.0
                * least_squares(half.iter().map(|reading| (reading.requests as f64, rss(reading)))),
        }
    }
}

/// The slope of the line that is nearest to these points; 0 where there is none.
fn least_squares(points: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let count = points.clone().count() as f64;
    let sum = |value: fn((f64, f64)) -> f64| points.clone().map(value).sum::<f64>();
    let (x, y) = (sum(|point| point.0) / count, sum(|point| point.1) / count);
    let (mut above, mut below) = (0.0, 0.0);
    for point in points {
        above += (point.0 - x) * (point.1 - y);
        below += (point.0 - x).powi(2);
    }
    if below > 0.0 { above / below } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(second: u64, rss_kib: u64) -> Reading {
        Reading {
            at: Duration::from_secs(second),
            requests: second * 50,
            rss_kib,
            files: 0,
            threads: 0,
        }
    }

    #[test]
    fn the_slope_is_that_of_the_second_half() {
        let warming = (0..100).map(|second| reading(second, second * 1_000));
        let steady = (100..200).map(|second| reading(second, 100_000 + second * 5));
        let readings: Vec<Reading> = warming.chain(steady).collect();
        let slope = Slope::of_second_half(&readings);
        assert!((slope.kib_per_minute - 300.0).abs() < 1e-6, "{slope:?}");
        assert!((slope.bytes_per_request - 102.4).abs() < 1e-6, "{slope:?}");
    }

    #[test]
    fn what_goes_up_and_down_by_turns_has_no_slope_and_one_reading_has_none() {
        let readings: Vec<Reading> = (0..401)
            .map(|second| reading(second, 1_000 + second % 2 * 64))
            .collect();
        assert!(Slope::of_second_half(&readings).kib_per_minute.abs() < 1.0);
        assert_eq!(Slope::of_second_half(&readings[..1]).kib_per_minute, 0.0);
    }
}
