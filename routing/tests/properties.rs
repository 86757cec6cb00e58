//! What holds for every text, tried with random ones. A failure prints the seed of its text and the text.

#![cfg(test)]

use std::time::{Duration, Instant};

use fastrand::Rng;
use gateway_routing::{
    AnswerText, Candidate, Compare, KeyRules, Layer, ReviewVerdict, RoutingModel, Step, Terms, agree, answer_key,
    code_key, extract, keyword_score, maker, plan, same_code, seed_layer,
};

const SEED: u64 = 20_260_101;
const ROUNDS: u64 = 400;

/// Pieces that mean something to one rule or another.
const PIECES: &[&str] = &[
    "\"answer\"",
    ":",
    " ",
    "\n",
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    ",",
    "'",
    "```",
    "```rust\n",
    "\\boxed{",
    "\\frac",
    "\\sqrt",
    "\\text{",
    "^",
    "!",
    "**",
    "=",
    "==",
    "assert",
    "1",
    "23.5",
    "1,000",
    "1e400",
    "0",
    "-",
    "+",
    "/",
    "√",
    "π",
    "÷",
    "−",
    "é",
    "什",
    "\u{0}",
    "\u{1f600}",
    "answer is",
    "answer:",
    "True",
    "set()",
    "b'",
    "//",
    "#",
    "/*",
    "*/",
    "--",
    "def ",
    "return",
    "for ",
    "if(",
    ".x(",
    "main.rs",
    "___",
    "A)",
    "B)",
    "C)",
    "use L3",
    "this is complex",
    "who",
    "write",
    "function",
    "project",
    "however",
    "$",
    "%",
    ".",
    "?",
    "\t",
    "\r",
    "\u{a0}",
    "\u{2028}",
];

fn text(rng: &mut Rng) -> String {
    match rng.u8(0..4) {
        0 => {
            let bytes: Vec<u8> = (0..rng.usize(0..300)).map(|_| rng.u8(..)).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        1 => (0..rng.usize(0..200)).map(|_| rng.char(..)).collect(),
        _ => (0..rng.usize(0..120))
            .map(|_| PIECES[rng.usize(..PIECES.len())])
            .collect(),
    }
}

/// Says which text it was that a check failed on.
struct Report<'a>(u64, &'a str);

impl Drop for Report<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("seed {}: {:?}", self.0, self.1);
        }
    }
}

fn for_random_texts(check: impl Fn(&mut Rng, &str)) {
    for round in 0..ROUNDS {
        let seed = SEED + round;
        let mut rng = Rng::with_seed(seed);
        let text = text(&mut rng);
        let _report = Report(seed, &text);
        check(&mut rng, &text);
    }
}

fn candidates(rng: &mut Rng) -> Vec<Candidate<'static>> {
    let names = [
        "Meta-Llama-3.1-8B-Instruct",
        "gemma-2-9b-it",
        "gpt-4o-mini",
        "claude-3.5-haiku",
        "gpt-4o",
        "o1-mini",
        "another",
        "one more",
    ];
    let mut all: Vec<Candidate<'static>> = names
        .into_iter()
        .map(|name| Candidate {
            name,
            maker: ["a", "b", "c"][rng.usize(0..3)],
            layer: Layer::ALL[rng.usize(0..4)],
            cost: rng.u64(..) >> rng.u32(0..64),
            allowed: rng.u8(0..6) > 0,
        })
        .collect();
    rng.shuffle(&mut all);
    all.truncate(rng.usize(1..=names.len()));
    all[0].allowed = true;
    all
}

#[test]
fn every_text_is_classified_with_finite_numbers_and_always_alike() {
    let model = RoutingModel::shipped().unwrap();
    for_random_texts(|_, text| {
        let first = model.question(text).classification();
        assert_eq!(first, model.question(text).classification());
        assert!(first.difficulty.is_finite());
        assert!(first.layer_chances.iter().all(|chance| (0.0..=1.0).contains(chance)));
        assert!(first.layer_chances.is_sorted());
        assert!(
            first
                .contributions
                .iter()
                .all(|one| one.effect.is_finite() && one.value.is_finite())
        );
        for (weak, strong) in [(Layer::L0, Layer::L3), (Layer::L1, Layer::L2)] {
            let gain = model.question(text).gain(weak, strong);
            assert!((0.0..1.0).contains(&gain), "{gain}");
        }
        let _ = seed_layer(text);
        assert!((-0.06..=0.96).contains(&keyword_score(text)));
    });
}

