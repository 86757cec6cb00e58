//! What administrators send about experiments, read and checked.

use std::sync::Arc;

use gateway_actors::protocol::{
    Arm, ArmSpec, Catalogue, Experiment, ExperimentId, ExperimentStatus, GatewayError, GuardRails, NanoUsd, Sticky,
};
use serde_json::value::RawValue;

use crate::config::decimal;
use crate::fields::{Fields, within};

const FIELDS: &[&str] = &["name", "task", "sticky", "arms", "guard"];
const ARM_FIELDS: &[&str] = &["name", "weight", "strategy", "model", "layer"];
const GUARD_FIELDS: &[&str] = &["maxErrorRate", "minSamples", "maxCostUsd"];
/// Bytes of a name.
const LABEL_BYTES: usize = 256;
const ARM_NAME_BYTES: usize = 64;
const FEWEST_ARMS: usize = 2;
const MOST_ARMS: usize = 8;
const MOST_WEIGHT: u32 = 1_000;
const MOST_SAMPLES: u32 = 1_000_000;
/// Digits behind the point of an amount in USD.
const USD_DIGITS: i32 = 9;

/// Reads what `POST /v1/experiments` gets.
///
/// # Errors
/// `malformed_json`, or `invalid_request` with the field at fault.
pub(super) fn draft(body: &[u8], catalogue: &Catalogue, now: i64) -> Result<Experiment, GatewayError> {
    let fields = Fields::parse(body, FIELDS)?;
    let name = fields.label("name", LABEL_BYTES)?;
    Ok(Experiment {
        id: ExperimentId::generate(),
        name: name.ok_or_else(|| required("name"))?.into(),
        status: ExperimentStatus::Running,
        task: fields.word("task")?,
        sticky: fields.word("sticky")?.unwrap_or(Sticky::Conversation),
        arms: arms(&fields, catalogue)?,
        guard: guard(&fields)?.map_or_else(GuardRails::default, |guard| guard.over(GuardRails::default())),
        stopped_reason: None,
        created_at: now,
        updated_at: now,
    })
}

/// What `PATCH /v1/experiments/{id}` changes.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) status: Option<ExperimentStatus>,
    pub(super) guard: Option<GuardChange>,
}

/// Guard rails, and which of them were given; one that was given as null is taken away.
#[derive(Debug, Clone, Copy)]
pub(super) struct GuardChange {
    rails: GuardRails,
    has_rate: bool,
    has_samples: bool,
    has_cost: bool,
}

impl GuardChange {
    /// What is given over what was there.
    pub(super) fn over(self, before: GuardRails) -> GuardRails {
        let mut rails = before;
        if self.has_rate {
            rails.max_error_permille = self.rails.max_error_permille;
        }
        if self.has_samples {
            rails.min_samples = self.rails.min_samples;
        }
        if self.has_cost {
            rails.max_cost = self.rails.max_cost;
        }
        rails
    }
}

impl Change {
    /// Reads a body.
    ///
    /// # Errors
    /// `malformed_json`, or `invalid_request` with the field at fault.
    pub(super) fn read(body: &[u8]) -> Result<Self, GatewayError> {
        let fields = Fields::parse(body, &["status", "guard"])?;
        let change = Self {
            status: fields.word("status")?,
            guard: guard(&fields)?,
        };
        if change.status.is_none() && change.guard.is_none() {
            let message = "nothing is to be changed; give `status` or `guard`";
            return Err(GatewayError::invalid("status", message));
        }
        Ok(change)
    }
}

fn arms(fields: &Fields<'_>, catalogue: &Catalogue) -> Result<Vec<Arm>, GatewayError> {
    let wrong = || {
        let message = format!("`arms` must be an array of {FEWEST_ARMS} to {MOST_ARMS} objects");
        GatewayError::invalid("arms", message)
    };
    let raw = fields.value("arms").ok_or_else(wrong)?;
    let raw: Vec<&RawValue> = serde_json::from_str(raw).map_err(|_no_array| wrong())?;
    if !(FEWEST_ARMS..=MOST_ARMS).contains(&raw.len()) {
        return Err(wrong());
    }
    let mut arms: Vec<Arm> = Vec::with_capacity(raw.len());
    for (place, raw) in raw.into_iter().enumerate() {
        let arm = arm(raw.get(), catalogue).and_then(|arm| {
            let is_taken = arms.iter().any(|other| other.name == arm.name);
            let message = "`name` must be another than those of the arms before";
            if is_taken {
                Err(GatewayError::invalid("name", message))
            } else {
                Ok(arm)
            }
        });
        arms.push(arm.map_err(|error| of_arm(place, error))?);
    }
    Ok(arms)
}

