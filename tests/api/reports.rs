//! Reports over the call records, alerts, `audit` and `reprice`: the whole program, on both databases.

use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::support::{
    Behaviour, Client, Gateway, Model, PostgresDatabase, Provider, Setup, chat, in_parallel, streamed_chat,
};

/// What one million tokens of input and of output cost, in nano-USD for each token.
const ALPHA: (u64, u64) = (37, 123);
const BETA: (u64, u64) = (150, 600);
const CONVERSATIONS: usize = 4;

/// The same on SQLite and on PostgreSQL.
fn on_both(test: impl Fn(Setup)) {
    test(Setup::new());
    let database = PostgresDatabase::create();
    test(Setup::new().env("DATABASE_URL", &database.url()));
}

fn with_models(setup: Setup, alpha: &Provider, beta: &Provider) -> Setup {
    setup
        .provider(alpha)
        .provider(beta)
        .model(&Model::free("alpha-small", alpha).priced("0.037", "0.123"))
        .model(&Model::free("beta-large", beta).priced("0.15", "0.60").layer("L1"))
}

/// Answers of both models, whole and streamed, alone and in conversations, and some refusals.
fn talk(gateway: &Gateway, alpha: &Provider, beta: &Provider) {
    let client = gateway.client();
    in_parallel(48, 8, |number| {
        let message = "word ".repeat(number + 1);
        let model = ["alpha-small", "beta-large"][number % 2];
        let reply = match number % 3 {
            0 => client.post(COMPLETIONS, &with_model(chat(&message), model)),
            1 => client.post(COMPLETIONS, &with_model(streamed_chat(&message), model)),
            _ => {
                let conversation = format!("conv-{}", number % CONVERSATIONS);
                // Turns of one conversation come one after another.
                client.post(
                    "/v1/chat",
                    &json!({ "conversationId": conversation, "message": message, "userId": format!("user-{}", number % 2) }),
                )
            }
        };
        assert_eq!(reply.status, 200, "{}", reply.text());
    });
    for provider in [alpha, beta] {
        provider.set(Behaviour::BROKEN);
    }
    for _ in 0..3 {
        assert_ne!(
            client.post(COMPLETIONS, &with_model(chat("x"), "alpha-small")).status,
            200
        );
    }
    for provider in [alpha, beta] {
        provider.set(Behaviour::Answer);
    }
    gateway.wait_until_settled();
}

fn with_model(mut body: Value, model: &str) -> Value {
    body["model"] = json!(model);
    body
}

fn billed(provider: &Provider, (input, output): (u64, u64)) -> u64 {
    let bill = provider.bill();
    let charges = bill
        .iter()
        .map(|charge| charge.input_tokens * input + charge.output_tokens * output);
    charges.sum()
}

fn get(client: &Client, path: &str) -> Value {
    let reply = client.get(path);
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    reply.json()
}

fn nano(sums: &Value) -> u64 {
    sums["cost"]["totalNanoUsd"]
        .as_u64()
        .unwrap_or_else(|| panic!("no cost in {sums}"))
}

fn sum_of(rows: &Value, of: impl Fn(&Value) -> u64) -> u64 {
    rows.as_array()
        .unwrap_or_else(|| panic!("no rows: {rows}"))
        .iter()
        .map(of)
        .sum()
}

#[test]
fn stats_equal_the_bill_and_agree_with_each_other_to_the_nano() {
    on_both(|setup| {
        let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
        let gateway = Gateway::start(with_models(setup, &alpha, &beta));
        talk(&gateway, &alpha, &beta);
        let client = gateway.client();
        let stats = get(&client, "/v1/stats");
        let bill = billed(&alpha, ALPHA) + billed(&beta, BETA);
        assert_eq!(nano(&stats["totals"]), bill, "{stats}");
        let calls = gateway.calls();
        assert_eq!(stats["totals"]["calls"], json!(calls.len()), "{stats}");
        for list in ["byModel", "byLayer", "byProvider"] {
            assert_eq!(sum_of(&stats[list], nano), bill, "{list} of {stats}");
            assert_eq!(
                sum_of(&stats[list], |row| row["calls"].as_u64().unwrap()),
                u64::try_from(calls.len()).unwrap()
            );
        }
        for (model, provider, prices) in [("alpha-small", &alpha, ALPHA), ("beta-large", &beta, BETA)] {
            let rows = stats["byModel"].as_array().unwrap();
            let row = rows.iter().find(|row| row["model"] == model).unwrap();
            assert_eq!(nano(row), billed(provider, prices), "{row}");
        }

        let of_conversations: u64 = (0..CONVERSATIONS)
            .map(|number| {
                let stats = get(&client, &format!("/v1/stats/conversation/conv-{number}"));
                assert_eq!(stats["conversationId"], format!("conv-{number}"));
                assert_eq!(sum_of(&stats["byModel"], nano), nano(&stats["totals"]), "{stats}");
                nano(&stats["totals"])
            })
            .sum();
        let recorded = calls.iter().filter(|call| call.conversation_id.is_some());
        let recorded: i64 = recorded.map(|call| call.cost_nano_usd).sum();
        assert_eq!(of_conversations, u64::try_from(recorded).unwrap());
        let missing = client.get("/v1/stats/conversation/conv-none");
        assert_eq!(missing.error(404)["type"], "not_found");

        assert_analytics_agree(&client, &stats["totals"]);
        gateway.finish();
    });
}

