//! `mcp chat`.

use std::net::{Ipv4Addr, TcpListener};

use super::program::{Program, Run};
use super::support::{Gateway, Setup};

const KEY: &str = "test-key-0123456789abcdef0123456789";

fn simulator() -> Setup {
    Setup::new().env("SIMULATOR_ENABLED", "true")
}

/// The conversation that a summary line names.
fn conversation(run: &Run) -> String {
    let (_, rest) = run.stderr.rsplit_once("conversation ").unwrap();
    let (id, _) = rest.split_once(']').unwrap();
    id.to_owned()
}

/// How many messages the gateway has stored of a conversation.
fn stored(gateway: &Gateway, conversation: &str) -> usize {
    let context = gateway.client().get(&format!("/v1/context/{conversation}")).json();
    context["messages"].as_array().unwrap().len()
}

#[test]
fn the_answer_is_on_stdout_and_one_summary_line_on_stderr() {
    let gateway = Gateway::start(simulator());
    let run = Program::new(&["chat", "What is async/await?"]).to(&gateway).run();
    assert!(run.answer().starts_with("simulated answer from "), "{run:?}");
    assert!(run.answer().ends_with(": What is async/await?\n"), "{run:?}");
    assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    for part in [", L0, ", " tokens in, ", " out, $", ", conversation "] {
        assert!(run.stderr.contains(part), "{part}: {run:?}");
    }
    gateway.finish();
}

#[test]
fn a_conversation_is_kept_over_two_calls() {
    let gateway = Gateway::start(simulator());
    let first = Program::new(&["chat", "one"]).to(&gateway).run();
    let id = conversation(&first);
    let second = Program::new(&["chat", "--conversation", &id, "two"]).to(&gateway).run();
    assert!(second.answer().ends_with(": two\n"));
    assert_eq!(conversation(&second), id);
    assert_eq!(stored(&gateway, &id), 4);
    gateway.finish();
}

#[test]
fn a_terminal_holds_one_conversation_until_the_end_of_the_input() {
    let gateway = Gateway::start(simulator());
    let run = Program::new(&["chat"]).to(&gateway).run_at_terminal("one\n\n  two\n");
    let answers: Vec<&str> = run.answer().lines().collect();
    assert_eq!(answers.len(), 2, "{run:?}");
    assert!(
        answers[0].ends_with(": one") && answers[1].ends_with(": two"),
        "{run:?}"
    );
    assert_eq!(stored(&gateway, &conversation(&run)), 4);
    gateway.finish();
}

#[test]
fn a_message_that_fails_at_a_terminal_does_not_end_the_conversation() {
    let gateway = Gateway::start(simulator());
    let run = Program::new(&["chat", "--layer", "L9"])
        .to(&gateway)
        .run_at_terminal("one\ntwo\n");
    let complaint = run.complaint(0);
    assert_eq!(complaint.matches("`layer` must be one of").count(), 2, "{complaint}");
    gateway.finish();
}

#[test]
fn what_is_piped_in_is_the_message() {
    let gateway = Gateway::start(simulator());
    for arguments in [&["chat"][..], &["chat", "-"]] {
        let run = Program::new(arguments)
            .to(&gateway)
            .run_with_input("zwei\nZeilen, ü\n".as_bytes());
        assert!(run.answer().ends_with(": zwei\nZeilen, ü\n"), "{run:?}");
    }
    let both = Program::new(&["chat", "said"]).to(&gateway).run_with_input(b"");
    assert!(both.answer().ends_with(": said\n"), "{both:?}");
    gateway.finish();
}

#[test]
fn options_reach_the_gateway_and_json_is_its_answer_as_it_came() {
    let gateway = Gateway::start(simulator());
    let arguments = [
        "chat",
        "--json",
        "--layer",
        "L1",
        "--max-layer",
        "L2",
        "--quality",
        "high",
        "hi",
    ];
    let run = Program::new(&arguments).to(&gateway).run();
    let answer = run.json();
    assert_eq!(answer["result"]["layer"], "L1");
    assert!(answer["requestId"].is_string() && answer["performance"]["cost"].is_number());
    assert_eq!(run.stderr, "");
    let model = answer["result"]["model"].as_str().unwrap();
    let again = Program::new(&["chat", "--json", "--model", model, "hi"])
        .to(&gateway)
        .run();
    assert_eq!(again.json()["result"]["model"], model);
    gateway.finish();
}

#[test]
fn what_the_gateway_refuses_is_told_in_its_words() {
    let gateway = Gateway::start(simulator());
    for (option, value, field) in [
        ("--layer", "L9", "layer"),
        ("--max-layer", "l1", "maxLayer"),
        ("--quality", "ultra", "qualityLevel"),
        ("--conversation", "a/b", "conversationId"),
        ("--model", "nobody", "model"),
    ] {
        let run = Program::new(&["chat", option, value, "--json", "hi"])
            .to(&gateway)
            .run();
        let complaint = run.complaint(1);
        for part in [
            "mcp: the gateway says: ".to_owned(),
            format!("\n  field:    {field}\n"),
            "\n  request:  ".to_owned(),
        ] {
            assert!(complaint.contains(&part), "{part}: {complaint}");
        }
    }
    let layer = Program::new(&["chat", "--layer", "L9", "hi"]).to(&gateway).run();
    assert!(layer.complaint(1).contains("`layer` must be one of L0, L1, L2, L3"));
    gateway.finish();
}

