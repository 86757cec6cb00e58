//! Every field of every table, the cap, and what is in no table.

use gateway_actors::protocol::{BoundRules, Dialect, ErrorKind, GatewayError, Vendor};
use serde_json::{Value, json};

use super::effect::{Effect, Field};
use super::samples::model;
use super::{Bounded, Form, Names, bounded};
use crate::dialects::splice::spliced;

const FORMS: [Form; 9] = [
    Form::Chat,
    Form::Completions,
    Form::Responses,
    Form::Messages,
    Form::Gemini,
    Form::Ollama,
    Form::OpenaiEmbeddings,
    Form::GeminiEmbeddings,
    Form::OllamaEmbeddings,
];

fn bound(body: &str, form: Form) -> Result<Bounded, GatewayError> {
    bounded(
        body,
        form,
        &model(Vendor::Openai, "gpt-4o"),
        &BoundRules::default(),
        Names::Own,
    )
}

/// The body as it is sent to a model of this vendor, and its output bound.
fn sent(body: &str, form: Form, vendor: Vendor) -> (Value, u64) {
    let found = bounded(body, form, &model(vendor, "m"), &BoundRules::default(), Names::Own).unwrap();
    let body = spliced(&body.to_owned().into(), found.splices.iter()).to_bytes();
    (serde_json::from_slice(&body).unwrap(), found.bound.output)
}

#[track_caller]
fn refuses(body: &str, form: Form, param: &str) {
    let error = bound(body, form).unwrap_err();
    assert_eq!(error.kind, ErrorKind::CostUnbounded, "{body}: {error}");
    assert_eq!(error.param.as_deref(), Some(param), "{body}: {error}");
    assert!(error.message.contains(param), "{error}");
}

/// Values with which a field is refused, if there are any, and with which it is taken.
fn values(effect: Effect) -> (Vec<Value>, Vec<Value>) {
    let any = || vec![json!("x"), json!({"a": [1]}), json!(7)];
    match effect {
        Effect::Free => (vec![], any()),
        Effect::Content | Effect::Prompt | Effect::Input => (vec![], vec![json!("x"), json!([])]),
        Effect::Tools => (vec![], vec![json!([])]),
        Effect::Schema => (vec![], any()),
        Effect::Cap | Effect::Answers => (vec![], vec![json!(1), json!(7)]),
        Effect::Echo => (vec![], vec![json!(true), json!(false)]),
        Effect::Thinking => (vec![], vec![json!({"type": "adaptive"}), json!({"budget_tokens": 999})]),
        Effect::Edits => (
            vec![json!({"edits": [{"type": "compact_20260112"}]}), json!(7)],
            vec![json!({"edits": [{"type": "clear_thinking_20251015"}]})],
        ),
        Effect::Words(words) => (
            vec![json!("priority"), json!("fast"), json!({}), json!("")],
            words.iter().map(|word| json!(word)).collect(),
        ),
        Effect::Values(values, _) => (
            vec![json!(true), json!(["text", "audio"])],
            values
                .iter()
                .map(|value| serde_json::from_str(value).unwrap())
                .collect(),
        ),
        Effect::Nested(_) => (vec![], vec![json!({})]),
        Effect::Refused(_) => (any(), vec![]),
    }
}

fn within(wrapper: Option<&str>, name: &str, value: &Value) -> String {
    let member = json!({ name: value });
    match wrapper {
        Some(wrapper) => json!({ "model": "m", wrapper: member }).to_string(),
        None => member.to_string(),
    }
}

