//! All settings, and how they are loaded.

use std::sync::Arc;

use gateway_actors::protocol::{Catalogue, Model};
use toml::de::{DeTable, DeValue};

use super::alerts::{AlertSettings, WrittenAlerts};
use super::auth::AuthSettings;
use super::breaker::BreakerSettings;
use super::budget::BudgetSettings;
use super::builtin::Builtins;
use super::catalogue::{Parts, assemble};
use super::cost::CostSettings;
use super::document::Document;
use super::drain::{DrainSettings, WrittenDrain};
use super::http::HttpSettings;
use super::idempotency::IdempotencySettings;
use super::log::LogSettings;
use super::models::{WrittenAlias, WrittenModel, read_aliases, read_model};
use super::openrouter::OpenRouterSettings;
use super::problem::{Problem, Problems, Report};
use super::provider::ProviderSettings;
use super::providers::Providers;
use super::reader::{Environment, Reader, shown_key, unknown_in_order, unknown_key};
use super::responses::ResponsesSettings;
use super::routing::{FailoverSettings, RoutingSettings, WrittenLists};
use super::sources::Sources;
use super::store::{RedisSettings, StoreSettings, WrittenStore};
use super::unsupported;

/// The defaults that come with the gateway.
const SHIPPED: [(&str, &str); 2] = [
    ("config/gateway.toml", include_str!("../../config/gateway.toml")),
    ("config/models.toml", include_str!("../../config/models.toml")),
];

/// Everything that can be set. Its debug output shows no secret.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the gateway listens and how much it takes on.
    pub http: HttpSettings,
    /// The gateway's own keys.
    pub auth: AuthSettings,
    /// Layers and preferred models.
    pub routing: RoutingSettings,
    /// When a failing model is left alone.
    pub breaker: BreakerSettings,
    /// What follows a failed call.
    pub failover: FailoverSettings,
    /// How the gateway stops.
    pub drain: DrainSettings,
    /// The database and the gateway's files.
    pub store: StoreSettings,
    /// The cache that replicas share.
    pub redis: RedisSettings,
    /// Answers that later requests may go on from.
    pub responses: ResponsesSettings,
    /// How budgets are kept.
    pub budget: BudgetSettings,
    /// Answers to requests with an idempotency key.
    pub idempotency: IdempotencySettings,
    /// What is said about money spent.
    pub cost: CostSettings,
    /// Who is told of events.
    pub alerts: AlertSettings,
    /// What is logged.
    pub log: LogSettings,
    /// OpenRouter's free models in the place of an empty layer L0.
    pub openrouter: OpenRouterSettings,
    /// The providers that exist, each name once. Some may lack their key ([`ProviderSettings::is_usable`]).
    pub providers: Vec<ProviderSettings>,
    /// The models of these providers.
    pub models: Vec<Model>,
    /// The same models as the snapshot that routing reads, with aliases and task lists.
    pub catalogue: Arc<Catalogue>,
}

/// Settings that can be served with, and what is worth saying about them.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// What has no effect or is probably not meant.
    pub warnings: Vec<Problem>,
}

impl Settings {
    /// Loads the settings: command line over environment over `.env` over the file of `--config` over the shipped
    /// files over built-in defaults. Touches neither files nor the process's environment.
    ///
    /// # Errors
    /// Every unknown key and every value that cannot be, of all sources at once.
    pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
        let mut report = Report::default();
        let environment = Environment::new(&sources.env, sources.dotenv.as_deref(), &mut report);
        let mut draft = Draft::new(sources.processors.get());
        let shipped = SHIPPED.map(|(name, text)| (name.to_owned(), text, true));
        let listed = sources.config_file.as_ref();
        let listed = listed.map(|(path, text)| (path.display().to_string(), text.as_str(), false));
        for (name, text, is_shipped) in shipped.into_iter().chain(listed) {
            if let Some(document) = Document::parse(name, text, is_shipped, &mut report) {
                draft.read_document(&document, &environment, &mut report);
            }
        }
        draft.read_variables(&mut Reader::of_environment(&environment, &mut report));
        draft.read_variables(&mut Reader::of_flags(&sources.overrides.flags(), &mut report));
        check_across(&draft, &mut report);
        if sources.listens {
            check_listening(&draft, &mut report);
        }
        let settings = draft.finish(&environment, &mut report);
        let warnings = report.into_result()?;
        Ok(Loaded { settings, warnings })
    }
}

