//! Tasks that were left half-way, and what is known of their steps by then.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::steps;
use crate::dispatch::DispatchSettings;
use crate::protocol::{
    AgentCall, AgentDialect, AgentStatus, Billing, Completion, ConversationId, FailureKind, GatewayError, Needs,
    OutgoingRequest, StoredMessage, TodoList, TodoStatus, TodoStep, TodoStore, TurnDialect,
};
use crate::testkit::{PlainRequest, Script, TestCell, test_model};

const TASK: &str = "Sort a list";

/// Steps as they are shown to whoever does the next one.
type Shown = Vec<(String, String)>;

/// Reads every answer's body as its text, and notes what each step was told of the others.
#[derive(Debug, Default)]
struct Noting(RefCell<Vec<Shown>>);

impl TurnDialect for Noting {
    fn request(&self, _: &[StoredMessage]) -> (Rc<dyn OutgoingRequest>, Needs) {
        (Rc::new(PlainRequest), Needs::default())
    }

    fn answer_text(&self, completion: &Completion) -> Result<String, GatewayError> {
        Ok(String::from_utf8_lossy(&completion.body).into_owned())
    }
}

impl AgentDialect for Noting {
    fn step(&self, history: &[StoredMessage], done: &[(String, String)], _: &str) -> (Rc<dyn OutgoingRequest>, Needs) {
        self.0.borrow_mut().push(done.to_vec());
        self.request(history)
    }
}

struct Scene {
    cell: TestCell,
    dialect: Rc<Noting>,
}

impl Scene {
    fn new() -> Self {
        Self {
            cell: TestCell::start(vec![test_model("a", "alpha", 1_000)], DispatchSettings::default()),
            dialect: Rc::default(),
        }
    }

    fn task(&self, message: &str) -> AgentCall {
        let call = self.cell.call();
        AgentCall {
            turn: Some((conversation(), None)),
            instructions: "work".into(),
            message: message.into(),
            plan: call.plan,
            context: call.context,
            dialect: self.dialect.clone(),
            is_trivial: false,
            amend: None,
        }
    }

    /// A list of which the first step is ticked, with this result.
    async fn left(&self, result: Option<&str>) {
        let step = |text: &str, status, result: Option<&str>| TodoStep {
            text: text.to_owned(),
            status,
            model: None,
            result: result.map(Arc::from),
        };
        let list = TodoList {
            id: "todo_before".into(),
            task: steps::known_by(TASK),
            steps: vec![
                step("Write it", TodoStatus::Done, result),
                step("Test it", TodoStatus::Open, None),
            ],
        };
        let request = self.cell.call().plan.request;
        let put = TodoStore::put(&*self.cell.store, conversation(), request, list);
        put.await.unwrap();
    }

    async fn open_list(&self) -> Option<TodoList> {
        TodoStore::open_list(&*self.cell.store, conversation()).await.unwrap()
    }
}

fn conversation() -> ConversationId {
    "c-1".parse().unwrap()
}

fn say(text: &str) -> Script {
    Script::Say(text.into())
}

#[actix_rt::test]
async fn the_result_of_a_step_is_known_whatever_became_of_the_turn_that_it_was_done_in() {
    let scene = Scene::new();
    scene.left(Some("fn it() {}")).await;
    scene.cell.upstream.script("a", [say("it()")]);
    let answer = scene.cell.pipeline.agent(scene.task(TASK)).await.unwrap();
    assert_eq!(answer.status, AgentStatus::Done);
    assert_eq!(&*answer.text, "## 1. Write it\n\nfn it() {}\n\n## 2. Test it\n\nit()");
    let told = [[("Write it".to_owned(), "fn it() {}".to_owned())]];
    assert_eq!(*scene.dialect.0.borrow(), told);
    scene.cell.stop();
}

#[actix_rt::test]
async fn a_step_that_is_ticked_without_a_result_is_done_again_if_no_answer_has_it() {
    let scene = Scene::new();
    scene.left(None).await;
    scene.cell.upstream.script("a", [say("fn it() {}"), say("it()")]);
    let answer = scene.cell.pipeline.agent(scene.task(TASK)).await.unwrap();
    assert_eq!(&*answer.text, "## 1. Write it\n\nfn it() {}\n\n## 2. Test it\n\nit()");
    assert_eq!(scene.dialect.0.borrow().len(), 2);
    scene.cell.stop();
}

#[actix_rt::test]
async fn a_step_that_is_ticked_without_a_result_has_that_of_the_answer_before() {
    let scene = Scene::new();
    // Whatever else was said: the answer of before is there.
    scene
        .cell
        .upstream
        .script("a", [say("no list"), say("## 1. Write it\n\nfn it() {}")]);
    scene.cell.pipeline.agent(scene.task("Another task")).await.unwrap();
    scene.left(None).await;
    scene.cell.upstream.script("a", [say("it()")]);
    let answer = scene.cell.pipeline.agent(scene.task(TASK)).await.unwrap();
    assert_eq!(&*answer.text, "## 1. Write it\n\nfn it() {}\n\n## 2. Test it\n\nit()");
    scene.cell.stop();
}

#[actix_rt::test]
async fn each_tick_is_stored_with_its_result_as_far_as_that_is_short_enough() {
    let scene = Scene::new();
    let fails = || Script::Fail(FailureKind::Rejected, Billing::NotBilled);
    let list = say(r#"{"steps":["Write it","Test it","Tell it"]}"#);
    let long = "x".repeat(TodoStep::MOST_RESULT + 1);
    scene
        .cell
        .upstream
        .script("a", [list, say("fn it() {}"), say(&long), fails()]);
    let answer = scene.cell.pipeline.agent(scene.task(TASK)).await.unwrap();
    assert_eq!(answer.status, AgentStatus::Partial);
    let kept = scene.open_list().await.unwrap();
    let kept: Vec<_> = kept
        .steps
        .iter()
        .map(|step| (step.status, step.result.as_deref()))
        .collect();
    assert_eq!(
        kept,
        [
            (TodoStatus::Done, Some("fn it() {}")),
            (TodoStatus::Done, None),
            (TodoStatus::Open, None)
        ]
    );
    // What is too long for the list is in the answer all the same.
    scene.cell.upstream.script("a", [say("told")]);
    let whole = scene.cell.pipeline.agent(scene.task(TASK)).await.unwrap();
    assert_eq!(*whole.text, format!("{}\n\n## 3. Tell it\n\ntold", answer.text));
    assert_eq!(scene.open_list().await, None);
    scene.cell.stop();
}
