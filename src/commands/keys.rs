//! `ai-mcp-gateway keys …` and `ai-mcp-gateway budgets …`: what `/v1/admin` does, straight in the database, whether a
//! gateway runs on it or not. One that does sees it within seconds, and a budget by the time that the command has ended.

use std::sync::Arc;

use clap::{Args, Subcommand};
use gateway_actors::protocol::{ErrorKind, GatewayError, KeyId, Scope};
use serde_json::{Map, Value, json};

use crate::admin::{
    Administration, KeyDraft, ShownBudget, ShownKey, ShownLimits, budget_rule, grace, key_change, limited_scope,
    rate_limits, scope,
};
use crate::budgets::AnnouncingBudgets;
use crate::config::Settings;
use crate::startup::{self, ServeError};

/// Keys that are read at once.
const PAGE: u32 = 500;
/// Budgets that are told of at most.
const MOST_BUDGETS: usize = 10_000;

/// What to do with virtual keys.
#[derive(Debug, Clone, Subcommand)]
pub enum KeysCommand {
    /// Makes a key and shows it, this once.
    Create(Box<CreateArgs>),
    /// Lists the keys, revoked and expired ones too.
    List,
    /// Shows what is known of a key, with its budget.
    Show {
        /// The key's id (key_…).
        id: String,
    },
    /// Refuses a key from now on, for ever.
    Revoke {
        /// The key's id (key_…).
        id: String,
    },
    /// Gives a key a new text and shows it, this once. All else about the key stays.
    Rotate {
        /// The key's id (key_…).
        id: String,
        /// For how many seconds the old text is still taken.
        #[arg(long, value_name = "SECONDS", default_value_t = 0)]
        grace: u32,
    },
    /// Shows how much a key, a project or a user may be used, or changes it.
    Limit(LimitArgs),
}

/// A new key.
#[derive(Debug, Clone, Args)]
pub struct CreateArgs {
    /// What people call it.
    name: String,
    /// The project that its calls belong to.
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// The user that its calls belong to.
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// user, operator (reads everything) or admin.
    #[arg(long)]
    role: Option<String>,
    /// The dearest layer that may answer: L0 to L3.
    #[arg(long, value_name = "LAYER")]
    max_layer: Option<String>,
    /// A model that may answer, by its name or a pattern such as `gpt-*`; may be given several times.
    #[arg(long = "model", value_name = "NAME")]
    models: Vec<String>,
    /// When it expires, for example 2027-01-31T00:00:00Z.
    #[arg(long, value_name = "MOMENT")]
    expires_at: Option<String>,
    #[command(flatten)]
    rates: RateArgs,
    /// What it may spend, in USD, for example 1.00.
    #[arg(long, value_name = "USD")]
    budget: Option<String>,
    /// How long that is for: total, daily, weekly or monthly.
    #[arg(long, requires = "budget", default_value = "total")]
    window: String,
    /// What happens when it is spent: refuse or free_only.
    #[arg(long, requires = "budget")]
    on_exhausted: Option<String>,
}

/// How much may be used.
#[derive(Debug, Clone, Args)]
pub(crate) struct RateArgs {
    /// Requests in a minute.
    #[arg(long)]
    rpm: Option<u32>,
    /// Tokens in a minute.
    #[arg(long)]
    tpm: Option<u64>,
    /// Requests at once.
    #[arg(long, value_name = "N")]
    max_concurrent: Option<u32>,
}

/// Whose use is limited, and how.
#[derive(Debug, Clone, Args)]
pub struct LimitArgs {
    /// A key's id (key_…), project:ID or user:ID.
    whose: String,
    #[command(flatten)]
    rates: RateArgs,
    /// Takes all its limits away.
    #[arg(long, conflicts_with_all = ["rpm", "tpm", "max_concurrent"])]
    none: bool,
}

/// What to do with budgets.
#[derive(Debug, Clone, Subcommand)]
pub enum BudgetsCommand {
    /// Sets a budget.
    Set(BudgetArgs),
    /// Shows a budget, and what is spent of it.
    Show {
        /// global, project:ID, user:ID, key:ID or conversation:ID.
        scope: String,
    },
    /// Lists the budgets.
    List,
    /// Deletes a budget; what was spent stays in the books.
    Delete {
        /// global, project:ID, user:ID, key:ID or conversation:ID.
        scope: String,
    },
}

