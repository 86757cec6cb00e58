//! What the actors cost: an ask, a plan, and a whole request without a network. `cargo bench --bench actors`.
//!
//! Every benchmark runs on one thread, as a worker's cell does; only the asks across arbiters have a second one.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking"
)]

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler, Message};
use actix_rt::{Arbiter, System, SystemRunner};
use arc_swap::ArcSwap;
use criterion::{BenchmarkId, Criterion};
use gateway_actors::dispatch::DispatchSettings;
use gateway_actors::protocol::{
    AnswerShape, Catalogue, FlushCalls, Layer, Model, PanelUse, PlanRequest, Question, Target,
};
use gateway_actors::router::{RouterActor, RouterSettings, RouterSources};
use gateway_actors::runtime::{CrashReporter, LocalAddr, RemoteAddr, RemoteAsks, RestartPolicy};
use gateway_actors::testkit::samples::learned;
use gateway_actors::testkit::{TestCell, test_model};
use tokio::time::Instant;

/// The allocator of the gateway's own binary.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The most that a request asks one after the other: router, provider, budget, and its conversation.
const IN_A_ROW: u64 = 4;
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers every message with the number after it: what remains is the cost of the ask.
struct Counter;

#[derive(Message)]
#[rtype(result = "u64")]
struct After(u64);

impl Actor for Counter {
    type Context = Context<Self>;
}

impl Handler<After> for Counter {
    type Result = u64;

