//! `[routing]` and `[failover]`: which layers may answer, which models are preferred, and what follows a failed call.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use gateway_actors::protocol::{Catalogue, Layer, PanelUse, SecondOpinion, Strategy, TaskType};

use super::problem::{Report, quoted};
use super::reader::{Names, Reader, key};
use super::value::{integer, integers, millis, name, names, seconds, switch, text, word};

/// Which layers may answer, and which models are preferred for which work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutingSettings {
    /// Where `auto` starts (`default_layer`, `DEFAULT_LAYER`). Default L0.
    pub default_layer: Layer,
    /// The dearest layer that is entered without being asked for by name (`max_escalation_layer`, `MAX_ESCALATION_LAYER`). Default L3.
    pub max_escalation_layer: Layer,
    /// Whether a dearer layer is entered without asking (`auto_escalate`, `ENABLE_AUTO_ESCALATE`). Default no.
    pub auto_escalate: bool,
    /// Whether answers may be checked by other models (`cross_check`, `ENABLE_CROSS_CHECK`). Default no.
    pub cross_check: bool,
    /// When several cheap models answer side by side (`panel`). Default where it is needed.
    pub panel: PanelUse,
    /// How the first model is chosen (`strategy`). Default by layers.
    pub strategy: Strategy,
    /// Below this chance of a right answer, in percent, a layer is passed over for a complex request; for the qualities
    /// normal, high and critical, 0 to 99 each (`skip_below_percent`). Default 25, 55, 75.
    pub skip_below_percent: [u8; 3],
    /// When a model is asked how hard a request is (`second_opinion`). Default never.
    pub second_opinion: SecondOpinion,
    /// The model that is asked (`rating_model`). Default the first free one of layer L0 that works.
    pub rating_model: Option<String>,
    /// How long it may take, 100 ms to 30 s (`rating_timeout_ms`). Default 1.5 s.
    pub rating_timeout: Duration,
    /// How long a reviewer may take, 500 ms to 5 min (`review_timeout_ms`). Default 20 s.
    pub review_timeout: Duration,
    /// How long the last of several models is waited for when all others have answered, up to 1 min (`straggler_ms`).
    /// Default 3 s.
    pub straggler: Duration,
    /// About how many tokens a better model is told of the attempts before, 200 to 16,000 (`handoff_tokens`). Default 1,500.
    pub handoff_tokens: u32,
    /// How long an offer to go on with a dearer layer holds, 1 s to 24 h (`escalation_ttl_s`). Default 15 min.
    pub escalation_ttl: Duration,
    /// Whether the first model is chosen by what was learned (`adaptive`). Default no.
    pub adaptive: bool,
    /// How often such a choice is made at random among what costs no more, in percent, 0 to 50 (`adaptive_floor_percent`).
    /// Default 5.
    pub adaptive_floor_percent: u8,
    /// How many outcomes the calibration counts for beside those that were learned, 1 to 10,000 (`adaptive_prior`). Default 50.
    pub adaptive_prior: u32,
    /// Another file than the shipped one that models and questions are judged by (`calibration`).
    pub calibration: Option<PathBuf>,
    /// The names preferred for each kind of work, best first (`chat_models`, `CHAT_MODELS` and their like). Only
    /// names that the catalogue knows, by id or by `api_model`, are kept.
    pub task_lists: HashMap<TaskType, Vec<String>>,
}

impl Default for RoutingSettings {
    fn default() -> Self {
        Self {
            default_layer: Layer::L0,
            max_escalation_layer: Layer::L3,
            auto_escalate: false,
            cross_check: false,
            panel: PanelUse::Needed,
            strategy: Strategy::Layers,
            skip_below_percent: [25, 55, 75],
            second_opinion: SecondOpinion::Off,
            rating_model: None,
            rating_timeout: Duration::from_millis(1_500),
            review_timeout: Duration::from_secs(20),
            straggler: Duration::from_secs(3),
            handoff_tokens: 1_500,
            escalation_ttl: Duration::from_secs(900),
            adaptive: false,
            adaptive_floor_percent: 5,
            adaptive_prior: 50,
            calibration: None,
            task_lists: HashMap::new(),
        }
    }
}

/// A task list as it is written, and where.
#[derive(Debug)]
pub(super) struct WrittenList {
    pub(super) names: Vec<String>,
    pub(super) place: String,
    pub(super) is_shipped: bool,
}

/// The task lists before it is known which of their names the catalogue has.
pub(super) type WrittenLists = BTreeMap<TaskType, WrittenList>;

const TASK_LISTS: [(TaskType, Names); 4] = [
    (TaskType::Chat, key("chat_models").or_variable("CHAT_MODELS")),
    (TaskType::Code, key("code_models").or_variable("CODE_MODELS")),
    (TaskType::Analyze, key("analyze_models").or_variable("ANALYZE_MODELS")),
    (
        TaskType::CreateProject,
        key("create_project_models").or_variable("CREATE_PROJECT_MODELS"),
    ),
];

