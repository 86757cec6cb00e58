//! No query on offers, outcomes, to-do lists and answers that are replaced reads a whole table.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use ai_mcp_gateway::store::Store;
use arc_swap::ArcSwap;
use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};
use diesel::sql_types::Text;
use diesel::{Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection};
use gateway_actors::protocol::{
    AmendAnswer, EarlierTests, EscalationDecision, Feedback, Layer, RecordOwner, RequestId, TodoStatus,
};

use crate::database::TestDatabase;
use crate::escalations::{new_offer, offer_in, offered};
use crate::outcomes::{insert, outcome};
use crate::samples::finished_call;
use crate::support::wait_for;
use crate::todos::{list, put, talked};

const LIMIT: Duration = Duration::from_secs(60);
/// The tables that grow with the requests.
const TABLES: &str = "('escalations', 'outcomes', 'llm_calls', 'todo_lists', 'messages', 'conversations')";

/// Does all of it once.
fn use_everything(store: &Store) {
    let offer = new_offer(i64::MAX);
    offered(store, &offer);
    let escalations = store.escalations();
    store.block_on(escalations.find(offer.id)).unwrap().unwrap();
    for _ in 0..2 {
        store
            .block_on(escalations.decide(offer.id, EscalationDecision::Approve))
            .unwrap();
    }
    store.block_on(store.purge_offers(Duration::ZERO)).unwrap();

    let (row, call) = (outcome(), finished_call());
    insert(store, std::slice::from_ref(&row));
    store.block_on(store.calls().insert_calls(vec![call.clone()])).unwrap();
    let outcomes = store.outcomes();
    for request in [row.request, call.dispatch.attempt.request] {
        let feedback = Feedback {
            request,
            rating: Some(1),
            accepted: None,
            tests: None,
            comment: None,
        };
        assert!(
            store
                .block_on(outcomes.feedback(feedback, RecordOwner::Everyone))
                .unwrap()
        );
    }
    let earlier = EarlierTests {
        conversation: call.dispatch.conversation.clone().unwrap(),
        told_by: RequestId::generate(),
        owner: RecordOwner::Everyone,
        tests: (1, 0),
    };
    assert!(store.block_on(outcomes.note_tests(earlier)).unwrap());
    store.block_on(outcomes.table(row.created_at)).unwrap();
    let (experiment, _) = row.experiment.unwrap();
    store.block_on(outcomes.of_experiment(experiment, 10)).unwrap();
    store.block_on(outcomes.experiment_sums(experiment)).unwrap();
    store.block_on(outcomes.page(row.created_at, None, 10)).unwrap();
    store
        .block_on(store.purge_outcomes(Duration::from_secs(7_200)))
        .unwrap();

    let turn = talked(store, "conv-1");
    let conversation = turn.conversation.clone();
    put(store, &turn, &list("list-1", &[TodoStatus::Open])).unwrap();
    store
        .block_on(store.todos().open_list(conversation.clone()))
        .unwrap()
        .unwrap();
    let offer = offer_in(&turn, 1);
    offered(store, &offer);
    let amendment = AmendAnswer {
        conversation: conversation.clone(),
        user_seq: 1,
        offer: offer.id,
        request: RequestId::generate(),
        answer: "better".into(),
        route_layer: Some(Layer::L2),
    };
    assert!(store.block_on(store.conversations().amend_answer(amendment)).unwrap());
    let deleted = store.conversations().delete_conversation(conversation);
    assert!(store.block_on(deleted).unwrap());
}

/// How often each of these tables was read whole, and each of their indexes was used.
fn scans(database: &TestDatabase) -> BTreeMap<String, i64> {
    let counted = database.texts(&format!(
        "SELECT 'table ' || relname || '=' || seq_scan FROM pg_stat_user_tables WHERE relname IN {TABLES}
         UNION ALL
         SELECT indexrelname || '=' || idx_scan FROM pg_stat_user_indexes WHERE relname IN {TABLES}"
    ));
    let counted = counted.iter().map(|line| line.split_once('=').unwrap());
    counted
        .map(|(name, count)| (name.to_owned(), count.parse().unwrap()))
        .collect()
}

