//! `mcp ready`: whether the gateway takes requests now, for scripts and health checks of containers.

use clap::Args;
use serde::Deserialize;

use super::error::CliError;
use super::gateway::{Gateway, GatewayArgs};
use super::output::say;

const PATH: &str = "/health/ready";

/// The arguments of `mcp ready`.
#[derive(Debug, Args)]
pub(super) struct ReadyArgs {
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// The answer of the readiness endpoint, with status 200 or 503.
#[derive(Debug, Deserialize)]
struct Readiness {
    ready: bool,
    reasons: Vec<String>,
}

/// Says `ready`, or fails with the gateway's reasons.
pub(super) async fn run(args: ReadyArgs) -> Result<(), CliError> {
    let gateway = Gateway::new(args.gateway)?;
    let answer = gateway.get(PATH).await?;
    let readiness: Readiness = gateway.read(&answer)?;
    if readiness.ready {
        return say("ready");
    }
    Err(CliError::NotReady {
        endpoint: gateway.endpoint().clone(),
        reasons: readiness.reasons.join(", "),
    })
}