fn assert_analytics_agree(client: &Client, totals: &Value) {
    for query in [
        "interval=day",
        "interval=month&groupBy=model",
        "groupBy=model,layer,provider",
        "groupBy=week,user",
        "groupBy=project,key",
    ] {
        let analytics = get(client, &format!("/v1/analytics?{query}"));
        assert_eq!(&analytics["totals"], totals, "{analytics}");
        assert_eq!(sum_of(&analytics["rows"], nano), nano(totals), "{query}");
        let csv = client.get(&format!("/v1/analytics?{query}&format=csv"));
        assert_eq!(
            csv.header("content-type").unwrap(),
            "text/csv; charset=utf-8; header=present"
        );
        let mut lines = csv.text().split_terminator("\r\n");
        let names: Vec<&str> = lines.next().unwrap().split(',').collect();
        let place = names.iter().position(|name| *name == "cost_nano_usd").unwrap();
        let lines: Vec<&str> = lines.collect();
        assert_eq!(lines.len(), analytics["rows"].as_array().unwrap().len(), "{query}");
        let costs = lines
            .iter()
            .map(|line| line.split(',').nth(place).unwrap().parse::<u64>().unwrap());
        assert_eq!(costs.sum::<u64>(), nano(totals), "{query}");
    }
    let dearest = get(client, "/v1/analytics/top-expensive?limit=1000");
    let calls = dearest["calls"].as_array().unwrap();
    let costs: Vec<u64> = calls.iter().map(|call| call["costNanoUsd"].as_u64().unwrap()).collect();
    assert!(costs.is_sorted_by(|one, next| one >= next), "{costs:?}");
    assert_eq!(costs.iter().sum::<u64>(), nano(totals));
    let errors = get(client, "/v1/analytics/error-rate");
    assert_eq!(errors["calls"], totals["calls"], "{errors}");
    assert_eq!(errors["errors"], totals["failed"], "{errors}");
    assert_eq!(
        sum_of(&errors["byModel"], |row| row["errors"].as_u64().unwrap()),
        errors["errors"].as_u64().unwrap()
    );
    assert!(errors["errorRate"].as_f64().unwrap() > 0.0);
}

#[test]
fn b19_questions_that_cannot_be_are_refused_by_the_name_of_their_parameter() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(Setup::free_l0(&[&alpha]));
    let client = gateway.client();
    for (path, param) in [
        ("/v1/stats?limit=1", "limit"),
        ("/v1/stats?since=yesterday", "since"),
        ("/v1/stats?since=2026-11-29&until=2026-11-29", "until"),
        ("/v1/stats?userId=a&userId=b", "userId"),
        ("/v1/stats/conversation/conv-1?since=2026-11-29", "since"),
        ("/v1/analytics?from=2026-02-30", "from"),
        ("/v1/analytics?from=2026-11-29&to=2026-11-28", "to"),
        ("/v1/analytics?from=2999-01-01", "from"),
        ("/v1/analytics?from=1e400", "from"),
        ("/v1/analytics?groupBy=__proto__", "groupBy"),
        ("/v1/analytics?groupBy=model;drop", "groupBy"),
        ("/v1/analytics?interval=hour", "interval"),
        ("/v1/analytics?format=xml", "format"),
        ("/v1/analytics?startDate=yesterday", "startDate"),
        ("/v1/analytics?projectId=", "projectId"),
        ("/v1/analytics/top-expensive?limit=abc", "limit"),
        ("/v1/analytics/top-expensive?limit=-1", "limit"),
        ("/v1/analytics/top-expensive?limit=1000000000", "limit"),
        ("/v1/analytics/error-rate?groupBy=model", "groupBy"),
    ] {
        let error = client.get(path).error(400);
        assert_eq!(
            (&error["type"], &error["param"]),
            (&json!("invalid_request"), &json!(param)),
            "{path}"
        );
    }
    gateway.finish();
}