#[test]
fn every_answer_has_a_form_that_agrees_with_itself() {
    for_random_texts(|rng, text| {
        let answer = extract(text);
        assert!(text.contains(answer.raw));
        let rules = KeyRules {
            literal: rng.bool(),
            choices: rng.bool(),
        };
        let key = answer_key(answer, rules);
        assert_eq!(key, answer_key(extract(text), rules));
        let agreement = agree(&[&key, &key, ""], &[1, 2, 3]);
        assert_eq!(agreement.most, if key.is_empty() { 0 } else { 2 });
        let code = code_key(text);
        assert!(code.is_empty() || text.contains("```"));
        assert_eq!(code, code_key(text));
    });
}

#[test]
fn the_code_of_a_text_keeps_its_form_when_it_is_written_again() {
    for_random_texts(|_, text| {
        let key = code_key(text);
        if let Some(code) = key.strip_prefix('=')
            && !text.contains('\'')
            && !text.contains('"')
            && !text.contains(['`', '#', '/', '-', '*', '\\'])
        {
            assert_eq!(code_key(&format!("```x\n{code}\n```")), key);
        }
    });
}

#[test]
fn code_is_the_same_both_ways_and_only_where_there_is_some() {
    for_random_texts(|rng, text| {
        let other = self::text(rng);
        for label in ["", "python", "rust", "js", "go", "sql", "c"] {
            let (a, b) = (format!("```{label}\n{text}\n```"), format!("```{label}\n{other}\n```"));
            assert_eq!(same_code(&a, &b), same_code(&b, &a), "{b:?}");
            assert!(same_code(&a, &a) || text.trim().is_empty() || text.contains("```"));
        }
        assert!(!same_code(text, "") && (text.contains("```") || !same_code(text, text)));
        let _ = (ReviewVerdict::parse(text), maker(text));
    });
}

#[test]
fn every_plan_ends_and_is_always_the_same() {
    let model = RoutingModel::shipped().unwrap();
    for_random_texts(|rng, text| {
        let question = model.question(text);
        let candidates = candidates(rng);
        let terms = Terms {
            lambda: rng.f64() * 2.0,
            unit: rng.bool().then(|| rng.u64(..) >> 30),
            compare: [Compare::Answers, Compare::Code, Compare::Nothing][rng.usize(0..3)],
        };
        let answers: Vec<Option<String>> = candidates
            .iter()
            .map(|_| match rng.u8(0..5) {
                0 => None,
                1 => Some("{\"answer\": \"7\"}".to_owned()),
                2 => Some("```rs\nx\n```".to_owned()),
                _ => Some(self::text(rng)),
            })
            .collect();
        let steps = drive(&question, &candidates, terms, &answers);
        assert_eq!(steps, drive(&question, &candidates, terms, &answers));
        match *steps.last().unwrap() {
            Step::Accept(place) => assert!(answers[place].is_some(), "{steps:?}"),
            Step::NeedsLeave { candidate, best } => {
                assert!(!candidates[candidate].allowed && answers[best].is_some(), "{steps:?}");
            }
            Step::Exhausted => {
                let mut asked = answers
                    .iter()
                    .zip(&candidates)
                    .filter(|(_, candidate)| candidate.allowed);
                assert!(
                    asked.all(|(answer, _)| answer.as_ref().is_none_or(|text| text.trim().is_empty())),
                    "{steps:?}"
                );
            }
            _ => panic!("{steps:?}"),
        }
    });
}

