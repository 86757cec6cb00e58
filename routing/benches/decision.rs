//! What a decision costs: reading a question, classifying it and making a plan, before anybody was asked, with a panel
//! and between two models that go by the question alone; and judging three answers. `cargo bench -p gateway-routing`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking"
)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use gateway_routing::{AnswerText, Candidate, Compare, Layer, RoutingModel, Step, Terms, plan};

const QUESTION: &str = "A farmer has 17 sheep and buys 25% more than twice as many at $40 each. How much does he pay? \
                        Explain each step, name what you assume, and write a function `fn price(sheep: u32) -> u32` \
                        that returns the sum for any number of sheep; e.g. price(17) == 1700, if prices do not fall. ";
const ANSWER: &str = "{\n    \"reasoning\": \"Twice 17 is 17 * 2 = 34. 25% more is 34 * 1.25 = 42.5, and 42.5 * 40 = \
                      1700. However, sheep come whole, so I assume that the price is for their weight.\",\n    \
                      \"answer\": \"$1,700\"\n}";

fn question(bytes: usize) -> String {
    let mut text = QUESTION.repeat(bytes / QUESTION.len() + 1);
    text.truncate(bytes);
    text
}

fn candidates(model: &RoutingModel) -> Vec<Candidate<'_>> {
    let names = model.known_names().enumerate();
    names
        .map(|(place, name)| Candidate {
            name,
            maker: "",
            layer: Layer::ALL[place * 3 / 5],
            cost: 10_u64.pow(3 + u32::try_from(place).unwrap()),
            allowed: true,
        })
        .collect()
}

/// Two that the fit does not know: the plan goes by the expected gain.
const TWO: [Candidate<'static>; 2] = [
    Candidate {
        name: "weak",
        maker: "a",
        layer: Layer::L0,
        cost: 1_000,
        allowed: true,
    },
    Candidate {
        name: "strong",
        maker: "b",
        layer: Layer::L2,
        cost: 100_000,
        allowed: true,
    },
];

const TERMS: Terms = Terms {
    lambda: 0.15,
    unit: None,
    compare: Compare::Answers,
};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let model = RoutingModel::shipped().unwrap();
    let candidates = candidates(model);
    let mut group = criterion.benchmark_group("decision");
    for bytes in [50, 300, 4 << 10, 64 << 10] {
        let text = question(bytes);
        group.bench_with_input(BenchmarkId::new("classify and plan", bytes), &text, |b, text| {
            b.iter(|| {
                let question = model.question(black_box(text));
                let classification = question.classification();
                let plan = plan(&question, &candidates, TERMS).unwrap();
                black_box((classification, plan.decision().step))
            });
        });
    }
    for bytes in [50, 300, 4 << 10, 64 << 10] {
        let text = question(bytes);
        group.bench_with_input(
            BenchmarkId::new("classify and choose of two", bytes),
            &text,
            |b, text| {
                b.iter(|| {
                    let question = model.question(black_box(text));
                    let classification = question.classification();
                    let plan = plan(&question, &TWO, TERMS).unwrap();
                    black_box((classification, plan.decision().step))
                });
            },
        );
    }
    let text = question(300);
    let question = model.question(&text);
    group.bench_function("judge three answers", |b| {
        b.iter(|| {
            let mut plan = plan(&question, &candidates, TERMS).unwrap();
            if let Step::CallPanel(panel) = plan.decision().step {
                for one in panel {
                    let answer = AnswerText {
                        text: black_box(ANSWER),
                        output_tokens: 90,
                        cut: false,
                    };
                    plan.answered(one, answer).unwrap();
                }
            }
            black_box(plan.decision().step)
        });
    });
    group.finish();
    criterion.final_summary();
}
