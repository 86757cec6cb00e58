//! Settings that cannot work stop the start, all of them named at once.

use crate::support::{Gateway, Model, Provider, Setup, run_to_exit};

/// `EX_CONFIG` of sysexits.
const BAD_SETTINGS: i32 = 78;
const ADMIN_KEY: &str = "admin-key-of-at-least-thirty-two-bytes";

/// A setup with one good provider and model.
fn good(provider: &Provider) -> Setup {
    Setup::free_l0(&[provider])
}

#[test]
fn good_settings_pass_the_check() {
    let alpha = Provider::start("alpha");
    let (code, text) = run_to_exit("check-config", &good(&alpha));
    assert_eq!(code, 0, "{text}");
}

#[test]
fn d5_every_problem_is_told_at_once_with_its_place() {
    let alpha = Provider::start("alpha");
    let bad = good(&alpha)
        .model(&Model::free("orphan", &alpha).layer("L7"))
        .model(&Model::free("alpha-small", &alpha))
        .model(&Model::free("negative", &alpha).priced("-1", "2"))
        .toml(
            "[[models]]\nid = \"lost\"\nprovider = \"no-such-provider\"\napi_model = \"x\"\nlayer = \"L0\"\n\
             capabilities = [\"chat\"]\ncontext_window = 8000\nmax_output_tokens = 100",
        )
        .toml("[[providers]]\nname = \"gamma\"\nkind = \"telepathy\"")
        .env("DEFAULT_LAYER", "L8")
        .env("API_PORT", "70000");
    for command in ["check-config", "serve"] {
        let (code, text) = run_to_exit(command, &bad);
        assert_eq!(code, BAD_SETTINGS, "{command}: {text}");
        for place in [
            "models.orphan.layer",
            "alpha-small",
            "negative",
            "no-such-provider",
            "providers.gamma.kind",
            "DEFAULT_LAYER",
            "API_PORT",
        ] {
            assert!(text.contains(place), "{command} does not name {place}: {text}");
        }
        assert!(!text.contains("panicked"), "{text}");
    }
}

#[test]
fn k11_unknown_keys_are_named() {
    let alpha = Provider::start("alpha");
    let bad = good(&alpha)
        .provider_with(&Provider::start("beta"), "api_kee_env = \"X\"")
        .toml("[no_such_section]\nx = 1");
    let (code, text) = run_to_exit("check-config", &bad);
    assert_eq!(code, BAD_SETTINGS, "{text}");
    for key in ["api_kee_env", "no_such_section"] {
        assert!(text.contains(key), "{key} is not named: {text}");
    }
}

#[test]
fn k11_a_file_that_is_not_toml_is_named_with_its_line() {
    let alpha = Provider::start("alpha");
    let (code, text) = run_to_exit("check-config", &good(&alpha).toml("[[providers"));
    assert_eq!(code, BAD_SETTINGS, "{text}");
    assert!(
        text.contains("gateway.toml:") && text.contains("not valid TOML"),
        "{text}"
    );
}

#[test]
fn an_open_address_without_keys_is_refused() {
    let alpha = Provider::start("alpha");
    for host in ["0.0.0.0", "::", "192.0.2.1"] {
        let (code, text) = run_to_exit("serve", &good(&alpha).env("API_HOST", host));
        assert_eq!(code, BAD_SETTINGS, "{host}: {text}");
        assert!(text.contains("GATEWAY_ADMIN_KEY"), "the mend is not named: {text}");
    }
    let open = good(&alpha)
        .env("API_HOST", "0.0.0.0")
        .env("GATEWAY_ADMIN_KEY", ADMIN_KEY);
    assert_eq!(run_to_exit("check-config", &open).0, 0);
}

#[test]
fn what_does_not_listen_needs_no_key_for_an_open_address() {
    let alpha = Provider::start("alpha");
    let open = good(&alpha).env("API_HOST", "0.0.0.0");
    for command in ["migrate", "mcp"] {
        let (code, text) = run_to_exit(command, &open);
        assert_eq!(code, 0, "{command}: {text}");
    }
    for command in ["serve", "check-config"] {
        let (code, text) = run_to_exit(command, &open);
        assert_eq!(code, BAD_SETTINGS, "{command}: {text}");
    }
}

