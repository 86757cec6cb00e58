//! The HTTP clients of a worker.

use std::sync::Arc;
use std::time::Duration;

use actix_rt::net::TcpStream;
use actix_service::{Service, ServiceExt as _};
use actix_tls::connect::rustls_0_23::webpki_roots_cert_store;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection, Connector as TcpConnector, Resolver};
use awc::http::Uri;
use awc::{Client, Connector};
use rustls::ClientConfig;
use rustls::crypto::{CryptoProvider, ring};

use super::BuildError;

/// How long a connection may stay unused.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// How long a connection may be used in all, so that a change of address is noticed.
const LIFETIME: Duration = Duration::from_secs(3600);

/// The clients of one worker: one for each connect timeout in use, since that belongs to a client; nearly always one.
#[derive(Default)]
pub(super) struct Clients {
    tls: Option<Arc<ClientConfig>>,
    clients: Vec<(Duration, Client)>,
}

impl Clients {
    /// The client whose connections must be made within this time (name and TCP; TLS has as much again).
    pub(super) fn with_connect_timeout(&mut self, timeout: Duration) -> Result<Client, BuildError> {
        if let Some((_, client)) = self.clients.iter().find(|(known, _)| *known == timeout) {
            return Ok(client.clone());
        }
        let tls = match &self.tls {
            Some(tls) => Arc::clone(tls),
            None => Arc::clone(self.tls.insert(tls_config()?)),
        };
        let client = build(tls, timeout);
        self.clients.push((timeout, client.clone()));
        Ok(client)
    }
}

/// HTTP/1.1 over rustls, with the roots that browsers trust.
fn tls_config() -> Result<Arc<ClientConfig>, BuildError> {
    // awc's connector asks for the process's default provider before it can be given a configuration. Another part of
    // the process may have installed the same one already.
    if CryptoProvider::get_default().is_none() {
        let _already_installed = ring::default_provider().install_default();
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(webpki_roots_cert_store())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Resolves names and connects with TCP_NODELAY, which awc does not set: without it the end of a request can wait 40 ms
/// for the peer's acknowledgement.
fn tcp_connector()
-> impl Service<ConnectInfo<Uri>, Response = Connection<Uri, TcpStream>, Error = ConnectError> + Clone + 'static {
    let connector = TcpConnector::new(Resolver::default()).service();
    connector.map(|connection: Connection<Uri, TcpStream>| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection to a provider stays without TCP_NODELAY");
        }
        connection
    })
}

fn build(tls: Arc<ClientConfig>, timeout: Duration) -> Client {
    let connector = Connector::new()
        .connector(tcp_connector())
        .rustls_0_23(tls)
        .timeout(timeout)
        .handshake_timeout(timeout)
        // Calls under way are bounded by the leases of the provider's actor.
        .limit(0)
        .conn_keep_alive(KEEP_ALIVE)
        .conn_lifetime(LIFETIME);
    Client::builder()
        .connector(connector)
        .no_default_headers()
        .disable_redirects()
        // Our own watchdog has one timer for the whole call.
        .disable_timeout()
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[actix_web::test]
    async fn connections_have_tcp_nodelay() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri: Uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let connection = tcp_connector().call(ConnectInfo::new(uri)).await.unwrap();
        assert!(connection.nodelay().unwrap());
    }

    #[actix_web::test]
    async fn providers_with_the_same_connect_timeout_share_a_client() {
        let mut clients = Clients::default();
        for seconds in [3, 3, 5] {
            clients.with_connect_timeout(Duration::from_secs(seconds)).unwrap();
        }
        assert_eq!(clients.clients.len(), 2);
    }
}
