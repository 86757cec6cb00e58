//! What holds when nothing is said.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use gateway_actors::protocol::{Layer, Rates};

use super::super::{
    BreakerSettings, CostSettings, Database, FailoverSettings, HttpSettings, IdempotencySettings, LogSettings,
    OpenRouterSettings, ProviderKind, ResponsesSettings, RoutingSettings, Settings, Sources, UpstreamTimeouts,
};
use super::{CONTRACT, load, problems, settings, sources, warnings};

#[test]
fn with_no_environment_at_all_the_defaults_are_usable_and_say_what_is_missing() {
    let loaded = load("", &[]).unwrap();
    let settings = loaded.settings;
    assert_eq!(settings.http.host, IpAddr::from(Ipv4Addr::LOCALHOST));
    assert_eq!(settings.http.port, 3000);
    assert_eq!(settings.routing.default_layer, Layer::L0);
    assert!(!settings.routing.auto_escalate);
    assert_eq!(settings.drain.readiness, Duration::ZERO);
    assert!(settings.providers.is_empty());
    assert!(settings.catalogue.models().is_empty());
    assert!(matches!(settings.store.database, Database::Sqlite(path) if path.ends_with("gateway.db")));
    let places: Vec<&str> = loaded.warnings.iter().map(|warning| warning.place.as_str()).collect();
    assert_eq!(places, ["models", "store.data_dir"]);
}

#[test]
fn the_shipped_file_says_what_the_code_says() {
    // Every value of the shipped file is read over the built-in default, so a file that differs would show here.
    let shipped = include_str!("../../../config/gateway.toml");
    let without_lists: String = shipped
        .lines()
        .filter(|line| !line.contains("_models ="))
        .map(|line| format!("{line}\n"))
        .collect();
    let http = HttpSettings::on(1);
    let loaded = settings(&without_lists, &[]);
    assert_eq!(loaded.http, http);
    assert_eq!(loaded.breaker, BreakerSettings::default());
    assert_eq!(loaded.failover, FailoverSettings::default());
    assert_eq!(loaded.responses, ResponsesSettings::default());
    assert_eq!(loaded.idempotency, IdempotencySettings::default());
    assert_eq!(loaded.cost, CostSettings::default());
    assert_eq!(loaded.log, LogSettings::default());
    assert_eq!(loaded.openrouter, OpenRouterSettings::default());
    let routing = RoutingSettings::default();
    assert_eq!(loaded.routing, routing);
    assert_eq!(loaded.drain.in_flight, Duration::from_secs(30));
    assert_eq!(loaded.drain.streams, Duration::from_secs(120));
}

#[test]
fn the_shipped_file_names_every_setting() {
    // The problem for an unknown key lists the known ones; each must be in the file, if only in a comment.
    let shipped = include_str!("../../../config/gateway.toml");
    for section in [
        "http",
        "auth",
        "routing",
        "breaker",
        "failover",
        "drain",
        "store",
        "redis",
        "responses",
        "budget",
        "idempotency",
        "cost",
        "alerts",
        "log",
        "openrouter",
        "oss",
        "simulator",
    ] {
        let listed = problems(&format!("[{section}]\nnonsense = 1"), &[]);
        let known = listed.split("known here: ").nth(1).expect("known keys").trim();
        let header = format!("[{section}]");
        let body = shipped.split(&header).nth(1).expect(section);
        let body = body.split("\n[").next().unwrap();
        for key in known.split(", ") {
            let is_named = body.lines().any(|line| {
                let line = line.trim_start_matches("# ");
                line.starts_with(&format!("{key} ="))
            });
            assert!(is_named, "config/gateway.toml does not show {section}.{key}");
        }
    }
    let listed = problems("[[providers]]\nname = \"a\"\nkind = \"openai\"\nnonsense = 1", &[]);
    let known = listed.split("known here: ").nth(1).expect("known keys").trim();
    let body = shipped
        .split("# [[providers]]\n")
        .nth(1)
        .expect("an example of a provider");
    for key in known.split(", ") {
        let is_named = body.lines().any(|line| line.starts_with(&format!("# {key} = ")));
        assert!(is_named, "config/gateway.toml does not show {key} of a provider");
    }
    for kind in ProviderKind::ALL {
        assert!(
            body.contains(kind.as_str()),
            "config/gateway.toml does not show the kind {kind:?}"
        );
    }
}

/// Every vendor's key, and a home.
const EVERY_KEY: [(&str, &str); 11] = [
    ("OPENROUTER_API_KEY", "sk-or-test"),
    ("OPENAI_API_KEY", "sk-test"),
    ("ANTHROPIC_API_KEY", "sk-ant-test"),
    ("GEMINI_API_KEY", "sk-g-test"),
    ("MISTRAL_API_KEY", "sk-m-test"),
    ("GROQ_API_KEY", "sk-q-test"),
    ("DEEPSEEK_API_KEY", "sk-d-test"),
    ("XAI_API_KEY", "sk-x-test"),
    ("COHERE_API_KEY", "sk-c-test"),
    ("TOGETHER_API_KEY", "sk-t-test"),
    ("HOME", "/home/me"),
];

