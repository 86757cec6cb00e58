//! The server: its options, and an application for each of its workers.
//!
//! It is put together from actix-server and actix-http, not by `HttpServer`, since that one lets nobody look at a
//! request before `100 Continue` is sent, nor wrap the connection.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_http::{HttpService, KeepAlive};
use actix_rt::net::TcpStream;
use actix_server::{GracefulShutdownSignal, Server};
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::AppConfig;
use actix_web::middleware::Condition;
use actix_web::{App, web};
use tracing::Level;
use tracing_actix_web::TracingLogger;

use super::connection::Connection;
use super::middleware::{GatewaySpan, before_continue};
use super::pipeline::RequestPipeline;
use super::routes;
use super::shared::{Edge, Shared};
use crate::config::HttpSettings;

/// How long a client may take to close its side of a connection that is being closed.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// Registers every route for one worker.
pub fn configure(config: &mut web::ServiceConfig, edge: Edge) {
    config.app_data(edge);
    routes::register(config);
}

/// Binds the server and says where it listens; it serves once the returned server is awaited or spawned.
///
/// `pipelines` gives the pipeline of the cell that belongs to the calling thread. It is called on each worker's thread,
/// possibly more than once. `shutdown_timeout` is how long a graceful stop waits for the connections that are left, in
/// whole seconds.
///
/// # Errors
/// When the address cannot be bound, or is no loopback address although there is no admin key.
pub fn bind<F, P>(shared: &Arc<Shared>, shutdown_timeout: Duration, pipelines: F) -> io::Result<(Server, SocketAddr)>
where
    F: Fn() -> P + Send + Clone + 'static,
    P: RequestPipeline + 'static,
{
    let settings = &shared.settings;
    if !shared.auth.has_admin_key() && !settings.host.to_canonical().is_loopback() {
        let message = "without GATEWAY_ADMIN_KEY only a loopback address may be bound";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let listener = listen(SocketAddr::new(settings.host, settings.port))?;
    let address = listener.local_addr()?;
    let server = Server::build()
        .workers(settings.workers)
        .max_concurrent_connections(settings.max_connections)
        .disable_signals()
        .shutdown_timeout(shutdown_timeout.as_secs());
    let stopping = server.graceful_shutdown_signal();
    let for_workers = Arc::clone(shared);
    let server = server.listen("http", listener, move || {
        let edge = Edge::new(pipelines(), Arc::clone(&for_workers));
        connections(edge, Arc::clone(&for_workers), stopping.clone())
    })?;
    Ok((server.run(), address))
}

/// A port that was in use a moment ago can be had again at once.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// What a worker does with its connections.
fn connections(
    edge: Edge,
    shared: Arc<Shared>,
    stopping: GracefulShutdownSignal,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = actix_http::error::DispatchError, InitError = ()>
{
    // The logger costs 0.35 us for each request even while its span is off (the whole edge costs 3.4 us), so it is
    // there only where somebody looks at spans.
    let spans = Condition::new(tracing::enabled!(Level::DEBUG), TracingLogger::<GatewaySpan>::new());
    let app = App::new()
        .wrap(spans)
        .configure(|config| configure(config, edge))
        .into_factory()
        .map_err(|error| error.error_response());
    let (for_expect, settings) = (Arc::clone(&shared), &shared.settings);
    let http = HttpService::build()
        .graceful_shutdown_signal(move || {
            let stopping = stopping.clone();
            async move { stopping.notified().await }
        })
        .keep_alive(keep_alive(settings.keep_alive))
        .client_request_timeout(settings.head_timeout)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        // A client that has gone is noticed while its answer is still being made.
        .h1_allow_half_closed(false)
        .on_connect_ext(|connection: &Connection, extensions| {
            extensions.insert(connection.traffic());
        })
        .expect(fn_service(move |request| {
            let shared = Arc::clone(&for_expect);
            async move { before_continue(request, &shared).await }
        }))
        .h1(map_config(app, |()| AppConfig::default()));
    let accepted = fn_service(move |stream: TcpStream| std::future::ready(Ok(accept(stream, &shared.settings))));
    accepted.and_then(http)
}

/// Begins with a connection that has come, and says from where it did.
pub(super) fn accept(stream: TcpStream, settings: &HttpSettings) -> (Connection, Option<SocketAddr>) {
    // Without it each event of a stream waits for the acknowledgement of the one before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection ended before it began");
    }
    let peer = stream.peer_addr().ok();
    (Connection::new(stream, settings), peer)
}

fn keep_alive(setting: Duration) -> KeepAlive {
    if setting.is_zero() {
        KeepAlive::Disabled
    } else {
        KeepAlive::Timeout(setting)
    }
}
