//! The gateway's command line: `ai-mcp-gateway serve | mcp | migrate | keys | budgets | audit | reprice | eval |
//! calibrate | check-config`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use ai_mcp_gateway::config::{Loaded, Overrides, Problems, Settings, Sources};
use ai_mcp_gateway::reload::Reloader;
use ai_mcp_gateway::{commands, startup, telemetry};
use clap::{Args, Parser, Subcommand};

/// Most of a request's allocations are small and short-lived; this allocator makes them for half of what the system's
/// asks (`docs/performance.md`).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// For settings of a process that listens at an address, as `serve` alone does.
const LISTENS: bool = true;

/// Settings that stop the start (`EX_CONFIG` of sysexits.h).
const BAD_SETTINGS: u8 = 78;

const EXAMPLES: &str = "\
Examples:
  ai-mcp-gateway serve --simulator          try it out: scripted answers, no key needed
  OPENROUTER_API_KEY=… ai-mcp-gateway serve  the shipped catalogue over OpenRouter
  ai-mcp-gateway serve --config my.toml      your own providers and models
  ai-mcp-gateway mcp --simulator            an MCP server on stdin and stdout, for a desktop client
  ai-mcp-gateway check-config --config my.toml
  ai-mcp-gateway migrate                     create or upgrade the database and stop

Ask it:
  curl -s http://127.0.0.1:3000/v1/route -H 'content-type: application/json' -d '{\"message\":\"hello\"}'";

/// One gateway between programs and many language models.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves HTTP until SIGTERM or SIGINT. Reads models and prices again on SIGHUP, and when the file of --config changes.
    Serve(SettingArgs),
    /// Serves one MCP client over stdin and stdout, until its input ends. Desktop clients start it; `serve` need not run.
    Mcp(SettingArgs),
    /// Creates or upgrades the database, then ends. With --from, moves another database's data into it first; with
    /// --journal, stores what a journal folder holds.
    Migrate(MigrateArgs),
    /// Makes, lists, shows, limits, rotates and revokes virtual keys in the database; a gateway may be running on it.
    Keys(KeysArgs),
    /// Sets, shows, lists and deletes budgets in the database; a gateway may be running on it.
    Budgets(BudgetsArgs),
    /// Proves the books: the ledger, the budgets, the slices and the call records must agree. Ends with 0 if they do, with 1
    /// if they do not, after telling of each difference. Gateways may run meanwhile.
    Audit(AuditArgs),
    /// Applies the catalogue's present prices to call records that were made at others, and corrects the budgets that paid for
    /// them. Stopped at any point it can be run again.
    Reprice(RepriceArgs),
    /// Measures how well the gateway would have chosen models for recorded questions, and at what cost. Calls no provider.
    Eval(commands::EvalArgs),
    /// Fits the calibration's layers and models to the outcomes in the database, and tells what would change; with --apply
    /// it applies.
    Calibrate(CalibrateCommand),
    /// Prints every problem of the settings, then ends: with 0 if there is none, else with 78.
    CheckConfig(SettingArgs),
}

#[derive(Debug, Args)]
struct KeysArgs {
    #[command(flatten)]
    settings: SettingArgs,
    /// Answers in JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: commands::KeysCommand,
}

#[derive(Debug, Args)]
struct BudgetsArgs {
    #[command(flatten)]
    settings: SettingArgs,
    /// Answers in JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: commands::BudgetsCommand,
}

