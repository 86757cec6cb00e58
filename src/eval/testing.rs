//! The sample that tests measure on: made up for them.

use std::path::{Path, PathBuf};

use gateway_actors::protocol::Model;

use super::data::{HiddenTokens, Material, Wanted, read};
use super::prices;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/eval").join(name)
}

/// The sample's models.
pub(super) fn models() -> Vec<Model> {
    prices::read(&file("models.json")).unwrap()
}

/// The sample, with 100 hidden tokens for each answer of the largest model.
pub(super) fn sample() -> Material {
    let hidden = [HiddenTokens::parse("large=100").unwrap()];
    let wanted = Wanted {
        hidden: &hidden,
        ..Wanted::default()
    };
    read(&file("sample.jsonl"), models(), &wanted).unwrap()
}

/// The sample's questions and answers under the names of models that the shipped calibration knows, so that what was
/// fitted to these is used.
pub(super) fn renamed() -> Material {
    let names = [
        ("small", "Meta-Llama-3.1-8B-Instruct"),
        ("little", "gemma-2-9b-it"),
        ("middle", "gpt-4o-mini-2024-07-18"),
        ("second", "claude-3-5-haiku-20241022"),
        ("large", "o1-mini-2024-09-12"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let copy = |name: &str| {
        let mut text = std::fs::read_to_string(file(name)).unwrap();
        for (from, to) in names {
            text = text.replace(&format!("\"{from}\": {{"), &format!("\"{to}\": {{"));
        }
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (data, models) = (copy("sample.jsonl"), copy("models.json"));
    read(&data, prices::read(&models).unwrap(), &Wanted::default()).unwrap()
}
