//! What the gateway reads and owns of a body in OpenAI's chat completions, and in the completions before them: read once,
//! and written for a model with nothing else touched.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use gateway_actors::protocol::{ErrorKind, GatewayError, Model, OutgoingBody};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::flavour::Flavour;
use super::scan::Scan;
use crate::dialects::json::{is_non_empty_container, is_object, push_string, range_in, text};
use crate::dialects::precheck::precheck;
use crate::dialects::splice::{Splice, spliced};

/// The most answers that a request may ask for, as OpenAI has it.
pub(in crate::dialects) const MOST_ANSWERS: u32 = 128;

/// The fields that the gateway reads and replaces.
#[derive(Debug)]
pub(in crate::dialects) struct Owned {
    /// The model the client asked for.
    pub(in crate::dialects) model: Arc<str>,
    /// Whether the client wants a stream.
    pub(in crate::dialects) stream: bool,
    /// Whether it wants the usage of a stream.
    pub(in crate::dialects) wants_usage: bool,
    /// Where the value of `model` stands.
    model_value: Range<usize>,
    /// What makes a stream report usage, if the client did not ask for it.
    usage_splice: Option<Splice>,
    /// Where the member `stream_options` stands, if the client wrote one.
    stream_options: Option<Range<usize>>,
}

impl Owned {
    /// Reads them.
    ///
    /// # Errors
    /// `invalid_request` naming the one that is missing or not what it must be.
    pub(in crate::dialects) fn read(json: &str, found: &Scan<'_>) -> Result<Self, GatewayError> {
        let model_value = found.model.ok_or_else(|| required("model"))?;
        let model = text(model_value)
            .filter(|model| !model.is_empty())
            .ok_or_else(|| GatewayError::invalid("model", "`model` must be a non-empty string"))?;
        let model_value = range_in(json, model_value);
        let stream = flag("stream", found.stream)?;
        let (wants_usage, splice) = usage_request(json, found.stream_options, model_value.end)?;
        Ok(Self {
            model: model.into(),
            stream,
            wants_usage,
            model_value,
            usage_splice: splice.filter(|_| stream),
            stream_options: found
                .stream_options
                .map(|options| member_of(json, range_in(json, options))),
        })
    }

    /// The body that they were read from, for a model of a provider of the same dialect, with more places exchanged.
    pub(in crate::dialects) fn body_for(&self, body: &Bytes, model: &Model, more: &[Splice]) -> OutgoingBody {
        let name = self.name_splice(model);
        let takes_options = Flavour::of(model).takes_stream_options();
        let refused = self.stream_options.clone().filter(|_member| !takes_options);
        let without = refused.map(|member| Splice::new(member, Bytes::new()));
        if more.is_empty() && without.is_none() {
            return match self.usage_splice(model) {
                Some(usage) if usage.at.end <= name.at.start => spliced(body, [usage, &name].into_iter()),
                Some(usage) => spliced(body, [&name, usage].into_iter()),
                None => spliced(body, std::iter::once(&name)),
            };
        }
        let mut splices: Vec<&Splice> = more.iter().chain([&name]).collect();
        splices.extend(self.usage_splice(model).into_iter().chain(&without));
        // What is put in behind the name stands where the name ends.
        splices.sort_by_key(|splice| (splice.at.start, splice.at.end));
        spliced(body, splices.into_iter())
    }

    fn usage_splice(&self, model: &Model) -> Option<&Splice> {
        let splice = self.usage_splice.as_ref()?;
        Flavour::of(model).takes_stream_options().then_some(splice)
    }

    fn name_splice(&self, model: &Model) -> Splice {
        let mut name = Vec::with_capacity(model.api_model.len() + 2);
        push_string(&mut name, &model.api_model);
        Splice::new(self.model_value.clone(), name)
    }
}

/// The text of a body that may be parsed.
///
/// # Errors
/// `malformed_json` if it is empty, not UTF-8, or nested more than 128 levels deep.
pub(in crate::dialects) fn json_of(body: &Bytes) -> Result<&str, GatewayError> {
    let json = std::str::from_utf8(body).map_err(|error| {
        let place = error.valid_up_to();
        malformed(format!("the body is not UTF-8: see byte {place}"))
    })?;
    if json.trim_ascii().is_empty() {
        return Err(malformed("the body is empty: send a JSON object"));
    }
    precheck(body).map_err(|refused| malformed(format!("the body is not accepted: {refused}")))?;
    Ok(json)
}