/// The complaint about a field of an arm.
fn of_arm(place: usize, error: GatewayError) -> GatewayError {
    let param = match error.param.as_deref() {
        Some(param) => format!("arms[{place}].{param}"),
        None => format!("arms[{place}]"),
    };
    error.with_param(param)
}

fn arm(raw: &str, catalogue: &Catalogue) -> Result<Arm, GatewayError> {
    let fields = Fields::parse(raw.as_bytes(), ARM_FIELDS)?;
    let name = fields.label("name", ARM_NAME_BYTES)?;
    let model = fields.label("model", LABEL_BYTES)?;
    if let Some(model) = model.as_deref().filter(|model| catalogue.called(model).is_none()) {
        let message = format!("`model`: no model is called `{model}`; GET /v1/models lists the names");
        return Err(GatewayError::invalid("model", message));
    }
    let given = [
        fields.word("strategy")?.map(ArmSpec::Strategy),
        model.map(|model| ArmSpec::Model(Arc::from(model))),
        fields.word("layer")?.map(ArmSpec::Layer),
    ];
    let mut given = given.into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(spec), None) => Ok(Arm {
            name: name.ok_or_else(|| required("name"))?.into(),
            weight: fields.whole_number("weight", 1..=MOST_WEIGHT)?.unwrap_or(1),
            spec,
        }),
        _ => {
            let message = "an arm has one of `strategy`, `model` and `layer`";
            Err(GatewayError::invalid("strategy", message))
        }
    }
}

fn guard(fields: &Fields<'_>) -> Result<Option<GuardChange>, GatewayError> {
    const NAME: &str = "guard";
    let Some(guard) = fields.object(NAME, GUARD_FIELDS)? else {
        return Ok(None);
    };
    let read = || {
        let rate = guard.number("maxErrorRate", 0.0..=1.0)?;
        Ok(GuardChange {
            rails: GuardRails {
                // Within 0 and 1,000.
                max_error_permille: rate.map(|rate| (rate * 1_000.0).round() as u16),
                min_samples: guard
                    .whole_number("minSamples", 1..=MOST_SAMPLES)?
                    .unwrap_or(GuardRails::default().min_samples),
                max_cost: guard.value("maxCostUsd").map(usd).transpose()?,
            },
            has_rate: guard.is_given("maxErrorRate"),
            has_samples: guard.is_given("minSamples"),
            has_cost: guard.is_given("maxCostUsd"),
        })
    };
    read().map(Some).map_err(|error| within(NAME, error))
}

/// An amount: a text, or a number whose digits are read as they stand.
fn usd(raw: &str) -> Result<NanoUsd, GatewayError> {
    let text = raw
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(raw);
    let scaled = decimal::scaled(text, USD_DIGITS);
    let scaled = scaled.map_err(|must| GatewayError::invalid("maxCostUsd", format!("`maxCostUsd` must {must}")))?;
    let nano = i64::try_from(scaled).map(NanoUsd);
    nano.map_err(|_too_large| GatewayError::invalid("maxCostUsd", "`maxCostUsd` must be a smaller number"))
}

