//! How the HTTP edge behaves: where it listens, how much it takes in and for how long.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// Where the gateway listens and how much it takes on at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// The address to listen at.
    pub host: IpAddr,
    /// The port, 0 for any free one.
    pub port: u16,
    /// Worker threads, each with a cell. At least 1.
    pub workers: usize,
    /// Requests in progress at once over all workers, streams until their last byte. The health routes do not count.
    pub max_in_flight: usize,
    /// Requests that wait for a place when all are taken.
    pub queue: usize,
    /// How long a request waits for a place before it gets a 503.
    pub queue_wait: Duration,
    /// Open connections per worker.
    pub max_connections: usize,
    /// Bytes of a request body of a native endpoint.
    pub native_body_bytes: usize,
    /// Bytes of a request body of a dialect endpoint, images included.
    pub dialect_body_bytes: usize,
    /// How long a request's head may take.
    pub head_timeout: Duration,
    /// How long a whole request body may take.
    pub body_timeout: Duration,
    /// How long a body may come slower than `body_min_rate`.
    pub body_grace: Duration,
    /// Bytes per second that a body must reach on average after the grace time; 0 for no minimum.
    pub body_min_rate: u64,
    /// How long an idle connection stays open; 0 closes it after each answer.
    pub keep_alive: Duration,
    /// How long a request may take when its client sets no deadline (`X-Request-Timeout-Ms`).
    pub default_deadline: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            host: Ipv4Addr::LOCALHOST.into(),
            port: 3000,
            workers: std::thread::available_parallelism().map_or(1, |processors| processors.get().min(8)),
            max_in_flight: 512,
            queue: 64,
            queue_wait: Duration::from_millis(100),
            max_connections: 25_000,
            native_body_bytes: 2 * 1024 * 1024,
            dialect_body_bytes: 32 * 1024 * 1024,
            head_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(30),
            body_grace: Duration::from_secs(5),
            body_min_rate: 1024,
            keep_alive: Duration::from_secs(5),
            default_deadline: Duration::from_secs(300),
        }
    }
}
