//! The server: its options, and an application for each of its workers.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::http::KeepAlive;
use actix_web::middleware::Condition;
use actix_web::{App, HttpServer, web};
use tracing::Level;
use tracing_actix_web::TracingLogger;

use super::middleware::GatewaySpan;
use super::pipeline::RequestPipeline;
use super::routes;
use super::shared::{Edge, Shared};

/// How long a client may take to close its side of a connection that is being closed.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Registers every route for one worker.
pub fn configure(config: &mut web::ServiceConfig, edge: Edge) {
    config.app_data(edge);
    routes::register(config);
}

/// Binds the server and says where it listens; it serves once the returned server is awaited or spawned.
///
/// `pipelines` gives the pipeline of the cell that belongs to the calling thread. It is called on each worker's thread,
/// possibly more than once. `shutdown_timeout` is how long a graceful stop waits for the connections that are left.
///
/// # Errors
/// When the address cannot be bound, or is no loopback address although there is no admin key.
pub fn bind<F, P>(shared: &Arc<Shared>, shutdown_timeout: Duration, pipelines: F) -> io::Result<(Server, SocketAddr)>
where
    F: Fn() -> P + Send + Clone + 'static,
    P: RequestPipeline + 'static,
{
    let settings = &shared.settings;
    if shared.admin_key.is_none() && !settings.host.to_canonical().is_loopback() {
        let message = "without GATEWAY_ADMIN_KEY only a loopback address may be bound";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let for_workers = Arc::clone(shared);
    let server = HttpServer::new(move || {
        let edge = Edge::new(pipelines(), Arc::clone(&for_workers));
        // The logger costs 0.35 us for each request even while its span is off (the whole edge costs 3.4 us), so it is
        // there only where somebody looks at spans.
        App::new()
            .wrap(Condition::new(
                tracing::enabled!(Level::DEBUG),
                TracingLogger::<GatewaySpan>::new(),
            ))
            .configure(|config| configure(config, edge))
    })
    .workers(settings.workers)
    .max_connections(settings.max_connections)
    .keep_alive(keep_alive(settings.keep_alive))
    .client_request_timeout(settings.head_timeout)
    .client_disconnect_timeout(DISCONNECT_TIMEOUT)
    // Without it each event of a stream waits for the acknowledgement of the one before.
    .tcp_nodelay(true)
    // A client that has gone is noticed while its answer is still being made.
    .h1_allow_half_closed(false)
    .disable_signals()
    .shutdown_timeout(shutdown_timeout.as_secs())
    .bind((settings.host, settings.port))?;
    let address = server.addrs().first().copied();
    let address = address.ok_or_else(|| io::Error::other("the server is bound to no address"))?;
    Ok((server.run(), address))
}

fn keep_alive(setting: Duration) -> KeepAlive {
    if setting.is_zero() {
        KeepAlive::Disabled
    } else {
        KeepAlive::Timeout(setting)
    }
}
