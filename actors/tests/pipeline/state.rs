//! Who is given opaque state that does not say who made it.

use std::rc::Rc;

use gateway_actors::dispatch::DispatchSettings;
use gateway_actors::protocol::{
    Billing, BoundRules, ChatCall, Dialect, ErrorKind, FailureKind, GatewayError, Model, Outgoing, OutgoingRequest,
};
use gateway_actors::testkit::{PlainRequest, Script, TestCell, test_model};

use super::records;

/// A request with opaque state, which says who is given it.
#[derive(Debug, Clone, Copy)]
struct Sealed {
    has_state: bool,
}

impl OutgoingRequest for Sealed {
    fn write_for(&self, model: &Model, bounds: Option<&BoundRules>) -> Result<Outgoing, GatewayError> {
        let mut outgoing = PlainRequest.write_for(model, bounds)?;
        outgoing.body = if self.has_state { "state" } else { "bare" }.as_bytes().to_vec().into();
        if !self.has_state {
            outgoing.dropped.push("state".into());
        }
        Ok(outgoing)
    }

    fn state_dialect(&self) -> Option<Dialect> {
        Some(Dialect::OpenaiChat)
    }

    fn without_state(&self, _: Option<&Model>) -> Option<Rc<dyn OutgoingRequest>> {
        self.has_state
            .then(|| Rc::new(Self { has_state: false }) as Rc<dyn OutgoingRequest>)
    }
}

#[actix_rt::test]
async fn opaque_state_is_given_to_one_provider_and_left_out_for_one_that_refuses_it() {
    let refused = || Script::Fail(FailureKind::Rejected, Billing::NotBilled);
    let broken = || Script::Fail(FailureKind::ServerError, Billing::NotBilled);
    for (of_a, extra_attempts, asked) in [
        (vec![Script::Answer], 2, &[("a", "state")][..]),
        (vec![refused(), Script::Answer], 2, &[("a", "state"), ("a", "bare")]),
        (vec![refused(), refused()], 2, &[("a", "state"), ("a", "bare")]),
        (vec![refused(), broken()], 2, &[("a", "state"), ("a", "bare")]),
        (vec![refused()], 0, &[("a", "state")]),
        (vec![broken()], 2, &[("a", "state"), ("b", "bare")]),
    ] {
        let models = vec![test_model("a", "alpha", 1_000), test_model("b", "beta", 1_001)];
        let cell = TestCell::start(
            models,
            DispatchSettings {
                extra_attempts,
                ..DispatchSettings::default()
            },
        );
        let answers = of_a.len() < asked.len() || matches!(of_a.last(), Some(Script::Answer));
        cell.upstream.script("a", of_a);
        let call = ChatCall {
            outgoing: Rc::new(Sealed { has_state: true }),
            ..cell.call()
        };
        match cell.pipeline.complete(call).await {
            Ok(answer) => {
                assert!(answers);
                assert_eq!(answer.served.attempts.len(), asked.len());
                let is_bare = asked.last().unwrap().1 == "bare";
                assert_eq!(answer.served.dropped.len(), usize::from(is_bare));
            }
            Err(error) => {
                assert!(!answers);
                assert_eq!(error.kind, ErrorKind::UpstreamRejected);
            }
        }
        for model in ["a", "b"] {
            let asked = asked.iter().filter(|(asked, _)| *asked == model);
            let bodies: Vec<&str> = asked.map(|(_, body)| *body).collect();
            assert_eq!(cell.upstream.sent_to(model), bodies);
        }
        // Each was journalled, held for and settled by itself.
        assert_eq!(records(&cell).await.len(), asked.len());
        cell.stop();
    }
}
