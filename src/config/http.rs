//! `[http]`: where the gateway listens and how much it takes on.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::reader::{Reader, key};
use super::value::{Written, integer, millis, text};

const MIB: u64 = 1024 * 1024;

/// Where the gateway listens and how much it takes on at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// The address to listen at (`host`, `API_HOST`). Default 127.0.0.1; any other than a loopback address needs
    /// `GATEWAY_ADMIN_KEY`.
    pub host: IpAddr,
    /// The port (`port`, `API_PORT`), 0 for any free one. Default 3000.
    pub port: u16,
    /// Worker threads, each with a cell, 1 to 64. Default: as many as processors, at most 8.
    pub workers: usize,
    /// Requests in progress at once over all workers, 1 to 65,536. Default 512.
    pub max_in_flight: usize,
    /// Requests that wait for a place when all are taken, 0 to 65,536. Default 64.
    pub queue: usize,
    /// How long a request waits for a place before it gets a 503, up to 60 s. Default 100 ms.
    pub queue_wait: Duration,
    /// Open connections per worker, 1 to 1,000,000. Default 25,000.
    pub max_connections: usize,
    /// Bytes of a request body of a native endpoint, 1 KiB to 10 MiB. Default 2 MiB.
    pub native_body_bytes: usize,
    /// Bytes of a request body of a dialect endpoint, 1 KiB to 256 MiB. Default 32 MiB.
    pub dialect_body_bytes: usize,
    /// Bytes of all request bodies that are held at once, 1 MiB to 64 GiB; no single body may be larger either.
    /// Default 256 MiB.
    pub held_body_bytes: usize,
    /// How long a request's head may take, 1 s to 60 s; the clock it is measured with ticks twice a second. Default 5 s.
    pub head_timeout: Duration,
    /// How long a whole request body may take, 1 s to 10 min. Default 30 s.
    pub body_timeout: Duration,
    /// How long a body may come slower than `body_min_rate`, up to 60 s. Default 5 s.
    pub body_grace: Duration,
    /// Bytes per second that a body must reach after the grace time, up to 1 MiB; 0 for no minimum. Default 1,024.
    pub body_min_rate: u64,
    /// How long a client may take no byte of an answer that waits for it, 100 ms to 10 min. Default 30 s.
    pub write_timeout: Duration,
    /// How long an idle connection stays open, up to 10 min; 0 closes it after each answer. Default 5 s.
    pub keep_alive: Duration,
    /// How long a request may take when its client sets no deadline, 1 s to 1 h. Default 600 s: so long the clients of OpenAI
    /// and Anthropic wait.
    pub default_deadline: Duration,
}

impl Default for HttpSettings {
    /// The built-in defaults on this machine.
    fn default() -> Self {
        Self::on(std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
    }
}

impl HttpSettings {
    /// The built-in defaults on a machine with this many processors.
    pub(super) fn on(processors: usize) -> Self {
        Self {
            host: Ipv4Addr::LOCALHOST.into(),
            port: 3000,
            workers: processors.clamp(1, 8),
            max_in_flight: 512,
            queue: 64,
            queue_wait: Duration::from_millis(100),
            max_connections: 25_000,
            native_body_bytes: 2 * 1024 * 1024,
            dialect_body_bytes: 32 * 1024 * 1024,
            held_body_bytes: 256 * 1024 * 1024,
            head_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(30),
            body_grace: Duration::from_secs(5),
            body_min_rate: 1024,
            write_timeout: Duration::from_secs(30),
            keep_alive: Duration::from_secs(5),
            default_deadline: Duration::from_secs(600),
        }
    }

    /// Whether only programs on this machine can reach the gateway.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host.to_canonical().is_loopback()
    }

    pub(super) fn read(&mut self, reader: &mut Reader<'_>) {
        let address = key("host").or_variable("API_HOST").or_flag("--host");
        reader.set(address, &mut self.host, host);
        let port = key("port").or_variable("API_PORT").or_flag("--port");
        reader.set(port, &mut self.port, integer(0..=65_535));
        let workers = key("workers").or_variable("GATEWAY_WORKERS").or_flag("--workers");
        reader.set(workers, &mut self.workers, integer(1..=64));
        reader.set(key("max_in_flight"), &mut self.max_in_flight, integer(1..=65_536));
        reader.set(key("queue"), &mut self.queue, integer(0..=65_536));
        reader.set(key("queue_wait_ms"), &mut self.queue_wait, millis(0..=60_000));
        reader.set(
            key("max_connections"),
            &mut self.max_connections,
            integer(1..=1_000_000),
        );
        let native = integer(1024..=10 * MIB);
        reader.set(key("native_body_bytes"), &mut self.native_body_bytes, native);
        let dialect = integer(1024..=256 * MIB);
        reader.set(key("dialect_body_bytes"), &mut self.dialect_body_bytes, dialect);
        let held = integer(MIB..=65_536 * MIB);
        reader.set(key("held_body_bytes"), &mut self.held_body_bytes, held);
        reader.set(key("head_timeout_ms"), &mut self.head_timeout, millis(1_000..=60_000));
        reader.set(key("body_timeout_ms"), &mut self.body_timeout, millis(1_000..=600_000));
        reader.set(key("body_grace_ms"), &mut self.body_grace, millis(0..=60_000));
        reader.set(
            key("body_min_bytes_per_second"),
            &mut self.body_min_rate,
            integer(0..=MIB),
        );
        reader.set(key("write_timeout_ms"), &mut self.write_timeout, millis(100..=600_000));
        reader.set(key("keep_alive_ms"), &mut self.keep_alive, millis(0..=600_000));
        let deadline = millis(1_000..=3_600_000);
        reader.set(key("default_deadline_ms"), &mut self.default_deadline, deadline);
    }
}

fn host(written: Written<'_>) -> Result<IpAddr, String> {
    let text = text(written)?;
    if text == "localhost" {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    text.parse()
        .or(Err("be an IP address such as 127.0.0.1, or localhost".to_owned()))
}
