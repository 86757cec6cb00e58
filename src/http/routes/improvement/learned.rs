//! `GET /v1/improvement/models` and `…/routing`: what was learned of models, and what the gateway decides by now.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse};
use gateway_actors::protocol::{
    Complexity, GatewayError, Layer, LearnedModel, NanoUsd, StoredCalibration, SuccessRow, TaskType, UnknownWord,
};
use gateway_routing::wilson;
use serde::Serialize;
use serde_json::value::RawValue;

use super::edits::ShownEdit;
use super::notes::ShownNote;
use crate::http::error::Failure;
use crate::http::extract::Query;
use crate::http::respond::{json, micros_text};
use crate::http::shared::Edge;
use crate::moment::micros_of;

#[derive(Serialize)]
struct Rows {
    rows: Vec<Row>,
    /// What administrators say besides.
    edits: Vec<ShownEdit>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    #[serde(flatten)]
    entry: Entry,
    cost_nano_usd: NanoUsd,
}

/// How often a model did well at one kind of request.
#[derive(Serialize)]
struct Entry {
    task: TaskType,
    complexity: Complexity,
    model: String,
    /// All of them, most of which nobody may have judged.
    answers: u32,
    successes: u32,
    failures: u32,
    rate: Option<Rate>,
}

/// A rate, and where the true one lies with 95 %.
#[derive(Serialize)]
struct Rate {
    value: f64,
    low: f64,
    high: f64,
}

impl Entry {
    fn new(task: TaskType, complexity: Complexity, model: LearnedModel) -> Self {
        let LearnedModel {
            model,
            answers,
            successes,
            failures,
        } = model;
        let rate = wilson(u64::from(successes), u64::from(successes) + u64::from(failures));
        Self {
            task,
            complexity,
            model: model.as_str().to_owned(),
            answers,
            successes,
            failures,
            rate: rate.map(|rate| Rate {
                value: rate.value,
                low: rate.low,
                high: rate.high,
            }),
        }
    }
}

/// `GET /v1/improvement/models`: from the outcomes in the database.
pub(in crate::http::routes) async fn models(request: HttpRequest, edge: Edge) -> Result<HttpResponse, Failure> {
    let query = Query::parse(request.query_string(), &["task", "since"])?;
    let task = query.text("task").map(task).transpose()?;
    let since = query.text("since").map(since).transpose()?.unwrap_or_default();
    let rows = edge.shared().outcomes.table(since).await?;
    let edits = edge.shared().notebook.model_edits().await?;
    let rows = rows.into_iter().filter(|row| task.is_none_or(|task| row.task == task));
    json(&Rows {
        rows: rows.map(row).collect(),
        edits: edits.into_iter().map(ShownEdit::of).collect(),
    })
}

fn row(row: SuccessRow) -> Row {
    let model = LearnedModel {
        model: row.model,
        answers: row.answers,
        successes: row.successes,
        failures: row.failures,
    };
    Row {
        entry: Entry::new(row.task, row.complexity, model),
        cost_nano_usd: row.cost,
    }
}

fn task(text: &str) -> Result<TaskType, GatewayError> {
    text.parse().map_err(|UnknownWord { expected }| {
        let message = format!("`task` must be one of {}", expected.join(", "));
        GatewayError::invalid("task", message)
    })
}

pub(super) fn since(text: &str) -> Result<i64, GatewayError> {
    micros_of(text).ok_or_else(|| {
        let message = "`since` must be a moment such as 2026-11-29T00:00:00Z";
        GatewayError::invalid("since", message)
    })
}

#[derive(Serialize)]
struct Present {
    calibration: ShownCalibration,
    /// Those that apply.
    heuristics: Vec<ShownNote>,
    /// The table that cells decide by.
    table: Vec<Entry>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownCalibration {
    /// The one that was applied on top of what the gateway started with; null where none was.
    id: Option<String>,
    created_at: Option<String>,
    /// The models that the calibration knows by their own records.
    fitted: Vec<String>,
    /// What was changed for layers, on top of what the gateway started with.
    layers: BTreeMap<Layer, f64>,
    /// What was changed for models.
    models: BTreeMap<String, f64>,
    /// What it was made of, and how good it is.
    summary: Option<Box<RawValue>>,
}

/// What a stored calibration changes.
#[derive(Default, serde::Deserialize)]
struct Changed {
    #[serde(default)]
    layers: BTreeMap<Layer, f64>,
    #[serde(default)]
    models: BTreeMap<String, f64>,
}

/// `GET /v1/improvement/routing`: what this process decides by now.
pub(in crate::http::routes) async fn routing(request: HttpRequest, edge: Edge) -> Result<HttpResponse, Failure> {
    Query::parse(request.query_string(), &[])?;
    let shared = edge.shared();
    let stored = shared.notebook.calibration().await?;
    let notes = shared
        .notebook
        .improvements(gateway_actors::protocol::ImprovementKind::Heuristic)
        .await?;
    let learned = shared.learned.load_full();
    let applies = |id| learned.heuristics.iter().any(|heuristic| heuristic.id == id);
    let heuristics = notes.into_iter().filter(|note| applies(note.id));
    let mut table: Vec<Entry> = Vec::new();
    for ((task, complexity), models) in &learned.table {
        let entries = models.iter().cloned();
        table.extend(entries.map(|model| Entry::new(*task, *complexity, model)));
    }
    table.sort_by(|one, other| {
        let key = |entry: &Entry| (entry.task, entry.complexity);
        key(one).cmp(&key(other)).then_with(|| one.model.cmp(&other.model))
    });
    let fitted = learned.model.known_names().map(str::to_owned).collect();
    json(&Present {
        calibration: calibration(learned.calibration_id.as_deref(), stored, fitted),
        heuristics: heuristics.map(ShownNote::of).collect::<Result<_, _>>()?,
        table,
    })
}

/// The stored calibration, if it is the one that this process decides by.
fn calibration(applied: Option<&str>, stored: Option<StoredCalibration>, fitted: Vec<String>) -> ShownCalibration {
    let stored = stored.filter(|stored| applied == Some(&*stored.id));
    let changed = stored
        .as_ref()
        .and_then(|stored| serde_json::from_str(&stored.data).ok());
    let Changed { layers, models } = changed.unwrap_or_default();
    ShownCalibration {
        id: applied.map(str::to_owned),
        created_at: stored.as_ref().map(|stored| micros_text(stored.created_at)),
        fitted,
        layers,
        models,
        summary: stored.and_then(|stored| serde_json::from_str(&stored.summary).ok()),
    }
}
