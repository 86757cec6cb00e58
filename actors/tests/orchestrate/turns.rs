//! Turns of stored conversations whose model the gateway chooses.

use std::rc::Rc;
use std::sync::Arc;

use gateway_actors::protocol::{
    Amend, AnswerEnd, CheckPlan, Completion, ConversationStore, ErrorKind, EscalationId, GatewayError, MessageStatus,
    Needs, Outcome, OutgoingRequest, StoredMessage, TurnAnswer, TurnCall, TurnDialect,
};
use gateway_actors::testkit::samples::decision;
use gateway_actors::testkit::{CUT, Script, TextRequest, until};

use crate::scene::{COST, SUM, Scene, held};

/// Asks with everything that was said before.
#[derive(Debug)]
struct Turns(Arc<str>);

impl TurnDialect for Turns {
    fn request(&self, history: &[StoredMessage]) -> (Rc<dyn OutgoingRequest>, Needs) {
        let mut said: Vec<&str> = history.iter().map(|message| &*message.content).collect();
        said.push(&self.0);
        (Rc::new(TextRequest::new(&said.join("|"))), Needs::default())
    }

    fn answer_text(&self, completion: &Completion) -> Result<String, GatewayError> {
        Ok(String::from_utf8_lossy(&completion.body).into_owned())
    }
}

fn turn(scene: &Scene, message: &str) -> TurnCall {
    let call = scene.cell.call();
    TurnCall {
        conversation: "c".parse().unwrap(),
        client_message_id: None,
        message: message.into(),
        plan: call.plan,
        dialect: Rc::new(Turns(message.into())),
        context: call.context,
        amend: None,
    }
}

/// The same message once more, for a better answer than this one.
fn amending(scene: &Scene, first: &TurnAnswer) -> TurnCall {
    let offer = EscalationId::generate();
    TurnCall {
        amend: first.user_seq.map(|user_seq| Amend { offer, user_seq }),
        ..turn(scene, SUM)
    }
}

#[actix_rt::test]
async fn a_turn_is_orchestrated_like_any_request() {
    let scene = Scene::new();
    scene.plans(&["ant", "eel"], scene.review(&["bee"]));
    scene.say(&[
        ("ant", "six"),
        (
            "bee",
            r#"{"verdict":"reject","issues":[{"severity":"major","what":"no"}]}"#,
        ),
        ("eel", "seven"),
    ]);
    let answer = scene.cell.pipeline.turn(turn(&scene, SUM)).await.unwrap();
    assert_eq!(&*answer.text, "seven");
    assert_eq!((answer.user_seq, answer.stored), (Some(1), true));
    let messages = scene.cell.store.messages(&"c".parse().unwrap());
    assert_eq!(
        (&*messages[1].content, messages[1].status),
        ("seven", MessageStatus::Done)
    );
    let records = scene.records().await;
    let conversation = records[0].dispatch.conversation.clone();
    assert!(
        records
            .iter()
            .all(|record| record.dispatch.conversation == conversation && conversation.is_some())
    );
    scene.stop();
}

#[actix_rt::test]
async fn an_answer_says_how_it_ended() {
    let scene = Scene::new();
    scene.plans(&["ant"], decision(CheckPlan::Off));
    scene.say(&[("ant", &format!("hel{CUT}")), ("ant", "hello")]);
    for end in [AnswerEnd::Length, AnswerEnd::Stop] {
        let answer = scene.cell.pipeline.turn(turn(&scene, "hi")).await.unwrap();
        assert_eq!(answer.served.unwrap().end, Some(end));
    }
    scene.records().await;
    scene.stop();
}

#[actix_rt::test]
async fn an_approved_answer_takes_the_place_of_the_one_before() {
    let scene = Scene::new();
    scene.plans(&["ant"], decision(CheckPlan::Off));
    scene.say(&[("ant", "hello")]);
    scene.cell.pipeline.turn(turn(&scene, "hi")).await.unwrap();
    scene.say(&[("ant", "six")]);
    let first = scene.cell.pipeline.turn(turn(&scene, SUM)).await.unwrap();
    scene.plans(&["eel"], decision(CheckPlan::Off));
    scene.say(&[("eel", "seven")]);
    let amending = |first: &TurnAnswer| amending(&scene, first);
    let better = scene.cell.pipeline.turn(amending(&first)).await.unwrap();
    assert_eq!((&*better.text, better.stored), ("seven", true));
    let messages = scene.cell.store.messages(&"c".parse().unwrap());
    let texts: Vec<&str> = messages.iter().map(|message| &*message.content).collect();
    assert_eq!(texts, ["hi", "hello", SUM, "seven"], "no turn was opened");
    assert_eq!(scene.cell.upstream.sent_to("eel"), [format!("hi|hello|{SUM}")]);
    // Once the conversation has gone on, the answer is given and stored nowhere.
    scene.cell.pipeline.turn(turn(&scene, "more")).await.unwrap();
    scene.say(&[("eel", "eight")]);
    let late = scene.cell.pipeline.turn(amending(&first)).await.unwrap();
    assert_eq!((&*late.text, late.stored), ("eight", false));
    scene.records().await;
    scene.stop();
}

#[actix_rt::test]
async fn f14_a_turn_whose_conversation_is_deleted_is_not_found_and_is_booked() {
    let scene = Scene::new();
    scene.plans(&["ant"], decision(CheckPlan::Off));
    scene.say(&[("ant", "hello")]);
    let first = scene.cell.pipeline.turn(turn(&scene, "hi")).await.unwrap();
    let (release, answer) = held(Script::Answer);
    scene.script("ant", [answer]);
    let delete = async || {
        scene
            .cell
            .store
            .delete_conversation("c".parse().unwrap())
            .await
            .unwrap()
    };
    let deleting = async {
        until("the turn's call", || scene.cell.upstream.calls().len() == 2).await;
        assert!(delete().await && !delete().await);
        release.notify_one();
    };
    let (late, ()) = tokio::join!(scene.cell.pipeline.turn(turn(&scene, SUM)), deleting);
    let error = late.unwrap_err();
    assert_eq!((error.kind, error.retry_after), (ErrorKind::NotFound, None));
    assert!(scene.cell.store.messages(&"c".parse().unwrap()).is_empty());
    let records = scene.records().await;
    assert_eq!((records[1].outcome, records[1].cost), (Outcome::Completed, COST));
    // For a better answer to what is not there any more nobody is asked.
    let better = scene.cell.pipeline.turn(amending(&scene, &first)).await;
    assert_eq!(better.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(scene.records().await.len(), 2);
    scene.stop();
}
