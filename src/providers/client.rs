//! The HTTP clients of a worker.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_rt::net::{ActixStream, TcpStream};
use actix_service::{Service, ServiceExt as _};
use actix_tls::connect::rustls_0_23::reexports::AsyncTlsStream;
use actix_tls::connect::rustls_0_23::{TlsConnector, webpki_roots_cert_store};
use actix_tls::connect::{ConnectError, ConnectInfo, Connection, Connector as TcpConnector, Resolver};
use awc::http::Uri;
use awc::http::uri::Authority;
use awc::{Connector, FrozenClientRequest};
use rustls::ClientConfig;
use rustls::crypto::{CryptoProvider, ring};
use tokio::io::AsyncRead;

use super::BuildError;
use super::heads::PlainHeads;
use super::resting::Resting;
use super::wire::{Io, Lines, Open, Wire};

/// How long a connection may stay unused.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// How long a connection may be used in all, so that a change of address is noticed.
const LIFETIME: Duration = Duration::from_secs(3600);

/// What a client's connections are made of: they belong to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConnectionKind {
    /// The time within which one must be made: name, TCP and TLS together.
    pub(super) timeout: Duration,
    /// Whether it has TLS. The client itself does not know: its addresses all start with `http`.
    pub(super) tls: bool,
}

/// A client whose connections are of one kind: awc's, which builds requests, and the way that calls go.
#[derive(Clone)]
pub(super) struct Client {
    awc: awc::Client,
    open: Open,
    timeout: Duration,
    lines: Rc<RefCell<HashMap<Option<Authority>, Rc<Lines>>>>,
}

impl Client {
    /// The way of this request's calls. Requests to one address share connections.
    pub(super) fn wire(&self, request: &FrozenClientRequest) -> Wire {
        let address = request.get_uri();
        let mut lines = self.lines.borrow_mut();
        let lines = lines.entry(address.authority().cloned()).or_insert_with(|| {
            let (address, open) = (address.clone(), Rc::clone(&self.open));
            Lines::new(address, open, self.timeout, KEEP_ALIVE, LIFETIME)
        });
        Wire::new(request, Rc::clone(lines))
    }
}

impl Deref for Client {
    type Target = awc::Client;

    fn deref(&self) -> &awc::Client {
        &self.awc
    }
}

/// The clients of one worker: one for each kind of connection in use, nearly always two at most.
#[derive(Default)]
pub(super) struct Clients {
    tls: Option<Arc<ClientConfig>>,
    clients: Vec<(ConnectionKind, Client)>,
}

impl Clients {
    /// The client with connections of this kind.
    pub(super) fn with(&mut self, kind: ConnectionKind) -> Result<Client, BuildError> {
        if let Some((_, client)) = self.clients.iter().find(|(known, _)| *known == kind) {
            return Ok(client.clone());
        }
        // Also where no TLS is wanted: building a client asks for the process's default provider.
        let tls = match &self.tls {
            Some(tls) => Arc::clone(tls),
            None => Arc::clone(self.tls.insert(tls_config()?)),
        };
        let client = if kind.tls {
            build(tls_connector(tls), kind.timeout)
        } else {
            build(tcp_connector(), kind.timeout)
        };
        self.clients.push((kind, client.clone()));
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
fn tcp() -> impl Service<ConnectInfo<Uri>, Response = Connection<Uri, TcpStream>, Error = ConnectError> + Clone + 'static
{
    let connector = TcpConnector::new(Resolver::default()).service();
    connector.map(|connection: Connection<Uri, TcpStream>| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection to a provider stays without TCP_NODELAY");
        }
        connection
    })
}

/// A connection as the HTTP client has it.
type Plain<S> = Connection<Uri, PlainHeads<Resting<S>>>;

fn tcp_connector() -> impl Service<ConnectInfo<Uri>, Response = Plain<TcpStream>, Error = ConnectError> + Clone + 'static
{
    tcp().map(plain_heads)
}

