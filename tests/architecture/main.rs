//! Who may know whom, and what is said only in named places: the architecture as rules over the source text.
//!
//! The rules are data (`rules.rs`), each with an offence that proves that it fires and an innocent neighbour that it
//! lets pass. A module that does not exist yet has nothing to break them with.

#![cfg(test)]

mod check;
mod dependencies;
mod rules;
mod source;

mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use crate::check::{self, matches};
    use crate::rules::{Example, LINES, PLACE_RULES, REACH_RULES, RULED_FOLDERS};
    use crate::source::Source;

    /// Every `.rs` file of these folders of the checkout, as its path from there and its text, in order.
    fn files(folders: &[&str]) -> Vec<(String, String)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = Vec::new();
        let mut waiting: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
        while let Some(folder) = waiting.pop() {
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for entry in entries {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    waiting.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = fs::read_to_string(&path).unwrap();
                    let relative = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                    found.push((relative, text));
                }
            }
        }
        found.sort();
        found
    }

    /// What an example breaks, by the names of the rules.
    fn broken_by(example: &Example) -> Vec<&'static str> {
        let source = Source::parse(example.file, example.text).unwrap();
        check::violations(&source)
            .into_iter()
            .map(|violation| violation.rule)
            .collect()
    }

    #[test]
    fn the_source_keeps_the_rules() {
        let files = files(RULED_FOLDERS);
        assert!(files.len() > 10, "the source was not found: {files:?}");
        let mut all = Vec::new();
        for (path, text) in &files {
            let source = Source::parse(path, text).unwrap_or_else(|problem| panic!("{path}: {problem}"));
            all.extend(check::violations(&source).iter().map(ToString::to_string));
        }
        assert!(all.is_empty(), "\n{}\n", all.join("\n"));
    }

    #[test]
    fn every_rule_fires_on_its_offence_and_on_that_alone() {
        let reach = REACH_RULES.iter().map(|rule| (rule.name, &rule.offences));
        let place = PLACE_RULES.iter().map(|rule| (rule.name, &rule.offences));
        for (name, offences) in reach.chain(place) {
            assert!(!offences.is_empty(), "{name}: no offence shows that it fires");
            for offence in *offences {
                assert_eq!(broken_by(offence), [name], "{}: {}", offence.file, offence.text);
            }
        }
    }

    #[test]
    fn every_rule_lets_its_innocent_neighbour_pass() {
        let reach = REACH_RULES.iter().map(|rule| (rule.name, &rule.innocent));
        let place = PLACE_RULES.iter().map(|rule| (rule.name, &rule.innocent));
        for (name, innocent) in reach.chain(place) {
            for example in *innocent {
                assert_eq!(
                    broken_by(example),
                    [""; 0],
                    "{name}: {}: {}",
                    example.file,
                    example.text
                );
            }
        }
    }

    #[test]
    fn no_source_file_is_longer_than_the_limit() {
        let files = files(LINES.folders);
        let too_long = check::too_long(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
        assert!(
            too_long.is_empty(),
            "longer than {} lines, split by responsibility: {too_long:?}",
            LINES.limit
        );
    }

    #[test]
    fn a_file_over_the_limit_is_found_unless_it_is_exempt() {
        let (full, over) = ("\n".repeat(LINES.limit), "\n".repeat(LINES.limit + 1));
        let files = [
            ("src/http/error.rs", full.as_str()),
            ("src/http/sse.rs", over.as_str()),
            ("src/store/schema.rs", over.as_str()),
        ];
        assert_eq!(check::too_long(files), ["src/http/sse.rs: 501 lines"]);
    }

    #[test]
    fn a_pattern_matches_whole_paths() {
        assert!(matches("src/http/*", "src/http/routes/chat.rs"));
        assert!(matches("actors/src/*/core*.rs", "actors/src/router/core_plan.rs"));
        assert!(matches("src/system.rs", "src/system.rs"));
        assert!(!matches("src/http/*", "actors/src/http/x.rs"));
        assert!(!matches("src/system.rs", "src/system.rs.bak"));
        assert!(!matches("actors/src/*/core*.rs", "actors/src/router/score.rs"));
    }
}