#[test]
fn the_key_comes_from_the_environment_and_is_never_shown() {
    let gateway = Gateway::start(simulator().env("GATEWAY_ADMIN_KEY", KEY));
    for (name, value) in [
        ("GATEWAY_ADMIN_KEY", KEY.to_owned()),
        ("GATEWAY_API_KEY", KEY.to_owned()),
        ("GATEWAY_API_KEY", format!("{KEY}\n")),
    ] {
        let run = Program::new(&["chat", "hi"]).to(&gateway).env(name, &value).run();
        assert!(run.answer().ends_with(": hi\n"));
        assert!(!run.stderr.contains(KEY));
    }
    let without = Program::new(&["chat", "hi"]).to(&gateway).run();
    assert!(without.complaint(1).contains("(401)") && without.stderr.contains("GATEWAY_API_KEY"));
    let wrong = Program::new(&["chat", "hi"])
        .to(&gateway)
        .env("GATEWAY_API_KEY", &KEY.to_uppercase())
        .env("GATEWAY_ADMIN_KEY", KEY)
        .run();
    let complaint = wrong.complaint(1);
    assert!(
        complaint.contains("(401)") && !complaint.to_lowercase().contains(KEY),
        "{complaint}"
    );
    let broken = Program::new(&["chat", "hi"])
        .to(&gateway)
        .env("GATEWAY_API_KEY", "one\ntwo")
        .run();
    assert!(!broken.complaint(2).contains("two"));
    let help = Program::new(&["chat", "--help"]).env("GATEWAY_API_KEY", KEY).run();
    assert!(!help.answer().contains(KEY));
    gateway.finish();
}

#[test]
fn without_a_gateway_it_says_how_to_start_one() {
    // A port that nobody listens at: this socket is bound to it and closed again.
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap();
    let endpoint = format!("http://{free}/");
    let run = Program::new(&["chat", "--endpoint", &endpoint, "hi"]).run();
    let complaint = run.complaint(69);
    for part in [
        endpoint.trim_end_matches('/'),
        "ai-mcp-gateway serve",
        "--simulator",
        "MCP_ENDPOINT",
    ] {
        assert!(complaint.contains(part), "{part}: {complaint}");
    }
}

#[test]
fn the_address_that_openai_clients_want_is_taken_too() {
    let gateway = Gateway::start(simulator());
    for end in ["/v1", "/v1/"] {
        let endpoint = format!("http://{}{end}", gateway.address());
        let run = Program::new(&["chat", "--endpoint", &endpoint, "hi"]).run();
        assert!(run.answer().ends_with(": hi\n"), "{run:?}");
    }
    gateway.finish();
}

#[test]
fn https_at_a_port_without_tls_is_told_as_that() {
    let gateway = Gateway::start(simulator());
    for command in [&["chat", "hi"][..], &["ready"]] {
        let endpoint = format!("https://{}", gateway.address());
        let run = Program::new(command).env("MCP_ENDPOINT", &endpoint).run();
        let complaint = run.complaint(69);
        assert!(
            complaint.contains(&format!("use http://{}", gateway.address())),
            "{complaint}"
        );
        assert!(!complaint.contains("ai-mcp-gateway serve"), "{complaint}");
    }
    gateway.finish();
}

#[test]
fn an_answer_that_is_no_gateways_is_an_error() {
    let gateway = Gateway::start(simulator());
    let endpoint = format!("http://{}/elsewhere", gateway.address());
    let run = Program::new(&["chat", "--endpoint", &endpoint, "hi"]).run();
    assert!(run.complaint(1).contains("not_found (404)"), "{run:?}");
    gateway.finish();

    let stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let endpoint = format!("http://{}", stranger.local_addr().unwrap());
    for (answer, told) in [
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n<htm>",
            "not a gateway's answer",
        ),
        (
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
            "302",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{\"result\":{",
            "or not all of it",
        ),
        ("", "it closed the connection"),
    ] {
        let run = std::thread::scope(|scope| {
            scope.spawn(|| answer_once(&stranger, answer));
            Program::new(&["chat", "--endpoint", &endpoint, "hi"]).run()
        });
        assert!(run.complaint(1).contains(told), "{told}: {run:?}");
    }
}

/// Takes one request and answers it with these bytes, whatever it was.
fn answer_once(listener: &TcpListener, answer: &str) {
    use std::io::{BufRead, BufReader, Read, Write};

    let (connection, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(&connection);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
    (&connection).write_all(answer.as_bytes()).unwrap();
}

#[test]
fn a_wrong_command_line_and_a_missing_message_are_usage_errors() {
    for arguments in [
        &[][..],
        &["chat", "--nonsense"],
        &["chat", "--endpoint", "localhost:3000", "hi"],
        &["chat", "--endpoint", "http://me:secret@localhost", "hi"],
        // Nothing comes from stdin.
        &["chat"],
    ] {
        Program::new(arguments).run().complaint(2);
    }
}

#[test]
fn the_help_shows_examples() {
    for arguments in [&["--help"][..], &["chat", "--help"]] {
        let run = Program::new(arguments).run();
        assert!(run.answer().contains("Usage: mcp"), "{run:?}");
    }
    assert!(
        Program::new(&["--help"])
            .run()
            .answer()
            .contains("mcp chat \"What is async/await?\"")
    );
}
