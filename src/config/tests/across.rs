//! What no setting shows by itself: settings that contradict each other.

use super::super::{Settings, Sources};
use super::problems::with;
use super::{problems, settings, sources};

#[test]
fn only_a_loopback_address_is_served_without_an_admin_key() {
    for host in ["0.0.0.0", "::", "192.168.0.7", "::ffff:10.0.0.1"] {
        let said = problems("", &[("API_HOST", host)]);
        assert!(
            said.contains("set GATEWAY_ADMIN_KEY (at least 32 bytes"),
            "{host}: {said}"
        );
        settings(
            "",
            &[
                ("API_HOST", host),
                ("GATEWAY_ADMIN_KEY", "0123456789abcdef0123456789abcdef"),
            ],
        );
    }
    for host in ["127.0.0.1", "127.1.2.3", "::1", "localhost", "::ffff:127.0.0.1"] {
        assert!(settings("", &[("API_HOST", host)]).http.is_loopback());
    }
}

#[test]
fn any_address_will_do_for_what_does_not_listen_and_its_other_problems_are_told() {
    let load = |env: &[(&str, &str)]| {
        Settings::load(&Sources {
            listens: false,
            ..sources("", env)
        })
    };
    assert!(load(&[("API_HOST", "0.0.0.0")]).is_ok());
    let said = load(&[("API_HOST", "everywhere"), ("DEFAULT_LAYER", "L4")]).unwrap_err();
    assert_eq!(said.as_slice().len(), 2, "{said}");
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let said = problems(
        "[breaker]\nopen_base_ms = 5000\nopen_cap_ms = 4000\n",
        &[("DEFAULT_LAYER", "L2"), ("MAX_ESCALATION_LAYER", "L1")],
    );
    assert!(
        said.contains("must not be above max_escalation_layer (MAX_ESCALATION_LAYER), which is L1"),
        "{said}"
    );
    assert!(
        said.contains("breaker.open_base_ms: must be at most open_cap_ms"),
        "{said}"
    );
}

#[test]
fn a_model_with_other_problems_is_told_its_provider_and_its_duplicate_too() {
    let config = with("layer", "\"L9\"").replace("provider = \"alpha\"", "provider = \"zz\"");
    let said = problems(&config, &[]);
    assert!(said.contains("models.alpha-small.layer: must be one of"), "{said}");
    assert!(said.contains("no provider is called `zz`"), "{said}");
    assert_eq!(said.lines().count(), 2, "{said}");

    let (_, models) = config.split_once("[[models]]").unwrap();
    let said = problems(
        &format!("{config}[[models]]{models}[aliases]\na = \"alpha-small\"\n"),
        &[],
    );
    assert_eq!(said.matches("the id `alpha-small` is taken by").count(), 1, "{said}");
    // That an alias names it is no further problem.
    assert_eq!(said.lines().count(), 4, "{said}");
}

#[test]
fn an_answer_longer_than_the_window_is_refused_of_the_local_model_too() {
    let said = problems("[oss]\ncontext_window = 10\nmax_output_tokens = 20\n", &[]);
    assert_eq!(
        said,
        "gw.toml:3 oss.max_output_tokens: must be at most context_window, which is 10\n"
    );
    let said = problems("[oss]\nmax_output_tokens = 8193\n", &[]);
    assert!(said.contains("must be at most context_window, which is 8192"), "{said}");
    let said = problems("[oss]\ncontext_window = 0\nmax_output_tokens = 9000\n", &[]);
    assert_eq!(said.lines().count(), 1, "{said}");
    // The default of the one is cut to the other.
    settings("[oss]\ncontext_window = 10\n", &[]);
}
