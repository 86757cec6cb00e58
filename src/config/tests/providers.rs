//! Providers of every kind: where they are, which key they want, what else can be said of them.

use gateway_actors::protocol::{Dialect, Vendor};

use super::super::{AzureApi, ProviderKind, ProviderSettings};
use super::problems::with;
use super::{CONTRACT, problems, settings, warnings};

/// A listed provider of this kind with these further lines, and a model of it.
fn listed(kind: &str, lines: &str) -> String {
    let (provider, model) = CONTRACT.split_once("[[models]]").unwrap();
    let provider = provider
        .replace("\"openai-compatible\"", &format!("\"{kind}\""))
        .replace(":9100/v1", ":9100/x");
    format!("{provider}{lines}\n[[models]]{model}")
}

fn provider(config: &str, env: &[(&str, &str)]) -> ProviderSettings {
    let mut providers = settings(config, env).providers;
    assert_eq!(providers.len(), 1, "{providers:?}");
    providers.remove(0)
}

#[test]
fn every_vendor_exists_with_its_key_at_its_own_address() {
    for (variable, name, url) in [
        ("OPENAI_API_KEY", "openai", "https://api.openai.com/v1"),
        ("OPENROUTER_API_KEY", "openrouter", "https://openrouter.ai/api/v1"),
        ("ANTHROPIC_API_KEY", "anthropic", "https://api.anthropic.com/"),
        (
            "GEMINI_API_KEY",
            "gemini",
            "https://generativelanguage.googleapis.com/v1beta",
        ),
        (
            "GOOGLE_API_KEY",
            "gemini",
            "https://generativelanguage.googleapis.com/v1beta",
        ),
        ("MISTRAL_API_KEY", "mistral", "https://api.mistral.ai/v1"),
        ("GROQ_API_KEY", "groq", "https://api.groq.com/openai/v1"),
        ("DEEPSEEK_API_KEY", "deepseek", "https://api.deepseek.com/"),
        ("XAI_API_KEY", "xai", "https://api.x.ai/v1"),
        ("COHERE_API_KEY", "cohere", "https://api.cohere.ai/compatibility/v1"),
        ("TOGETHER_API_KEY", "together", "https://api.together.ai/v1"),
    ] {
        let provider = provider("", &[(variable, "sk-a")]);
        assert_eq!((provider.name.as_str(), provider.kind.as_str()), (name, name));
        assert_eq!(provider.base_url.as_ref().unwrap().as_str(), url);
        assert_eq!(provider.api_key_env.as_deref(), Some(variable));
        assert!(provider.is_usable());
    }
}

#[test]
fn every_vendors_address_can_be_moved_by_its_variable() {
    for (key, address, name) in [
        ("OPENAI_API_KEY", "OPENAI_BASE_URL", "openai"),
        ("OPENROUTER_API_KEY", "OPENROUTER_BASE_URL", "openrouter"),
        ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "anthropic"),
        ("GEMINI_API_KEY", "GEMINI_BASE_URL", "gemini"),
        ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT", "azure-openai"),
        ("MISTRAL_API_KEY", "MISTRAL_BASE_URL", "mistral"),
        ("GROQ_API_KEY", "GROQ_BASE_URL", "groq"),
        ("DEEPSEEK_API_KEY", "DEEPSEEK_BASE_URL", "deepseek"),
        ("XAI_API_KEY", "XAI_BASE_URL", "xai"),
        ("COHERE_API_KEY", "COHERE_BASE_URL", "cohere"),
        ("TOGETHER_API_KEY", "TOGETHER_BASE_URL", "together"),
    ] {
        let built_in = provider("", &[(key, "sk-a"), (address, "http://127.0.0.1:9/x/")]);
        assert_eq!(built_in.name.as_str(), name);
        assert_eq!(built_in.base_url.unwrap().as_str(), "http://127.0.0.1:9/x");
        // A listed provider of that name too, and over what the file says.
        let config =
            format!("[[providers]]\nname = \"{name}\"\nkind = \"{name}\"\nbase_url = \"http://other.example\"");
        let listed = provider(&config, &[(address, "http://127.0.0.1:9/x/")]);
        assert_eq!(listed.base_url.unwrap().as_str(), "http://127.0.0.1:9/x");
        let said = problems("", &[(address, "host")]);
        assert!(
            said.contains(&format!("environment variable {address}: must be a URL")),
            "{said}"
        );
    }
}

