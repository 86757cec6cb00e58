//! `[routing]` and `[failover]`: which layers may answer, which models are preferred, and what follows a failed call.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use gateway_actors::protocol::{Layer, TaskType};

use super::reader::{Names, Reader, key};
use super::value::{integer, millis, names, switch, word};

/// Which layers may answer, and which models are preferred for which work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutingSettings {
    /// Where `auto` starts (`default_layer`, `DEFAULT_LAYER`). Default L0.
    pub default_layer: Layer,
    /// The dearest layer that is entered without being asked for by name (`max_escalation_layer`, `MAX_ESCALATION_LAYER`). Default L3.
    pub max_escalation_layer: Layer,
    /// Whether a dearer layer is entered without asking (`auto_escalate`, `ENABLE_AUTO_ESCALATE`). Default no.
    pub auto_escalate: bool,
    /// Whether critical answers are checked by a second model (`cross_check`, `ENABLE_CROSS_CHECK`). Default no; not
    /// in this build yet.
    pub cross_check: bool,
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
