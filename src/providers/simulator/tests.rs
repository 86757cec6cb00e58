use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use gateway_actors::protocol::{
    AttemptId, Billing, Capabilities, Dialect, FailureKind, Layer, MediaTokens, Model, ModelId, Outgoing, OutgoingBody,
    OutgoingRequest, ProviderName, RequestId, StreamFrame, TokenBound, TokenUsage, UsageReport, Vendor,
};
use tokio::time::Instant;

use super::*;
use crate::config::ProviderKind;
use crate::dialects::openai_chat::{ConversationRequest, answer_text};
use crate::dialects::openai_embeddings::EmbeddingsRequest;

fn simulator() -> Rc<Simulator> {
    Rc::new(Simulator::new(&ProviderSettings::new("sim", ProviderKind::Simulator)))
}

async fn ask(api_model: &str, stream: bool) -> Result<UpstreamReply, UpstreamFailure> {
    let request = ConversationRequest {
        system: None,
        history: Vec::new(),
        message: "are you there?".into(),
        max_tokens: None,
        temperature: None,
    };
    ask_this(api_model, stream, &request).await
}

async fn ask_this(
    api_model: &str,
    stream: bool,
    request: &dyn OutgoingRequest,
) -> Result<UpstreamReply, UpstreamFailure> {
    let call = UpstreamCall {
        attempt: AttemptId {
            request: RequestId::generate(),
            ordinal: 1,
        },
        model: Arc::new(Model {
            id: ModelId::from("sim-small"),
            provider: ProviderName::from("sim"),
            vendor: Vendor::Other,
            api_model: api_model.into(),
            dialect: Dialect::OpenaiChat,
            layer: Layer::L0,
            capabilities: Capabilities::NONE,
            context_window: 1000,
            max_output_tokens: 100,
            price: None,
            media: MediaTokens::default(),
        }),
        stream,
        deadline: Instant::now() + Duration::from_secs(300),
        operation: request.operation(),
        outgoing: Outgoing::as_sent(OutgoingBody::default(), true, TokenBound::default()),
    };
    let outgoing = request.write_for(&call.model, None).unwrap();
    let call = UpstreamCall { outgoing, ..call };
    simulator().call(call).await
}

async fn stream_of(api_model: &str) -> Vec<StreamFrame> {
    let UpstreamReply::Stream(stream) = ask(api_model, true).await.unwrap() else {
        panic!("not a stream")
    };
    stream.frames.map(Result::unwrap).collect().await
}

const ANSWER: &str = "simulated answer from sim-small: are you there?";

fn usage() -> UsageReport {
    UsageReport::Reported(TokenUsage {
        input: 4,
        output: 12,
        ..TokenUsage::default()
    })
}

#[tokio::test]
async fn it_says_what_it_is_and_repeats_the_question() {
    let UpstreamReply::Complete(completion) = ask("sim-echo", false).await.unwrap() else {
        panic!("not complete")
    };
    assert_eq!(answer_text(&completion.body).unwrap().text, ANSWER);
    assert_eq!(completion.usage, usage());
}

#[tokio::test]
async fn it_streams_word_by_word_with_usage_and_end_mark() {
    let frames = stream_of("sim-echo").await;
    assert_eq!(
        frames.iter().map(|frame| frame.content_bytes).sum::<u64>(),
        ANSWER.len() as u64
    );
    assert_eq!(
        frames.iter().filter_map(|frame| frame.usage).collect::<Vec<_>>(),
        [usage()]
    );
    assert!(frames.last().unwrap().terminal);
    let words = stream_of("sim-stream-60").await;
    assert_eq!(words.iter().filter(|frame| frame.content_bytes > 0).count(), 60);
}

async fn embed(api_model: &str, more: &str) -> Result<UpstreamReply, UpstreamFailure> {
    let body = format!(r#"{{"model":"x","input":["12345678","12"]{more}}}"#);
    let request = EmbeddingsRequest::scan(body.into()).unwrap();
    ask_this(api_model, false, &request).await
}

#[tokio::test]
async fn it_makes_vectors_in_either_encoding_and_counts_what_they_cost() {
    let mut lengths = Vec::new();
    for encoding in ["", r#","encoding_format":"base64""#] {
        let reply = embed("sim-vectors", &format!(r#"{encoding},"dimensions":8"#)).await;
        let UpstreamReply::Complete(completion) = reply.unwrap() else {
            panic!("not complete")
        };
        let expected = TokenUsage {
            input: 3,
            ..TokenUsage::default()
        };
        assert_eq!(completion.usage, UsageReport::Reported(expected));
        let body: serde_json::Value = serde_json::from_slice(&completion.body).unwrap();
        assert_eq!(body["model"], "sim-vectors");
        let vector = &body["data"][1]["embedding"];
        lengths.push((vector.as_array().map(Vec::len), vector.as_str().map(str::len)));
    }
    // Eight numbers of four bytes are 44 letters.
    assert_eq!(lengths, [(Some(8), None), (None, Some(44))]);
}

#[tokio::test]
async fn vectors_fail_as_told_and_where_none_can_be_made() {
    let failure = embed("sim-error-503", "").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::ServerError);
    let failure = embed("sim-vectors", r#","dimensions":5000"#).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.billing),
        (FailureKind::Rejected, Billing::NotBilled)
    );
}

#[tokio::test]
async fn it_fails_as_told() {
    let failure = ask("sim-error-429", true).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.billing),
        (FailureKind::RateLimited, Billing::NotBilled)
    );
    assert_eq!(failure.retry_after, Some(Duration::from_secs(1)));
    assert_eq!(
        ask("sim-error-500", false).await.unwrap_err().kind,
        FailureKind::ServerError
    );
}

#[tokio::test(start_paused = true)]
async fn it_is_slow_or_silent_as_told() {
    let start = Instant::now();
    ask("sim-slow-20ms", false).await.unwrap();
    assert_eq!(
        start.elapsed(),
        Duration::from_millis(40),
        "before the answer and before its end"
    );
    let start = Instant::now();
    let failure = ask("sim-stall", true).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::FirstByteTimeout);
    assert_eq!(start.elapsed(), UpstreamTimeouts::default().first_byte);
}