#[test]
fn e23_a_report_made_while_records_are_written_agrees_with_itself() {
    on_both(|setup| {
        let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
        let gateway = Gateway::start(with_models(setup, &alpha, &beta));
        in_parallel(80, 8, |number| {
            let client = gateway.client();
            if number % 4 > 0 {
                let model = ["alpha-small", "beta-large"][number % 2];
                assert_eq!(client.post(COMPLETIONS, &with_model(chat("hello"), model)).status, 200);
                return;
            }
            let stats = get(&client, "/v1/stats");
            for list in ["byModel", "byLayer", "byProvider"] {
                assert_eq!(sum_of(&stats[list], nano), nano(&stats["totals"]), "{stats}");
            }
        });
        gateway.wait_until_settled();
        let stats = get(&gateway.client(), "/v1/stats");
        assert_eq!(nano(&stats["totals"]), billed(&alpha, ALPHA) + billed(&beta, BETA));
        gateway.finish();
    });
}

/// Runs a command of the program on a gateway's data, while it runs.
fn run(gateway: &Gateway, setup: &Setup, command: &str) -> Output {
    let output = Gateway::command(command, setup, gateway.folder()).output().unwrap();
    assert!(
        !String::from_utf8_lossy(&output.stderr).contains("panicked"),
        "{output:?}"
    );
    output
}

fn run_json(gateway: &Gateway, setup: &Setup, command: &str) -> Value {
    let output = run(gateway, setup, command);
    assert!(output.status.success(), "{command}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_corrected_price_is_applied_to_what_was_called_already_and_the_books_balance() {
    on_both(|setup| {
        let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
        let before = with_models(setup.clone(), &alpha, &beta);
        let gateway = Gateway::start(before.clone());
        talk(&gateway, &alpha, &beta);
        let audit = run_json(&gateway, &before, "audit --json");
        assert_eq!(audit["balanced"], true, "{audit}");
        assert_eq!(audit["callRecords"], json!(gateway.calls().len()));

        let corrected = setup
            .provider(&alpha)
            .provider(&beta)
            .model(&Model::free("alpha-small", &alpha).priced("1", "2"))
            .model(&Model::free("beta-large", &beta).priced("0.15", "0.60").layer("L1"));
        let new_bill = billed(&alpha, (1_000, 2_000)) + billed(&beta, BETA);
        let old_bill = billed(&alpha, ALPHA) + billed(&beta, BETA);
        let answered = u64::try_from(alpha.bill().len()).unwrap();
        let total = || nano(&get(&gateway.client(), "/v1/stats")["totals"]);
        let dry = run_json(&gateway, &corrected, "reprice --since 2020-01-01 --dry-run --json");
        assert_eq!(total(), old_bill);
        let done = run_json(&gateway, &corrected, "reprice --since 2020-01-01 --json");
        assert_eq!(total(), new_bill);
        assert_eq!(done["afterNanoUsd"], dry["afterNanoUsd"]);
        assert_eq!(done["afterNanoUsd"].as_u64().unwrap(), billed(&alpha, (1_000, 2_000)));
        assert!(done["repriced"].as_u64().unwrap() >= answered, "{done}");
        let again = run_json(
            &gateway,
            &corrected,
            "reprice --since 2020-01-01 --model alpha-small --json",
        );
        assert_eq!(again["repriced"], 0, "{again}");
        let audit = run(&gateway, &corrected, "audit");
        assert!(audit.status.success(), "{audit:?}");
        assert!(
            String::from_utf8_lossy(&audit.stdout).contains("the books balance"),
            "{audit:?}"
        );
        // Back to the prices that the gateway still has.
        run_json(&gateway, &before, "reprice --since 2020-01-01 --json");
        assert_eq!(total(), old_bill);
        gateway.finish();
    });
}

#[test]
fn commands_on_the_books_say_what_is_wrong_with_them() {
    let alpha = Provider::start("alpha");
    let setup = Setup::free_l0(&[&alpha]);
    let gateway = Gateway::start(setup.clone());
    for (command, said) in [
        ("reprice --since yesterday", "--since must be a date"),
        (
            "reprice --since 2026-11-29 --until 2026-11-29",
            "--until must be after --since",
        ),
        (
            "reprice --since 2026-11-29 --model none",
            "no model \"none\" with a price",
        ),
    ] {
        let output = run(&gateway, &setup, command);
        assert_eq!(output.status.code(), Some(64), "{command}: {output:?}");
        assert!(
            String::from_utf8_lossy(&output.stderr).contains(said),
            "{command}: {output:?}"
        );
    }
    gateway.finish();
}

#[test]
fn an_audit_of_damaged_books_tells_the_difference_and_ends_with_1() {
    let alpha = Provider::start("alpha");
    let database = PostgresDatabase::create();
    let setup = Setup::free_l0(&[&alpha]).env("DATABASE_URL", &database.url());
    let gateway = Gateway::start(setup.clone());
    database.execute(
        "INSERT INTO budget_periods (scope, period, posted, held, created_at) VALUES ('user:ann', 'total', 7, 0, 1)",
    );
    let output = run(&gateway, &setup, "audit");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("records_posted") && said.contains("user:ann total"),
        "{said}"
    );
    let told: Value = serde_json::from_slice(&run(&gateway, &setup, "audit --json").stdout).unwrap();
    assert_eq!(told["differences"].as_array().unwrap().len(), 2, "{told}");
    database.execute("DELETE FROM budget_periods");
    assert!(run(&gateway, &setup, "audit").status.success());
    gateway.finish();
}