    fn handle(&mut self, After(number): After, _: &mut Self::Context) -> u64 {
        number + 1
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .sample_size(50)
        .configure_from_args();
    let runtime = System::new();
    asks(&mut criterion, &runtime);
    plans(&mut criterion, &runtime);
    decisions(&mut criterion, &runtime);
    pipeline(&mut criterion, &runtime);
    criterion.final_summary();
}

fn asks(criterion: &mut Criterion, runtime: &SystemRunner) {
    let own = runtime.block_on(async { LocalAddr::new(Counter.start()) });
    let arbiter = Arbiter::new();
    let addr = Counter::start_in_arbiter(&arbiter.handle(), |_| Counter);
    let other = RemoteAddr::new(addr, Arc::<RemoteAsks>::default(), PATIENCE);

    let mut group = criterion.benchmark_group("asks");
    for in_a_row in [1, IN_A_ROW] {
        group.bench_function(BenchmarkId::new("own arbiter", in_a_row), |bencher| {
            bencher.iter_custom(|times| {
                runtime.block_on(async {
                    let began = Instant::now();
                    for _ in 0..times {
                        for number in 0..in_a_row {
                            black_box(own.ask(After(number)).await.unwrap());
                        }
                    }
                    began.elapsed()
                })
            });
        });
        group.bench_function(BenchmarkId::new("across arbiters", in_a_row), |bencher| {
            bencher.iter_custom(|times| {
                runtime.block_on(async {
                    let began = Instant::now();
                    for _ in 0..times {
                        for number in 0..in_a_row {
                            black_box(other.ask(After(number)).await.unwrap());
                        }
                    }
                    began.elapsed()
                })
            });
        });
    }
    group.finish();
    arbiter.stop();
    arbiter.join().unwrap();
}

fn models() -> Vec<Model> {
    vec![test_model("a", "alpha", 1_000), test_model("b", "beta", 1_001)]
}

fn router(models: Vec<Model>, rules: RouterSettings) -> RouterActor {
    let usable = models.iter().map(|model| model.provider.clone()).collect();
    let catalogue = Catalogue::new(models, Vec::new(), HashMap::new());
    let sources = RouterSources {
        catalogue: Arc::new(ArcSwap::from_pointee(catalogue)),
        health: Arc::default(),
        usable: Arc::new(usable),
        key_variables: Arc::default(),
        learned: learned(),
    };
    RouterActor::new(rules, sources, CrashReporter::new(RestartPolicy::default()))
}

fn start_cell() -> TestCell {
    TestCell::start(models(), DispatchSettings::default())
}

/// What any request is planned by.
fn plan_request(runtime: &SystemRunner) -> PlanRequest {
    runtime.block_on(async {
        let cell = start_cell();
        let plan = cell.call().plan;
        cell.stop();
        plan
    })
}

fn plans(criterion: &mut Criterion, runtime: &SystemRunner) {
    let request = plan_request(runtime);
    let start = || router(models(), RouterSettings::default());
    let asked = runtime.block_on(async { LocalAddr::new(start().start()) });
    let (mut called, mut context) = (start(), Context::new());

    let mut group = criterion.benchmark_group("plan of two candidates");
    group.bench_function("handler called as a function", |bencher| {
        bencher.iter(|| called.handle(black_box(request.clone()), &mut context).unwrap());
    });
    group.bench_function("asked on the own arbiter", |bencher| {
        bencher.iter_custom(|times| {
            runtime.block_on(async {
                let began = Instant::now();
                for _ in 0..times {
                    black_box(asked.ask(request.clone()).await.unwrap().unwrap());
                }
                began.elapsed()
            })
        });
    });
    group.finish();
}

/// Plans for `auto`, question included: of so many bytes, over so many models, checked by a panel or not.
fn decisions(criterion: &mut Criterion, runtime: &SystemRunner) {
    const SENTENCE: &str = "Let $x$ be a real number such that $x^2 = 3$. How many of the 12 apples are left? ";
    let mut group = criterion.benchmark_group("decision for auto");
    for models in [2, 40, 400] {
        let of = |number: usize| Model {
            api_model: format!("{}-{number}", ["gpt", "claude", "gemma", "llama"][number % 4]).into(),
            layer: Layer::ALL[number % 4],
            ..test_model(&format!("m{number}"), "alpha", number as u64 * 100)
        };
        let rules = RouterSettings {
            auto_escalate: true,
            cross_check: true,
            panel: PanelUse::Always,
            ..RouterSettings::default()
        };
        let (mut called, mut context) = (router((0..models).map(of).collect(), rules), Context::new());
        for bytes in [300, 4_096, 65_536] {
            let text: String = SENTENCE.chars().cycle().take(bytes).collect();
            let mut request = plan_request(runtime);
            request.target = Target::Auto;
            request.question = Some(Arc::new(question(text)));
            group.bench_function(BenchmarkId::new(format!("{models} models"), bytes), |bencher| {
                bencher.iter(|| called.handle(black_box(request.clone()), &mut context).unwrap());
            });
        }
    }
    group.finish();
}

fn question(text: String) -> Question {
    Question {
        text: text.into(),
        user_turns: 1,
        loop_key: None,
        in_loop: false,
        tool_errors: 0,
        shape: AnswerShape::Free,
        has_tools: false,
        has_media: false,
        stream: false,
        answers: 1,
        capped: false,
    }
}

/// Requests from the pipeline's front door to a scripted provider and back, up to the record in a store in memory. The
/// cell is new for every sample, since its script and store remember every call.
fn pipeline(criterion: &mut Criterion, runtime: &SystemRunner) {
    let mut group = criterion.benchmark_group("pipeline without network");
    group.bench_function("complete", |bencher| {
        bencher.iter_custom(|times| {
            runtime.block_on(async {
                let cell = start_cell();
                let began = Instant::now();
                for _ in 0..times {
                    black_box(cell.pipeline.complete(cell.call()).await.unwrap());
                }
                finish(cell, began).await
            })
        });
    });
    group.bench_function("stream of 6 events", |bencher| {
        bencher.iter_custom(|times| {
            runtime.block_on(async {
                let cell = start_cell();
                let began = Instant::now();
                for _ in 0..times {
                    let mut stream = cell.pipeline.stream(cell.call()).await.unwrap();
                    while let Some(event) = stream.events.recv().await {
                        black_box(event.unwrap());
                    }
                }
                finish(cell, began).await
            })
        });
    });
    group.finish();
}

/// Waits until every call is recorded, which is part of its cost, and stops the cell.
async fn finish(cell: TestCell, began: Instant) -> Duration {
    while cell.gauges.attempts.get() > 0 || cell.gauges.streams.get() > 0 {
        tokio::task::yield_now().await;
    }
    let flushed = cell.cost.ask(FlushCalls).await.unwrap().unwrap();
    flushed.await.unwrap();
    let elapsed = began.elapsed();
    cell.stop();
    elapsed
}