#[test]
fn the_shipped_catalogue_has_models_of_every_vendor_in_the_layers_of_their_prices() {
    let loaded = load("", &EVERY_KEY).unwrap();
    assert_eq!(loaded.warnings, []);
    let models = loaded.settings.models;
    let of = |provider: &str| -> BTreeSet<Layer> {
        let theirs = models.iter().filter(|model| model.provider.as_str() == provider);
        theirs.map(|model| model.layer).collect()
    };
    let paid = [Layer::L1, Layer::L2, Layer::L3];
    assert_eq!(of("openrouter"), paid.into_iter().chain([Layer::L0]).collect());
    for vendor in ["openai", "anthropic", "gemini"] {
        assert_eq!(of(vendor), BTreeSet::from(paid), "{vendor}");
    }
    for vendor in ["mistral", "groq", "deepseek", "xai", "cohere", "together"] {
        assert!(!of(vendor).is_empty(), "{vendor}");
    }
    assert_eq!(of("simulator"), BTreeSet::new());
    for model in &models {
        let price = model.price.unwrap_or_else(|| panic!("{} has no price", model.id));
        // A million tokens in and a million out, in millionths of a USD.
        let layer = match price.rates.input.0 + price.rates.output.0 {
            0 => Layer::L0,
            1..=6_000_000 => Layer::L1,
            6_000_001..=20_000_000 => Layer::L2,
            _ => Layer::L3,
        };
        assert_eq!(model.layer, layer, "{}", model.id);
    }
}

#[test]
fn shipped_prices_of_caches_and_long_inputs_are_on_the_right_side_of_the_plain_ones() {
    for model in load("", &EVERY_KEY).unwrap().settings.models {
        let price = model.price.unwrap();
        for rates in [Some(price.rates), price.long_context.map(|long| long.rates)]
            .into_iter()
            .flatten()
        {
            assert!(rates.cached_input <= rates.input, "{}", model.id);
            assert!(rates.cache_write_5m >= rates.input, "{}", model.id);
            assert!(rates.cache_write_1h >= rates.input, "{}", model.id);
        }
        if let Some(long) = price.long_context {
            assert!(
                long.rates.input > price.rates.input && long.rates.output > price.rates.output,
                "{}",
                model.id
            );
            assert!(long.rates.cached_input >= price.rates.cached_input, "{}", model.id);
        }
        // Anthropic's own prices of cache writes are a quarter above the input's, and twice the input's.
        if model.provider.as_str() == "anthropic" {
            let Rates {
                input,
                cache_write_5m,
                cache_write_1h,
                ..
            } = price.rates;
            assert_eq!(
                (cache_write_5m.0 * 4, cache_write_1h.0),
                (input.0 * 5, input.0 * 2),
                "{}",
                model.id
            );
        }
    }
}

#[test]
fn shipped_models_of_providers_without_a_key_are_dropped_silently() {
    let env = [("OPENAI_API_KEY", "sk-test"), ("HOME", "/home/me")];
    let loaded = load("", &env).unwrap();
    assert_eq!(loaded.warnings, []);
    let models = &loaded.settings.models;
    assert!(!models.is_empty());
    assert!(models.iter().all(|model| model.provider.as_str() == "openai"));
}

#[test]
fn the_simulator_exists_only_when_it_is_switched_on_and_is_announced() {
    let loaded = load("", &[("SIMULATOR_ENABLED", "true"), ("HOME", "/home/me")]).unwrap();
    let layers: Vec<Layer> = loaded.settings.models.iter().map(|model| model.layer).collect();
    // The last makes vectors.
    assert_eq!(layers, [Layer::L0, Layer::L1, Layer::L2, Layer::L3, Layer::L0]);
    assert!(
        loaded.warnings[0].message.contains("simulator"),
        "{:?}",
        loaded.warnings
    );
}

#[test]
fn workers_follow_the_processors_up_to_eight() {
    for (processors, workers) in [(1, 1), (4, 4), (64, 8)] {
        let sources = Sources {
            processors: NonZeroUsize::new(processors).unwrap(),
            ..Sources::default()
        };
        assert_eq!(Settings::load(&sources).unwrap().settings.http.workers, workers);
    }
}

