//! What a reload takes in, and when the file counts as changed.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;

use arc_swap::ArcSwap;
use gateway_actors::protocol::TaskType;
use tempfile::TempDir;

use super::*;
use crate::config::Sources;

const ALPHA: &str = "[[providers]]\nname = \"alpha\"\nkind = \"simulator\"\n";
const BETA: &str = "[[providers]]\nname = \"beta\"\nkind = \"simulator\"\n";

fn model(id: &str, provider: &str) -> String {
    format!(
        "[[models]]\nid = \"{id}\"\nprovider = \"{provider}\"\nlayer = \"L0\"\ncapabilities = [\"chat\"]\n\
         context_window = 1000\nmax_output_tokens = 100\n"
    )
}

fn load(config: &str) -> Result<Loaded, Problems> {
    let env = [("HOME", "/nowhere"), ("CHAT_MODELS", "b,a")];
    Settings::load(&Sources {
        config_file: Some(("gw.toml".into(), config.to_owned())),
        env: BTreeMap::from(env.map(|(name, value)| (name.to_owned(), value.to_owned()))),
        ..Sources::default()
    })
}

fn settings(config: &str) -> Settings {
    load(config).unwrap_or_else(|problems| panic!("{problems}")).settings
}

fn ids(catalogue: &Catalogue) -> Vec<&str> {
    catalogue.models().iter().map(|model| model.id.as_str()).collect()
}

/// What the catalogue holds after a reload of this file over one that lists provider alpha and model `a`.
fn after(config: &str) -> Arc<Catalogue> {
    let running = settings(&(ALPHA.to_owned() + &model("a", "alpha")));
    let published = Arc::new(ArcSwap::new(Arc::clone(&running.catalogue)));
    let live = LiveCatalogue::new(Arc::clone(&published), Arc::new(HashSet::new()));
    let config = config.to_owned();
    Reloader::new(None, move || load(&config)).reload(&running, &live);
    published.load_full()
}

#[test]
fn models_of_a_provider_that_was_not_there_are_left_out_with_every_name_that_leads_to_them() {
    let aliases = "[aliases]\n\"gpt-*\" = \"b\"\n\"g*\" = \"a2\"\n";
    let config = [
        ALPHA,
        BETA,
        &model("b", "beta"),
        &model("a", "alpha"),
        &model("a2", "alpha"),
        aliases,
    ]
    .concat();
    let catalogue = after(&config);
    assert_eq!(ids(&catalogue), ["a", "a2"]);
    let patterns: Vec<&str> = catalogue.aliases().iter().map(|alias| &*alias.pattern).collect();
    assert_eq!(patterns, ["g*"]);
    assert_eq!(catalogue.task_list(TaskType::Chat), [std::sync::Arc::<str>::from("a")]);
}

#[test]
fn bad_settings_and_settings_without_a_model_change_nothing() {
    let bad = ALPHA.to_owned() + &model("other", "alpha") + &model("other", "alpha");
    let unroutable = BETA.to_owned() + &model("b", "beta");
    for config in [bad.as_str(), &unroutable, ALPHA, ""] {
        assert_eq!(ids(&after(config)), ["a"], "{config}");
    }
}

#[test]
fn a_file_has_changed_when_it_rests_in_another_state_than_it_was_read_in() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("gateway.toml");
    std::fs::write(&path, "one").unwrap();
    let mut file = WatchedFile::new(&path);
    assert!(!file.has_changed());
    assert!(!file.has_changed());

    let older = SystemTime::UNIX_EPOCH;
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(older)
        .unwrap();
    assert!(!file.has_changed(), "it may still be written");
    assert!(file.has_changed());
    file.is_being_read();
    assert!(!file.has_changed());

    std::fs::remove_file(&path).unwrap();
    assert!(!file.has_changed());
    assert!(file.has_changed(), "a file that is gone is told once");
    file.is_being_read();
    assert!(!file.has_changed());
}