/// The settings while the sources are read, lowest first.
struct Draft {
    http: HttpSettings,
    auth: AuthSettings,
    routing: RoutingSettings,
    lists: WrittenLists,
    breaker: BreakerSettings,
    failover: FailoverSettings,
    drain: WrittenDrain,
    store: WrittenStore,
    redis: RedisSettings,
    responses: ResponsesSettings,
    budget: BudgetSettings,
    idempotency: IdempotencySettings,
    cost: CostSettings,
    alerts: WrittenAlerts,
    log: LogSettings,
    builtins: Builtins,
    providers: Providers,
    models: Vec<WrittenModel>,
    aliases: Vec<WrittenAlias>,
}

/// A table of settings and what reads it, whether from a file, the environment or the command line.
type Section = (&'static str, fn(&mut Draft, &mut Reader<'_>));

const SECTIONS: [Section; 17] = [
    ("http", |draft, reader| draft.http.read(reader)),
    ("auth", |draft, reader| draft.auth.read(reader)),
    ("routing", |draft, reader| draft.routing.read(&mut draft.lists, reader)),
    ("breaker", |draft, reader| draft.breaker.read(reader)),
    ("failover", |draft, reader| draft.failover.read(reader)),
    ("drain", |draft, reader| draft.drain.read(reader)),
    ("store", |draft, reader| draft.store.read(reader)),
    ("redis", |draft, reader| draft.redis.read(reader)),
    ("responses", |draft, reader| draft.responses.read(reader)),
    ("budget", |draft, reader| draft.budget.read(reader)),
    ("idempotency", |draft, reader| draft.idempotency.read(reader)),
    ("cost", |draft, reader| draft.cost.read(reader)),
    ("alerts", |draft, reader| draft.alerts.read(reader)),
    ("log", |draft, reader| draft.log.read(reader)),
    ("openrouter", |draft, reader| draft.builtins.read_openrouter(reader)),
    ("oss", |draft, reader| draft.builtins.read_oss(reader)),
    ("simulator", |draft, reader| draft.builtins.read_simulator(reader)),
];

impl Draft {
    fn new(processors: usize) -> Self {
        Self {
            http: HttpSettings::on(processors),
            auth: AuthSettings::default(),
            routing: RoutingSettings::default(),
            lists: WrittenLists::new(),
            breaker: BreakerSettings::default(),
            failover: FailoverSettings::default(),
            drain: WrittenDrain::default(),
            store: WrittenStore::default(),
            redis: RedisSettings::default(),
            responses: ResponsesSettings::default(),
            budget: BudgetSettings::default(),
            idempotency: IdempotencySettings::default(),
            cost: CostSettings::default(),
            alerts: WrittenAlerts::default(),
            log: LogSettings::default(),
            builtins: Builtins::default(),
            providers: Providers::default(),
            models: Vec::new(),
            aliases: Vec::new(),
        }
    }

    /// Reads a file over what was read before.
    fn read_document(&mut self, document: &Document<'_>, environment: &Environment, report: &mut Report) {
        let root = document.root();
        for (name, read) in SECTIONS {
            let Some((key, value)) = root.get_key_value(name) else {
                continue;
            };
            match value.get_ref() {
                DeValue::Table(table) => {
                    let mut reader = Reader::of_table(document, name, table, report);
                    read(self, &mut reader);
                    reader.finish();
                }
                _ => report.problem(
                    document.place(key.span(), name),
                    format!("must be a table: write [{name}]"),
                ),
            }
        }
        self.read_lists(document, environment, report);
        let mut known: Vec<&'static str> = SECTIONS.map(|(name, _)| name).to_vec();
        known.extend(["providers", "models", "aliases"]);
        for name in unknown_in_order(root, &known) {
            let place = document.place(name.span(), &shown_key(name.get_ref()));
            report.problem(place, unknown_key(name.get_ref(), &known));
        }
    }