#[derive(Debug, Args)]
struct MigrateArgs {
    #[command(flatten)]
    settings: SettingArgs,
    /// Moves the data of this database (sqlite:PATH); the gateway that uses it must be stopped.
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// Where to (postgres://…); DATABASE_URL if it is not given, which keeps the password off the command line.
    #[arg(long, value_name = "URL", requires = "from")]
    to: Option<String>,
    /// Stores the call records that dead processes left in this folder below `journal/`, which may be another
    /// database's; no gateway may run on it.
    #[arg(long, value_name = "FOLDER", conflicts_with = "from")]
    journal: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct AuditArgs {
    #[command(flatten)]
    settings: SettingArgs,
    /// Tells it as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct RepriceArgs {
    #[command(flatten)]
    settings: SettingArgs,
    /// Calls that were sent then or later: a date (its midnight in UTC) or a time such as 2026-11-29T12:00:00Z.
    #[arg(long, value_name = "DATE")]
    since: String,
    /// Calls that were sent before then.
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
    /// Calls of this model only.
    #[arg(long, value_name = "ID")]
    model: Option<String>,
    /// Tells what would change, and changes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Tells it as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct CalibrateCommand {
    #[command(flatten)]
    settings: SettingArgs,
    #[command(flatten)]
    order: commands::CalibrateArgs,
}

#[derive(Debug, Clone, Args)]
struct SettingArgs {
    /// A TOML file with settings, over the shipped defaults.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The address to listen at (`API_HOST`).
    #[arg(long, global = true)]
    host: Option<String>,
    /// The port to listen at, 0 for any free one (`API_PORT`).
    #[arg(long, global = true)]
    port: Option<String>,
    /// Worker threads (`GATEWAY_WORKERS`).
    #[arg(long, global = true)]
    workers: Option<String>,
    /// The folder for the database and the journal (`GATEWAY_DATA_DIR`).
    #[arg(long, global = true, value_name = "FOLDER")]
    data_dir: Option<String>,
    /// error, warn, info, debug or trace (`LOG_LEVEL`).
    #[arg(long, global = true)]
    log_level: Option<String>,
    /// text or json (`LOG_FORMAT`).
    #[arg(long, global = true)]
    log_format: Option<String>,
    /// Adds the built-in simulator: scripted answers on every layer.
    #[arg(long, global = true)]
    simulator: bool,
}

impl SettingArgs {
    /// Loads the settings for a process that listens, or for one that does not.
    fn load(&self, listens: bool) -> Result<Loaded, Problems> {
        let overrides = Overrides {
            host: self.host.clone(),
            port: self.port.clone(),
            workers: self.workers.clone(),
            data_dir: self.data_dir.clone(),
            log_level: self.log_level.clone(),
            log_format: self.log_format.clone(),
            simulator: self.simulator,
        };
        Settings::load(&Sources {
            listens,
            ..Sources::from_process(self.config.as_deref(), overrides)?
        })
    }