/// TLS is made here and not by the HTTP client, so that interim answers can be taken out above it.
fn tls_connector(
    config: Arc<ClientConfig>,
) -> impl Service<ConnectInfo<Uri>, Response = Plain<AsyncTlsStream<TcpStream>>, Error = ConnectError> + Clone + 'static
{
    let tls = TlsConnector::service(config);
    tcp().and_then(move |connection: Connection<Uri, TcpStream>| {
        let made = tls.call(connection);
        async move { made.await.map(plain_heads).map_err(ConnectError::Io) }
    })
}

fn plain_heads<S: AsyncRead + Unpin + 'static>(connection: Connection<Uri, S>) -> Plain<S> {
    let (stream, connection) = connection.replace_io(());
    connection
        .replace_io(PlainHeads::new(Resting::new(stream, KEEP_ALIVE)))
        .1
}

fn build<C, S>(connector: C, timeout: Duration) -> Client
where
    C: Service<ConnectInfo<Uri>, Response = Connection<Uri, S>, Error = ConnectError> + Clone + 'static,
    S: ActixStream + fmt::Debug + 'static,
{
    let open = opener(connector.clone());
    let connector = Connector::new()
        .connector(connector)
        .timeout(timeout)
        // Calls under way are bounded by the leases of the provider's actor.
        .limit(0)
        .conn_keep_alive(KEEP_ALIVE)
        .conn_lifetime(LIFETIME);
    let awc = awc::Client::builder()
        .connector(connector)
        .no_default_headers()
        .disable_redirects()
        // Our own watchdog has one timer for the whole call.
        .disable_timeout()
        .finish();
    Client {
        awc,
        open,
        timeout,
        lines: Rc::default(),
    }
}

/// Makes connections without awc.
fn opener<C, S>(connector: C) -> Open
where
    C: Service<ConnectInfo<Uri>, Response = Connection<Uri, S>, Error = ConnectError> + 'static,
    S: ActixStream + 'static,
{
    Rc::new(move |address| {
        let made = connector.call(ConnectInfo::new(address));
        Box::pin(async move {
            let (io, _) = made.await?.into_parts();
            Ok(Box::new(io) as Box<dyn Io>)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::{ServerConfig, ServerConnection, StreamOwned};
    use std::io::{Read as _, Write as _};
    use tokio::net::TcpListener;

    #[actix_web::test]
    async fn connections_have_tcp_nodelay() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri: Uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let connection = tcp().call(ConnectInfo::new(uri)).await.unwrap();
        assert!(connection.nodelay().unwrap());
    }

    /// A TLS server on this machine that says 103 and then 200 to whoever accepts its certificate, and that certificate.
    fn tls_server() -> (u16, CertificateDer<'static>) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
                if stream.read(&mut [0; 4096]).is_ok() {
                    let answer = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            }
        });
        (port, certificate)
    }

    #[actix_web::test]
    async fn tls_is_made_with_servers_whose_certificate_is_good_and_with_no_others() {
        // awc asks for it when a client is built.
        tls_config().unwrap();
        let (port, certificate) = tls_server();
        let address = format!("http://localhost:{port}/");
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate).unwrap();
        let trusting = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = build(tls_connector(Arc::new(trusting)), Duration::from_secs(20));
        let mut response = client.get(&address).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.body().await.unwrap(), "ok");

        let kind = ConnectionKind {
            timeout: Duration::from_secs(20),
            tls: true,
        };
        let strict = Clients::default().with(kind).unwrap();
        let refused = strict.get(&address).send().await.unwrap_err();
        assert!(refused.to_string().to_lowercase().contains("certificate"), "{refused}");
    }

    #[actix_web::test]
    async fn providers_with_the_same_kind_of_connection_share_a_client() {
        let mut clients = Clients::default();
        for (seconds, tls) in [(3, true), (3, true), (5, true), (3, false)] {
            let timeout = Duration::from_secs(seconds);
            clients.with(ConnectionKind { timeout, tls }).unwrap();
        }
        assert_eq!(clients.clients.len(), 3);
    }
}
