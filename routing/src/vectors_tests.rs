//! The vectors that `scripts/routing_vectors.py` wrote: this code and the fit's own functions agree.

use serde::Deserialize;

use crate::answer_signals::{self, Text};
use crate::{
    AnswerText, Candidate, Compare, Decision, Found, KeyRules, Layer, RoutingModel, Step, Terms, answer_key, extract,
    keyword_score, plan, seed_layer,
};

const VECTORS: &str = include_str!("../tests/vectors.json");

#[derive(Deserialize)]
struct Vectors {
    questions: Vec<QuestionVector>,
    answers: Vec<AnswerVector>,
    plans: Vec<PlanVector>,
    gains: Vec<GainVector>,
}

#[derive(Deserialize)]
struct QuestionVector {
    question: String,
    signals: Vec<f64>,
    ease: f64,
    layers: Vec<f64>,
    priors: Vec<f64>,
    costs: Vec<f64>,
    task: String,
    complexity: String,
    seed_layer: usize,
    keyword_score: f64,
}

#[derive(Deserialize)]
struct AnswerVector {
    text: String,
    literal: bool,
    question: String,
    raw: String,
    found: String,
    key: String,
    signals: Vec<f64>,
}

#[derive(Deserialize)]
struct GainVector {
    question: String,
    kind: String,
    score: f64,
}

#[derive(Deserialize)]
struct PlanVector {
    question: String,
    texts: Vec<String>,
    tokens: Vec<u32>,
    lambda: f64,
    steps: Vec<String>,
    values: Vec<Vec<f64>>,
}

fn vectors() -> Vectors {
    serde_json::from_str(VECTORS).unwrap()
}

fn assert_near(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let near = (found - expected).abs() <= 1e-6 * expected.abs().max(1.0);
        assert!(near, "{what}, {at}: {found} instead of {expected}");
    }
}

#[test]
fn questions_are_read_as_in_the_fit() {
    let model = RoutingModel::shipped().unwrap();
    for vector in vectors().questions {
        let question = model.question(&vector.question);
        let text: String = vector.question.chars().take(80).collect();
        assert_near(&question.signals, &vector.signals, &text);
        assert_near(&[-question.difficulty()], &[vector.ease], &text);
        let classification = question.classification();
        assert_near(&classification.layer_chances, &vector.layers, &text);
        let priors: Vec<f64> = model.models.iter().map(|table| table.prior(&question.row)).collect();
        assert_near(&priors, &vector.priors, &text);
        let costs: Vec<f64> = model.models.iter().map(|table| table.cost(&question.row)).collect();
        assert_near(&costs, &vector.costs, &text);
        assert_eq!(classification.task.as_str(), vector.task, "{text}");
        assert_eq!(classification.complexity.as_str(), vector.complexity, "{text}");
        assert_eq!(seed_layer(&vector.question), Layer::ALL[vector.seed_layer], "{text}");
        assert_near(&[keyword_score(&vector.question)], &[vector.keyword_score], &text);
    }
}

#[test]
fn answers_are_read_as_in_the_fit() {
    for vector in vectors().answers {
        let answer = extract(&vector.text);
        let found = match answer.found {
            Found::Member => "member",
            Found::Boxed => "boxed",
            Found::Phrase => "phrase",
            Found::Nothing => "none",
        };
        assert_eq!(
            (answer.raw, found),
            (vector.raw.as_str(), vector.found.as_str()),
            "{}",
            vector.text
        );
        let rules = KeyRules {
            literal: vector.literal,
            choices: false,
        };
        assert_eq!(answer_key(answer, rules), vector.key, "{}", vector.text);
        let signals = answer_signals::signals(&Text {
            text: &vector.text,
            answer,
            question: &vector.question,
            literal: vector.literal,
            tokens: 60,
            cut: false,
        });
        assert_near(&signals, &vector.signals, &vector.text);
    }
}

#[test]
fn gains_are_scored_as_by_the_script() {
    let model = RoutingModel::shipped().unwrap();
    for vector in vectors().gains {
        let text: String = vector.question.chars().take(80).collect();
        let gain = model.question(&vector.question).gain_score();
        assert_eq!(format!("{:?}", gain.kind).to_ascii_lowercase(), vector.kind, "{text}");
        assert_near(&[gain.score], &[vector.score], &text);
    }
}

/// What was weighed, in the vectors' order, where there was something to weigh.
fn weighed(decision: &Decision) -> Option<Vec<f64>> {
    let values: Vec<f64> = decision.offers.iter().map(|offer| offer.value).collect();
    (!values.is_empty()).then_some(values)
}

#[test]
fn plans_take_the_steps_of_the_fit() {
    let model = RoutingModel::shipped().unwrap();
    for vector in vectors().plans {
        let question = model.question(&vector.question);
        let names: Vec<&str> = model.known_names().collect();
        let candidates: Vec<Candidate<'_>> = names
            .iter()
            .zip(&model.models)
            .map(|(name, table)| Candidate {
                name,
                maker: name,
                layer: table.layer,
                cost: question.fitted_cost(model.known(name).unwrap()),
                allowed: true,
            })
            .collect();
        let terms = Terms {
            lambda: vector.lambda,
            unit: Some(model.unit_nano_usd()),
            compare: Compare::Answers,
        };
        let mut plan = plan(&question, &candidates, terms).unwrap();
        let (mut steps, mut values) = (Vec::new(), Vec::new());
        loop {
            values.extend(weighed(plan.decision()));
            let asked = match plan.decision().step {
                Step::CallPanel(panel) => panel.to_vec(),
                Step::Call(one) => vec![one],
                Step::Accept(one) => {
                    steps.push(format!("accept {one}"));
                    break;
                }
                Step::NeedsLeave { .. } | Step::Exhausted => break,
            };
            let listed: Vec<String> = asked.iter().map(ToString::to_string).collect();
            steps.push(format!("call {}", listed.join(" ")));
            for one in asked {
                let answer = AnswerText {
                    text: &vector.texts[one],
                    output_tokens: vector.tokens[one],
                    cut: false,
                };
                plan.answered(one, answer).unwrap();
            }
        }
        let what = format!("lambda {}: {}", vector.lambda, vector.question);
        let whole = vector.steps.last().is_none_or(|last| last != "other");
        let compared = if whole {
            vector.steps.len()
        } else {
            vector.steps.len() - 1
        };
        assert_eq!(steps[..compared], vector.steps[..compared], "{what}");
        for (at, expected) in vector.values.iter().enumerate() {
            assert_near(&values[at], expected, &format!("{what}, step {at}"));
        }
    }
}
