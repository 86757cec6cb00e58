use std::sync::Arc;

use gateway_actors::protocol::{
    Claimed, ErrorKind, IdempotencyClaim, IdempotencyName, IdempotencyStore as _, InstanceId, RequestId,
};
use gateway_actors::testkit::MemoryAnswers;

use super::super::Idempotency;
use super::*;
use crate::config::IdempotencySettings;

/// A relay, both its ends, and where it keeps what passes.
struct Scene {
    keys: Arc<MemoryAnswers>,
    provider: mpsc::Sender<Item>,
    client: mpsc::Receiver<Item>,
}

async fn scene(dialect: Dialect, max_body_bytes: usize) -> Scene {
    let keys = Arc::new(MemoryAnswers::default());
    let (request, instance) = (RequestId::generate(), InstanceId::generate());
    let name = IdempotencyName {
        owner: "|/v1".into(),
        key: "k".into(),
    };
    let claim = IdempotencyClaim {
        name: name.clone(),
        body_hash: "0".into(),
        request,
        instance,
        running_for: MARGIN,
    };
    assert_eq!(keys.claim(claim).await.unwrap(), Claimed::Run);
    let settings = IdempotencySettings {
        max_body_bytes,
        ..IdempotencySettings::default()
    };
    let parts = Idempotency::new(Arc::clone(&keys) as Arc<_>, instance, settings);
    let (provider, events) = mpsc::channel(8);
    let (head, awaited) = oneshot::channel();
    let client = start(Claim::new(parts, name, request), awaited, dialect, events);
    let status = 200;
    let headers = "[]".into();
    head.send(Head { status, headers }).unwrap();
    Scene { keys, provider, client }
}

impl Scene {
    async fn says(&self, piece: &'static str) {
        self.provider
            .send(Ok(Bytes::from_static(piece.as_bytes())))
            .await
            .unwrap();
    }

    async fn hears(&mut self) -> String {
        let piece = self.client.recv().await.unwrap().unwrap();
        String::from_utf8(piece.to_vec()).unwrap()
    }

    /// The body that is kept: nothing if the request is still under way, none if it was too large.
    fn kept(&self) -> Option<Option<String>> {
        let rows = self.keys.rows();
        let (_, answer) = rows.first()?;
        let body = answer.clone()?.body;
        Some(body.map(|body| String::from_utf8(body.to_vec()).unwrap()))
    }
}

#[actix_rt::test]
async fn pieces_pass_as_they_come_and_the_last_waits_until_all_are_kept() {
    let mut scene = scene(Dialect::OpenaiChat, 1_024).await;
    scene.says("data: 1\n\n").await;
    assert_eq!(scene.hears().await, "data: 1\n\n");
    scene.says("data: [DONE]\n\n").await;
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert!(
        scene.client.try_recv().is_err(),
        "the client knew that it was over before it was kept"
    );
    assert_eq!(scene.kept(), None);
    scene.says("").await;
    assert_eq!(scene.hears().await, "data: [DONE]\n\n");
    assert_eq!(scene.kept(), Some(Some("data: 1\n\ndata: [DONE]\n\n".to_owned())));
    assert_eq!(scene.hears().await, "");
    assert!(scene.client.recv().await.is_none());
}

#[actix_rt::test]
async fn each_dialects_end_is_known() {
    for (dialect, end) in [
        (
            Dialect::AnthropicMessages,
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        ),
        (Dialect::OpenaiResponses, "event: response.completed\ndata: {}\n\n"),
    ] {
        let mut scene = scene(dialect, 1_024).await;
        scene.says(end).await;
        scene.says("").await;
        assert_eq!(scene.hears().await, end);
        assert_eq!(scene.kept(), Some(Some(end.to_owned())), "{dialect:?}");
    }
}

#[actix_rt::test]
async fn a_client_that_leaves_finds_the_whole_answer_when_it_comes_back() {
    let mut scene = scene(Dialect::OpenaiChat, 1_024).await;
    scene.says("data: 1\n\n").await;
    scene.hears().await;
    scene.client.close();
    scene.says("data: 2\n\n").await;
    scene.says("data: [DONE]\n\n").await;
    scene.says("").await;
    scene.provider.closed().await;
    assert_eq!(
        scene.kept(),
        Some(Some("data: 1\n\ndata: 2\n\ndata: [DONE]\n\n".to_owned()))
    );
}

#[actix_rt::test]
async fn an_answer_that_is_too_large_passes_and_is_known_to_have_been_given() {
    let mut scene = scene(Dialect::OpenaiChat, 12).await;
    for piece in ["data: 1\n\n", "data: 2\n\n", "data: [DONE]\n\n", ""] {
        scene.says(piece).await;
        if !piece.contains("[DONE]") && !piece.is_empty() {
            assert_eq!(scene.hears().await, piece);
        }
    }
    assert_eq!(scene.hears().await, "data: [DONE]\n\n");
    assert_eq!(scene.kept(), Some(None));
}

#[actix_rt::test]
async fn a_stream_that_broke_is_kept_with_its_error_and_one_that_the_process_ended_is_not() {
    for (kind, is_kept) in [(ErrorKind::UpstreamError, true), (ErrorKind::Draining, false)] {
        let mut scene = scene(Dialect::OpenaiChat, 1_024).await;
        scene.says("data: 1\n\n").await;
        scene.hears().await;
        let error = GatewayError::new(kind, "the stream broke; send the request again");
        scene.provider.send(Err(error)).await.unwrap();
        assert!(scene.client.recv().await.unwrap().is_err());
        match scene.kept() {
            Some(Some(body)) => assert!(is_kept && body.contains("upstream_error"), "{body}"),
            kept => assert!(!is_kept && kept.is_none() && scene.keys.rows().is_empty(), "{kept:?}"),
        }
    }
}

#[actix_rt::test]
async fn a_stream_whose_task_died_is_given_up() {
    let mut scene = scene(Dialect::OpenaiChat, 1_024).await;
    scene.says("data: 1\n\n").await;
    scene.hears().await;
    drop(scene.provider);
    assert!(scene.client.recv().await.is_none());
    assert!(scene.keys.rows().is_empty());
}
