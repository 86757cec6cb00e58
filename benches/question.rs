//! What it costs to read the question out of a body of about 64 KiB, as coding agents send them: instructions, tools, and a
//! loop of calls whose results are source code. `cargo bench --bench question`.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::hint::black_box;

use ai_mcp_gateway::dialects::anthropic_messages::MessagesRequest;
use ai_mcp_gateway::dialects::openai_chat::ChatCompletionsRequest;
use ai_mcp_gateway::dialects::openai_responses::ResponsesRequest;
use bytes::Bytes;
use criterion::Criterion;
use gateway_actors::protocol::OutgoingRequest;
use serde_json::Value;

use self::bodies::{Agent, Talk};

#[expect(dead_code, reason = "nobody answers here")]
#[path = "../tests/api/loops/bodies.rs"]
mod bodies;

/// The allocator of the gateway's own binary.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const BODY_BYTES: usize = 64 * 1024;
const CODE: &str = "    let value = map.get(\"key\").unwrap_or(&0);\n\tif *value > 3 { return Err(\"too large\"); }\n";
const PROSE: &str = "You help with software. Read files before you change them, and say what you changed and why.\n";

/// A loop that has come to a body of this size: a quarter instructions, and a dozen results.
fn body_of(agent: Agent) -> Value {
    let instructions = PROSE.repeat(BODY_BYTES / 4 / PROSE.len());
    let mut talk = Talk::new(agent, "auto", &instructions).asks("Fix the parser, so that the tests pass.");
    for call in 0..12 {
        let id = format!("call_{call}");
        let output = CODE.repeat(BODY_BYTES * 2 / 3 / 12 / CODE.len());
        talk = talk.calls(&id, "cat src/parser.rs").gets(&id, &output, false);
    }
    talk.body()
}

fn request(agent: Agent, body: &Value) -> Box<dyn OutgoingRequest> {
    let body = Bytes::from(body.to_string());
    match agent {
        Agent::Chat | Agent::Functions => Box::new(ChatCompletionsRequest::scan(body).unwrap()),
        Agent::Responses => Box::new(ResponsesRequest::scan(body).unwrap()),
        Agent::Messages => Box::new(MessagesRequest::scan(body).unwrap()),
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("question");
    for agent in Agent::ALL {
        let request = request(agent, &body_of(agent));
        assert!(request.question().unwrap().in_loop);
        group.bench_function(format!("{agent:?}"), |b| b.iter(|| black_box(request.question())));
    }
    // All of it is the user's.
    let text = CODE.repeat(BODY_BYTES / CODE.len());
    let request = request(Agent::Chat, &Talk::new(Agent::Chat, "auto", "one").asks(&text).body());
    group.bench_function("one long message", |b| b.iter(|| black_box(request.question())));
    group.finish();
    criterion.final_summary();
}