#[test]
fn of_two_keys_of_one_vendor_the_first_name_counts() {
    let both = [("GOOGLE_API_KEY", "sk-google"), ("GEMINI_API_KEY", "sk-gemini")];
    assert_eq!(provider("", &both).api_key_env.as_deref(), Some("GEMINI_API_KEY"));
}

#[test]
fn azure_needs_its_address_and_takes_its_version_from_the_environment() {
    let key = ("AZURE_OPENAI_API_KEY", "sk-a");
    let said = problems("", &[key]);
    assert_eq!(
        said,
        "environment variable AZURE_OPENAI_API_KEY: needs AZURE_OPENAI_ENDPOINT, for example \
         https://RESOURCE.openai.azure.com\n"
    );
    let endpoint = ("AZURE_OPENAI_ENDPOINT", "https://mine.openai.azure.com/");
    let azure = provider("", &[key, endpoint]);
    assert_eq!(azure.base_url.unwrap().as_str(), "https://mine.openai.azure.com/");
    assert_eq!(azure.azure_api, AzureApi::V1);
    let version = ("AZURE_OPENAI_API_VERSION", "2024-10-21");
    let dated = AzureApi::Dated("2024-10-21".to_owned());
    assert_eq!(provider("", &[key, endpoint, version]).azure_api, dated);
    // A listed one of that name needs no address in the file, if the environment has it.
    let config = "[[providers]]\nname = \"azure-openai\"\nkind = \"azure-openai\"\napi_key_env = \"MINE\"\n\
                  api_version = \"v1\"\n";
    let azure = provider(config, &[("MINE", "sk-a"), endpoint, version]);
    assert_eq!((azure.azure_api, azure.base_url.is_some()), (dated, true));
    let said = problems(config, &[("MINE", "sk-a")]);
    assert!(
        said.contains("`base_url` is missing: a provider of kind azure-openai has no default"),
        "{said}"
    );
    let said = problems("", &[("AZURE_OPENAI_API_VERSION", "latest")]);
    assert!(
        said.contains("environment variable AZURE_OPENAI_API_VERSION: must be v1, or a date"),
        "{said}"
    );
}

#[test]
fn azure_has_versions_with_a_date_and_one_without() {
    for (written, expected) in [
        ("\"v1\"", AzureApi::V1),
        ("\"2024-10-21\"", AzureApi::Dated("2024-10-21".to_owned())),
        ("2024-10-21", AzureApi::Dated("2024-10-21".to_owned())),
        (
            "\"2025-04-01-preview\"",
            AzureApi::Dated("2025-04-01-preview".to_owned()),
        ),
    ] {
        let config = listed("azure-openai", &format!("api_version = {written}"));
        assert_eq!(provider(&config, &[]).azure_api, expected, "{written}");
    }
    for written in [
        "\"v2\"",
        "\"2024-13-01\"",
        "\"2024-1-1\"",
        "\"2024-10-21-beta\"",
        "\"\"",
        "1",
        "2024-10-21T00:00:00Z",
    ] {
        let said = problems(&listed("azure-openai", &format!("api_version = {written}")), &[]);
        let expected = "gw.toml:7 providers.alpha.api_version: must be v1, or a date such as 2024-10-21";
        assert!(said.starts_with(expected), "{written}: {said}");
        assert_eq!(said.lines().count(), 1, "{written}: {said}");
    }
}

#[test]
fn anthropic_has_a_version_that_its_sdks_ask_for_and_another_can_be_set() {
    let key = [("ANTHROPIC_API_KEY", "sk-a")];
    assert_eq!(provider("", &key).anthropic_version, "2023-06-01");
    for written in ["2024-01-02", "\"2024-01-02\""] {
        let config = listed("anthropic", &format!("anthropic_version = {written}"));
        assert_eq!(provider(&config, &[]).anthropic_version, "2024-01-02");
    }
    let said = problems(&listed("anthropic", "anthropic_version = \"new\""), &[]);
    assert_eq!(
        said,
        "gw.toml:7 providers.alpha.anthropic_version: must be a date such as 2026-11-22\n"
    );
}

