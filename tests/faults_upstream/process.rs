//! Rows K7, K8, K11 and K12: signals, settings and addresses.

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use rustix::process::{Pid, Signal, kill_process};

use crate::COMPLETIONS;
use crate::scene::{assert_answered_by, assert_lives};
use crate::support::{
    Behaviour, Gateway, Model, Provider, Setup, chat, in_parallel, run_to_exit, streamed_chat, wait_for,
};

const SOON: Duration = Duration::from_secs(20);
const BAD_SETTINGS: i32 = 78;

#[test]
fn k7_sigterm_under_load_finishes_what_runs_and_ends_with_0() {
    let alpha = Provider::start("alpha");
    let mut gateway = Gateway::start(Setup::free_l0(&[&alpha]));
    alpha.set(Behaviour::Slow(Duration::from_millis(50)));
    let client = gateway.client();
    let replies = std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            in_parallel(24, 24, |number| {
                let request = if number % 2 == 0 {
                    chat("hello")
                } else {
                    streamed_chat("hello")
                };
                client.post(COMPLETIONS, &request)
            })
        });
        wait_for("the load to be under way", SOON, || alpha.running() >= 20);
        gateway.sigterm();
        load.join().unwrap()
    });
    let (served, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
    assert!(served.len() >= 20, "{} were served", served.len());
    for reply in served {
        assert!(!reply.cut && reply.content().ends_with("alpha-5"), "{}", reply.text());
    }
    for reply in refused {
        assert_eq!(reply.error(503)["code"], "draining");
    }
    assert_eq!(gateway.wait_exit(Duration::from_secs(60)), 0);
    assert_eq!(gateway.calls().len(), alpha.requests());
    alpha.set(Behaviour::Answer);
    gateway.restart();
    assert_answered_by(&gateway.client().post(COMPLETIONS, &chat("hello")), "alpha");
    gateway.finish();
}

#[test]
fn k7_sigterm_while_it_starts_and_migrates_leaves_a_database_that_the_next_start_takes() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("gateway.db");
    let url = format!("sqlite:{}", database.display());
    // The start has to wait for the file, at its first change of the database.
    let mut holder = SqliteConnection::establish(database.to_str().unwrap()).unwrap();
    holder
        .batch_execute("PRAGMA journal_mode = WAL; BEGIN EXCLUSIVE")
        .unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_ai-mcp-gateway"))
        .args(["serve", "--simulator"])
        .current_dir(folder.path())
        .env_clear()
        .env("HOME", folder.path())
        .env("API_PORT", "0")
        .env("DATABASE_URL", &url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let id = child.id();
    wait_for("the start to open the database", SOON, || {
        let files = std::fs::read_dir(format!("/proc/{id}/fd")).unwrap();
        files
            .filter_map(|file| std::fs::read_link(file.ok()?.path()).ok())
            .any(|path| path == database)
    });
    kill_process(Pid::from_raw(id.try_into().unwrap()).unwrap(), Signal::TERM).unwrap();
    wait_for("the process to end", SOON, || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    holder.batch_execute("ROLLBACK").unwrap();
    drop(holder);

    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(Setup::free_l0(&[&alpha]).env("DATABASE_URL", &url));
    assert_answered_by(&gateway.client().post(COMPLETIONS, &chat("hello")), "alpha");
    assert_lives(&gateway);
    gateway.finish();
}

#[test]
fn k7_a_signal_while_it_waits_for_postgres_ends_it_with_0_and_other_signals_end_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let setup = Setup::new().env("SIMULATOR_ENABLED", "true").env(
        "DATABASE_URL",
        &format!("postgres://me:secret@{address}/db?connect_timeout=60"),
    );
    for command in ["serve", "mcp"] {
        for signal in [Signal::TERM, Signal::INT] {
            let folder = tempfile::tempdir().unwrap();
            let mut child = Gateway::command(command, &setup, folder.path()).spawn().unwrap();
            let process = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
            let (_unanswered, _) = silent.accept().unwrap();
            for harmless in [Signal::HUP, Signal::USR1, Signal::XFSZ] {
                kill_process(process, harmless).unwrap();
            }
            kill_process(process, signal).unwrap();
            wait_for("the process to end", SOON, || child.try_wait().unwrap().is_some());
            let output = child.wait_with_output().unwrap();
            let log = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(0), "{command} {signal:?}: {log}");
            assert!(log.contains("nothing was served"), "{command} {signal:?}: {log}");
            assert_eq!(String::from_utf8(output.stdout).unwrap(), "", "{command} {signal:?}");
        }
    }
}