#[test]
fn a_file_of_certificates_that_cannot_be_read_is_told_by_the_check_as_by_the_start() {
    let alpha = Provider::start("alpha");
    let url = "postgres://me:canary-5f1e@127.0.0.1:1/db?sslmode=verify-full&sslrootcert=/no/file";
    let bad = good(&alpha).env("DATABASE_URL", url);
    for command in ["check-config", "migrate", "serve"] {
        let (code, text) = run_to_exit(command, &bad);
        assert_eq!(code, BAD_SETTINGS, "{command}: {text}");
        for part in ["DATABASE_URL", "sslrootcert /no/file cannot be read"] {
            assert!(text.contains(part), "{command} does not say {part}: {text}");
        }
        assert!(!text.contains("canary"), "{text}");
    }
}

#[test]
fn a_path_that_cannot_be_made_is_told_by_the_setting_that_gave_it() {
    let alpha = Provider::start("alpha");
    // A variable that is set to nothing counts as not set.
    let in_data_dir = good(&alpha).env("DATABASE_URL", "");
    for (command, setup) in [
        ("migrate --data-dir /dev/null/x", in_data_dir.clone()),
        ("migrate", in_data_dir.env("GATEWAY_DATA_DIR", "/dev/null/x")),
    ] {
        let (code, text) = run_to_exit(command, &setup);
        assert_eq!(code, 69, "{text}");
        assert!(text.contains("in --data-dir or GATEWAY_DATA_DIR"), "{text}");
        assert!(!text.contains("DATABASE_URL"), "{text}");
    }
    let by_address = good(&alpha).env("DATABASE_URL", "sqlite:/dev/null/x/gateway.db");
    let (_, text) = run_to_exit("migrate", &by_address);
    assert!(text.contains("set another path in DATABASE_URL"), "{text}");
}

#[test]
fn k11_a_short_admin_key_is_refused_and_not_shown() {
    let alpha = Provider::start("alpha");
    let (code, text) = run_to_exit("serve", &good(&alpha).env("GATEWAY_ADMIN_KEY", "short-secret"));
    assert_eq!(code, BAD_SETTINGS, "{text}");
    assert!(
        text.contains("GATEWAY_ADMIN_KEY") && !text.contains("short-secret"),
        "{text}"
    );
}

#[test]
fn k11_a_key_that_no_header_can_carry_is_refused_and_not_shown() {
    let alpha = Provider::start("alpha");
    let setup = Setup::new()
        .provider_with(&alpha, "api_key_env = \"ALPHA_KEY\"")
        .model(&Model::free("alpha-small", &alpha))
        .env("ALPHA_KEY", "sk-secret\nx: y");
    let (code, text) = run_to_exit("check-config", &setup);
    assert_eq!(code, BAD_SETTINGS, "{text}");
    assert!(text.contains("ALPHA_KEY") && !text.contains("sk-secret"), "{text}");
}

#[test]
fn a_database_password_in_a_file_is_refused_with_the_mend_and_not_shown() {
    let alpha = Provider::start("alpha");
    for url in [
        "postgres://me:canary-5f1e@127.0.0.1:1/db",
        "postgres://127.0.0.1:1/db?password=canary-5f1e",
    ] {
        let setup = good(&alpha).toml(&format!("[store]\nurl = \"{url}\""));
        for command in ["check-config", "serve"] {
            let (code, text) = run_to_exit(command, &setup);
            assert_eq!(code, BAD_SETTINGS, "{command}: {text}");
            assert!(
                text.contains("store.url: must have no password in a file") && text.contains("DATABASE_URL"),
                "{text}"
            );
            assert!(!text.contains("canary"), "{text}");
        }
    }
}

#[test]
fn a_models_table_replaces_the_shipped_catalogue() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(good(&alpha));
    let list = gateway.client().get("/v1/models").json();
    let ids: Vec<&str> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["id"].as_str().unwrap())
        .collect();
    assert!(ids.contains(&"alpha-small"));
    assert!(
        !ids.iter().any(|id| id.contains("gpt") || id.contains("claude")),
        "{ids:?}"
    );
    gateway.finish();
}
