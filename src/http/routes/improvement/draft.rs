//! What administrators send about heuristics and bugs, read and checked.

use std::sync::Arc;

use gateway_actors::protocol::{Catalogue, GatewayError, HeuristicCase, HeuristicRule, ImprovementKind};
use serde::{Deserialize, Serialize};

use crate::fields::{Fields, within};

/// Bytes of a title.
const TITLE_BYTES: usize = 256;
/// Bytes of a text of a bug.
const TEXT_BYTES: usize = 16 * 1024;
const MOST_MODELS: usize = 50;
const MOST_BYTES: u32 = 16 * 1024 * 1024;
const LABEL_BYTES: usize = 256;

/// What is stored of a heuristic besides its title.
#[derive(Debug, Serialize, Deserialize)]
struct RuleData {
    when: HeuristicCase,
    then: HeuristicRule,
}

/// What is stored of a bug besides its title.
#[derive(Debug, Serialize, Deserialize)]
struct BugData {
    pattern: String,
    cause: String,
    fix: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    test: Option<String>,
}

/// A note as it is to be stored.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) title: Arc<str>,
    /// A JSON object.
    pub(super) data: Arc<str>,
    pub(super) enabled: bool,
}

impl Draft {
    /// Reads what is posted, or what of `before` is to be changed.
    ///
    /// # Errors
    /// `malformed_json`, or `invalid_request` with the field at fault.
    pub(super) fn read(
        kind: ImprovementKind,
        body: &[u8],
        before: Option<Draft>,
        catalogue: &Catalogue,
    ) -> Result<Self, GatewayError> {
        let accepted: &[&str] = match kind {
            ImprovementKind::Heuristic => &["title", "when", "then", "enabled"],
            ImprovementKind::Bug => &["title", "pattern", "cause", "fix", "test", "enabled"],
        };
        let fields = Fields::parse(body, accepted)?;
        if before.is_some() && !accepted.iter().any(|name| fields.is_given(name)) {
            let message = format!("nothing is to be changed; give one of `{}`", accepted.join("`, `"));
            return Err(GatewayError::invalid("title", message));
        }
        let (title_before, data_before, enabled_before) = match before {
            Some(before) => (Some(before.title), Some(before.data), before.enabled),
            None => (None, None, true),
        };
        let title = fields.label("title", TITLE_BYTES)?.map(Arc::from).or(title_before);
        let data = match kind {
            ImprovementKind::Heuristic => json_of(&rule(&fields, data_before.as_deref(), catalogue)?),
            ImprovementKind::Bug => json_of(&bug(&fields, data_before.as_deref())?),
        };
        Ok(Self {
            title: title.ok_or_else(|| required("title"))?,
            data,
            enabled: fields.flag("enabled")?.unwrap_or(enabled_before),
        })
    }
}

fn json_of<T: Serialize>(data: &T) -> Arc<str> {
    // These types have no value that JSON has no form for.
    serde_json::to_string(data).unwrap_or_default().into()
}

fn rule(fields: &Fields<'_>, before: Option<&str>, catalogue: &Catalogue) -> Result<RuleData, GatewayError> {
    let before: Option<RuleData> = before.and_then(|before| serde_json::from_str(before).ok());
    let (when_before, then_before) = before.map(|before| (before.when, before.then)).unzip();
    let when = match fields.object("when", &["task", "complexity", "minBytes"])? {
        None => when_before.unwrap_or_default(),
        Some(when) => case(&when).map_err(|error| within("when", error))?,
    };
    let then = match fields.object("then", &["startLayer", "prefer", "avoid"])? {
        None => then_before.ok_or_else(|| required("then"))?,
        Some(then) => consequence(&then, catalogue).map_err(|error| within("then", error))?,
    };
    Ok(RuleData { when, then })
}

fn case(fields: &Fields<'_>) -> Result<HeuristicCase, GatewayError> {
    Ok(HeuristicCase {
        task: fields.word("task")?,
        complexity: fields.word("complexity")?,
        min_bytes: fields.whole_number("minBytes", 0..=MOST_BYTES)?.unwrap_or_default(),
    })
}

fn consequence(fields: &Fields<'_>, catalogue: &Catalogue) -> Result<HeuristicRule, GatewayError> {
    let names = |name: &'static str| {
        let names = fields.labels(name, MOST_MODELS, LABEL_BYTES)?.unwrap_or_default();
        if let Some(nobody) = names.iter().find(|model| catalogue.called(model).is_none()) {
            let message = format!("`{name}`: no model is called `{nobody}`; GET /v1/models lists the names");
            return Err(GatewayError::invalid(name, message));
        }
        Ok(names.into_iter().map(Arc::from).collect::<Vec<Arc<str>>>())
    };
    let rule = HeuristicRule {
        start: fields.word("startLayer")?,
        prefer: names("prefer")?,
        avoid: names("avoid")?,
    };
    if rule == HeuristicRule::default() {
        let message = "a heuristic does something: give `startLayer`, `prefer` or `avoid`";
        return Err(GatewayError::invalid("startLayer", message));
    }
    if let Some(both) = rule.prefer.iter().find(|model| rule.avoid.contains(model)) {
        let message = format!("`avoid`: `{both}` is among `prefer` too; name a model in one of them");
        return Err(GatewayError::invalid("avoid", message));
    }
    Ok(rule)
}