#[test]
fn books_that_are_not_there_are_not_made_by_looking_at_them() {
    let alpha = Provider::start("alpha");
    let setup = Setup::free_l0(&[&alpha]);
    let gateway = Gateway::start(setup.clone());
    let nowhere = setup.env("DATABASE_URL", "sqlite:elsewhere/gateway.db");
    for command in ["audit", "reprice --since 2026-11-01"] {
        let output = run(&gateway, &nowhere, command);
        assert_eq!(output.status.code(), Some(69), "{command}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.contains("elsewhere/gateway.db") && said.contains("DATABASE_URL"),
            "{said}"
        );
    }
    assert!(!gateway.folder().join("elsewhere").exists());
    gateway.finish();
}

#[test]
fn a_day_that_costs_more_than_the_threshold_is_alerted_once_and_delivered_after_failures() {
    on_both(|setup| {
        let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
        let hook = crate::webhook::Hook::start(vec![500, 302, 204]);
        let setup = with_models(setup, &alpha, &beta)
            .env("COST_ALERT_THRESHOLD", "0.000001")
            .env("HOOK_SECRET", "hook-secret-0123456789")
            .toml(&format!(
                "[alerts]\nwebhook_url = \"http://{}/hook?a=b\"\nwebhook_secret_env = \"HOOK_SECRET\"",
                hook.address()
            ));
        let mut gateway = Gateway::start(setup);
        assert_eq!(get(&gateway.client(), "/health")["alerts"], json!([]));
        talk(&gateway, &alpha, &beta);
        let posts = hook.wait_for(3, Duration::from_secs(60));
        let first = &posts[0];
        for post in &posts {
            assert_eq!(post.path, "/hook?a=b");
            assert_eq!(post.body, first.body, "the same event is told in the same words");
            assert_eq!(post.header("x-gateway-event-id"), first.header("x-gateway-event-id"));
            assert!(post.is_signed_with("hook-secret-0123456789"), "{post:?}");
        }
        let told: Value = serde_json::from_str(&first.body).unwrap();
        assert_eq!(told["kind"], "cost_alert", "{told}");
        assert_eq!(told["detail"]["thresholdNanoUsd"], 1_000, "{told}");
        assert_eq!(told["id"], json!(first.header("x-gateway-event-id").unwrap()));
        let alerts = get(&gateway.client(), "/health")["alerts"].clone();
        assert_eq!(alerts.as_array().unwrap().len(), 1, "{alerts}");
        assert_eq!((&alerts[0]["id"], &alerts[0]["detail"]), (&told["id"], &told["detail"]));
        let warned = gateway
            .log()
            .iter()
            .filter(|line| line.contains("COST_ALERT_THRESHOLD"))
            .count();
        assert_eq!(warned, 1);

        // The day was told of: neither a restart nor more calls tell of it again.
        gateway.sigterm();
        assert_eq!(gateway.wait_exit(Duration::from_secs(60)), 0);
        gateway.restart();
        gateway
            .client()
            .post(COMPLETIONS, &with_model(chat("hello"), "beta-large"));
        gateway.wait_until_settled();
        let alerts = get(&gateway.client(), "/health")["alerts"].clone();
        assert_eq!(alerts.as_array().unwrap().len(), 1, "{alerts}");
        assert_eq!(hook.posts().len(), 3);
        gateway.finish();
    });
}