#[test]
fn a_setting_of_another_kind_is_refused() {
    for (kind, line, owner) in [
        ("openai", "api_version = \"v1\"", "azure-openai"),
        ("azure-openai", "anthropic_version = 2023-06-01", "anthropic"),
    ] {
        let said = problems(&listed(kind, line), &[]);
        let (key, _) = line.split_once(' ').unwrap();
        let expected = format!(
            "gw.toml:7 providers.alpha.{key}: only a provider of kind {owner} has this, and this one is of kind {kind}; \
             leave it out\n"
        );
        assert_eq!(said, expected);
    }
}

#[test]
fn headers_are_read_in_order_and_each_bad_one_is_refused_at_its_line() {
    let config = listed(
        "openrouter",
        "headers = { \"X-Title\" = \"AI MCP Gateway\", \"HTTP-Referer\" = \"https://example.org\" }",
    );
    let provider = provider(&config, &[]);
    let headers: Vec<_> = provider.headers.iter().collect();
    assert_eq!(
        headers,
        [("x-title", "AI MCP Gateway"), ("http-referer", "https://example.org")]
    );
    let bad = "[providers.headers]\nAuthorization = \"Bearer x\"\nhost = \"x\"\nanthropic-version = \"1\"\nx-a = 1\n\
               x-b = \"\"\n\"x c\" = \"1\"\nx-d = \"é\"\nx-e = \"1\"\nX-E = \"2\"\n";
    let said = problems(&listed("openai", bad), &[]);
    for expected in [
        "gw.toml:8 providers.alpha.headers.Authorization: must not hold a key or password: name the variable",
        "gw.toml:9 providers.alpha.headers.host: must be left out: the gateway itself sets this header",
        "gw.toml:10 providers.alpha.headers.anthropic-version: must be left out: set anthropic_version instead",
        "gw.toml:11 providers.alpha.headers.x-a: must be a string",
        "gw.toml:12 providers.alpha.headers.x-b: must be a string that is not empty",
        "gw.toml:13 providers.alpha.headers.x c: must have a header's name",
        "gw.toml:14 providers.alpha.headers.x-d: must have a value of 1 to 1024 visible ASCII characters",
        "gw.toml:16 providers.alpha.headers.X-E: must be there once",
    ] {
        assert!(said.contains(expected), "missing {expected:?} in:\n{said}");
    }
    assert_eq!(said.lines().count(), 8, "{said}");
    let said = problems(&listed("openai", "headers = \"x\""), &[]);
    assert_eq!(said, "gw.toml:7 providers.alpha.headers: must be a table\n");
}