#[test]
fn k8_sigint_ends_it_like_sigterm() {
    let alpha = Provider::start("alpha");
    let mut gateway = Gateway::start(Setup::free_l0(&[&alpha]));
    assert_answered_by(&gateway.client().post(COMPLETIONS, &chat("hello")), "alpha");
    gateway.signal(Signal::INT);
    assert_eq!(gateway.wait_exit(Duration::from_secs(60)), 0);
    assert_eq!(gateway.calls().len(), 1);
    gateway.restart();
    gateway.finish();
}

#[test]
fn k8_other_signals_end_nothing() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(Setup::free_l0(&[&alpha]));
    alpha.set(Behaviour::Slow(Duration::from_millis(30)));
    alpha.set_tokens(20);
    let client = gateway.client();
    let mut stream = client.open_stream(COMPLETIONS, &streamed_chat("hello"));
    stream.next_event();
    for signal in [Signal::HUP, Signal::PIPE, Signal::USR1, Signal::XFSZ] {
        gateway.signal(signal);
        assert_lives(&gateway);
    }
    let reply = stream.finish();
    assert!(reply.is_done() && !reply.cut, "{}", reply.text());
    alpha.set(Behaviour::Answer);
    assert_answered_by(&client.post(COMPLETIONS, &chat("hello")), "alpha");
    gateway.finish();
}

#[test]
fn k11_settings_that_cannot_be_are_named_and_their_values_kept_secret() {
    let alpha = Provider::start("alpha");
    let good = || Setup::free_l0(&[&alpha]);
    let cases = [
        (good().toml("[http]\nport = 70000"), "http.port"),
        (good().env("API_PORT", "70000"), "API_PORT"),
        (good().env("API_PORT", "http"), "API_PORT"),
        (good().toml("[http]\nmax_in_flight = \"many\""), "http.max_in_flight"),
        (good().toml("[http]\nmax_in_fligth = 5"), "max_in_fligth"),
        (good().env("ENABLE_AUTO_ESCALATE", "perhaps"), "ENABLE_AUTO_ESCALATE"),
        (
            good().toml("[[providers]]\nname = \"gamma\"\nkind = \"openai-compatible\"\nbase_url = \"http://user:canary-secret@127.0.0.1:9/v1\""),
            "base_url",
        ),
        (good().env("OPENROUTER_API_KEY", "canary-secret\n"), "OPENROUTER_API_KEY"),
        (good().toml("[redis]\npassword = \"canary-secret\""), "redis"),
    ];
    for (setup, named) in cases {
        for command in ["serve", "check-config"] {
            let (code, text) = run_to_exit(command, &setup);
            assert_eq!(code, BAD_SETTINGS, "{named}: {text}");
            assert!(text.contains(named), "{named} is not named: {text}");
            assert!(!text.contains("canary-secret") && !text.contains("panicked"), "{text}");
        }
    }
    assert_eq!(alpha.requests(), 0);
}

#[test]
fn k11_port_0_is_any_free_port_and_a_variable_that_is_not_set_only_closes_its_provider() {
    let alpha = Provider::start("alpha");
    let beta = Provider::start("beta");
    let setup = Setup::new()
        .provider_with(&alpha, "api_key_env = \"NOT_SET_AT_ALL\"")
        .provider(&beta)
        .model(&Model::free("alpha-small", &alpha))
        .model(&Model::free("beta-small", &beta))
        .env("API_PORT", "0");
    let gateway = Gateway::start(setup);
    assert_answered_by(&gateway.client().post(COMPLETIONS, &chat("hello")), "beta");
    assert_eq!(alpha.requests(), 0);
    assert_lives(&gateway);
    gateway.finish();
}

#[test]
fn k12_a_port_that_is_taken_ends_the_start_with_1_and_its_mend() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let alpha = Provider::start("alpha");
    let (code, text) = run_to_exit("serve", &Setup::free_l0(&[&alpha]).env("API_PORT", &port));
    assert_eq!(code, 1, "{text}");
    assert!(text.contains(&port) && text.contains("API_PORT"), "{text}");
    assert!(!text.contains("panicked") && !text.contains("listening on"), "{text}");
}