    fn read_lists(&mut self, document: &Document<'_>, environment: &Environment, report: &mut Report) {
        for (index, table) in entries(document, "providers", report) {
            let path = path_of("providers", index, "name", table);
            let mut reader = Reader::of_table(document, path, table, report);
            self.providers.read(&mut reader, environment);
            reader.finish();
        }
        if document.root().contains_key("models") {
            // A catalogue replaces the one before it, and the aliases that are made for it: a mixture would route to
            // models nobody listed together.
            self.models.clear();
            self.aliases.clear();
        }
        for (index, table) in entries(document, "models", report) {
            let path = path_of("models", index, "id", table);
            let mut reader = Reader::of_table(document, path, table, report);
            self.models.push(read_model(&mut reader));
            reader.finish();
        }
        if let Some((key, value)) = document.root().get_key_value("aliases") {
            match value.get_ref() {
                DeValue::Table(table) => self.aliases.extend(read_aliases(document, table, report)),
                _ => report.problem(
                    document.place(key.span(), "aliases"),
                    "must be a table: write [aliases]",
                ),
            }
        }
    }

    /// Reads the environment or the command line.
    fn read_variables(&mut self, reader: &mut Reader<'_>) {
        for (_, read) in SECTIONS {
            read(self, reader);
        }
        self.builtins.vendors.read(reader);
    }

    /// Resolves defaults that depend on other settings and checks names that lead from one to another.
    fn finish(self, environment: &Environment, report: &mut Report) -> Settings {
        let providers = self.providers.complete(&self.builtins, &self.http, environment, report);
        let parts = Parts {
            models: self.models,
            aliases: self.aliases,
            lists: self.lists,
        };
        let assembled = assemble(parts, &self.builtins, &providers, report);
        self.routing.check_rater(&assembled.catalogue, report);
        let mut settings = Settings {
            drain: self.drain.resolve(self.http.is_loopback()),
            http: self.http,
            auth: self.auth,
            routing: RoutingSettings {
                task_lists: assembled.task_lists,
                ..self.routing
            },
            breaker: self.breaker,
            failover: self.failover,
            store: self.store.resolve(environment, report),
            redis: self.redis,
            responses: self.responses,
            budget: self.budget,
            idempotency: self.idempotency,
            cost: self.cost,
            alerts: self.alerts.resolve(environment, report),
            log: self.log,
            openrouter: self.builtins.openrouter,
            providers: Vec::new(),
            models: assembled.models,
            catalogue: assembled.catalogue,
        };
        unsupported::check(&settings, environment, report);
        settings.providers = providers.into_settings();
        settings
    }
}

/// What only a process that listens needs.
fn check_listening(draft: &Draft, report: &mut Report) {
    if draft.auth.admin_key.is_none() && !draft.http.is_loopback() {
        report.problem(
            "http.host (API_HOST, --host)",
            "without GATEWAY_ADMIN_KEY only a loopback address is served: set GATEWAY_ADMIN_KEY (at least 32 bytes; \
             make one with `openssl rand -hex 32`) or listen at 127.0.0.1",
        );
    }
}

/// What no setting shows by itself.
fn check_across(draft: &Draft, report: &mut Report) {
    if draft.routing.default_layer > draft.routing.max_escalation_layer {
        report.problem(
            "routing.default_layer (DEFAULT_LAYER)",
            format!(
                "must not be above max_escalation_layer (MAX_ESCALATION_LAYER), which is {}",
                draft.routing.max_escalation_layer
            ),
        );
    }
    if draft.breaker.open_base > draft.breaker.open_cap {
        report.problem("breaker.open_base_ms", "must be at most open_cap_ms");
    }
}

/// The entries of an array of tables; anything else is reported.
fn entries<'d, 'a>(
    document: &'d Document<'a>,
    name: &'static str,
    report: &mut Report,
) -> Vec<(usize, &'d DeTable<'a>)> {
    let Some((key, value)) = document.root().get_key_value(name) else {
        return Vec::new();
    };
    let mut tables = Vec::new();
    let items = match value.get_ref() {
        DeValue::Array(items) => items.iter().collect(),
        _ => vec![value],
    };
    for (index, item) in items.into_iter().enumerate() {
        match item.get_ref() {
            DeValue::Table(table) if value.get_ref().is_array() => tables.push((index, table)),
            _ => report.problem(
                document.place(key.span(), name),
                format!("must be a list of tables: write [[{name}]] before each"),
            ),
        }
    }
    tables
}

/// How messages call an entry: by its name where it has a plain one, else by its place in the list, from 1.
fn path_of(list: &str, index: usize, name_key: &str, table: &DeTable<'_>) -> String {
    match table.get(name_key).and_then(|name| name.get_ref().as_str()) {
        Some(name) => format!("{list}.{}", shown_key(name)),
        None => format!("{list}[{}]", index + 1),
    }
}
