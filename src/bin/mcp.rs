//! The command-line client of a running gateway: `mcp chat …`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ai_mcp_gateway::cli::main()
}