/// A budget.
#[derive(Debug, Clone, Args)]
pub struct BudgetArgs {
    /// global, project:ID, user:ID, key:ID or conversation:ID.
    scope: String,
    /// What may be spent, in USD, for example 1.00.
    limit: String,
    /// How long that is for: total, daily, weekly or monthly.
    #[arg(long, default_value = "total")]
    window: String,
    /// What happens when it is spent: refuse or free_only.
    #[arg(long)]
    on_exhausted: Option<String>,
    /// The dearest layer that may answer: L0 to L3.
    #[arg(long, value_name = "LAYER")]
    max_layer: Option<String>,
    /// A part of it, in percent, whose spending is told of; may be given several times, ascending.
    #[arg(long = "alert", value_name = "PERCENT")]
    alerts: Vec<u8>,
}

/// Why a command did nothing.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The database did not open.
    #[error(transparent)]
    Open(#[from] ServeError),
    /// What was asked for is impossible, or the database refused.
    #[error(transparent)]
    Refused(#[from] GatewayError),
}

impl AdminError {
    /// The exit code, after `sysexits.h`.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Open(error) => error.exit_code(),
            Self::Refused(error) => match error.kind {
                ErrorKind::InvalidRequest | ErrorKind::NotFound => 64,
                _ => 69,
            },
        }
    }
}

/// What a command has to say: JSON for programs, lines for people.
#[derive(Debug)]
struct Said {
    json: Value,
    lines: Vec<String>,
}

impl Said {
    fn key(key: &ShownKey, more: &[&str]) -> Self {
        let mut lines = vec![key.line()];
        lines.extend(key.details());
        lines.extend(more.iter().map(ToString::to_string));
        Self { json: of(key), lines }
    }

    fn budget(budget: &ShownBudget) -> Self {
        Self {
            json: of(budget),
            lines: vec![budget.line()],
        }
    }

    fn limits(limits: &ShownLimits) -> Self {
        Self {
            json: of(limits),
            lines: vec![limits.line()],
        }
    }

    fn done(what: &str) -> Self {
        Self {
            json: json!({}),
            lines: vec![what.to_owned()],
        }
    }

    fn text(self, as_json: bool) -> String {
        match as_json {
            true => self.json.to_string(),
            false => self.lines.join("\n"),
        }
    }
}

