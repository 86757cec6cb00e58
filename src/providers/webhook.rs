//! Posts events to an operator's webhook.

use std::fmt;
use std::time::Duration;

use awc::http::StatusCode;
use awc::http::header::{CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use futures_core::future::LocalBoxFuture;
use tokio::time::timeout;
use url::{Position, Url};

use super::BuildError;
use super::client::{Client, Clients, ConnectionKind};
use crate::alerts::{Delivery, Undelivered, Webhook};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a delivery may take, connection included.
const TOTAL: Duration = Duration::from_secs(10);

/// The address of a webhook and the way to it. Stays on the thread that made it.
pub struct WebhookClient {
    client: Client,
    address: Url,
    host: String,
}

impl WebhookClient {
    /// Prepares the way to this address, on the thread that will take it.
    ///
    /// # Errors
    /// TLS that cannot be set up.
    pub fn new(address: &Url) -> Result<Self, BuildError> {
        let tls = address.scheme() == "https";
        let client = Clients::default().with(ConnectionKind { timeout: CONNECT, tls })?;
        let host = address[Position::BeforeHost..Position::AfterPort].to_owned();
        let mut address = address.clone();
        // The client's connections have the TLS: to it every address is one of plain HTTP.
        let port = address.port_or_known_default();
        if address.set_scheme("http").is_ok() {
            let _has_a_host = address.set_port(port);
        }
        Ok(Self { client, address, host })
    }

    async fn post(&self, delivery: Delivery) -> Result<(), Undelivered> {
        let mut request = self
            .client
            .post(self.address.as_str())
            .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")))
            .insert_header((
                USER_AGENT,
                HeaderValue::from_static(concat!("ai-mcp-gateway/", env!("CARGO_PKG_VERSION"))),
            ))
            .insert_header((HOST, self.host.as_str()))
            .no_decompress();
        for (name, value) in delivery.headers {
            request = request.insert_header((name, value));
        }
        let answer = timeout(TOTAL, request.send_body(delivery.body));
        let answer = answer.await.map_err(|_elapsed| Undelivered::NoAnswer)?;
        // Dropped with its body unread, the answer closes its connection.
        match answer.map_err(|_broken| Undelivered::NoAnswer)?.status() {
            status if status.is_success() => Ok(()),
            status => Err(Undelivered::Status(StatusCode::as_u16(&status))),
        }
    }
}

impl Webhook for WebhookClient {
    fn deliver(&self, delivery: Delivery) -> LocalBoxFuture<'_, Result<(), Undelivered>> {
        Box::pin(self.post(delivery))
    }
}

impl fmt::Debug for WebhookClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The rest of the address may be a secret.
        f.debug_struct("WebhookClient")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}