fn try_fields(form: Form, fields: &[Field], wrapper: Option<&str>) {
    for field in fields {
        let (refused, taken) = values(field.effect);
        let path = wrapper.map_or_else(|| field.name.to_owned(), |wrapper| format!("{wrapper}.{}", field.name));
        for value in refused {
            refuses(&within(wrapper, field.name, &value), form, &path);
        }
        for value in taken.iter().chain([&Value::Null]) {
            let body = within(wrapper, field.name, value);
            let found = bound(&body, form).unwrap_or_else(|error| panic!("{form:?} {body}: {error}"));
            assert!(found.bound.input >= body.len() as u64, "{body}");
        }
        if let Effect::Nested(inner) = field.effect {
            try_fields(form, inner, Some(field.name));
        }
        if wrapper.is_none() {
            let error = bound(&format!(r#"{{"{0}":null,"{0}":null}}"#, field.name), form).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidRequest, "{}", field.name);
        }
    }
}

#[test]
fn every_field_of_every_table_is_bounded_or_refused_by_its_name() {
    for form in FORMS {
        try_fields(form, form.fields(), None);
    }
}

#[test]
fn a_field_of_no_table_is_refused_unless_the_rules_let_it_pass_or_it_is_null() {
    for form in FORMS {
        refuses(r#"{"x_new":1}"#, form, "x_new");
        assert!(bound(r#"{"x_new":null}"#, form).is_ok());
        let rules = BoundRules {
            pass_fields: [Box::from("x_new"), Box::from("audio")].into(),
        };
        let model = model(Vendor::Other, "m");
        assert!(bounded(r#"{"x_new":1}"#, form, &model, &rules, Names::Own).is_ok());
        // Only what nobody here knows is let pass.
        let known = bounded(r#"{"audio":{}}"#, Form::Chat, &model, &rules, Names::Own);
        assert_eq!(known.unwrap_err().kind, ErrorKind::CostUnbounded);
    }
    let odd = bound("{\"a\\nb\":1}", Form::Chat).unwrap_err();
    assert!(!odd.message.contains('\n'));
    refuses(r#"{"MAX_TOKENS":9}"#, Form::Chat, "MAX_TOKENS");
}

#[test]
fn the_cap_is_always_sent_by_the_name_that_the_provider_goes_by() {
    let chat = |body: &str, vendor| sent(body, Form::Chat, vendor);
    for (body, vendor, expected, output) in [
        (
            r#"{"model":"m"}"#,
            Vendor::Openai,
            json!({"model": "m", "max_completion_tokens": 1000}),
            1_000,
        ),
        (
            r#" { } "#,
            Vendor::Openai,
            json!({"max_completion_tokens": 1000}),
            1_000,
        ),
        (r#"{"max_tokens":7}"#, Vendor::Openai, json!({"max_tokens": 7}), 7),
        (
            r#"{"max_tokens":9000}"#,
            Vendor::Openai,
            json!({"max_tokens": 1000}),
            1_000,
        ),
        (
            r#"{"max_completion_tokens":null}"#,
            Vendor::Openai,
            json!({"max_completion_tokens": 1000}),
            1_000,
        ),
        (
            r#"{"max_tokens":null}"#,
            Vendor::Mistral,
            json!({"max_tokens": 1000}),
            1_000,
        ),
        // Who may not know the other name gets both; the larger counts where it is the provider's choice.
        (
            r#"{"max_completion_tokens":7}"#,
            Vendor::Other,
            json!({"max_completion_tokens": 7, "max_tokens": 7}),
            7,
        ),
        (
            r#"{"max_completion_tokens":7}"#,
            Vendor::Groq,
            json!({"max_completion_tokens": 7}),
            7,
        ),
        (
            r#"{"max_completion_tokens":7,"max_tokens":5000}"#,
            Vendor::Other,
            json!({"max_completion_tokens": 7, "max_tokens": 1000}),
            1_000,
        ),
    ] {
        assert_eq!(chat(body, vendor), (expected, output), "{body} {vendor}");
    }
    let of = |body: &str, form| sent(body, form, Vendor::Other);
    assert_eq!(of("{}", Form::Completions), (json!({"max_tokens": 1000}), 1_000));
    assert_eq!(of("{}", Form::Responses), (json!({"max_output_tokens": 1000}), 1_000));
    assert_eq!(of(r#"{"max_tokens":0}"#, Form::Messages), (json!({"max_tokens": 0}), 0));
    assert_eq!(
        of(r#"{"generationConfig":{}}"#, Form::Gemini).0,
        json!({"generationConfig": {"maxOutputTokens": 1000}})
    );
    assert_eq!(
        of(r#"{"options":{"seed":1},"model":"m"}"#, Form::Ollama).0,
        json!({"options": {"num_predict": 1000, "seed": 1}, "model": "m"})
    );
    let error = bound(r#"{"max_tokens":"many"}"#, Form::Messages).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("max_tokens"));
    for form in [Form::OpenaiEmbeddings, Form::GeminiEmbeddings, Form::OllamaEmbeddings] {
        assert_eq!(of("{}", form), (json!({}), 0));
    }
}

#[test]
fn all_that_multiplies_the_output_is_in_its_bound() {
    let output = |body: &str, form| bound(body, form).unwrap().bound.output;
    assert_eq!(output(r#"{"n":3,"max_tokens":10}"#, Form::Chat), 30);
    assert_eq!(output(r#"{"n":3,"best_of":5.5,"max_tokens":10}"#, Form::Chat), 60);
    let prompts = r#"{"prompt":["a","b",[1,2]],"n":2,"best_of":4,"max_tokens":10}"#;
    assert_eq!(output(prompts, Form::Completions), 3 * 4 * 10);
    assert_eq!(output(r#"{"prompt":[1,2,3],"max_tokens":10}"#, Form::Completions), 10);
    let echoing = bound(r#"{"prompt":"a","echo":true,"max_tokens":10}"#, Form::Completions).unwrap();
    assert_eq!(echoing.bound.output, 10 + echoing.bound.input);
    assert_eq!(
        output(
            r#"{"generationConfig":{"candidateCount":4,"maxOutputTokens":5}}"#,
            Form::Gemini
        ),
        20
    );
    for body in [r#"{"n":129}"#, r#"{"n":"2"}"#, r#"{"n":[]}"#] {
        assert_eq!(
            bound(body, Form::Chat).unwrap_err().param.as_deref(),
            Some("n"),
            "{body}"
        );
    }
}

#[test]
fn reasoning_beyond_the_cap_is_bounded_by_the_window_or_refused() {
    let output = |name| {
        let model = model(Vendor::Xai, name);
        let body = r#"{"max_tokens":10,"n":2}"#;
        bounded(body, Form::Chat, &model, &BoundRules::default(), Names::Own)
            .unwrap()
            .bound
            .output
    };
    assert_eq!((output("grok-4"), output("grok-4-fast-non-reasoning")), (200_000, 20));
    let thinking = |budget: u32| format!(r#"{{"max_tokens":900,"thinking":{{"budget_tokens":{budget}}}}}"#);
    assert!(bound(&thinking(899), Form::Messages).is_ok());
    refuses(&thinking(900), Form::Messages, "thinking.budget_tokens");
    refuses(
        r#"{"max_tokens":9000,"thinking":{"budget_tokens":2000}}"#,
        Form::Messages,
        "thinking.budget_tokens",
    );
}

#[test]
fn tools_that_the_provider_runs_are_refused_where_they_stand() {
    for (form, own, hosted) in [
        (Form::Chat, r#"{"type":"function"}"#, r#"{"type":"web_search"}"#),
        (Form::Chat, r#"{"type":"custom"}"#, r#"{"type":"code_interpreter"}"#),
        (
            Form::Responses,
            r#"{"type":"namespace","tools":[{"type":"function"}]}"#,
            r#"{"type":"file_search"}"#,
        ),
        (
            Form::Responses,
            r#"{"type":"tool_search","execution":"client"}"#,
            r#"{"type":"tool_search"}"#,
        ),
        (
            Form::Responses,
            r#"{"type":"function"}"#,
            r#"{"type":"mcp","server_url":"http://x"}"#,
        ),
        (
            Form::Responses,
            r#"{"type":"custom"}"#,
            r#"{"type":"image_generation"}"#,
        ),
        (
            Form::Responses,
            r#"{"type":"custom"}"#,
            r#"{"type":"computer_use_preview"}"#,
        ),
        (Form::Messages, r#"{"name":"a"}"#, r#"{"type":"web_search_20250305"}"#),
        (
            Form::Messages,
            r#"{"type":"bash_20250124"}"#,
            r#"{"type":"code_execution_20250825"}"#,
        ),
        (
            Form::Messages,
            r#"{"type":"custom"}"#,
            r#"{"type":"computer_20251124"}"#,
        ),
        (Form::Ollama, r#"{"type":"function"}"#, r#"{"type":"web_search"}"#),
    ] {
        assert!(bound(&format!(r#"{{"tools":[{own}]}}"#), form).is_ok(), "{own}");
        refuses(&format!(r#"{{"tools":[{own},{hosted}]}}"#), form, "tools[1]");
    }
    let inside = r#"{"tools":[{"type":"namespace","tools":[{"type":"web_search"}]}]}"#;
    refuses(inside, Form::Responses, "tools[0].tools[0]");
    let twice = bound(r#"{"tools":[{"type":"function","type":"web_search"}]}"#, Form::Chat).unwrap_err();
    assert_eq!(twice.kind, ErrorKind::InvalidRequest);
    assert!(bound(r#"{"tools":[{"functionDeclarations":[{}]}]}"#, Form::Gemini).is_ok());
    for hosted in ["googleSearch", "codeExecution", "urlContext"] {
        refuses(&format!(r#"{{"tools":[{{"{hosted}":{{}}}}]}}"#), Form::Gemini, "tools");
    }
}

#[test]
fn what_was_translated_is_refused_by_the_clients_own_name() {
    let named = |body: &str, form, client| {
        let names = Names::Of(client);
        let error = bounded(body, form, &model(Vendor::Other, "m"), &BoundRules::default(), names).unwrap_err();
        assert_eq!(error.kind, ErrorKind::CostUnbounded);
        error.param.unwrap().into_owned()
    };
    let image = r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}]}"#;
    assert_eq!(named(image, Form::Gemini, Dialect::OpenaiChat), "messages.image_url");
    assert_eq!(named(image, Form::Gemini, Dialect::AnthropicMessages), "messages.image");
    let tier = r#"{"service_tier":"priority"}"#;
    assert_eq!(named(tier, Form::Chat, Dialect::OpenaiResponses), "service_tier");
}
