//! `ai-mcp-gateway calibrate`.

use crate::support::{Gateway, Provider, Setup, run_to_exit};

#[test]
fn calibrate_tells_its_options() {
    let (code, help) = run_to_exit("calibrate --help", &Setup::new());
    assert_eq!(code, 0, "{help}");
    for option in ["--since", "--min", "--apply"] {
        assert!(help.contains(option), "{help}");
    }
}

#[test]
fn calibrate_says_that_too_little_is_known() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(Setup::free_l0(&[&alpha]));
    let run = gateway.run("calibrate");
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(1), "{said}");
    assert!(said.contains("there are 0 outcomes to fit to among 0"), "{said}");
    gateway.finish();
}
