//! Journals that dead processes left.

use std::path::Path;

use ai_mcp_gateway::store::{JournalDir, JournalLimits};
use gateway_actors::protocol::{AttemptJournal, CallRecord, CellId, InstanceId};
use gateway_actors::testkit::samples::{dispatch, finished};

use crate::support::{Gateway, Model, PostgresDatabase, Provider, Setup, run_to_exit};

/// A finished attempt of a process.
fn record(instance: InstanceId) -> CallRecord {
    let mut dispatch = dispatch();
    dispatch.instance = instance;
    finished(&dispatch)
}

/// Leaves a journal with this many finished attempts and one open one, as a process that is killed does.
fn leave_journal(folder: &Path, finished: usize) -> InstanceId {
    let instance = InstanceId::generate();
    let dir = JournalDir::open(folder, instance).unwrap();
    let journal = dir.cell(CellId(0), JournalLimits::default()).unwrap();
    for _ in 0..finished {
        let record = record(instance);
        journal.dispatched(&record.dispatch).unwrap();
        journal.finished(&record).unwrap();
    }
    journal.dispatched(&record(instance).dispatch).unwrap();
    instance
}

fn setup(provider: &Provider, database: &PostgresDatabase, data: &Path) -> Setup {
    Setup::new()
        .env("DATABASE_URL", &database.url())
        .env("GATEWAY_DATA_DIR", data.to_str().unwrap())
        .provider(provider)
        .model(&Model::free("alpha-small", provider))
}

/// The name of the database's folder in `journal/`.
fn folder_name(url: &str) -> String {
    let (_, address) = url.rsplit_once('@').unwrap();
    let escaped = address.replace('_', "_5f").replace(':', "_3a").replace('/', "_2f");
    format!("postgres-{escaped}")
}

#[test]
fn more_records_than_one_job_has_time_for_are_stored_at_the_start() {
    const FINISHED: usize = 10_000;
    let (database, data) = (PostgresDatabase::create(), tempfile::tempdir().unwrap());
    let alpha = Provider::start("alpha");
    let setup = setup(&alpha, &database, data.path()).toml("[store]\nstatement_timeout_ms = 1000");
    let (code, said) = run_to_exit("migrate", &setup);
    assert_eq!(code, 0, "{said}");
    // Whatever the machine: a statement of 500 records takes this long, a job may take two seconds.
    database.execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.15); RETURN NULL; END $$;
         CREATE TRIGGER slow AFTER INSERT ON llm_calls FOR EACH STATEMENT EXECUTE FUNCTION slow()",
    );
    let folder = data.path().join("journal").join(folder_name(&database.url()));
    let dead = leave_journal(&folder, FINISHED);

    let gateway = Gateway::start(setup);
    let count = |outcome: &str| {
        database.texts(&format!(
            "SELECT count(*)::text FROM llm_calls WHERE outcome = '{outcome}'"
        ))
    };
    assert_eq!(count("completed"), [FINISHED.to_string()]);
    assert_eq!(count("interrupted"), ["1"]);
    let kept = |file: &std::io::Result<std::fs::DirEntry>| {
        let name = file.as_ref().unwrap().file_name().into_string().unwrap();
        name.starts_with(&dead.to_string())
    };
    let kept = std::fs::read_dir(&folder).unwrap().filter(kept).count();
    assert_eq!(kept, 0, "what is stored is not kept");
    gateway.finish();
}
