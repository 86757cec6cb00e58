//! Tasks over a whole cell with ports in memory.

use std::rc::Rc;
use std::sync::Arc;

use crate::dispatch::DispatchSettings;
use crate::protocol::{
    AgentAnswer, AgentCall, AgentDialect, AgentStatus, Amend, Billing, CallStep, CallWatcher, CheckPlan, Completion,
    ConversationId, ConversationStore, EscalationId, FailureKind, GatewayError, LegRole, NanoUsd, Needs, OutcomeEnd,
    OutgoingRequest, RequestId, StoredMessage, TodoList, TodoStatus, TodoStep, TodoStore, TurnDialect,
};
use crate::testkit::samples::{decision, plan};
use crate::testkit::{PlainRequest, Script, TestCell, TextRequest, test_model, until};

use super::steps;

const TASK: &str = "Sort a list";

/// Asks for nothing but the step, and reads every answer's body as its text.
#[derive(Debug)]
struct Plain;

impl TurnDialect for Plain {
    fn request(&self, _: &[StoredMessage]) -> (Rc<dyn OutgoingRequest>, Needs) {
        let needs = Needs {
            input_bound: 20,
            ..Needs::default()
        };
        (Rc::new(PlainRequest), needs)
    }

    fn answer_text(&self, completion: &Completion) -> Result<String, GatewayError> {
        Ok(String::from_utf8_lossy(&completion.body).into_owned())
    }
}

impl AgentDialect for Plain {
    fn step(&self, history: &[StoredMessage], _: &[(String, String)], _: &str) -> (Rc<dyn OutgoingRequest>, Needs) {
        self.request(history)
    }
}

fn cell() -> TestCell {
    let models = vec![test_model("a", "alpha", 1_000), test_model("b", "beta", 1_001)];
    TestCell::start(models, DispatchSettings::default())
}

fn task(cell: &TestCell, conversation: Option<&str>, is_trivial: bool) -> AgentCall {
    let call = cell.call();
    AgentCall {
        turn: conversation.map(|id| (id.parse().unwrap(), None)),
        instructions: "work".into(),
        message: TASK.into(),
        plan: call.plan,
        context: call.context,
        dialect: Rc::new(Plain),
        is_trivial,
        amend: None,
    }
}

/// A list of a conversation that was left with these steps.
async fn left_open(cell: &TestCell, conversation: &str, steps: &[(&str, TodoStatus)]) {
    let step = |(text, status): &(&str, TodoStatus)| TodoStep {
        text: (*text).to_owned(),
        status: *status,
        model: None,
        result: (*status == TodoStatus::Done).then(|| "done before".into()),
    };
    let list = TodoList {
        id: "todo_before".into(),
        task: steps::known_by(TASK),
        steps: steps.iter().map(step).collect(),
    };
    let conversation: ConversationId = conversation.parse().unwrap();
    let request = RequestId::generate();
    TodoStore::put(&*cell.store, conversation, request, list).await.unwrap();
}

fn roles(answer: &AgentAnswer) -> Vec<(LegRole, u8)> {
    let attempts = &answer.served.as_ref().unwrap().attempts;
    attempts.iter().map(|attempt| (attempt.role, attempt.ordinal)).collect()
}

fn statuses(answer: &AgentAnswer) -> Vec<TodoStatus> {
    answer
        .todo
        .as_ref()
        .unwrap()
        .steps
        .iter()
        .map(|step| step.status)
        .collect()
}

#[actix_rt::test]
async fn a_small_task_is_one_answer() {
    let cell = cell();
    let answer = cell.pipeline.agent(task(&cell, None, true)).await.unwrap();
    assert_eq!((&*answer.text, answer.status), ("hello", AgentStatus::Done));
    assert!(answer.todo.is_none());
    assert_eq!(roles(&answer), [(LegRole::Answer, 1)]);
    cell.stop();
}

