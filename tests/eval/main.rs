//! Measuring by recorded answers: the figures of a small sample are exact, and a file that is none changes nothing.
//!
//! `sample.jsonl` and `models.json` were made up for these tests: forty questions, answers and models that nobody has.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// One run of the command.
struct Run {
    code: i32,
    said: String,
    complained: String,
    /// Where its figures go.
    out: PathBuf,
    _folder: tempfile::TempDir,
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/eval").join(name)
}

fn eval(data: &Path, models: &Path, more: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let output = Command::new(env!("CARGO_BIN_EXE_ai-mcp-gateway"))
        .env_clear()
        .arg("eval")
        .args([Path::new("--data"), data, Path::new("--models"), models])
        .args([Path::new("--out"), &out])
        .args(more)
        .output()
        .unwrap();
    Run {
        code: output.status.code().unwrap(),
        said: String::from_utf8(output.stdout).unwrap(),
        complained: String::from_utf8(output.stderr).unwrap(),
        out,
        _folder: folder,
    }
}

/// The sample with 100 hidden tokens for each answer of its largest model.
fn sample(more: &[&str]) -> Run {
    let hidden = ["--hidden-tokens", "large=100"];
    let run = eval(&file("sample.jsonl"), &file("models.json"), &[&hidden, more].concat());
    assert_eq!(run.code, 0, "{}", run.complained);
    run
}

