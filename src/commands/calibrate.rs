//! `calibrate`: fits the calibration's layers and models to the outcomes in the database.
//!
//! Only what is known before anybody has answered is fitted anew: how likely a layer, and a model that the calibration
//! knows, is right about a question of some difficulty, its other signals being typical. How answers are compared stays as
//! it was fitted.
//!
//! What an outcome says of a model is told by [`Judgement`](gateway_actors::protocol::Judgement), as for the table that models
//! are drawn by; the share that somebody judged is that of all answers.

mod fit;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use clap::Args;
use gateway_actors::protocol::{
    Calibration, JudgedShare, Layer, ModelId, NotebookStore, OutcomeRow, OutcomeStore, Said, StoreError,
    StoredCalibration,
};
use gateway_routing::{KnownModel, ModelError};
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use self::fit::{Fitted, LEAST_JUDGED, Seen, fit};
use crate::config::Settings;
use crate::dates;
use crate::startup::{self, CalibrationError, ServeError};
use crate::store::OpenError;

/// How many outcomes are read at once.
const PAGE: u32 = 1_000;

/// Why nothing was fitted, or what was fitted does not apply. What applied before applies still.
#[derive(Debug, thiserror::Error)]
pub enum CalibrateError {
    /// A moment is none.
    #[error("--since must {}", dates::MUST_BE)]
    Moment,
    /// Too little is known.
    #[error(
        "there are {usable} outcomes to fit to among {all}, and {min} are wanted: wait for more, take an earlier --since, or \
         a smaller --min; an outcome can be used when the gateway chose the model and somebody judged the answer, by feedback, \
         by taking it or not, or by tests"
    )]
    TooFew {
        /// How many can be used.
        usable: usize,
        /// How many there are.
        all: usize,
        /// How many are wanted.
        min: u32,
    },
    /// Nobody could tell whether it foretells better.
    #[error(
        "nothing was applied: of the newest outcomes, which were not fitted to, {judged} were judged by somebody, and {} are \
         wanted to tell whether the new numbers foretell better",
        LEAST_JUDGED
    )]
    FewJudged {
        /// How many were.
        judged: usize,
    },
    /// It would foretell worse, or no better than by chance.
    #[error(
        "nothing was applied: on the newest outcomes, which were not fitted to, the new numbers do not foretell better by \
         more than the noise"
    )]
    NoBetter,
    /// The calibration that it would go on top of cannot be used.
    #[error(transparent)]
    Base(#[from] CalibrationError),
    /// What was fitted, or what applies, does not fit the calibration.
    #[error("the calibration in the database does not fit the one of the settings ({0}): take it back with --revert")]
    Model(#[from] ModelError),
    /// The database did not open.
    #[error(transparent)]
    Open(#[from] ServeError),
    /// The database did not answer.
    #[error("the outcomes could not be read, or the calibration not be written; see that the database can be reached")]
    Store(#[from] StoreError),
}

impl From<OpenError> for CalibrateError {
    fn from(error: OpenError) -> Self {
        Self::Open(error.into())
    }
}

impl CalibrateError {
    /// The exit code, after `sysexits.h`; 1 where there is nothing to apply.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::TooFew { .. } | Self::FewJudged { .. } | Self::NoBetter => 1,
            Self::Moment => 64,
            Self::Store(_) => 69,
            Self::Model(_) | Self::Base(_) => 78,
            Self::Open(error) => error.exit_code(),
        }
    }
}

/// What is fitted.
#[derive(Debug, Clone, Args)]
pub struct CalibrateArgs {
    /// Outcomes of then or later: a date (its midnight in UTC) or a time such as 2026-11-29T12:00:00Z.
    #[arg(long, value_name = "DATE")]
    pub since: Option<String>,
    /// Outcomes that there must be at least.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub min: u32,
    /// Lets the result apply: running gateways take it within ten seconds.
    #[arg(long, conflicts_with = "revert")]
    pub apply: bool,
    /// Goes back to the calibration that gateways start with.
    #[arg(long)]
    pub revert: bool,
    /// Tells it as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Fits, and tells old and new by `say`. Nothing changes without `apply` or `revert`. Blocks.
///
/// # Errors
/// When the database cannot be used, or has too few outcomes, or what was to apply foretells no better.
pub fn calibrate(settings: &Settings, args: &CalibrateArgs, say: impl Fn(&str)) -> Result<(), CalibrateError> {
    let since = args
        .since
        .as_deref()
        .map(|text| dates::parse(text).ok_or(CalibrateError::Moment));
    let since = since.transpose()?.unwrap_or(0);
    let base = startup::calibration(settings)?;
    let models = settings.models.iter();
    let models = models
        .map(|model| (model.id.clone(), (model.api_model.to_string(), model.layer)))
        .collect();
    let store = startup::open_existing_store(settings)?;
    let (outcomes, notebook) = (store.outcomes(), store.notebook());
    let work = Work {
        args,
        since,
        base,
        models,
    };
    let done = store.block_on(work.run(&*outcomes, &*notebook, &say));
    store.shutdown(startup::STORE_SHUTDOWN);
    done
}

/// What the command does, whatever the database is.
struct Work<'a> {
    args: &'a CalibrateArgs,
    since: i64,
    base: Calibration,
    /// The providers' names, and the layers, of the catalogue's models.
    models: HashMap<ModelId, (String, Layer)>,
}

impl Work<'_> {
    async fn run(
        &self,
        outcomes: &dyn OutcomeStore,
        notebook: &dyn NotebookStore,
        say: &dyn Fn(&str),
    ) -> Result<(), CalibrateError> {
        if self.args.revert {
            let reverted = notebook.revert_calibration().await?;
            say(match (self.args.json, reverted) {
                (true, true) => "{\"reverted\":true}",
                (true, false) => "{\"reverted\":false}",
                (false, true) => {
                    "the calibration that gateways start with applies again, within ten seconds in those that run"
                }
                (false, false) => "no calibration was applied: there is nothing to take back",
            });
            return Ok(());
        }
        let rows = read_all(outcomes, self.since).await?;
        let all = rows.len();
        let edits = notebook.model_edits().await?.into_iter();
        let seen = self.seen(
            rows,
            &edits.filter_map(|edit| Some((edit.model, edit.since?))).collect(),
        );
        if seen.len() < self.args.min.max(1) as usize {
            return Err(CalibrateError::TooFew {
                usable: seen.len(),
                all,
                min: self.args.min.max(1),
            });
        }
        let applied = notebook.calibration().await?;
        let now = match &applied {
            Some(applied) => Calibration::Own(Arc::new(self.base.adjusted(&applied.data)?)),
            None => self.base.clone(),
        };
        let fitted = fit(&self.base, &now, &seen);
        let data = fitted.data();
        // What cannot be read back is not stored.
        self.base.adjusted(&data)?;
        let applies = self.args.apply && fitted.is_better();
        if applies {
            notebook.put_calibration(stored(&data, &fitted)).await?;
        }
        say(&match self.args.json {
            true => json_of(&fitted, all, applied.as_ref(), applies),
            false => text_of(&fitted, all, applied.as_ref(), (self.args.apply, applies)),
        });
        match (self.args.apply && !applies, fitted.has_enough()) {
            (false, _) => Ok(()),
            (true, true) => Err(CalibrateError::NoBetter),
            (true, false) => Err(CalibrateError::FewJudged {
                judged: fitted.held_out_judged,
            }),
        }
    }

    /// What outcomes say of layers and models, the oldest first; nothing of a model from before what administrators set.
    fn seen(&self, mut rows: Vec<OutcomeRow>, from: &HashMap<ModelId, i64>) -> Vec<Seen> {
        rows.retain(|row| row.difficulty.is_some_and(f64::is_finite) && !row.judgement().was_compared());
        rows.sort_by_key(|row| (row.created_at, row.request));
        let mut judged = JudgedShare::default();
        rows.iter().for_each(|row| judged.count(&row.judgement(), 1));
        let share = judged.value();
        rows.iter()
            .flat_map(|row| self.said_by(row, share, from))
            .filter(|seen| seen.weight > 0.0)
            .collect()
    }

    /// What one outcome says: that the model failed whose answer was replaced, and how the one did whose answer was given.
    /// Of the answers that nothing speaks against so large a share was judged by somebody.
    fn said_by(&self, row: &OutcomeRow, share: f64, from: &HashMap<ModelId, i64>) -> Vec<Seen> {
        let judgement = row.judgement();
        let seen = |model: &ModelId, layer: Layer, right, weight| Seen {
            layer: routing_layer(layer),
            known: self.known(model),
            difficulty: row.difficulty.unwrap_or_default(),
            right,
            judged: judgement.judged.is_some(),
            weight,
        };
        let counts = |model: &ModelId| from.get(model).is_none_or(|from| row.created_at >= *from);
        let mut all = Vec::with_capacity(2);
        if let Some(replaced) = row.replaced.as_ref().filter(|model| counts(model)) {
            let layer = self.models.get(replaced).map(|(_, layer)| *layer);
            let layer = layer.or(row.start).unwrap_or(row.layer);
            all.push(seen(replaced, layer, false, share));
        }
        if let Some(Said { right, whole }) = judgement.said().filter(|_| counts(&row.model)) {
            all.push(seen(&row.model, row.layer, right, if whole { 1.0 } else { share }));
        }
        all
    }

    /// What the calibration calls a model, found as the router finds it.
    fn known(&self, model: &ModelId) -> Option<KnownModel> {
        let by_provider = self.models.get(model).and_then(|(name, _)| self.base.known(name));
        by_provider.or_else(|| self.base.known(model.as_str()))
    }
}