fn of(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// Does something with virtual keys in the settings' database; the answer is what to print. Blocks.
///
/// # Errors
/// When the database does not open or does not answer, or something impossible is asked for.
pub fn keys(settings: &Settings, command: KeysCommand, as_json: bool) -> Result<String, AdminError> {
    let said = with_database(settings, async |admin| do_with_keys(admin, command).await)?;
    Ok(said.text(as_json))
}

/// Does something with budgets in the settings' database; the answer is what to print. Blocks.
///
/// # Errors
/// When the database does not open or does not answer, or something impossible is asked for.
pub fn budgets(settings: &Settings, command: BudgetsCommand, as_json: bool) -> Result<String, AdminError> {
    let said = with_database(settings, async |admin| do_with_budgets(admin, command).await)?;
    Ok(said.text(as_json))
}

fn with_database<T>(
    settings: &Settings,
    work: impl AsyncFnOnce(&Administration) -> Result<T, GatewayError>,
) -> Result<T, AdminError> {
    let store = startup::open_store(settings).map_err(ServeError::from)?;
    let budgets = AnnouncingBudgets::of_others(store.ledger());
    let admin = Administration::new(store.keys(), Arc::new(budgets), None);
    let result = store.block_on(work(&admin));
    store.shutdown(startup::STORE_SHUTDOWN);
    Ok(result?)
}

async fn do_with_keys(admin: &Administration, command: KeysCommand) -> Result<Said, GatewayError> {
    match command {
        KeysCommand::Create(args) => {
            let key = admin.create(KeyDraft::parse(&body(args.fields()))?).await?;
            Ok(Said::key(&key, &["the key is shown this once: keep it"]))
        }
        KeysCommand::List => {
            let mut keys = Vec::new();
            let mut after = None;
            loop {
                let page = admin.list(after.take(), PAGE).await?;
                after = page.last().and_then(|key| key.id().parse().ok());
                keys.extend(page);
                if after.is_none() {
                    break;
                }
            }
            Ok(Said {
                json: json!({ "keys": of(&keys) }),
                lines: keys.iter().map(ShownKey::line).collect(),
            })
        }
        KeysCommand::Show { id } => Ok(Said::key(&admin.get(&key_id(&id)?).await?, &[])),
        KeysCommand::Revoke { id } => Ok(Said::key(&admin.revoke(&key_id(&id)?).await?, &[])),
        KeysCommand::Rotate { id, grace: seconds } => {
            let grace = grace(&body([("graceSeconds", seconds.into())]))?;
            let key = admin.rotate(&key_id(&id)?, grace).await?;
            Ok(Said::key(&key, &["the key is shown this once: keep it"]))
        }
        KeysCommand::Limit(args) => limit(admin, &args).await,
    }
}

async fn limit(admin: &Administration, args: &LimitArgs) -> Result<Said, GatewayError> {
    let key = args.whose.strip_prefix("key:").unwrap_or(&args.whose);
    let rates = args.rates.fields();
    let nothing: Vec<(&'static str, Value)> = ["rpm", "tpm", "maxConcurrent"].map(|name| (name, Value::Null)).to_vec();
    if let Ok(id) = key.parse::<KeyId>() {
        let key = match (args.none, rates.is_empty()) {
            (true, _) => admin.update(&id, key_change(&body(nothing))?).await?,
            (false, true) => admin.get(&id).await?,
            (false, false) => admin.update(&id, key_change(&body(rates))?).await?,
        };
        return Ok(Said::key(&key, &[]));
    }
    let scope = limited_scope(&args.whose)?;
    if args.none {
        admin.delete_limits(scope).await?;
        return Ok(Said::done("it has no limits of its own any more"));
    }
    let limits = match rates.is_empty() {
        true => admin.limits(scope).await?,
        false => admin.set_limits(scope, rate_limits(&body(rates))?).await?,
    };
    Ok(Said::limits(&limits))
}

async fn do_with_budgets(admin: &Administration, command: BudgetsCommand) -> Result<Said, GatewayError> {
    match command {
        BudgetsCommand::Set(args) => {
            let of: Scope = scope(&args.scope)?;
            let rule = budget_rule(&body(args.fields()))?;
            Ok(Said::budget(&admin.set_budget(of, rule).await?))
        }
        BudgetsCommand::Show { scope: of } => Ok(Said::budget(&admin.budget(scope(&of)?).await?)),
        BudgetsCommand::List => {
            let budgets = admin.budgets(None, MOST_BUDGETS).await?;
            Ok(Said {
                json: json!({ "budgets": of(&budgets) }),
                lines: budgets.iter().map(ShownBudget::line).collect(),
            })
        }
        BudgetsCommand::Delete { scope: of } => {
            admin.delete_budget(scope(&of)?).await?;
            Ok(Said::done("it has no budget any more"))
        }
    }
}

/// The flags as the body that HTTP would get, so that the same rules hold.
fn body(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Vec<u8> {
    let fields: Map<String, Value> = fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Value::Object(fields).to_string().into_bytes()
}

fn given<T: Into<Value>>(fields: &mut Vec<(&'static str, Value)>, name: &'static str, value: Option<T>) {
    if let Some(value) = value {
        fields.push((name, value.into()));
    }
}

impl CreateArgs {
    fn fields(self) -> Vec<(&'static str, Value)> {
        let mut fields = vec![("name", self.name.into())];
        given(&mut fields, "projectId", self.project);
        given(&mut fields, "userId", self.user);
        given(&mut fields, "role", self.role);
        given(&mut fields, "maxLayer", self.max_layer);
        given(&mut fields, "models", (!self.models.is_empty()).then_some(self.models));
        given(&mut fields, "expiresAt", self.expires_at);
        fields.extend(self.rates.fields());
        if let Some(limit) = self.budget {
            let mut budget = vec![("limitUsd", limit.into()), ("window", self.window.into())];
            given(&mut budget, "onExhausted", self.on_exhausted);
            let budget: Map<String, Value> = budget
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect();
            fields.push(("budget", budget.into()));
        }
        fields
    }
}

impl RateArgs {
    fn fields(&self) -> Vec<(&'static str, Value)> {
        let mut fields = Vec::new();
        given(&mut fields, "rpm", self.rpm);
        given(&mut fields, "tpm", self.tpm);
        given(&mut fields, "maxConcurrent", self.max_concurrent);
        fields
    }
}

impl BudgetArgs {
    fn fields(self) -> Vec<(&'static str, Value)> {
        let mut fields = vec![("limitUsd", self.limit.into()), ("window", self.window.into())];
        given(&mut fields, "onExhausted", self.on_exhausted);
        given(&mut fields, "maxLayer", self.max_layer);
        given(
            &mut fields,
            "alertPercents",
            (!self.alerts.is_empty()).then_some(self.alerts),
        );
        fields
    }
}

fn key_id(text: &str) -> Result<KeyId, GatewayError> {
    text.parse()
        .map_err(|error| GatewayError::invalid("id", format!("{error}; `keys list` shows the ids")))
}
