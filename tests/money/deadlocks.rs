//! Row E22: transactions on the same budgets do not block each other for ever, and one that the database gives up is
//! run again.

use serde_json::json;

use crate::COMPLETIONS;
use crate::replicas::{LONG_LEASE, finish};
use crate::scene::{COST, On, SOON, Scene, TOKENS, paid, paid_stream};
use crate::support::{Client, in_parallel, wait_for};

/// Has every fourth change of the ledger end as the victim of a deadlock does.
const VICTIMS: &str = "
    CREATE SEQUENCE changes;
    CREATE FUNCTION be_a_victim() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF nextval('changes') % 4 = 1 THEN
            RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01';
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER be_a_victim AFTER INSERT ON budget_ledger FOR EACH STATEMENT EXECUTE FUNCTION be_a_victim();";

#[test]
fn e22_a_change_of_the_ledger_that_a_deadlock_ends_is_made_again_and_once() {
    const CALLS: i64 = 8;
    let scene = Scene::new(On::Postgres);
    scene.limit("global", CALLS * COST);
    let database = scene.database.as_ref().unwrap();
    database.execute(VICTIMS);
    for call in 0..CALLS {
        let reply = scene.ask();
        assert_eq!(reply.status, 200, "call {call}: {}", reply.text());
        // So that the next one has to ask the ledger again.
        assert_eq!(scene.spent_at_rest("global"), (call + 1) * COST);
    }
    assert_eq!(scene.ask().status, 402);
    assert_eq!(scene.bill(), CALLS * COST);
    let changes = scene.books().number("SELECT last_value AS n FROM changes");
    assert!(changes > 3 * CALLS, "{changes} changes of the ledger");
    database.execute("DROP TRIGGER be_a_victim ON budget_ledger");
    scene.assert_audited();
    scene.finish();
}

#[test]
fn e22_calls_that_are_paid_from_several_budgets_at_two_replicas_never_come_into_a_deadlock() {
    const CALLS: usize = 120;
    let scene = Scene::with(On::Postgres, |setup, _| setup.toml(LONG_LEASE));
    // Each is paid from four budgets, which the others are paid from in other company.
    let names = ["a", "b", "c"];
    let mut scopes = vec!["global".to_owned()];
    let mut keys = Vec::new();
    for project in names {
        scopes.extend([format!("project:{project}"), format!("user:{project}")]);
        for user in names {
            let fields = json!({ "name": "k", "projectId": project, "userId": user });
            let made = scene.admin().post("/v1/admin/keys", &fields);
            assert_eq!(made.status, 201, "{}", made.text());
            let made = made.json();
            scopes.push(format!("key:{}", made["id"].as_str().unwrap()));
            keys.push(format!("Bearer {}", made["key"].as_str().unwrap()));
        }
    }
    for scope in &scopes {
        scene.limit(scope, 1_000 * COST);
    }
    let other = scene.replica(|setup| setup.toml(LONG_LEASE));
    let replies = in_parallel(CALLS, 24, |number| {
        let gateway = if number % 2 == 0 { &scene.gateway } else { &other };
        let client = Client::unchecked(&format!("http://{}", gateway.address()));
        let client = client.with_header("authorization", &keys[number % keys.len()]);
        let body = if number % 3 == 0 {
            paid_stream(TOKENS)
        } else {
            paid(TOKENS)
        };
        client.post(COMPLETIONS, &body)
    });
    for reply in &replies {
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    let all = i64::try_from(CALLS).unwrap() * COST;
    assert_eq!(scene.bill(), all);
    wait_for("everything to be posted", SOON, || {
        scene.books().posted("global") == all
    });
    let of_kind = |kind: &str| -> i64 {
        let of_kind = scopes.iter().filter(|scope| scope.starts_with(kind));
        of_kind.map(|scope| scene.books().posted(scope)).sum()
    };
    assert_eq!([of_kind("project:"), of_kind("user:"), of_kind("key:")], [all; 3]);
    let deadlocks = "SELECT deadlocks AS n FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(scene.books().number(deadlocks), 0);
    // What the other holds in stock it gives back before it is killed: its lease is a long one.
    scene.books().assert_at_rest();
    finish(other);
    scene.assert_audited();
    scene.finish();
}