/// How many answers are made and billed. `best_of` is no field of this dialect, but a provider that knows it makes that
/// many, whatever `n` says. What is no number is the provider's to refuse; what is beyond every provider's limit is
/// refused here, since it would make the worst case of the attempt as large as anybody likes.
pub(in crate::dialects) fn answers(found: &Scan<'_>) -> Result<u32, GatewayError> {
    let n = match found.n.map(RawValue::get).filter(|&value| value != "null") {
        None => 1,
        Some(value) => value
            .parse()
            .ok()
            .filter(|n| (1..=MOST_ANSWERS).contains(n))
            .ok_or_else(|| {
                GatewayError::invalid("n", format!("`n` must be a whole number from 1 to {MOST_ANSWERS}"))
            })?,
    };
    match found.best_of.and_then(|value| value.get().parse::<f64>().ok()) {
        None => Ok(n),
        Some(best_of) if best_of > f64::from(MOST_ANSWERS) => {
            let message = format!("`best_of` must be a whole number up to {MOST_ANSWERS}");
            Err(GatewayError::invalid("best_of", message))
        }
        // A negative number becomes 0.
        Some(best_of) => Ok(n.max(best_of.ceil() as u32)),
    }
}

/// Whether the client asked for usage, and what has to be written where if it did not.
fn usage_request(
    json: &str,
    options: Option<&RawValue>,
    after_model: usize,
) -> Result<(bool, Option<Splice>), GatewayError> {
    #[derive(Deserialize)]
    struct Options<'a> {
        /// Present even if `null`, so that it can be replaced.
        #[serde(borrow, default, deserialize_with = "present")]
        include_usage: Option<&'a RawValue>,
    }
    fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
        Deserialize::deserialize(deserializer).map(Some)
    }

    let Some(options) = options else {
        let with = r#","stream_options":{"include_usage":true}"#;
        let splice = Splice::new(after_model..after_model, with);
        return Ok((false, Some(splice)));
    };
    let at = range_in(json, options);
    if options.get() == "null" {
        let with = r#"{"include_usage":true}"#;
        return Ok((false, Some(Splice::new(at, with))));
    }
    if !is_object(options) {
        return Err(GatewayError::invalid(
            "stream_options",
            "`stream_options` must be an object",
        ));
    }
    let parsed: Options<'_> = serde_json::from_str(options.get()).map_err(|_given_twice| {
        GatewayError::invalid(
            "stream_options.include_usage",
            "`include_usage` is given more than once: send it once",
        )
    })?;
    let Some(given) = parsed.include_usage else {
        let inside = at.start + 1;
        let with = if is_non_empty_container(options) {
            r#""include_usage":true,"#
        } else {
            r#""include_usage":true"#
        };
        return Ok((false, Some(Splice::new(inside..inside, with))));
    };
    if flag("stream_options.include_usage", Some(given))? {
        return Ok((true, None));
    }
    let place = at.start + range_in(options.get(), given).start;
    let at = place..place + given.get().len();
    Ok((false, Some(Splice::new(at, "true"))))
}

/// The whole member of an object whose value stands here, with the comma that is one too many without it: the one before
/// it, or the one behind where it is the first.
fn member_of(json: &str, value: Range<usize>) -> Range<usize> {
    let before = json.get(..value.start).unwrap_or_default();
    let quoted = before.trim_end().trim_end_matches(':').trim_end().trim_end_matches('"');
    // A name has no quote in it, escaped or not, when it is this one.
    let name = quoted.rfind('"').unwrap_or(quoted.len());
    let ahead = json.get(..name).unwrap_or_default().trim_end();
    if let Some(rest) = ahead.strip_suffix(',') {
        return rest.len()..value.end;
    }
    let behind = json.get(value.end..).unwrap_or_default();
    let comma = behind
        .trim_start()
        .strip_prefix(',')
        .map(|rest| json.len() - rest.len());
    name..comma.unwrap_or(value.end)
}

/// A boolean that may be absent or `null`.
fn flag(name: &'static str, value: Option<&RawValue>) -> Result<bool, GatewayError> {
    match value.map(RawValue::get) {
        None | Some("null" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(GatewayError::invalid(name, format!("`{name}` must be true or false"))),
    }
}

/// A number of tokens, from 1, that may be absent or `null`.
pub(in crate::dialects) fn token_count(
    name: &'static str,
    value: Option<&RawValue>,
) -> Result<Option<u32>, GatewayError> {
    token_count_from(1, name, value)
}

/// The same for a number of at least so many.
pub(in crate::dialects) fn token_count_from(
    least: u32,
    name: &'static str,
    value: Option<&RawValue>,
) -> Result<Option<u32>, GatewayError> {
    let Some(value) = value.map(RawValue::get).filter(|&value| value != "null") else {
        return Ok(None);
    };
    match value.parse() {
        Ok(count) if count >= least => Ok(Some(count)),
        _ => Err(GatewayError::invalid(
            name,
            format!("`{name}` must be a whole number from {least} to {}", u32::MAX),
        )),
    }
}

pub(in crate::dialects) fn required(name: &'static str) -> GatewayError {
    GatewayError::invalid(name, format!("`{name}` is required"))
}

fn malformed(message: impl Into<std::borrow::Cow<'static, str>>) -> GatewayError {
    GatewayError::new(ErrorKind::MalformedJson, message)
}
