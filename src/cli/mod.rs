//! The `mcp` program, a client of a running gateway: one file for each command, and what all of them need.
//!
//! Exit codes: 0, or 1 when the gateway answered with an error, is not ready or broke off, 2 for a wrong command line or input, 69
//! when no gateway could be reached.

mod chat;
mod error;
mod gateway;
mod output;
mod ready;

use std::process::ExitCode;

use actix_rt::Runtime;
use clap::{Parser, Subcommand};

use self::error::CliError;

const EXAMPLES: &str = "\
Examples:
  mcp chat \"What is async/await?\"                   one question
  cat notes.txt | mcp chat                          what is piped in is the message
  mcp chat                                          a conversation, until Ctrl-D
  mcp chat --conversation conv-123 \"And in Rust?\"   goes on with an earlier one
  mcp chat --layer L1 --quality high \"…\"            who answers, and how well
  MCP_ENDPOINT=https://gateway.example mcp chat …   another gateway
  mcp ready                                         whether it takes requests now

The key, where the gateway wants one, is taken from GATEWAY_API_KEY, or else from GATEWAY_ADMIN_KEY.";

/// Talks to an AI MCP Gateway.
#[derive(Debug, Parser)]
#[command(name = "mcp", version, after_help = EXAMPLES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Asks a question, or holds a conversation.
    Chat(chat::ChatArgs),
    /// Tells whether the gateway takes requests now: ends with 0 if it does.
    Ready(ready::ReadyArgs),
}

/// Runs the command that the process was started with, and returns the code to end with.
pub fn main() -> ExitCode {
    let command = Cli::parse().command;
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&format!("mcp: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(command: Command) -> Result<(), CliError> {
    let runtime = Runtime::new().map_err(CliError::Runtime)?;
    match command {
        Command::Chat(args) => runtime.block_on(chat::run(args)),
        Command::Ready(args) => runtime.block_on(ready::run(args)),
    }
}
