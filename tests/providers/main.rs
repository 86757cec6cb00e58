//! The provider adapter against a server that says exactly the bytes of each case.

#![cfg(test)]

mod answers;
mod server;
mod streams;

use std::sync::Arc;
use std::time::Duration;

use ai_mcp_gateway::config::{ProviderKind, ProviderSettings, UpstreamLimits, UpstreamTimeouts};
use ai_mcp_gateway::dialects::openai_chat::ChatCompletionsRequest;
use ai_mcp_gateway::providers::Upstreams;
use bytes::Bytes;
use gateway_actors::protocol::{
    AttemptId, Capabilities, Dialect, Layer, MediaTokens, Model, ModelId, Operation, OutgoingRequest as _,
    ProviderName, RequestId, Upstream as _, UpstreamCall, UpstreamFailure, UpstreamReply, Vendor,
};
use server::Server;
use tokio::time::Instant;

/// The key of every test: it must not appear anywhere but in the header it belongs to.
const KEY: &str = "sk-test-0123456789-secret";

/// Time enough for what is meant to work, on a busy machine.
const LONG: Duration = Duration::from_secs(20);

/// Time that is meant to run out.
const SHORT: Duration = Duration::from_millis(60);

fn settings(base_url: &str) -> ProviderSettings {
    ProviderSettings {
        base_url: Some(base_url.parse().unwrap()),
        api_key_env: Some("ALPHA_KEY".into()),
        api_key: Some(KEY.into()),
        max_in_flight: 8,
        timeouts: UpstreamTimeouts {
            connect: LONG,
            first_byte: LONG,
            idle: LONG,
            total: LONG,
        },
        limits: UpstreamLimits {
            body_bytes: 64 * 1024,
            event_bytes: 4 * 1024,
        },
        ..ProviderSettings::new("alpha", ProviderKind::OpenaiCompatible)
    }
}

fn settings_of(server: &Server) -> ProviderSettings {
    settings(&format!("http://{}/v1", server.address))
}

fn call(stream: bool) -> UpstreamCall {
    let body =
        format!(r#"{{"model":"auto","stream":{stream},"seed":1.50,"messages":[{{"role":"user","content":"hi"}}]}}"#);
    let request = ChatCompletionsRequest::scan(Bytes::from(body)).unwrap();
    let model = Model {
        id: ModelId::from("alpha-small"),
        provider: ProviderName::from("alpha"),
        vendor: Vendor::Other,
        api_model: "gpt-4o-mini".into(),
        dialect: Dialect::OpenaiChat,
        layer: Layer::L0,
        capabilities: Capabilities::NONE,
        context_window: 128_000,
        max_output_tokens: 4096,
        price: None,
        media: MediaTokens::default(),
    };
    UpstreamCall {
        attempt: AttemptId {
            request: RequestId::generate(),
            ordinal: 1,
        },
        operation: Operation::Generate,
        outgoing: request.write_for(&model, None).unwrap(),
        model: Arc::new(model),
        stream,
        deadline: Instant::now() + LONG,
    }
}

async fn make(settings: ProviderSettings, call: UpstreamCall) -> Result<UpstreamReply, UpstreamFailure> {
    Upstreams::new(&[settings]).unwrap().call(call).await
}

/// The failure of a call that is meant to fail. No failure may tell the key.
async fn failure(settings: ProviderSettings, stream: bool) -> UpstreamFailure {
    let failure = make(settings, call(stream)).await.unwrap_err();
    assert!(!format!("{failure:?} {failure}").contains(KEY), "{failure:?}");
    failure
}
