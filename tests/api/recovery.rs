//! Journals that dead processes left: more of them than one transaction could store, and those of another address.

use std::path::Path;
use std::time::Duration;

use ai_mcp_gateway::store::{DatabaseName, JournalDir, JournalLimits};
use gateway_actors::protocol::{AttemptJournal, CallRecord, CellId, InstanceId};
use gateway_actors::testkit::samples::{dispatch, finished};

use crate::support::{Gateway, Model, PostgresDatabase, Provider, Setup, run_to_exit, wait_for};

const LIMIT: Duration = Duration::from_secs(30);

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

#[test]
fn a_journal_of_the_databases_earlier_address_is_warned_of_and_brought_in() {
    let (database, data) = (PostgresDatabase::create(), tempfile::tempdir().unwrap());
    let alpha = Provider::start("alpha");
    let setup = || setup(&alpha, &database, data.path());
    let journals = data.path().join("journal");
    let earlier = journals.join("postgres-old.example_3a5432_2fgateway");
    leave_journal(&earlier, 3);
    // Those of a process that lives are its own business.
    let neighbour = InstanceId::generate();
    let living = JournalDir::open(&journals.join("other.db"), neighbour).unwrap();
    let cell = living.cell(CellId(0), JournalLimits::default()).unwrap();
    cell.finished(&record(neighbour)).unwrap();

    let gateway = Gateway::start(setup());
    let told = || {
        let mut lines = gateway.log();
        lines.retain(|line| line.contains("call records wait in the journal"));
        lines
    };
    wait_for("the warning", LIMIT, || !told().is_empty());
    let warning = &told()[0];
    assert!(warning.contains(earlier.to_str().unwrap()), "{warning}");
    assert!(warning.contains("call_records=4"), "{warning}");
    assert_eq!(gateway.calls().len(), 0);

    let command = format!("migrate --journal {}", earlier.display());
    let (code, said) = run_to_exit(&command, &setup());
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("4 call records of the journal are in the database"),
        "{said}"
    );
    assert_eq!(gateway.calls().len(), 4);
    assert_eq!(std::fs::read_dir(&earlier).unwrap().count(), 0);
    assert_eq!(told().len(), 1);
    gateway.finish();

    let (code, said) = run_to_exit(&command, &setup());
    assert_eq!(code, 64, "{said}");
    assert!(said.contains("there is no journal in"), "{said}");
}

#[test]
fn a_journal_of_a_living_process_or_for_a_database_that_is_away_stays_as_it_is() {
    let (database, data) = (PostgresDatabase::create(), tempfile::tempdir().unwrap());
    let alpha = Provider::start("alpha");
    let folder = data.path().join("journal/here");
    leave_journal(&folder, 1);
    let files = || {
        let mut files: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        files.sort();
        files
    };
    let before = files();
    let command = format!("migrate --journal {}", folder.display());

    let away = setup(&alpha, &database, data.path())
        .env("DATABASE_URL", "postgres://me:canary-5f1e@127.0.0.1:1/db")
        .toml("[store]\nstart_wait_ms = 100");
    let (code, said) = run_to_exit(&command, &away);
    assert_eq!(code, 69, "{said}");
    assert_eq!(files(), before);

    let living = JournalDir::open(&folder, InstanceId::generate()).unwrap();
    let with_living = files();
    let (code, said) = run_to_exit(&command, &setup(&alpha, &database, data.path()));
    assert_eq!(code, 69, "{said}");
    assert!(said.contains("a gateway is running with its journal in"), "{said}");
    assert_eq!(files(), with_living);
    drop(living);

    let (code, said) = run_to_exit(&command, &setup(&alpha, &database, data.path()));
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("2 call records"), "{said}");
}

#[test]
fn without_a_journal_in_the_folder_no_database_is_made_or_changed() {
    let (database, data) = (PostgresDatabase::create(), tempfile::tempdir().unwrap());
    let alpha = Provider::start("alpha");
    let (sqlite, empty) = (data.path().join("db"), data.path().join("empty"));
    std::fs::create_dir(&empty).unwrap();
    let file = data.path().join("file");
    std::fs::write(&file, "no journal").unwrap();
    let to_sqlite = format!("sqlite:{}", sqlite.join("gateway.db").display());
    for folder in [&empty, &file, &data.path().join("missing"), &data.path().to_owned()] {
        for url in [&to_sqlite, &database.url()] {
            let setup = setup(&alpha, &database, data.path()).env("DATABASE_URL", url);
            let (code, said) = run_to_exit(&format!("migrate --journal {}", folder.display()), &setup);
            assert_eq!(code, 64, "{said}");
            assert!(said.contains("there is no journal in"), "{said}");
        }
    }
    assert!(!sqlite.exists());
    assert_eq!(
        database.texts("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'"),
        [""; 0]
    );
}

#[test]
fn a_move_takes_the_sources_journal_and_warns_of_one_that_has_only_its_name() {
    let alpha = Provider::start("alpha");
    let (data, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = elsewhere.path().join("gateway.db");
    let source = format!("sqlite:{}", file.display());
    let (code, said) = run_to_exit(
        "migrate",
        &Setup::new()
            .env("DATABASE_URL", &source)
            .env("GATEWAY_DATA_DIR", data.path().to_str().unwrap()),
    );
    assert_eq!(code, 0, "{said}");
    let name = DatabaseName::of_file(&file).unwrap();
    let own = [name.journal_dir(data.path()), name.journal_dir(elsewhere.path())];
    leave_journal(&own[0], 2);
    leave_journal(&own[1], 4);
    // An earlier version's: it may be that of a file of this name in another folder.
    let old = data.path().join("journal/gateway.db");
    leave_journal(&old, 1);
    let database = PostgresDatabase::create();
    let setup = setup(&alpha, &database, data.path());
    let records = || database.texts("SELECT count(*)::text FROM llm_calls").remove(0);

    let (code, said) = run_to_exit(&format!("migrate --from {source}"), &setup);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains(old.to_str().unwrap()) && said.contains("call_records=2"),
        "{said}"
    );
    assert_eq!(records(), "8");
    for journal in &own {
        assert_eq!(std::fs::read_dir(journal).unwrap().count(), 0);
    }
    let (code, said) = run_to_exit(&format!("migrate --journal {}", old.display()), &setup);
    assert_eq!(code, 0, "{said}");
    assert_eq!(records(), "10");
}