#[actix_rt::test]
async fn without_a_list_that_can_be_used_a_task_is_done_at_once_and_both_calls_are_told() {
    let cell = cell();
    let answer = cell.pipeline.agent(task(&cell, None, false)).await.unwrap();
    assert_eq!((&*answer.text, answer.status), ("hello", AgentStatus::Done));
    assert!(answer.todo.is_none());
    assert_eq!(roles(&answer), [(LegRole::Plan, 1), (LegRole::Answer, 2)]);
    assert_eq!(answer.served.unwrap().cost, NanoUsd(30));
    cell.stop();
}

#[actix_rt::test]
async fn a_task_is_split_and_every_step_has_a_call_of_its_own() {
    let cell = cell();
    let say = |text: &str| Script::Say(text.into());
    let list = say(r#"{"steps":["Write it","Test it"]}"#);
    cell.upstream.script("a", [list, say("fn it() {}"), say("it()")]);
    let answer = cell.pipeline.agent(task(&cell, Some("c-1"), false)).await.unwrap();
    assert_eq!(answer.status, AgentStatus::Done);
    assert_eq!(&*answer.text, "## 1. Write it\n\nfn it() {}\n\n## 2. Test it\n\nit()");
    assert_eq!(statuses(&answer), [TodoStatus::Done; 2]);
    assert_eq!(
        roles(&answer),
        [(LegRole::Plan, 1), (LegRole::Step, 2), (LegRole::Step, 3)]
    );
    let todo = answer.todo.unwrap();
    assert_eq!(todo.task, steps::known_by(TASK));
    cell.stop();
}

#[actix_rt::test]
async fn a_list_that_was_left_open_is_gone_on_with() {
    let cell = cell();
    left_open(
        &cell,
        "c-1",
        &[
            ("Write it", TodoStatus::Done),
            ("Test it", TodoStatus::Open),
            ("Tell it", TodoStatus::Open),
        ],
    )
    .await;
    let answer = cell.pipeline.agent(task(&cell, Some("c-1"), false)).await.unwrap();
    assert_eq!(answer.status, AgentStatus::Done);
    assert_eq!(
        &*answer.text,
        "## 1. Write it\n\ndone before\n\n## 2. Test it\n\nhello\n\n## 3. Tell it\n\nhello"
    );
    assert_eq!(statuses(&answer), [TodoStatus::Done; 3]);
    assert_eq!(roles(&answer), [(LegRole::Step, 1), (LegRole::Step, 2)]);
    let todo = answer.todo.unwrap();
    assert_eq!(&*todo.id, "todo_before");
    assert_eq!(todo.steps[1].model.as_ref().map(|model| model.as_str()), Some("a"));
    // It is done, so that the next call begins a new one.
    let open = TodoStore::open_list(&*cell.store, "c-1".parse().unwrap())
        .await
        .unwrap();
    assert!(open.is_none());
    cell.stop();
}

#[actix_rt::test]
async fn a_task_that_stops_half_way_tells_what_is_done_and_keeps_the_rest_open() {
    let cell = cell();
    left_open(
        &cell,
        "c-1",
        &[("Write it", TodoStatus::Open), ("Test it", TodoStatus::Open)],
    )
    .await;
    let fails = || Script::Fail(FailureKind::Rejected, Billing::NotBilled);
    cell.upstream.script("a", [Script::Answer, fails(), fails()]);
    let answer = cell.pipeline.agent(task(&cell, Some("c-1"), false)).await.unwrap();
    assert_eq!(
        (&*answer.text, answer.status),
        ("## 1. Write it\n\nhello", AgentStatus::Partial)
    );
    assert_eq!(statuses(&answer), [TodoStatus::Done, TodoStatus::Open]);
    // Nothing done is no answer, and the list stays.
    let error = cell.pipeline.agent(task(&cell, Some("c-1"), false)).await;
    assert!(error.is_err());
    let answer = cell.pipeline.agent(task(&cell, Some("c-1"), false)).await.unwrap();
    assert_eq!(
        (&*answer.text, answer.status),
        ("## 1. Write it\n\nhello\n\n## 2. Test it\n\nhello", AgentStatus::Done)
    );
    cell.stop();
}

#[actix_rt::test]
async fn another_task_does_not_go_on_with_the_list() {
    let cell = cell();
    left_open(&cell, "c-1", &[("Write it", TodoStatus::Open)]).await;
    let other = AgentCall {
        message: Arc::from("Sort another list"),
        ..task(&cell, Some("c-1"), false)
    };
    let answer = cell.pipeline.agent(other).await.unwrap();
    assert_eq!(roles(&answer), [(LegRole::Plan, 1), (LegRole::Answer, 2)]);
    cell.stop();
}

#[actix_rt::test]
async fn a_better_answer_takes_the_place_of_the_stored_one() {
    let cell = cell();
    let first = cell.pipeline.agent(task(&cell, Some("c-1"), true)).await.unwrap();
    assert_eq!((first.user_seq, first.stored), (Some(1), true));
    let better = AgentCall {
        amend: amend(&first),
        ..task(&cell, Some("c-1"), true)
    };
    let better = cell.pipeline.agent(better).await.unwrap();
    assert_eq!((better.user_seq, better.stored), (Some(1), true));
    // One that comes after another turn is told, but not stored.
    cell.pipeline.agent(task(&cell, Some("c-1"), true)).await.unwrap();
    let late = AgentCall {
        amend: amend(&first),
        ..task(&cell, Some("c-1"), true)
    };
    let late = cell.pipeline.agent(late).await.unwrap();
    assert_eq!((&*late.text, late.stored), ("hello", false));
    cell.stop();
}

/// The same with a question in each request, so that the gateway decides.
#[derive(Debug)]
struct Asking;

impl TurnDialect for Asking {
    fn request(&self, history: &[StoredMessage]) -> (Rc<dyn OutgoingRequest>, Needs) {
        let (_, needs) = Plain.request(history);
        (Rc::new(TextRequest::new(TASK)), needs)
    }

    fn answer_text(&self, completion: &Completion) -> Result<String, GatewayError> {
        Plain.answer_text(completion)
    }
}

impl AgentDialect for Asking {
    fn step(&self, history: &[StoredMessage], _: &[(String, String)], _: &str) -> (Rc<dyn OutgoingRequest>, Needs) {
        self.request(history)
    }
}

#[actix_rt::test]
async fn a_task_has_one_outcome_with_what_all_of_its_calls_cost() {
    let cell = cell();
    let models = [test_model("a", "alpha", 1_000), test_model("b", "beta", 1_001)].map(Arc::new);
    let planned = plan(&models, decision(CheckPlan::Off));
    cell.pipeline.plan_by(move |_| Some(Ok(planned.clone())));
    let say = |text: &str| Script::Say(text.into());
    let list = || say(r#"{"steps":["Write it","Test it"]}"#);
    cell.upstream.script("a", [list(), say("fn it() {}"), say("it()")]);
    let asking = |conversation| AgentCall {
        dialect: Rc::new(Asking),
        ..task(&cell, Some(conversation), false)
    };
    let done = cell.pipeline.agent(asking("c-1")).await.unwrap();
    assert_eq!(
        (done.status, done.served.unwrap().cost),
        (AgentStatus::Done, NanoUsd(45))
    );
    // A step that fails at every model ends the task, and its outcome.
    let fails = || Script::Fail(FailureKind::ServerError, Billing::Ambiguous);
    cell.upstream.script("a", [list(), say("fn it() {}"), fails()]);
    cell.upstream.script("b", [fails()]);
    let partial = cell.pipeline.agent(asking("c-2")).await.unwrap();
    assert_eq!(partial.status, AgentStatus::Partial);
    until("both outcomes", || cell.notes.outcomes().len() >= 2).await;
    let outcomes = cell.notes.outcomes();
    let told: Vec<_> = outcomes.iter().map(|row| (row.ended, row.cost)).collect();
    let recorded: NanoUsd = cell.store.calls().iter().map(|call| call.cost).sum();
    assert_eq!(told[0], (OutcomeEnd::Answered, NanoUsd(45)));
    assert_eq!(told[1], (OutcomeEnd::Failed, NanoUsd(recorded.0 - 45)));
    assert!(told[1].1 > NanoUsd(30 + 100), "{told:?}");
    cell.stop();
}

/// The texts of a conversation.
async fn texts(cell: &TestCell, conversation: &str) -> Vec<Arc<str>> {
    let page = cell.store.page(conversation.parse().unwrap(), 50, None).await.unwrap();
    page.unwrap()
        .messages
        .into_iter()
        .map(|message| message.content)
        .collect()
}

/// What is paid for although it came to nothing.
fn paid_failure() -> Script {
    Script::Fail(FailureKind::Rejected, Billing::Ambiguous)
}

fn two_steps() -> Script {
    Script::Say(r#"{"steps":["Write it","Test it"]}"#.into())
}

/// Where a better answer than this one belongs.
fn amend(answer: &AgentAnswer) -> Option<Amend> {
    let offer = EscalationId::generate();
    answer.user_seq.map(|user_seq| Amend { offer, user_seq })
}

/// Leaves a task half-way: where a better answer belongs.
async fn half_done(cell: &TestCell) -> Option<Amend> {
    let fails = Script::Fail(FailureKind::Rejected, Billing::NotBilled);
    let say = |text: &str| Script::Say(text.into());
    cell.upstream.script("a", [two_steps(), say("first half"), fails]);
    let answer = cell.pipeline.agent(task(cell, Some("c-1"), false)).await.unwrap();
    assert_eq!(answer.status, AgentStatus::Partial);
    amend(&answer)
}

#[actix_rt::test]
async fn a_better_answer_to_a_task_that_was_left_half_way_is_the_whole_task() {
    let cell = cell();
    let amend = half_done(&cell).await;
    let say = |text: &str| Script::Say(text.into());
    cell.upstream.script("a", [two_steps(), say("fn it() {}"), say("it()")]);
    let better = AgentCall {
        amend,
        ..task(&cell, Some("c-1"), false)
    };
    let better = cell.pipeline.agent(better).await.unwrap();
    assert_eq!(
        roles(&better),
        [(LegRole::Plan, 1), (LegRole::Step, 2), (LegRole::Step, 3)]
    );
    assert_eq!((better.status, better.stored), (AgentStatus::Done, true));
    let whole = "## 1. Write it\n\nfn it() {}\n\n## 2. Test it\n\nit()";
    assert_eq!(&*better.text, whole);
    assert_eq!(&*texts(&cell, "c-1").await[1], whole);
    // Nothing is left to go on with.
    let open = TodoStore::open_list(&*cell.store, "c-1".parse().unwrap())
        .await
        .unwrap();
    assert!(open.is_none());
    cell.stop();
}

#[actix_rt::test]
async fn half_a_better_answer_takes_the_place_of_none() {
    let cell = cell();
    let amend = half_done(&cell).await;
    let before = texts(&cell, "c-1").await;
    let say = |text: &str| Script::Say(text.into());
    cell.upstream
        .script("a", [two_steps(), say("other half"), paid_failure()]);
    let better = AgentCall {
        amend,
        ..task(&cell, Some("c-1"), false)
    };
    let better = cell.pipeline.agent(better).await.unwrap();
    assert_eq!((better.status, better.stored), (AgentStatus::Partial, false));
    assert_eq!(&*better.text, "## 1. Write it\n\nother half");
    assert_eq!(texts(&cell, "c-1").await, before);
    // The list that belongs to what is stored is gone on with.
    let answer = cell.pipeline.agent(task(&cell, Some("c-1"), false)).await.unwrap();
    assert_eq!(&*answer.text, "## 1. Write it\n\nfirst half\n\n## 2. Test it\n\nhello");
    cell.stop();
}

#[actix_rt::test]
async fn a_better_answer_given_at_once_leaves_no_list_to_go_on_with() {
    let cell = cell();
    let amend = half_done(&cell).await;
    let better = AgentCall {
        amend,
        ..task(&cell, Some("c-1"), false)
    };
    let better = cell.pipeline.agent(better).await.unwrap();
    assert_eq!((&*better.text, better.stored), ("hello", true));
    let open = TodoStore::open_list(&*cell.store, "c-1".parse().unwrap())
        .await
        .unwrap();
    assert!(open.is_none());
    cell.stop();
}

#[actix_rt::test]
async fn a_message_sent_again_tells_that_its_task_was_left_half_way() {
    let cell = cell();
    let fails = Script::Fail(FailureKind::Rejected, Billing::NotBilled);
    let say = |text: &str| Script::Say(text.into());
    cell.upstream.script("a", [two_steps(), say("first half"), fails]);
    let with_id = |id: &str| AgentCall {
        turn: Some(("c-1".parse().unwrap(), Some(id.into()))),
        ..task(&cell, None, false)
    };
    let first = cell.pipeline.agent(with_id("m-1")).await.unwrap();
    let again = cell.pipeline.agent(with_id("m-1")).await.unwrap();
    assert!(again.served.is_none(), "nobody was asked");
    assert_eq!((&again.text, again.status), (&first.text, AgentStatus::Partial));
    assert_eq!(statuses(&again), [TodoStatus::Done, TodoStatus::Open]);
    // Another message goes on with it; then the first is told as it was, and nothing is left of it.
    let rest = cell.pipeline.agent(with_id("m-2")).await.unwrap();
    assert_eq!(
        (&*rest.text, rest.status),
        (
            "## 1. Write it\n\nfirst half\n\n## 2. Test it\n\nhello",
            AgentStatus::Done
        )
    );
    let again = cell.pipeline.agent(with_id("m-1")).await.unwrap();
    assert_eq!((again.status, again.todo), (AgentStatus::Done, None));
    cell.stop();
}

#[actix_rt::test]
async fn what_came_to_nothing_is_in_the_account() {
    let cell = cell();
    // The call for the steps failed.
    cell.upstream.script("a", [paid_failure()]);
    let answer = cell.pipeline.agent(task(&cell, None, false)).await.unwrap();
    assert_eq!(roles(&answer), [(LegRole::Plan, 1), (LegRole::Answer, 2)]);
    let sum = |answer: &AgentAnswer| {
        let attempts = answer.served.as_ref().unwrap().attempts.iter();
        attempts.fold(NanoUsd::ZERO, |sum, attempt| sum + attempt.cost)
    };
    let served = answer.served.as_ref().unwrap();
    assert!(served.attempts[0].cost > NanoUsd::ZERO);
    assert_eq!(served.cost, sum(&answer));

    // A step failed.
    cell.upstream.script("a", [two_steps(), Script::Answer, paid_failure()]);
    let answer = cell.pipeline.agent(task(&cell, None, false)).await.unwrap();
    assert_eq!(answer.status, AgentStatus::Partial);
    assert_eq!(
        roles(&answer),
        [(LegRole::Plan, 1), (LegRole::Step, 2), (LegRole::Step, 3)]
    );
    let served = answer.served.as_ref().unwrap();
    assert!(served.attempts[2].cost > NanoUsd::ZERO);
    assert_eq!(served.cost, sum(&answer));
    cell.stop();
}

#[actix_rt::test]
async fn whoever_watches_is_told_what_each_call_is_for() {
    let cell = cell();
    cell.upstream.script("a", [two_steps()]);
    let (watcher, mut steps) = CallWatcher::channel(100);
    let mut task = task(&cell, None, false);
    task.context.watcher = Some(watcher);
    cell.pipeline.agent(task).await.unwrap();
    let told: Vec<CallStep> = std::iter::from_fn(|| steps.try_recv().ok()).collect();
    let plan = told.iter().position(|step| {
        matches!(
            step,
            CallStep::Leg {
                role: LegRole::Plan,
                ..
            }
        )
    });
    let attempt = told.iter().position(|step| matches!(step, CallStep::Attempt { .. }));
    assert!(plan.is_some() && plan < attempt, "{told:?}");
    cell.stop();
}