const fn routing_layer(layer: Layer) -> gateway_routing::Layer {
    match layer {
        Layer::L0 => gateway_routing::Layer::L0,
        Layer::L1 => gateway_routing::Layer::L1,
        Layer::L2 => gateway_routing::Layer::L2,
        Layer::L3 => gateway_routing::Layer::L3,
    }
}

async fn read_all(outcomes: &dyn OutcomeStore, since: i64) -> Result<Vec<OutcomeRow>, StoreError> {
    let mut rows: Vec<OutcomeRow> = Vec::new();
    loop {
        let after = rows.last().map(|row| row.request.to_string().into());
        let page = outcomes.page(since, after, PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        rows.extend(page);
        if is_last {
            return Ok(rows);
        }
    }
}

fn stored(data: &str, fitted: &Fitted) -> StoredCalibration {
    let now = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000;
    StoredCalibration {
        id: format!("cal_{}", Uuid::now_v7().simple()).into(),
        data: data.into(),
        summary: summary(fitted).to_string().into(),
        created_at: i64::try_from(now).unwrap_or(i64::MAX),
    }
}

fn summary(fitted: &Fitted) -> serde_json::Value {
    json!({
        "outcomes": fitted.all,
        "judged": fitted.judged,
        "heldOut": fitted.held_out,
        "heldOutJudged": fitted.held_out_judged,
        "brierBefore": rounded(fitted.before),
        "brierAfter": rounded(fitted.after),
        "standardError": rounded(fitted.noise),
    })
}

/// Six digits are more than such figures have.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn json_of(fitted: &Fitted, all: usize, applied: Option<&StoredCalibration>, applies: bool) -> String {
    let layers = fitted.layers.iter().map(|change| {
        json!({ "layer": change.name, "from": rounded(change.from), "to": rounded(change.to), "outcomes": change.count, "right": change.right })
    });
    let models = fitted.models.iter().map(|change| {
        json!({ "model": change.name, "from": rounded(change.from), "to": rounded(change.to), "outcomes": change.count, "right": change.right })
    });
    json!({
        "read": all,
        "summary": summary(fitted),
        "replaces": applied.map(|applied| applied.id.to_string()),
        "layers": layers.collect::<Vec<_>>(),
        "models": models.collect::<Vec<_>>(),
        "isBetter": fitted.is_better(),
        "applied": applies,
    })
    .to_string()
}