    /// Loads settings of the same sources again.
    fn reloader(&self, listens: bool) -> Reloader {
        let again = self.clone();
        Reloader::new(self.config.as_deref(), move || again.load(listens))
    }
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => {
            let reloader = args.reloader(LISTENS);
            with_settings(args.load(LISTENS), |settings| {
                startup::serve(settings, reloader).map_err(|error| (error.exit_code(), error.into()))
            })
        }
        Command::Mcp(args) => {
            let reloader = args.reloader(!LISTENS);
            with_settings(args.load(!LISTENS), |settings| {
                startup::mcp(settings, reloader).map_err(|error| (error.exit_code(), error.into()))
            })
        }
        Command::Migrate(MigrateArgs {
            settings,
            from: Some(from),
            to,
            ..
        }) => with_settings(settings.load(!LISTENS), |settings| {
            let moved = commands::move_data(settings, &from, to.as_deref());
            for table in moved.map_err(|error| (error.exit_code(), error.into()))? {
                say(&format!(
                    "{}: {} rows, {} copied now",
                    table.table, table.rows, table.copied
                ));
            }
            say("everything is in the new database");
            Ok(())
        }),
        Command::Migrate(MigrateArgs {
            settings,
            journal: Some(folder),
            ..
        }) => with_settings(settings.load(!LISTENS), |settings| {
            let stored = commands::bring_in(settings, &folder);
            let stored = stored.map_err(|error| (error.exit_code(), error.into()))?;
            say(&format!("{stored} call records of the journal are in the database"));
            Ok(())
        }),
        Command::Migrate(args) => with_settings(args.settings.load(!LISTENS), |settings| {
            let opened = startup::open_store(settings).map_err(startup::ServeError::from);
            let store = opened.map_err(|error| (error.exit_code(), error.into()))?;
            store.shutdown(std::time::Duration::from_secs(5));
            say("the database is up to date");
            Ok(())
        }),
        Command::Keys(KeysArgs {
            settings,
            json,
            command,
        }) => with_settings(settings.load(!LISTENS), |settings| {
            answer(commands::keys(settings, command, json))
        }),
        Command::Budgets(BudgetsArgs {
            settings,
            json,
            command,
        }) => with_settings(settings.load(!LISTENS), |settings| {
            answer(commands::budgets(settings, command, json))
        }),
        Command::Audit(AuditArgs { settings, json }) => with_settings(settings.load(!LISTENS), |settings| {
            commands::audit(settings, json, say).map_err(|error| (error.exit_code(), error.into()))
        }),
        Command::Reprice(args) => {
            let order = commands::RepriceOrder {
                since: args.since,
                until: args.until,
                model: args.model,
                dry_run: args.dry_run,
                as_json: args.json,
            };
            with_settings(args.settings.load(!LISTENS), |settings| {
                commands::reprice(settings, &order, say).map_err(|error| (error.exit_code(), error.into()))
            })
        }
        Command::Eval(args) => match commands::eval(&args, say) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(&format!("ai-mcp-gateway: {error:#}"));
                ExitCode::from(error.exit_code())
            }
        },
        Command::Calibrate(CalibrateCommand { settings, order }) => {
            with_settings(settings.load(!LISTENS), |settings| {
                commands::calibrate(settings, &order, say).map_err(|error| (error.exit_code(), error.into()))
            })
        }
        Command::CheckConfig(args) => check_config(args.load(LISTENS)),
    }
}

/// Says what a command that administers answered.
fn answer(said: Result<String, commands::AdminError>) -> Result<(), (u8, anyhow::Error)> {
    let said = said.map_err(|error| (error.exit_code(), error.into()))?;
    if !said.is_empty() {
        say(&said);
    }
    Ok(())
}

/// Says whether `serve` would start with the settings, as far as can be told without the database.
fn check_config(loaded: Result<Loaded, Problems>) -> ExitCode {
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(problems) => {
            complain(&problems.to_string());
            return ExitCode::from(BAD_SETTINGS);
        }
    };
    for warning in &loaded.warnings {
        complain(&format!("warning: {warning}"));
    }
    let settings = &loaded.settings;
    let trouble = startup::check_store(settings).err().map(|error| error.to_string());
    let trouble = trouble.or_else(|| startup::calibration(settings).err().map(|error| error.to_string()));
    if let Some(trouble) = trouble {
        complain(&format!("1 problem in the settings:\n  {trouble}"));
        return ExitCode::from(BAD_SETTINGS);
    }
    say("the settings are good");
    ExitCode::SUCCESS
}

fn with_settings(
    loaded: Result<Loaded, Problems>,
    work: impl FnOnce(&Settings) -> Result<(), (u8, anyhow::Error)>,
) -> ExitCode {
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(problems) => {
            complain(&problems.to_string());
            return ExitCode::from(BAD_SETTINGS);
        }
    };
    telemetry::init(&loaded.settings.log);
    for warning in &loaded.warnings {
        tracing::warn!(place = warning.place, "{}", warning.message);
    }
    match work(&loaded.settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, error)) => {
            complain(&format!("ai-mcp-gateway: {error:#}"));
            ExitCode::from(code)
        }
    }
}

/// Says something on stdout. A reader that has gone is no reason to fail.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Says something on stderr.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_does_not_contradict_itself() {
        Cli::command().debug_assert();
    }
}
