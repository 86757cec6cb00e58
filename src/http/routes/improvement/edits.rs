//! `/v1/improvement/models/{model}`: what administrators say of how well a model does, beside what outcomes say.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use gateway_actors::protocol::{ErrorKind, GatewayError, ModelEdit, ModelId, Trials};
use gateway_actors::runtime::unix_micros;
use serde::Serialize;
use serde_json::value::RawValue;

use super::learned::since;
use crate::fields::Fields;
use crate::http::error::Failure;
use crate::http::respond::{json, micros_text};
use crate::http::routes::admin::body;
use crate::http::shared::Edge;

const FIELDS: &[&str] = &["since", "trials"];
const TRIAL_FIELDS: &[&str] = &["task", "complexity", "successes", "failures"];
/// Successes, or failures, of one kind of request at most.
const MOST: u32 = 100_000;

/// An edit as people are told of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShownEdit {
    model: String,
    since: Option<String>,
    trials: Vec<Trials>,
    created_at: String,
    updated_at: String,
}

impl ShownEdit {
    pub(super) fn of(edit: ModelEdit) -> Self {
        Self {
            model: edit.model.to_string(),
            since: edit.since.map(micros_text),
            trials: edit.trials,
            created_at: micros_text(edit.created_at),
            updated_at: micros_text(edit.updated_at),
        }
    }
}

/// `GET`: the model's edit.
pub(in crate::http::routes) async fn model(name: web::Path<String>, edge: Edge) -> Result<HttpResponse, Failure> {
    json(&ShownEdit::of(find(&ModelId::from(name.as_str()), &edge).await?))
}

/// `PUT`: in the place of the edit before; it applies within seconds.
pub(in crate::http::routes) async fn put_model(
    request: HttpRequest,
    payload: web::Payload,
    name: web::Path<String>,
    edge: Edge,
) -> Result<HttpResponse, Failure> {
    let body = body(&request, payload, &edge).await?;
    let shared = edge.shared();
    let model = shared.catalogue.load().by_id(&name).map(|model| model.id.clone());
    let Some(model) = model else {
        let message = "no model has this id; GET /v1/models lists the ids";
        return Err(GatewayError::new(ErrorKind::ModelNotFound, message)
            .with_param("model")
            .into());
    };
    let edit = read(&body, model.clone())?;
    shared.notebook.put_model_edit(edit).await?;
    json(&ShownEdit::of(find(&model, &edge).await?))
}

/// `DELETE`: takes it back, also where the model is not in the catalogue any more.
pub(in crate::http::routes) async fn delete_model(
    name: web::Path<String>,
    edge: Edge,
) -> Result<HttpResponse, Failure> {
    let model = ModelId::from(name.as_str());
    if !edge.shared().notebook.delete_model_edit(model).await? {
        return Err(unknown().into());
    }
    Ok(HttpResponse::build(StatusCode::NO_CONTENT).finish())
}

async fn find(model: &ModelId, edge: &Edge) -> Result<ModelEdit, Failure> {
    let edits = edge.shared().notebook.model_edits().await?;
    Ok(edits
        .into_iter()
        .find(|edit| edit.model == *model)
        .ok_or_else(unknown)?)
}

fn unknown() -> GatewayError {
    GatewayError::new(ErrorKind::NotFound, "nothing was said of a model of this id")
}

fn read(body: &[u8], model: ModelId) -> Result<ModelEdit, GatewayError> {
    let fields = Fields::parse(body, FIELDS)?;
    let since = fields.text("since")?.map(|text| since(&text)).transpose()?;
    let trials = trials(&fields)?;
    if since.is_none() && trials.is_empty() {
        let message = "say something of the model: `since` or `trials`; DELETE takes back what was said";
        return Err(GatewayError::invalid("since", message));
    }
    let now = unix_micros();
    Ok(ModelEdit {
        model,
        since,
        trials,
        created_at: now,
        updated_at: now,
    })
}