impl RoutingSettings {
    pub(super) fn read(&mut self, lists: &mut WrittenLists, reader: &mut Reader<'_>) {
        let default_layer = key("default_layer").or_variable("DEFAULT_LAYER");
        reader.set(default_layer, &mut self.default_layer, word);
        let max_layer = key("max_escalation_layer").or_variable("MAX_ESCALATION_LAYER");
        reader.set(max_layer, &mut self.max_escalation_layer, word);
        let auto_escalate = key("auto_escalate").or_variable("ENABLE_AUTO_ESCALATE");
        reader.set(auto_escalate, &mut self.auto_escalate, switch);
        let cross_check = key("cross_check").or_variable("ENABLE_CROSS_CHECK");
        reader.set(cross_check, &mut self.cross_check, switch);
        self.read_checks(reader);
        for (task, list) in TASK_LISTS {
            if let Some(names) = reader.optional(list, names) {
                let place = reader.place_of(list);
                let is_shipped = reader.is_shipped();
                lists.insert(
                    task,
                    WrittenList {
                        names,
                        place,
                        is_shipped,
                    },
                );
            }
        }
    }
}

impl RoutingSettings {
    /// Warns of a rating model that nobody knows: no request would ever be rated, and none would fail for it.
    pub(super) fn check_rater(&self, catalogue: &Catalogue, report: &mut Report) {
        let unknown = self
            .rating_model
            .as_ref()
            .filter(|name| catalogue.called(name).is_none());
        if let Some(name) = unknown {
            let message = format!(
                "no model has the id or api_model {}, and no alias stands for it: nobody is asked how hard a request is",
                quoted(name)
            );
            report.warn("routing.rating_model", message);
        }
    }

    /// What decides about models, checks and offers.
    fn read_checks(&mut self, reader: &mut Reader<'_>) {
        reader.set(key("panel"), &mut self.panel, word);
        reader.set(key("strategy"), &mut self.strategy, word);
        reader.set(
            key("skip_below_percent"),
            &mut self.skip_below_percent,
            integers(0..=99),
        );
        reader.set(key("second_opinion"), &mut self.second_opinion, word);
        reader.set_some(key("rating_model"), &mut self.rating_model, name);
        reader.set(key("rating_timeout_ms"), &mut self.rating_timeout, millis(100..=30_000));
        reader.set(
            key("review_timeout_ms"),
            &mut self.review_timeout,
            millis(500..=300_000),
        );
        reader.set(key("straggler_ms"), &mut self.straggler, millis(0..=60_000));
        reader.set(key("handoff_tokens"), &mut self.handoff_tokens, integer(200..=16_000));
        reader.set(key("escalation_ttl_s"), &mut self.escalation_ttl, seconds(1..=86_400));
        reader.set(key("adaptive"), &mut self.adaptive, switch);
        let floor = key("adaptive_floor_percent");
        reader.set(floor, &mut self.adaptive_floor_percent, integer(0..=50));
        reader.set(key("adaptive_prior"), &mut self.adaptive_prior, integer(1..=10_000));
        reader.set_some(key("calibration"), &mut self.calibration, |written| {
            text(written).map(PathBuf::from)
        });
    }
}

/// Which candidates may be tried after a call that was sent and got no answer, and so may be billed twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AmbiguousRetry {
    /// Any: an answer matters more than its price.
    Any,
    /// Only models that are known to be free.
    Free,
}

impl FromStr for AmbiguousRetry {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "any" => Ok(Self::Any),
            "free" => Ok(Self::Free),
            _ => Err("be any or free"),
        }
    }
}

impl fmt::Display for AmbiguousRetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "any",
            Self::Free => "free",
        })
    }
}

/// What follows a failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailoverSettings {
    /// What follows a call that was sent and got no answer. Default any.
    pub ambiguous: AmbiguousRetry,
    /// Attempts of one request beyond its first, 0 to 10. Default 2.
    pub max_extra_attempts: u8,
    /// Extra attempts over a window, in percent of its requests, 0 to 100. Default 20.
    pub retry_budget_percent: u8,
    /// Extra attempts that a window always allows, 0 to 1,000. Default 3.
    pub retry_budget_min: u32,
    /// The window, 1 s to 10 min. Default 10 s.
    pub retry_budget_window: Duration,
}

impl Default for FailoverSettings {
    fn default() -> Self {
        Self {
            ambiguous: AmbiguousRetry::Any,
            max_extra_attempts: 2,
            retry_budget_percent: 20,
            retry_budget_min: 3,
            retry_budget_window: Duration::from_secs(10),
        }
    }
}

impl FailoverSettings {
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) {
        reader.set(key("ambiguous"), &mut self.ambiguous, word);
        reader.set(key("max_extra_attempts"), &mut self.max_extra_attempts, integer(0..=10));
        reader.set(
            key("retry_budget_percent"),
            &mut self.retry_budget_percent,
            integer(0..=100),
        );
        reader.set(key("retry_budget_min"), &mut self.retry_budget_min, integer(0..=1_000));
        let window = millis(1_000..=600_000);
        reader.set(key("retry_budget_window_ms"), &mut self.retry_budget_window, window);
    }
}