fn bug(fields: &Fields<'_>, before: Option<&str>) -> Result<BugData, GatewayError> {
    let before: Option<BugData> = before.and_then(|before| serde_json::from_str(before).ok());
    let text = |name: &'static str| match fields.text(name)? {
        Some(text) if text.trim().is_empty() || text.len() > TEXT_BYTES => {
            let message = format!("`{name}` must be 1 to {TEXT_BYTES} bytes, and not only white space");
            Err(GatewayError::invalid(name, message))
        }
        text => Ok(text),
    };
    let (pattern, cause, fix, test) = (text("pattern")?, text("cause")?, text("fix")?, text("test")?);
    let before = before.map(|before| (before.pattern, before.cause, before.fix, before.test));
    let (pattern_before, cause_before, fix_before, test_before) = match before {
        Some((pattern, cause, fix, test)) => (Some(pattern), Some(cause), Some(fix), test),
        None => (None, None, None, None),
    };
    Ok(BugData {
        pattern: pattern.or(pattern_before).ok_or_else(|| required("pattern"))?,
        cause: cause.or(cause_before).ok_or_else(|| required("cause"))?,
        fix: fix.or(fix_before).ok_or_else(|| required("fix"))?,
        test: if fields.is_given("test") { test } else { test_before },
    })
}

fn required(name: &'static str) -> GatewayError {
    GatewayError::invalid(name, format!("`{name}` is required"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::http::testing::model;

    fn read(kind: ImprovementKind, body: &str, before: Option<Draft>) -> Result<Draft, GatewayError> {
        let catalogue = Catalogue::new(vec![model("small", "alpha")], Vec::new(), HashMap::new());
        Draft::read(kind, body.as_bytes(), before, &catalogue)
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name() {
        let body = r#"{"title":"long code","when":{"task":"code","minBytes":4000},"then":{"startLayer":"L1"}}"#;
        let first = read(ImprovementKind::Heuristic, body, None).unwrap();
        assert!(first.enabled);
        let data = first.data.clone();
        let off = read(ImprovementKind::Heuristic, r#"{"enabled":false}"#, Some(first)).unwrap();
        assert_eq!((&*off.title, &off.data, off.enabled), ("long code", &data, false));
        let then = read(
            ImprovementKind::Heuristic,
            r#"{"then":{"prefer":["small"]}}"#,
            Some(off),
        )
        .unwrap();
        assert_eq!(
            &*then.data,
            r#"{"when":{"task":"code","minBytes":4000},"then":{"prefer":["small"],"avoid":[]}}"#
        );
        assert!(!then.enabled);

        let body = r#"{"title":"loop","pattern":"a","cause":"b","fix":"c","test":"d"}"#;
        let first = read(ImprovementKind::Bug, body, None).unwrap();
        let fixed = read(ImprovementKind::Bug, r#"{"fix":"e","test":null}"#, Some(first)).unwrap();
        assert_eq!(&*fixed.data, r#"{"pattern":"a","cause":"b","fix":"e"}"#);
    }

    #[test]
    fn every_impossible_value_is_refused_with_its_field() {
        let rule = |members: &str| format!(r#"{{"title":"x",{members}}}"#);
        for (body, param) in [
            (r#"{"then":{"startLayer":"L1"}}"#.to_owned(), "title"),
            (r#"{"title":"x"}"#.to_owned(), "then"),
            (rule(r#""then":{}"#), "then.startLayer"),
            (rule(r#""then":{"startLayer":"L9"}"#), "then.startLayer"),
            (rule(r#""then":{"prefer":["nobody"]}"#), "then.prefer"),
            (rule(r#""then":{"prefer":[]}"#), "then.prefer"),
            (rule(r#""then":{"avoid":"small"}"#), "then.avoid"),
            (rule(r#""then":{"prefer":["small"],"avoid":["small"]}"#), "then.avoid"),
            (
                rule(r#""when":{"task":"exec"},"then":{"startLayer":"L1"}"#),
                "when.task",
            ),
            (
                rule(r#""when":{"minBytes":-1},"then":{"startLayer":"L1"}"#),
                "when.minBytes",
            ),
            (rule(r#""then":{"startLayer":"L1"},"enabled":"yes""#), "enabled"),
            (rule(r#""pattern":"x""#), "pattern"),
        ] {
            let error = read(ImprovementKind::Heuristic, &body, None).unwrap_err();
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
        }
        for (body, param) in [
            (r#"{"title":"x","pattern":"a","cause":"b"}"#, "fix"),
            (r#"{"title":"x","pattern":" ","cause":"b","fix":"c"}"#, "pattern"),
            (r#"{"title":"x","when":{}}"#, "when"),
        ] {
            let error = read(ImprovementKind::Bug, body, None).unwrap_err();
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
        }
    }
}