fn trials(fields: &Fields<'_>) -> Result<Vec<Trials>, GatewayError> {
    let Some(raw) = fields.value("trials") else {
        return Ok(Vec::new());
    };
    let raw: Vec<&RawValue> = serde_json::from_str(raw)
        .map_err(|_no_array| GatewayError::invalid("trials", "`trials` must be an array of objects"))?;
    let mut trials: Vec<Trials> = Vec::new();
    for (place, raw) in raw.into_iter().enumerate() {
        let one = one_of(raw.get(), &trials).map_err(|error| {
            let param = match error.param.as_deref() {
                Some(param) => format!("trials[{place}].{param}"),
                None => format!("trials[{place}]"),
            };
            error.with_param(param)
        })?;
        trials.push(one);
    }
    Ok(trials)
}

fn one_of(raw: &str, before: &[Trials]) -> Result<Trials, GatewayError> {
    let fields = Fields::parse(raw.as_bytes(), TRIAL_FIELDS)?;
    let required = |name: &'static str| GatewayError::invalid(name, format!("`{name}` is required"));
    let count = |name| Ok::<_, GatewayError>(fields.whole_number(name, 0..=MOST)?.unwrap_or_default());
    let one = Trials {
        task: fields.word("task")?.ok_or_else(|| required("task"))?,
        complexity: fields.word("complexity")?.ok_or_else(|| required("complexity"))?,
        successes: count("successes")?,
        failures: count("failures")?,
    };
    if one.successes == 0 && one.failures == 0 {
        let message = "`successes` and `failures` are both 0; give one of them";
        return Err(GatewayError::invalid("successes", message));
    }
    let is_same = |other: &Trials| other.task == one.task && other.complexity == one.complexity;
    if before.iter().any(is_same) {
        let message = "this `task` and `complexity` were given before; add them up";
        return Err(GatewayError::invalid("task", message));
    }
    Ok(one)
}

#[cfg(test)]
mod tests {
    use gateway_actors::protocol::{Complexity, TaskType};

    use super::*;

    fn said(body: &str) -> Result<ModelEdit, GatewayError> {
        read(body.as_bytes(), "m".into())
    }

    #[test]
    fn an_edit_is_read_as_it_is_written() {
        let body = r#"{"since":"1970-01-01T00:00:01Z","trials":[{"task":"code","complexity":"simple","failures":3}]}"#;
        let edit = said(body).unwrap();
        assert_eq!((edit.model.as_str(), edit.since), ("m", Some(1_000_000)));
        let expected = Trials {
            task: TaskType::Code,
            complexity: Complexity::Simple,
            successes: 0,
            failures: 3,
        };
        assert_eq!(edit.trials, [expected]);
    }

    #[test]
    fn every_impossible_value_is_refused_with_its_field() {
        let one = r#"{"task":"code","complexity":"simple","successes":1}"#;
        for (body, param) in [
            ("{}".to_owned(), "since"),
            (r#"{"since":null,"trials":[]}"#.to_owned(), "since"),
            (r#"{"since":"yesterday"}"#.to_owned(), "since"),
            (r#"{"until":"2026-01-01T00:00:00Z"}"#.to_owned(), "until"),
            (r#"{"trials":{}}"#.to_owned(), "trials"),
            (r#"{"trials":[{}]}"#.to_owned(), "trials[0].task"),
            (r#"{"trials":[{"task":"code"}]}"#.to_owned(), "trials[0].complexity"),
            (format!(r#"{{"trials":[{one},{one}]}}"#), "trials[1].task"),
            (
                r#"{"trials":[{"task":"code","complexity":"simple"}]}"#.to_owned(),
                "trials[0].successes",
            ),
            (
                r#"{"trials":[{"task":"code","complexity":"simple","failures":100001}]}"#.to_owned(),
                "trials[0].failures",
            ),
        ] {
            let error = said(&body).unwrap_err();
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
        }
    }
}