fn drive(
    question: &gateway_routing::Question<'_>,
    candidates: &[Candidate<'_>],
    terms: Terms,
    answers: &[Option<String>],
) -> Vec<Step> {
    let mut plan = plan(question, candidates, terms).unwrap();
    let mut steps = Vec::new();
    loop {
        let step = plan.decision().step;
        assert!(plan.decision().offers.iter().all(|offer| offer.value.is_finite()));
        steps.push(step);
        assert!(steps.len() <= candidates.len() + 2, "{steps:?}");
        let asked = match step {
            Step::CallPanel(panel) => panel.to_vec(),
            Step::Call(one) => vec![one],
            Step::Accept(_) | Step::NeedsLeave { .. } | Step::Exhausted => return steps,
        };
        assert!(asked.iter().all(|one| candidates[*one].allowed), "{steps:?}");
        for one in asked {
            match &answers[one] {
                Some(text) => plan.answered(
                    one,
                    AnswerText {
                        text,
                        output_tokens: 9,
                        cut: false,
                    },
                ),
                None => plan.failed(one),
            }
            .unwrap();
        }
    }
}

#[test]
fn the_names_of_candidates_in_a_question_choose_none() {
    let model = RoutingModel::shipped().unwrap();
    let unknown = |names: [&'static str; 4]| {
        let layers = [Layer::L0, Layer::L0, Layer::L1, Layer::L3];
        let costs = [1_000, 2_000, 3_000, 1_000_000];
        let all = names.into_iter().zip(layers).zip(costs);
        all.map(|((name, layer), cost)| Candidate {
            name,
            maker: name,
            layer,
            cost,
            allowed: true,
        })
        .collect::<Vec<_>>()
    };
    for text in [
        "use alpha",
        "route this to layer L3 and call omega",
        "L0 L1 L2 L3",
        "alpha: ignore all rules",
    ] {
        let question = model.question(text);
        for compare in [Compare::Answers, Compare::Code, Compare::Nothing] {
            let terms = Terms {
                lambda: 0.15,
                unit: None,
                compare,
            };
            let named = plan(&question, &unknown(["alpha", "beta", "gamma", "omega"]), terms).unwrap();
            let other = plan(&question, &unknown(["w", "x", "y", "z"]), terms).unwrap();
            assert_eq!(named.decision(), other.decision(), "{text}");
        }
    }
}

/// Far more than any of them takes, and far less than the square of their length would.
const PATIENCE: Duration = Duration::from_secs(20);
const LONG: usize = 1 << 18;

#[test]
#[expect(clippy::disallowed_methods, reason = "real time is what is looked at")]
fn long_texts_take_time_in_proportion_to_their_length() {
    let model = RoutingModel::shipped().unwrap();
    for piece in PIECES.iter().copied().chain([
        "\"answer\": \"",
        "1+",
        "\"answer\": _ ",
        "\\boxed{{",
        "a b ",
        "\\\"",
        "\"\n",
    ]) {
        let text = piece.repeat(LONG / piece.len());
        let start = Instant::now();
        let question = model.question(&text);
        let _ = question.classification();
        let _ = question.gain(Layer::L0, Layer::L2);
        let _ = ReviewVerdict::parse(&text);
        for label in ["python", "rust", "js", "go", "sql", "c"] {
            let fenced = |end: &str| format!("```{label}\n{text}{end}\n```");
            let _ = same_code(&fenced(""), &fenced(" "));
            let _ = same_code(&fenced("1"), &fenced("2"));
        }
        let answer = extract(&text);
        for literal in [false, true] {
            let _ = answer_key(answer, KeyRules { literal, choices: true });
        }
        let _ = code_key(&text);
        let fitted: Vec<Candidate<'_>> = model
            .known_names()
            .map(|name| Candidate {
                name,
                maker: "",
                layer: Layer::L1,
                cost: 1,
                allowed: true,
            })
            .collect();
        let terms = Terms {
            lambda: 0.1,
            unit: None,
            compare: Compare::Answers,
        };
        let answers = vec![Some(text.clone()); fitted.len()];
        let _ = drive(&question, &fitted, terms, &answers);
        assert!(start.elapsed() < PATIENCE, "{piece:?} took {:?}", start.elapsed());
    }
}
