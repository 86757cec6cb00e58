//! Reading: what is good comes in, what is not says which line.

use std::io::Write as _;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::eval::testing::models;

struct File {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn file(bytes: &[u8]) -> File {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.jsonl");
    std::fs::write(&path, bytes).unwrap();
    File { _folder: folder, path }
}

fn packed(text: &str) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

fn read_all(bytes: &[u8]) -> Result<Material, EvalError> {
    read(&file(bytes).path, models(), &Wanted::default())
}

/// What is said of a file after its name.
fn refused(bytes: &[u8]) -> String {
    let error = read_all(bytes).unwrap_err();
    assert_eq!(error.exit_code(), 65, "{error}");
    error.to_string().split_once("data.jsonl").unwrap().1.to_owned()
}

fn line(id: &str, source: &str) -> String {
    format!(
        r#"{{"id":"{id}","source":"{source}","question":"How many?","answer":"4","outcomes":{{"small":{{"correct":true,"input_tokens":10,"output_tokens":20,"text":"four"}},"large":{{"correct":0.5,"input_tokens":10}}}}}}"#
    )
}

#[test]
fn a_line_becomes_a_row_and_its_score_is_kept_apart() {
    let Material { data, marks } = read_all(line("1", "a").as_bytes()).unwrap();
    let row = &data.rows[0];
    let small = row.answer(0).unwrap();
    assert_eq!(
        (small.usage.input, small.usage.output, small.text.as_deref()),
        (10, 20, Some("four"))
    );
    // 10 tokens at 0.1 USD and 20 at 0.2 USD a million.
    assert_eq!(small.cost, NanoUsd(5_000));
    let large = data
        .models
        .iter()
        .position(|model| &*model.api_model == "large")
        .unwrap();
    assert_eq!(row.answer(large).unwrap().usage.output, USUAL_OUTPUT);
    assert_eq!((data.assumed, row.has_texts()), (1, false));
    assert_eq!(row.models().collect::<Vec<_>>(), [0, large]);
    assert_eq!(marks.of(0, Some(large)), 0.5);
}

#[test]
fn hidden_tokens_are_billed_by_pattern() {
    let hidden = [
        HiddenTokens::parse("large=7").unwrap(),
        HiddenTokens::parse("l*=500").unwrap(),
    ];
    let wanted = Wanted {
        hidden: &hidden,
        ..Wanted::default()
    };
    let data = read(&file(line("1", "a").as_bytes()).path, models(), &wanted)
        .unwrap()
        .data;
    let large = data
        .models
        .iter()
        .position(|model| &*model.api_model == "large")
        .unwrap();
    let usage = data.rows[0].answer(large).unwrap().usage;
    assert_eq!((usage.output, usage.reasoning), (USUAL_OUTPUT + 500, 500));
    assert_eq!(data.rows[0].answer(0).unwrap().usage.reasoning, 0);
    for bad in ["", "o1*", "=5", "o1*=x", "o1*=-1", "a=1000001"] {
        assert_eq!(HiddenTokens::parse(bad).unwrap_err().exit_code(), 64, "{bad}");
    }
}

#[test]
fn packed_and_plain_files_are_the_same() {
    let text = format!("{}\n\n{}\n", line("1", "a"), line("2", "b"));
    for bytes in [text.clone().into_bytes(), packed(&text)] {
        let data = read_all(&bytes).unwrap().data;
        assert_eq!(
            (data.rows.len(), data.sources.as_slice()),
            (2, &["a".to_owned(), "b".to_owned()][..])
        );
    }
}

#[test]
fn a_packed_file_that_breaks_off_says_so() {
    let text: String = (0..2_000)
        .map(|id| format!("{}\n", line(&id.to_string(), "a")))
        .collect();
    let mut bytes = packed(&text);
    bytes.truncate(bytes.len() / 2);
    let said = refused(&bytes);
    assert!(said.contains("no whole gzip file from here on"), "{said}");
    let number: usize = said
        .trim_start_matches(", line ")
        .split(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!((2..2_000).contains(&number), "{said}");
    let mut bytes = packed(&text);
    let end = bytes.len();
    bytes[end - 6] ^= 1;
    assert!(refused(&bytes).contains("no whole gzip file"));
}

#[test]
fn a_bad_line_is_named_by_its_number() {
    let good = line("1", "a");
    for (bad, said) in [
        ("{", "it is no JSON object"),
        ("not json", "it is no JSON object"),
        (
            r#"{"id":"9","source":"a","question":NaN,"outcomes":{}}"#,
            "it is no JSON object",
        ),
        (r#"{"id":"9","source":"a","question":"x"}"#, "missing field `outcomes`"),
        (
            r#"{"id":9,"source":"a","question":"x","outcomes":{}}"#,
            "it must have `id`",
        ),
        (
            r#"{"id":"9","source":"a","question":" ","outcomes":{"small":{"correct":1}}}"#,
            "`question` is empty",
        ),
        (
            r#"{"id":"9","source":"a","question":"x","outcomes":{}}"#,
            "`outcomes` is empty",
        ),
        (
            r#"{"id":"9","source":"a","question":"x","outcomes":{"nobody":{"correct":1}}}"#,
            "the model \"nobody\", which is not in the file of models",
        ),
        (
            r#"{"id":"9","source":"a","question":"x","outcomes":{"small":{"correct":NaN}}}"#,
            "it is no JSON object",
        ),
        (
            r#"{"id":"9","source":"a","question":"x","outcomes":{"small":{"correct":7}}}"#,
            "a number from 0 to 1",
        ),
        (
            r#"{"id":"9","source":"a","question":"x","outcomes":{"small":{}}}"#,
            "must have `correct`",
        ),
        (
            r#"{"id":"9","source":"a","question":"x","outcomes":{"small":{"correct":1,"output_tokens":-1}}}"#,
            "it must have `id`",
        ),
        (
            r#"{"id":"9","source":"a","question":"x","outcomes":{"small":{"correct":1,"output_tokens":4294967296}}}"#,
            "`output_tokens` must be 0 to 4294967295",
        ),
        (
            r#"{"id":"9","source":"a","question":"x","outcomes":{"small":{"correct":1},"small":{"correct":0}}}"#,
            "names the model \"small\" twice",
        ),
        (
            r#"{"id":"9","source":"a\u001b[2J","question":"x","outcomes":{"small":{"correct":1}}}"#,
            "`source` must be a name without control characters",
        ),
        (good.as_str(), "`id` and `source` are those of line 1"),
    ] {
        let told = refused(format!("{good}\n\n{bad}\n").as_bytes());
        assert!(told.starts_with(", line 3: ") && told.contains(said), "{bad}: {told}");
    }
}

#[test]
fn a_file_without_questions_is_refused() {
    for empty in ["", "\n \n"] {
        assert_eq!(refused(empty.as_bytes()), ": there is no question in it");
    }
    let missing = read(Path::new("/nowhere/data.jsonl"), models(), &Wanted::default()).unwrap_err();
    assert_eq!(missing.exit_code(), 66);
}

#[test]
fn questions_are_chosen_by_source_id_and_number() {
    let text = ["1", "2", "3"]
        .map(|id| format!("{}\n{}\n", line(id, "a"), line(id, "b")))
        .concat();
    let data = file(text.as_bytes());
    let count = |wanted: &Wanted<'_>| read(&data.path, models(), wanted).map(|read| read.data.rows.len());
    let ids = file(b"2\na\t3\n");
    let with_ids = Wanted {
        ids: Some(&ids.path),
        ..Wanted::default()
    };
    assert_eq!(count(&with_ids).unwrap(), 3);
    let of_source = Wanted {
        source: Some("b"),
        ..with_ids
    };
    assert_eq!(count(&of_source).unwrap(), 1);
    let limited = Wanted {
        limit: Some(4),
        ..Wanted::default()
    };
    assert_eq!(count(&limited).unwrap(), 4);
    let none = Wanted {
        source: Some("c"),
        ..Wanted::default()
    };
    let told = count(&none).unwrap_err().to_string();
    assert!(
        told.ends_with("no question is left: check --source, --ids and --limit"),
        "{told}"
    );
}