fn required(name: &'static str) -> GatewayError {
    GatewayError::invalid(name, format!("`{name}` is required"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use gateway_actors::protocol::{Layer, Strategy, TaskType};

    use super::*;
    use crate::http::testing::model;

    fn read(body: &str) -> Result<Experiment, GatewayError> {
        let catalogue = Catalogue::new(vec![model("small", "alpha")], Vec::new(), HashMap::new());
        draft(body.as_bytes(), &catalogue, 7)
    }

    #[test]
    fn an_experiment_is_read_as_it_was_written() {
        let experiment = read(
            r#"{"name":"value or layers","task":"code","sticky":"user","arms":[{"name":"a","strategy":"layers"},
            {"name":"b","weight":3,"model":"small"},{"name":"c","layer":"L1"}],
            "guard":{"maxErrorRate":0.25,"minSamples":20,"maxCostUsd":"1.5"}}"#,
        )
        .unwrap();
        assert_eq!(
            (experiment.status, experiment.task),
            (ExperimentStatus::Running, Some(TaskType::Code))
        );
        assert_eq!((experiment.sticky, experiment.created_at), (Sticky::User, 7));
        let arms: Vec<_> = experiment
            .arms
            .iter()
            .map(|arm| (&*arm.name, arm.weight, &arm.spec))
            .collect();
        assert_eq!(
            arms,
            [
                ("a", 1, &ArmSpec::Strategy(Strategy::Layers)),
                ("b", 3, &ArmSpec::Model("small".into())),
                ("c", 1, &ArmSpec::Layer(Layer::L1))
            ]
        );
        let guard = GuardRails {
            max_error_permille: Some(250),
            min_samples: 20,
            max_cost: Some(NanoUsd(1_500_000_000)),
        };
        assert_eq!(experiment.guard, guard);
        let number = Change::read(br#"{"guard":{"maxCostUsd":0.000000001}}"#).unwrap();
        assert_eq!(number.guard.unwrap().rails.max_cost, Some(NanoUsd(1)));
    }

    #[test]
    fn guard_rails_that_are_not_given_stay_and_those_that_are_null_go() {
        let before = GuardRails {
            max_error_permille: Some(250),
            min_samples: 20,
            max_cost: Some(NanoUsd(5)),
        };
        let changed = |guard: &str| {
            let change = Change::read(format!(r#"{{"guard":{guard}}}"#).as_bytes()).unwrap();
            let GuardRails {
                max_error_permille,
                min_samples,
                max_cost,
            } = change.guard.unwrap().over(before);
            (max_error_permille, min_samples, max_cost.map(|cost| cost.0))
        };
        assert_eq!(changed("{}"), (Some(250), 20, Some(5)));
        assert_eq!(changed(r#"{"maxErrorRate":0.3}"#), (Some(300), 20, Some(5)));
        assert_eq!(changed(r#"{"minSamples":7}"#), (Some(250), 7, Some(5)));
        assert_eq!(changed(r#"{"minSamples":null}"#), (Some(250), 50, Some(5)));
        assert_eq!(changed(r#"{"maxCostUsd":null}"#), (Some(250), 20, None));
        assert_eq!(
            changed(r#"{"maxErrorRate":null,"maxCostUsd":1}"#),
            (None, 20, Some(1_000_000_000))
        );
    }

    #[test]
    fn every_impossible_value_is_refused_with_its_field() {
        let arms = |arms: &str| format!(r#"{{"name":"x","arms":{arms}}}"#);
        let guard = |guard: &str| {
            format!(
                r#"{{"name":"x","arms":[{{"name":"a","layer":"L0"}},{{"name":"b","layer":"L1"}}],"guard":{guard}}}"#
            )
        };
        let cases = [
            (r#"{"arms":[]}"#.to_owned(), "name"),
            (r#"{"name":"x"}"#.to_owned(), "arms"),
            (arms("{}"), "arms"),
            (arms(r#"[{"name":"a","layer":"L0"}]"#), "arms"),
            (
                arms(&format!("[{}]", [r#"{"name":"a","layer":"L0"}"#; 9].join(","))),
                "arms",
            ),
            (arms(r#"[{"layer":"L0"},{"name":"b","layer":"L1"}]"#), "arms[0].name"),
            (
                arms(r#"[{"name":"a","layer":"L0"},{"name":"a","layer":"L1"}]"#),
                "arms[1].name",
            ),
            (
                arms(r#"[{"name":"a","layer":"L0"},{"name":"b","model":"nobody"}]"#),
                "arms[1].model",
            ),
            (arms(r#"[{"name":"a","layer":"L0"},{"name":"b"}]"#), "arms[1].strategy"),
            (
                arms(r#"[{"name":"a","layer":"L0"},{"name":"b","layer":"L1","model":"small"}]"#),
                "arms[1].strategy",
            ),
            (
                arms(r#"[{"name":"a","layer":"L0"},{"name":"b","layer":"L1","weight":0}]"#),
                "arms[1].weight",
            ),
            (
                arms(r#"[{"name":"a","layer":"L0"},{"name":"b","what":1}]"#),
                "arms[1].what",
            ),
            (arms(r#"[{"name":"a","layer":"L0"},7]"#), "arms[1]"),
            (guard(r#"{"maxErrorRate":1.1}"#), "guard.maxErrorRate"),
            (guard(r#"{"minSamples":0}"#), "guard.minSamples"),
            (guard(r#"{"maxCostUsd":-1}"#), "guard.maxCostUsd"),
            (guard(r#"{"maxCostUsd":"cheap"}"#), "guard.maxCostUsd"),
            (guard(r#"{"maxCostUsd":[1]}"#), "guard.maxCostUsd"),
        ];
        for (body, param) in cases {
            let error = read(&body).unwrap_err();
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
        }
        for body in ["{}", r#"{"status":null}"#, r#"{"status":"done"}"#] {
            assert_eq!(
                Change::read(body.as_bytes()).unwrap_err().param.as_deref(),
                Some("status"),
                "{body}"
            );
        }
    }
}