#[test]
fn an_address_that_holds_what_the_gateway_adds_is_refused() {
    for (kind, url) in [
        ("anthropic", "https://api.anthropic.com/v1"),
        ("anthropic", "https://api.anthropic.com/v1/messages/"),
        ("azure-openai", "https://mine.openai.azure.com/openai/v1"),
        ("azure-openai", "https://mine.openai.azure.com/openai"),
        ("gemini", "https://generativelanguage.googleapis.com/v1beta/models"),
        ("ollama", "http://127.0.0.1:11434/v1"),
        ("ollama", "http://127.0.0.1:11434/api"),
        ("openai-compatible", "http://127.0.0.1:9100/v1/chat/completions"),
    ] {
        let config = with("base_url", &format!("\"{url}\"")).replace("\"openai-compatible\"", &format!("\"{kind}\""));
        let said = problems(&config, &[]);
        assert!(said.contains("its base_url must not end in /"), "{kind} {url}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn a_vendor_without_a_key_will_refuse_and_a_local_model_will_not() {
    for kind in ProviderKind::ALL {
        let config = format!("[[providers]]\nname = \"it\"\nkind = \"{}\"\n", kind.as_str());
        let config = match kind.default_base_url() {
            Some(_) => config,
            None => format!("{config}base_url = \"https://it.example\"\n"),
        };
        let is_told = warnings(&config, &[]).contains("called without a key");
        let needs_none = [
            ProviderKind::OpenaiCompatible,
            ProviderKind::Ollama,
            ProviderKind::Simulator,
        ];
        assert_eq!(is_told, !needs_none.contains(kind), "{kind:?}");
    }
}

#[test]
fn a_model_is_asked_in_the_dialect_of_its_providers_kind() {
    for kind in ProviderKind::ALL {
        let settings = settings(&listed(kind.as_str(), ""), &[]);
        assert_eq!(settings.models[0].dialect, kind.dialect(), "{kind:?}");
        assert_eq!(settings.catalogue.models()[0].dialect, kind.dialect(), "{kind:?}");
    }
    for (endpoint, dialect) in [
        ("http://127.0.0.1:11434", Dialect::Ollama),
        ("http://127.0.0.1:8080/v1", Dialect::OpenaiChat),
    ] {
        let env = [
            ("OSS_MODEL_ENABLED", "true"),
            ("OSS_MODEL_ENDPOINT", endpoint),
            ("OSS_MODEL_NAME", "llama3:8b"),
        ];
        assert_eq!(settings("", &env).models[0].dialect, dialect);
    }
}

#[test]
fn whose_service_a_model_is_follows_from_its_providers_kind_or_address_and_not_from_its_name() {
    for kind in ProviderKind::ALL {
        let settings = settings(&listed(kind.as_str(), ""), &[]);
        assert_eq!(settings.models[0].vendor, kind.vendor(), "{kind:?}");
        assert_eq!(settings.catalogue.models()[0].vendor, kind.vendor(), "{kind:?}");
    }
    let config = listed("openai-compatible", "").replace("\"alpha\"", "\"mistral\"");
    assert_eq!(settings(&config, &[]).models[0].vendor, Vendor::Other);
    let address = provider(&config, &[]).base_url.unwrap();
    let config = config.replace(address.as_str(), "https://api.x.ai/v1");
    assert_eq!(settings(&config, &[]).models[0].vendor, Vendor::Xai);
    let env = [("OPENROUTER_API_KEY", "k"), ("OPENROUTER_FALLBACK_MODELS", "a/b")];
    let named = settings("", &env).models;
    let named: Vec<_> = named.iter().filter(|model| &*model.api_model == "a/b").collect();
    assert_eq!(named.len(), 1);
    assert_eq!(named[0].vendor, Vendor::Openrouter);
}

/// A model of a provider of this kind, asked in this API.
fn asked(kind: &str, api: &str, lines: &str) -> String {
    format!("{}api = {api}\n", listed(kind, lines))
}

#[test]
fn a_model_may_ask_for_responses_where_openais_api_is_spoken() {
    for kind in ProviderKind::ALL {
        let word = kind.as_str();
        if kind.has_responses() {
            let models = settings(&asked(word, "\"responses\"", ""), &[]).models;
            assert_eq!(models[0].dialect, Dialect::OpenaiResponses, "{word}");
            continue;
        }
        let said = problems(&asked(word, "\"responses\"", ""), &[]);
        let expected = format!(
            "models.alpha-small.api: a provider of kind {word} is not asked for responses in OpenAI's way; leave this out\n"
        );
        assert!(said.ends_with(&expected), "{said}");
        assert!(said.starts_with("gw.toml:"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn chat_completions_can_be_named_where_they_are_spoken_anyway() {
    for kind in ProviderKind::ALL {
        let config = asked(kind.as_str(), "\"chat\"", "");
        if kind.dialect() == Dialect::OpenaiChat {
            assert_eq!(settings(&config, &[]).models[0].dialect, Dialect::OpenaiChat);
        } else {
            let said = problems(&config, &[]);
            assert!(said.contains("alpha-small.api: a provider of kind"), "{said}");
        }
    }
    let said = problems(&asked("openai", "\"grpc\"", ""), &[]);
    assert_eq!(said, "gw.toml:18 models.alpha-small.api: must be chat or responses\n");
}

#[test]
fn responses_need_a_version_of_azure_that_has_them() {
    let with_version = |version: &str| asked("azure-openai", "\"responses\"", &format!("api_version = \"{version}\""));
    for version in ["v1", "2025-04-01-preview"] {
        let models = settings(&with_version(version), &[]).models;
        assert_eq!(models[0].dialect, Dialect::OpenaiResponses, "{version}");
    }
    let said = problems(&with_version("2024-10-21"), &[]);
    assert_eq!(
        said,
        "gw.toml:18 models.alpha-small.api: the api_version of its provider has no Responses API; set that to v1, or \
         leave this out\n"
    );
    // The environment's version counts.
    let config = with_version("2024-10-21").replace("\"alpha\"", "\"azure-openai\"");
    let models = settings(&config, &[("AZURE_OPENAI_API_VERSION", "v1")]).models;
    assert_eq!(models[0].dialect, Dialect::OpenaiResponses);
}