fn figures(run: &Run) -> Value {
    let text = std::fs::read_to_string(run.out.join("eval.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn group<'a>(figures: &'a Value, name: &str) -> &'a Value {
    let groups = figures["groups"].as_array().unwrap();
    groups.iter().find(|group| group["name"] == name).unwrap()
}

/// Accuracy and cost of the line with this name.
fn line(lines: &Value, name: &str) -> (f64, f64) {
    let lines = lines.as_array().unwrap();
    let line = lines.iter().find(|line| line["name"] == name).unwrap();
    (
        line["accuracy"].as_f64().unwrap(),
        line["usdPerThousand"].as_f64().unwrap(),
    )
}

fn assert_is((accuracy, cost): (f64, f64), expected: (f64, f64)) {
    let is_near = (accuracy - expected.0).abs() < 1e-9 && (cost - expected.1).abs() < 1e-9;
    assert!(is_near, "{accuracy} at {cost} is not {expected:?}");
}

#[test]
fn the_figures_of_the_sample_are_exact() {
    let figures = figures(&sample(&[]));
    assert_eq!(figures["questions"], 40);
    let arithmetic = group(&figures, "arithmetic");
    for (model, accuracy, cost) in [
        ("small", 0.3125, 0.07356875),
        ("little", 0.4375, 0.0309375),
        ("middle", 0.625, 0.060534375),
        ("second", 0.625, 0.3504),
        ("large", 0.9375, 2.3409375),
    ] {
        assert_is(line(&arithmetic["models"], model), (accuracy, cost));
    }
    let oracle = "oracle: the cheapest right answer";
    assert_is(line(&arithmetic["baselines"], oracle), (1.0, 0.223884375));
    assert_eq!(arithmetic["strongest"], "large");
    let trivia = group(&figures, "trivia");
    assert_is(line(&trivia["models"], "large"), (0.8125, 3.6615));
    assert_is(
        line(&trivia["baselines"], oracle),
        (0.9583333333333334, 1.5526333333333333),
    );
    // Two sources of the same models are told together as well; the third has others.
    let together = group(&figures, "together: arithmetic, words");
    assert_eq!(together["questions"], 28);
    let mean = (0.9375 * 16.0 + 0.8333333333333334 * 12.0) / 28.0;
    let cost = (2.3409375 * 16.0 + 2.236 * 12.0) / 28.0;
    assert_is(line(&together["models"], "large"), (mean, cost));
}

#[test]
fn the_router_stays_between_what_there_is_to_choose_from() {
    let figures = figures(&sample(&[]));
    for group in figures["groups"].as_array().unwrap() {
        let oracle = line(&group["baselines"], "oracle: the cheapest right answer").0;
        let one = group["oneModel"].as_array().unwrap();
        assert_eq!(one.len(), 24);
        for line in one.iter().chain(group["compared"].as_array().unwrap()) {
            let accuracy = line["accuracy"].as_f64().unwrap();
            assert!((0.0..=oracle + 1e-9).contains(&accuracy), "{line}");
        }
    }
    let trivia = group(&figures, "trivia");
    assert_eq!(
        trivia["compared"],
        Value::Array(Vec::new()),
        "no texts, so that nothing is compared"
    );
}

#[test]
fn the_same_files_give_the_same_figures_and_diagrams() {
    let runs = [sample(&[]), sample(&[])];
    let mut names: Vec<String> = std::fs::read_dir(&runs[0].out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        "arithmetic.svg",
        "eval.json",
        "together-arithmetic-words.svg",
        "trivia.svg",
        "words.svg",
    ];
    assert_eq!(names, expected);
    for name in names {
        let [one, other] = [&runs[0], &runs[1]].map(|run| std::fs::read(run.out.join(&name)).unwrap());
        assert!(one == other, "{name} differs");
    }
}

#[test]
fn data_of_two_models_is_told_by_what_an_order_recovers() {
    let run = sample(&["--source", "trivia"]);
    let pair = &figures(&run)["pair"];
    assert_eq!(
        (&pair["weak"], &pair["strong"]),
        (&Value::from("little"), &Value::from("large"))
    );
    let orders = pair["groups"][0]["orders"].as_array().unwrap();
    let apgr = |name: &str| {
        let order = orders.iter().find(|order| order["name"] == name).unwrap();
        order["apgr"].as_f64().unwrap()
    };
    assert!(apgr("oracle") >= apgr("expected gain"));
    let curve = pair["curve"].as_array().unwrap();
    assert_eq!((curve.len(), &curve[40]["share"]), (41, &Value::from(1.0)));
    assert_eq!(
        (&curve[0]["accuracy"], &curve[40]["accuracy"]),
        (&Value::from(0.625), &Value::from(0.8125))
    );
    assert!(run.out.join("two-models.svg").exists() && run.said.contains("CPT(80)"));
}

#[test]
fn files_that_are_none_are_named_with_the_line_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let good = std::fs::read_to_string(file("sample.jsonl")).unwrap();
    let mut lines = good.lines();
    let (first, second) = (lines.next().unwrap(), lines.next().unwrap());
    let unknown = second.replace("\"middle\"", "\"nobody\"");
    let not_a_number = second.replacen("\"correct\": true", "\"correct\": NaN", 1);
    for (text, code, told) in [
        (
            format!("{first}\n{second}\nnot json\n"),
            65,
            "line 3: it is no JSON object",
        ),
        (
            format!("{first}\n{unknown}\n"),
            65,
            "line 2: `outcomes` names the model \"nobody\"",
        ),
        (format!("{first}\n{not_a_number}\n"), 65, "line 2: it is no JSON object"),
        (
            format!("{first}\n{first}\n"),
            65,
            "line 2: `id` and `source` are those of line 1",
        ),
        (String::new(), 65, "there is no question in it"),
        ("\u{1f}\u{8b}".to_owned(), 65, "line 1"),
    ] {
        let path = folder.path().join("data.jsonl");
        std::fs::write(&path, &text).unwrap();
        let run = eval(&path, &file("models.json"), &[]);
        assert_eq!(run.code, code, "{told}: {}", run.complained);
        assert!(run.complained.contains(told), "{told}: {}", run.complained);
        assert!(run.said.is_empty() && !run.out.exists(), "{told}: {}", run.said);
    }
    let run = eval(&folder.path().join("missing"), &file("models.json"), &[]);
    assert_eq!((run.code, run.out.exists()), (66, false), "{}", run.complained);
    let run = eval(&file("sample.jsonl"), &file("sample.jsonl"), &[]);
    assert_eq!((run.code, run.out.exists()), (65, false), "{}", run.complained);
    let run = eval(
        &file("sample.jsonl"),
        &file("models.json"),
        &["--hidden-tokens", "many"],
    );
    assert_eq!((run.code, run.out.exists()), (64, false), "{}", run.complained);
    let run = eval(
        &file("sample.jsonl"),
        &file("models.json"),
        &["--calibration", "Cargo.toml"],
    );
    assert_ne!(run.code, 0);
    assert!(!run.out.exists());
}

#[test]
fn whether_an_answer_was_right_is_read_in_one_file_alone() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/eval");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name == "score.rs" || name.ends_with("_tests.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        assert!(!code.contains("correct"), "{name} speaks of `correct`");
        let chooses = ["cell.rs", "replay.rs", "ports.rs", "data.rs"].contains(&name.as_str());
        assert!(!chooses || !code.contains("marks.of"), "{name} looks at scores");
    }
}