fn text_of(fitted: &Fitted, all: usize, applied: Option<&StoredCalibration>, (asked, applies): (bool, bool)) -> String {
    // Writing to memory does not fail.
    let mut text = format!(
        "{all} outcomes read, which say {} things of layers and models, {} of them by somebody's judgement; the others are \
         answers that something spoke against, and those that replaced them, which count for less\n\
         chances are those of a question whose signals other than its difficulty are typical",
        fitted.all, fitted.judged
    );
    if let Some(applied) = applied {
        let _ = write!(text, "\n{} applies now", applied.id);
    }
    let mut part = |title: &str, changes: &[fit::Change]| {
        if changes.is_empty() {
            return;
        }
        let _ = write!(
            text,
            "\n{title:<34} {:>9} {:>9} {:>9} {:>9}",
            "from", "to", "outcomes", "right"
        );
        for change in changes {
            let right = change.right as f64 / change.count.max(1) as f64;
            let _ = write!(
                text,
                "\n  {:<32} {:>9.3} {:>9.3} {:>9} {right:>9.3}",
                change.name, change.from, change.to, change.count
            );
        }
    };
    part("layer, at difficulty 0 (logit)", &fitted.layers);
    part("model, beside its own line (logit)", &fitted.models);
    let _ = write!(
        text,
        "\nBrier score on the newest {}, {} of them judged, which were not fitted to (less is better): {:.5} before, {:.5} \
         after; one standard error of the difference is {:.5}",
        fitted.held_out, fitted.held_out_judged, fitted.before, fitted.after, fitted.noise
    );
    text.push_str(match (asked, applies, fitted.is_better()) {
        (_, true, _) => "\napplied: running gateways take it within ten seconds; --revert takes it back",
        (true, false, _) => "",
        (false, _, true) => "\nnothing was changed: --apply lets it apply",
        (false, _, false) if !fitted.has_enough() => {
            "\nnothing was changed, and --apply would change nothing: too few of the newest were judged"
        }
        (false, _, false) => {
            "\nnothing was changed, and --apply would change nothing: it does not foretell better by more than the noise"
        }
    });
    text
}