#[test]
fn postgres_looks_everything_up_by_an_index() {
    let database = TestDatabase::postgres();
    drop(database.open());
    // Small tables are read whole where that may be: this is about what can be looked up at all.
    let name = database.texts("SELECT current_database()").remove(0);
    database.execute(&format!("ALTER DATABASE {name} SET enable_seqscan = off"));
    let no_session = "SELECT 'x' FROM pg_stat_activity
                      WHERE datname = current_database() AND application_name = 'ai-mcp-gateway'";
    let all_gone = || wait_for("its sessions to end", LIMIT, || database.texts(no_session).is_empty());
    all_gone();
    let before = scans(&database);
    let store = database.open();
    use_everything(&store);
    store.shutdown(LIMIT);
    all_gone();
    // Sessions tell what they did when they end.
    let used = [
        "escalations_pkey",
        "escalations_by_expiry",
        "escalations_by_conversation",
        "outcomes_pkey",
        "outcomes_by_time",
        "outcomes_by_experiment",
        "llm_calls_pkey",
        "todo_lists_by_conversation",
        "messages_pkey",
        "conversations_pkey",
    ];
    wait_for("the statistics", LIMIT, || {
        let after = scans(&database);
        used.iter().all(|index| after[*index] > before[*index])
    });
    for (name, count) in scans(&database) {
        if name.starts_with("table ") {
            assert_eq!(count, before[&name], "{name} was read whole");
        }
    }
}

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// The SQLite file whose connections are listened to.
static LISTENED: LazyLock<ArcSwap<String>> = LazyLock::new(ArcSwap::default);

/// The statements that those were given.
static STATEMENTS: LazyLock<ArcSwap<BTreeSet<String>>> = LazyLock::new(ArcSwap::default);

/// Remembers what one connection is asked.
#[derive(Default)]
struct Listener {
    url: String,
}

impl Instrumentation for Listener {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartEstablishConnection { url, .. } => url.clone_into(&mut self.url),
            // Other tests run beside this one, and some of their rows are large.
            InstrumentationEvent::StartQuery { query, .. } if **LISTENED.load() == self.url => {
                let text = query.to_string();
                // Behind it stand the values.
                let statement = text.split(" -- binds:").next().unwrap().trim().to_owned();
                STATEMENTS.rcu(|before| {
                    let mut all = BTreeSet::clone(before);
                    all.insert(statement.clone());
                    all
                });
            }
            _ => {}
        }
    }
}

fn listen() -> Option<Box<dyn Instrumentation>> {
    Some(Box::<Listener>::default())
}

#[test]
fn sqlite_looks_everything_up_by_an_index() {
    let database = TestDatabase::sqlite();
    drop(database.open());
    let TestDatabase::Sqlite(folder) = &database else {
        panic!("{database:?}");
    };
    let file = folder.path().join("gateway.db").to_str().unwrap().to_owned();
    // The store's own statements, as its connections get them.
    LISTENED.store(Arc::new(file.clone()));
    set_default_instrumentation(listen).unwrap();
    let store = database.open();
    use_everything(&store);
    store.shutdown(LIMIT);
    let asked = STATEMENTS.load_full();
    let mut connection = SqliteConnection::establish(&file).unwrap();
    let mut used = BTreeSet::new();
    for statement in asked.iter() {
        let verb = statement.split_whitespace().next().unwrap_or_default().to_uppercase();
        if !["SELECT", "UPDATE", "DELETE", "WITH"].contains(&verb.as_str()) {
            continue;
        }
        let steps: Vec<Step> = diesel::sql_query(format!("EXPLAIN QUERY PLAN {statement}"))
            .load(&mut connection)
            .unwrap();
        for Step { detail } in steps {
            let is_scanned = TABLES.split('\'').any(|table| {
                let scan = format!("SCAN {table}");
                table.len() > 2 && (detail == scan || detail.starts_with(&format!("{scan} ")))
            });
            assert!(!is_scanned, "{statement}: {detail}");
            used.insert(detail);
        }
    }
    for index in [
        "escalations USING INDEX sqlite_autoindex_escalations_1",
        "INDEX escalations_by_expiry",
        "outcomes USING INDEX sqlite_autoindex_outcomes_1",
        "INDEX outcomes_by_time",
        "INDEX outcomes_by_experiment",
        "llm_calls USING PRIMARY KEY",
        "INDEX todo_lists_by_conversation",
    ] {
        let is_used = used
            .iter()
            .any(|step| step.starts_with("SEARCH") && step.contains(index));
        assert!(is_used, "{index}: {used:#?}");
    }
}
