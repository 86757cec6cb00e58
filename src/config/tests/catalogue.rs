//! Models: which there are.

use gateway_actors::protocol::{Layer, Price};

use super::super::ProviderKind;
use super::{CONTRACT, problems, settings, warnings};

#[test]
fn a_models_table_replaces_the_shipped_catalogue_and_its_absence_keeps_it() {
    let env = [("OPENAI_API_KEY", "sk-a")];
    assert_eq!(settings(CONTRACT, &env).models.len(), 1);
    let (provider_only, _) = CONTRACT.split_once("[[models]]").unwrap();
    assert!(settings(provider_only, &env).models.len() > 1);
    assert!(settings("models = []", &env).models.is_empty());
}

#[test]
fn free_models_are_asked_for_where_openrouter_has_its_key_and_they_are_wanted() {
    let source = |config: &str, env: &[(&str, &str)]| {
        let settings = settings(config, env);
        settings.free_model_provider().map(|provider| provider.name.to_string())
    };
    let key = [("OPENROUTER_API_KEY", "sk-or"), ("OPENAI_API_KEY", "sk-a")];
    assert_eq!(source("", &key).as_deref(), Some("openrouter"));
    assert_eq!(source("[openrouter]\nfree_models = false", &key), None);
    assert_eq!(source("", &key[1..]), None);
    let renamed = "[[providers]]\nname = \"mine\"\nkind = \"openrouter\"\napi_key_env = \"MINE\"\n";
    assert_eq!(source(renamed, &[("MINE", "sk-or")]).as_deref(), Some("mine"));
    assert_eq!(source(renamed, &[]), None);
}

#[test]
fn that_no_model_can_be_used_is_no_warning_while_free_ones_are_looked_for() {
    let key = [("OPENROUTER_API_KEY", "sk-or"), ("HOME", "/home/me")];
    assert_eq!(warnings("models = []", &key), "");
    let said = warnings("models = []\n[openrouter]\nfree_models = false", &key);
    assert!(said.contains("no model can be used"), "{said}");
}

#[test]
fn switched_off_models_are_left_out() {
    let config = format!("{CONTRACT}enabled = false\nprice_source = \"x\"\nprice_date = \"2026-11-22\"\n");
    assert!(settings(&config, &[]).models.is_empty());
}

#[test]
fn a_users_model_of_a_builtin_provider_without_its_key_is_left_out_with_a_warning() {
    let config = CONTRACT.replace("provider = \"alpha\"", "provider = \"openrouter\"");
    assert!(settings(&config, &[]).models.is_empty());
    let said = warnings(&config, &[]);
    assert!(
        said.contains("models.alpha-small: left out: the provider openrouter exists only with OPENROUTER_API_KEY"),
        "{said}"
    );
}

#[test]
fn fallback_models_join_layer_0_and_are_free_only_by_name() {
    let env = [
        ("OPENROUTER_API_KEY", "sk-or"),
        (
            "OPENROUTER_FALLBACK_MODELS",
            "a/new:free, b/other ,qwen/qwen3-coder:free",
        ),
    ];
    let settings = settings("", &env);
    let catalogue = &settings.catalogue;
    let free = catalogue.by_id("a/new:free").unwrap();
    assert_eq!((free.layer, free.price), (Layer::L0, Some(Price::FREE)));
    let unknown = catalogue.by_id("b/other").unwrap();
    assert_eq!((unknown.layer, unknown.price), (Layer::L0, None));
    // Known already: nothing is added.
    assert_eq!(catalogue.by_api_model("qwen/qwen3-coder:free").len(), 1);
}

#[test]
fn fallback_models_without_the_key_are_told_to_have_no_effect() {
    let said = warnings("", &[("OPENROUTER_FALLBACK_MODELS", "a/new:free")]);
    assert!(
        said.contains("OPENROUTER_FALLBACK_MODELS: has no effect without OPENROUTER_API_KEY"),
        "{said}"
    );
}

#[test]
fn a_rating_model_that_nobody_knows_is_told() {
    let with = |name: &str| format!("{CONTRACT}\n[routing]\nrating_model = \"{name}\"\n");
    let said = warnings(&with("alpha-smal"), &[]);
    assert!(
        said.contains("routing.rating_model: no model has the id or api_model `alpha-smal`"),
        "{said}"
    );
    for known in ["alpha-small", "gpt-4o-mini"] {
        let said = warnings(&with(known), &[]);
        assert!(!said.contains("rating_model"), "{said}");
    }
}

#[test]
fn task_lists_keep_known_names_and_warn_of_the_rest() {
    let env = [("CHAT_MODELS", "nobody,gpt-4o-mini"), ("CODE_MODELS", "nobody")];
    let settings = settings(CONTRACT, &env);
    assert_eq!(settings.routing.task_lists.len(), 1);
    let said = warnings(CONTRACT, &env);
    assert!(
        said.contains("environment variable CHAT_MODELS: `nobody` is left out"),
        "{said}"
    );
    assert!(
        said.contains("environment variable CODE_MODELS: `nobody` is left out"),
        "{said}"
    );
}

#[test]
fn the_local_model_is_free_in_layer_0_and_its_address_tells_its_kind() {
    for (endpoint, kind) in [
        ("http://ollama:11434", ProviderKind::Ollama),
        ("http://ollama:11434/", ProviderKind::Ollama),
        ("http://127.0.0.1:8080/v1", ProviderKind::OpenaiCompatible),
    ] {
        let env = [
            ("OSS_MODEL_ENABLED", "true"),
            ("OSS_MODEL_ENDPOINT", endpoint),
            ("OSS_MODEL_NAME", "llama3:8b"),
        ];
        let settings = settings("", &env);
        assert_eq!(settings.providers[0].kind, kind);
        let model = settings.catalogue.by_id("llama3:8b").unwrap();
        assert!(model.is_free() && model.layer == Layer::L0);
        assert_eq!((model.provider.as_str(), &*model.api_model), ("oss", "llama3:8b"));
    }
}

#[test]
fn the_local_model_needs_a_name_and_is_off_by_default() {
    let said = problems("", &[("OSS_MODEL_ENABLED", "true")]);
    assert!(said.contains("OSS_MODEL_NAME"), "{said}");
    assert!(settings("", &[("OSS_MODEL_NAME", "llama3:8b")]).models.is_empty());
}
