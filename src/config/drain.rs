//! `[drain]`: how the gateway stops.

use std::time::Duration;

use super::reader::{Reader, key};
use super::value::millis;

/// How long each step of stopping may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrainSettings {
    /// How long `/health/ready` says no before new requests are refused, so that load balancers notice, up to 10 min.
    /// Default 5 s; 0 at a loopback address, where there is none.
    pub readiness: Duration,
    /// How long requests in progress may take to end, up to 10 min. Default 30 s.
    pub in_flight: Duration,
    /// How long streams in progress may take to end, up to 1 h. Default 120 s.
    pub streams: Duration,
    /// How long calls of an MCP client over stdio may take to end once its input has, or at a signal, up to 10 min.
    /// Default 3 s: whoever closes the input usually reads no answer any more, and kills what does not end soon.
    pub stdio: Duration,
}

/// The settings as written: the readiness delay's default depends on the address.
#[derive(Debug)]
pub(super) struct WrittenDrain {
    readiness: Option<Duration>,
    in_flight: Duration,
    streams: Duration,
    stdio: Duration,
}

impl Default for WrittenDrain {
    fn default() -> Self {
        Self {
            readiness: None,
            in_flight: Duration::from_secs(30),
            streams: Duration::from_secs(120),
            stdio: Duration::from_secs(3),
        }
    }
}

impl WrittenDrain {
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) {
        reader.set_some(key("readiness_ms"), &mut self.readiness, millis(0..=600_000));
        reader.set(key("in_flight_ms"), &mut self.in_flight, millis(0..=600_000));
        reader.set(key("streams_ms"), &mut self.streams, millis(0..=3_600_000));
        reader.set(key("stdio_ms"), &mut self.stdio, millis(0..=600_000));
    }

    pub(super) fn resolve(self, is_loopback: bool) -> DrainSettings {
        let default_readiness = if is_loopback {
            Duration::ZERO
        } else {
            Duration::from_secs(5)
        };
        DrainSettings {
            readiness: self.readiness.unwrap_or(default_readiness),
            in_flight: self.in_flight,
            streams: self.streams,
            stdio: self.stdio,
        }
    }
}
