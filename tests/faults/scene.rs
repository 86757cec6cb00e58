//! One provider, one gateway, and what must hold after everything that goes wrong between them.

use std::cell::Cell;

use serde_json::Value;

use crate::COMPLETIONS;
use crate::support::{Client, Gateway, Provider, RawClient, Reply, Setup, chat};

pub(crate) const ADMIN_KEY: &str = "admin-key-of-at-least-thirty-two-bytes";

/// A gateway in front of one provider. [`Scene::finish`] ends every test.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) alpha: Provider,
    pub(crate) gateway: Gateway,
    /// Requests that were to reach the provider.
    due: Cell<usize>,
}

impl Scene {
    /// With one free model and these lines in its settings.
    pub(crate) fn with(lines: &str) -> Self {
        Self::set_up(|setup| setup.toml(lines))
    }

    /// With one free model and nothing else.
    pub(crate) fn new() -> Self {
        Self::with("")
    }

    /// With one free model and an admin key.
    pub(crate) fn locked() -> Self {
        Self::set_up(|setup| setup.env("GATEWAY_ADMIN_KEY", ADMIN_KEY))
    }

    pub(crate) fn set_up(more: impl FnOnce(Setup) -> Setup) -> Self {
        let alpha = Provider::start("alpha");
        let gateway = Gateway::start(more(Setup::free_l0(&[&alpha])));
        Self::of(alpha, gateway)
    }

    /// Of a provider and the gateway in front of it.
    pub(crate) fn of(alpha: Provider, gateway: Gateway) -> Self {
        Self {
            alpha,
            gateway,
            due: Cell::new(0),
        }
    }

    pub(crate) fn client(&self) -> Client {
        self.gateway.client()
    }

    pub(crate) fn connect(&self) -> RawClient {
        RawClient::connect(self.gateway.address())
    }

    /// Sends these bytes over a connection of their own.
    pub(crate) fn send(&self, bytes: impl AsRef<[u8]>) -> RawClient {
        let mut client = self.connect();
        client.try_send(bytes);
        client
    }

    /// Says that this many more requests reach the provider.
    pub(crate) fn expect_calls(&self, count: usize) {
        self.due.set(self.due.get() + count);
    }

    /// Posts these bytes as JSON, expects a refusal and returns its `error`.
    #[track_caller]
    pub(crate) fn refuses(&self, path: &str, body: impl Into<Vec<u8>>, status: u16, kind: &str) -> Value {
        let body = body.into();
        let shown: String = String::from_utf8_lossy(&body).chars().take(200).collect();
        let reply = self.client().post_bytes(path, body);
        assert_eq!(reply.status, status, "{path} {shown}: {}", reply.text());
        self.assert_refused(&reply, status, kind)
    }

    /// Sends these bytes over a connection of their own, expects a refusal by the gateway's own hand, and that nothing
    /// behind it on the connection is answered.
    #[track_caller]
    pub(crate) fn refuses_raw(&self, bytes: impl AsRef<[u8]>, status: u16, kind: &str) -> Value {
        let mut client = self.send(bytes);
        let error = self.assert_refused(&client.read_reply(), status, kind);
        assert_eq!(client.read_to_close(), "", "more than one answer");
        error
    }

    /// Sends bytes that the HTTP parser refuses before anything of the gateway sees them: a bare status, the end of the
    /// connection, and nothing behind it is answered.
    #[track_caller]
    pub(crate) fn parser_refuses(&self, bytes: impl AsRef<[u8]>, status: u16) {
        let mut client = self.send(bytes);
        assert_eq!(client.read_bare_refusal(), status);
        assert_eq!(client.read_to_close(), "", "more than one answer");
        self.assert_well();
    }

    /// A refusal in the shape of its route, not sent to the provider; and the next good request is served.
    #[track_caller]
    pub(crate) fn assert_refused(&self, reply: &Reply, status: u16, kind: &str) -> Value {
        let error = reply.error(status);
        if error.get("code").is_some() {
            assert!(error["type"].is_string() && error.get("param").is_some(), "{error}");
            assert_eq!(error["code"], kind, "{error}");
        } else {
            assert_eq!(
                (&error["type"], &error["requestId"]),
                (&kind.into(), &reply.request_id().into())
            );
        }
        assert!(!reply.text().contains(ADMIN_KEY), "{}", reply.text());
        self.assert_well();
        error
    }

    /// Nothing has reached the provider that should not have, and the next good request is served.
    #[track_caller]
    pub(crate) fn assert_well(&self) {
        assert_eq!(self.alpha.requests(), self.due.get(), "requests at the provider");
        self.expect_calls(1);
        let reply = self.client().post(COMPLETIONS, &chat("a good request"));
        assert_eq!(reply.status, 200, "the next good request: {}", reply.text());
        assert_eq!(self.alpha.requests(), self.due.get());
    }

    /// The gateway is alive and well, holds nothing, and told no secret to its log.
    #[track_caller]
    pub(crate) fn finish(self) {
        self.assert_well();
        let log = self.gateway.log();
        assert!(
            !log.iter().any(|line| line.contains(ADMIN_KEY)),
            "the admin key is in the log"
        );
        self.gateway.finish();
    }
}

/// A request with these lines between its head and its body.
pub(crate) fn request(line: &str, headers: &[&str], body: &str) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!("{line} HTTP/1.1\r\n{headers}\r\n{body}")
}

/// A request that would reach the provider, were it run; to be put behind one that must end the connection.
pub(crate) fn hidden() -> String {
    let body = chat("smuggled").to_string();
    let length = format!("content-length: {}", body.len());
    let headers = ["host: localhost", "content-type: application/json", &length];
    request(&format!("POST {COMPLETIONS}"), &headers, &body)
}