#[test]
fn files_go_to_the_data_folder_or_beside_the_database() {
    for (env, database, data_dir) in [
        (
            vec![("HOME", "/home/me")],
            "/home/me/.local/share/ai-mcp-gateway/gateway.db",
            "/home/me/.local/share/ai-mcp-gateway",
        ),
        (
            vec![("HOME", "/home/me"), ("XDG_DATA_HOME", "/data")],
            "/data/ai-mcp-gateway/gateway.db",
            "/data/ai-mcp-gateway",
        ),
        (
            vec![("HOME", "/home/me"), ("XDG_DATA_HOME", "relative")],
            "/home/me/.local/share/ai-mcp-gateway/gateway.db",
            "/home/me/.local/share/ai-mcp-gateway",
        ),
        (vec![("GATEWAY_DATA_DIR", "/srv/gw")], "/srv/gw/gateway.db", "/srv/gw"),
        (
            vec![("DATABASE_URL", "sqlite:/srv/db/x.sqlite")],
            "/srv/db/x.sqlite",
            "/srv/db",
        ),
        (
            vec![("DATABASE_URL", "sqlite:///srv/db/x.sqlite")],
            "/srv/db/x.sqlite",
            "/srv/db",
        ),
        (vec![("DATABASE_URL", "sqlite:x.db")], "x.db", "."),
        (
            vec![
                ("DATABASE_URL", "sqlite:/srv/db/x.sqlite"),
                ("GATEWAY_DATA_DIR", "/srv/gw"),
            ],
            "/srv/db/x.sqlite",
            "/srv/gw",
        ),
    ] {
        let store = settings("", &env).store;
        assert!(
            matches!(&store.database, Database::Sqlite(path) if path == &PathBuf::from(database)),
            "{store:?}"
        );
        assert_eq!(store.data_dir, PathBuf::from(data_dir));
    }
}

#[test]
fn the_contract_file_is_read_to_the_letter() {
    let loaded = load(CONTRACT, &[("ALPHA_KEY", "sk-alpha"), ("HOME", "/home/me")]).unwrap();
    assert_eq!(loaded.warnings, []);
    let settings = loaded.settings;
    let [alpha] = settings.providers.as_slice() else {
        panic!("{:?}", settings.providers);
    };
    assert_eq!(alpha.name.as_str(), "alpha");
    assert_eq!(alpha.base_url.as_ref().unwrap().as_str(), "http://127.0.0.1:9100/v1");
    assert!(alpha.is_usable());
    assert_eq!(alpha.max_in_flight, 128);
    assert_eq!(alpha.timeouts, UpstreamTimeouts::default());
    let [model] = settings.models.as_slice() else {
        panic!("{:?}", settings.models);
    };
    assert_eq!((model.id.as_str(), &*model.api_model), ("alpha-small", "gpt-4o-mini"));
    assert_eq!(
        (model.layer, model.context_window, model.max_output_tokens),
        (Layer::L0, 128_000, 4_096)
    );
    assert_eq!(
        model.capabilities.to_string(),
        "chat, code, reasoning, tools, json, vision"
    );
    let price = model.price.unwrap();
    assert_eq!(
        (price.rates.input.0, price.rates.cached_input.0, price.rates.output.0),
        (150_000, 150_000, 600_000)
    );
    assert_eq!(settings.catalogue.by_api_model("gpt-4o-mini").len(), 1);
}

#[test]
fn a_provider_whose_variable_is_not_set_stays_listed_without_a_key() {
    let loaded = load(CONTRACT, &[("HOME", "/home/me")]).unwrap();
    assert!(!loaded.settings.providers[0].is_usable());
    let said = warnings(CONTRACT, &[("HOME", "/home/me")]);
    assert!(
        said.contains("gw.toml:6 providers.alpha.api_key_env: the variable"),
        "{said}"
    );
    assert!(said.contains("no model can be used"), "{said}");
}

#[test]
fn debug_output_of_sources_shows_no_environment() {
    let sources = sources("[http]\n", &[("OPENAI_API_KEY", "sk-canary")]);
    assert!(!format!("{sources:?}").contains("canary"));
}

#[test]
fn the_example_of_a_dotenv_file_can_be_read_with_every_line_in_effect() {
    let example = include_str!("../../../.env.example");
    let is_setting = |line: &&str| {
        let name = line.split('=').next().unwrap_or_default();
        line.contains('=') && name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_')
    };
    let lines: Vec<&str> = example
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(is_setting)
        .collect();
    assert!(lines.len() > 30, "{lines:?}");
    let sources = Sources {
        dotenv: Some(lines.join("\n")),
        ..sources("", &[("OPENROUTER_API_KEY", "sk-or")])
    };
    let loaded = Settings::load(&sources).unwrap_or_else(|problems| panic!("{problems}"));
    let unknown = loaded
        .warnings
        .iter()
        .find(|warning| warning.message.contains("left out"));
    assert_eq!(unknown, None);
    assert_eq!(loaded.settings.routing.task_lists.len(), 4);
}

#[test]
fn chances_below_which_layers_are_passed_over_are_three_percents() {
    let set = |list: &str| format!("{CONTRACT}\n[routing]\nskip_below_percent = {list}\n");
    assert_eq!(
        settings(&set("[0, 50, 99]"), &[]).routing.skip_below_percent,
        [0, 50, 99]
    );
    for bad in [
        "[35, 55]",
        "[35, 55, 75, 80]",
        "[35, 55, 100]",
        "[35, 55, -1]",
        "55",
        "\"a, b, c\"",
        "[1.5, 2, 3]",
    ] {
        let said = problems(&set(bad), &[]);
        let names = ["skip_below_percent", "a list of 3 whole numbers from 0 to 99"];
        assert!(names.iter().all(|name| said.contains(name)), "{bad}: {said}");
    }
}
