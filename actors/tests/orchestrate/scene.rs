//! A cell with models of all layers, and plans made by hand.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use gateway_actors::dispatch::OrchestrationSettings;
use gateway_actors::protocol::{
    Answer, CallRecord, ChatCall, CheckPlan, Decision, FlushCalls, Layer, Leave, LegRole, Model, NanoUsd, Outcome,
    PanelPlan, PanelPolicy, PicoUsdPerToken, Plan, PlanRequest, Price, RoutingStory,
};
use gateway_actors::testkit::samples::{candidate, decision, plan};
use gateway_actors::testkit::{Script, TestCell, TestSettings, TextRequest, test_model, until};
use tokio::sync::Notify;

/// What 10 input and 5 output tokens cost at a model of layer L0.
pub(crate) const COST: NanoUsd = NanoUsd(15);

/// What is held for a call of one: 20 input tokens and an output cap of 100.
pub(crate) const HELD: NanoUsd = NanoUsd(120);

/// What is held for a call of the best, and booked where nobody knows what it cost.
pub(crate) const HELD_OF_BEST: NanoUsd = NanoUsd(120_000);

/// A reviewer's rejection.
pub(crate) const REJECT: &str = r#"{"verdict":"reject","issues":[{"severity":"major","what":"it is seven"}]}"#;

/// A question whose answers can be compared.
pub(crate) const SUM: &str = "How many apples are 3 apples and 4 apples? End with `Answer: <number>`";

/// Three cheap models of three makers at three providers and another of one of these makers, two dearer ones, the best, one
/// that costs nothing, and one whose price nobody knows.
pub(crate) struct Scene {
    pub(crate) cell: TestCell,
    pub(crate) models: Vec<Arc<Model>>,
    is_paused: bool,
}

/// A model of this layer at a provider of its own; in L0 a token costs a nano-USD, and ten times as much in each layer
/// above.
fn model(id: &str, layer: Layer) -> Model {
    let price = 1_000 * 10_u64.pow(u32::try_from(layer.index()).unwrap());
    Model {
        layer,
        context_window: 100_000,
        ..test_model(id, id, price)
    }
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::with(OrchestrationSettings::default())
    }

    /// Time stands still and runs on by itself while everybody waits.
    pub(crate) fn paused() -> Self {
        Self::paused_with(OrchestrationSettings::default())
    }

    pub(crate) fn paused_with(orchestration: OrchestrationSettings) -> Self {
        tokio::time::pause();
        Self {
            is_paused: true,
            ..Self::with(orchestration)
        }
    }

    pub(crate) fn stop(self) {
        if self.is_paused {
            tokio::time::resume();
        }
        self.cell.stop();
    }

    pub(crate) fn with(orchestration: OrchestrationSettings) -> Self {
        let free = Model {
            price: Some(Price::plain(PicoUsdPerToken(0), PicoUsdPerToken(0), PicoUsdPerToken(0))),
            ..model("free", Layer::L0)
        };
        let fog = Model {
            price: None,
            ..model("fog", Layer::L1)
        };
        let models = vec![
            model("ant", Layer::L0),
            model("bee", Layer::L0),
            model("bee-two", Layer::L0),
            model("cat", Layer::L0),
            model("dog", Layer::L1),
            model("dog-two", Layer::L1),
            model("eel", Layer::L3),
            free,
            fog,
        ];
        let settings = TestSettings {
            orchestration,
            ..TestSettings::default()
        };
        Self {
            cell: TestCell::start_with(models.clone(), settings),
            models: models.into_iter().map(Arc::new).collect(),
            is_paused: false,
        }
    }

    pub(crate) fn model(&self, id: &str) -> Arc<Model> {
        let found = self.models.iter().find(|model| model.id.as_str() == id);
        Arc::clone(found.unwrap())
    }

    pub(crate) fn all(&self, ids: &[&str]) -> Vec<Arc<Model>> {
        ids.iter().map(|id| self.model(id)).collect()
    }

    /// Has every request planned like this.
    pub(crate) fn plans(&self, ids: &[&str], decision: Decision) {
        let planned = plan(&self.all(ids), decision);
        self.cell.pipeline.plan_by(move |_| Some(Ok(planned.clone())));
    }

    /// The same where nothing moves up to these, which are not worth their price.
    pub(crate) fn plans_without_worth(&self, ids: &[&str], worthless: &[&str], decision: Decision) {
        let mut planned = plan(&self.all(ids), decision);
        for candidate in &mut planned.candidates {
            candidate.reason.is_not_worth_it = worthless.contains(&candidate.model.id.as_str());
        }
        self.cell.pipeline.plan_by(move |_| Some(Ok(planned.clone())));
    }

    /// Has every request planned like this, and like that with leave.
    pub(crate) fn plans_with_leave(&self, ids: &[&str], more: &[&str], decision: Decision) {
        let (planned, with_leave) = (plan(&self.all(ids), decision.clone()), plan(&self.all(more), decision));
        self.cell.pipeline.plan_by(move |request: &PlanRequest| {
            let has_leave = request.wish.leave == Leave::UpTo(Layer::L3);
            let plan: &Plan = if has_leave { &with_leave } else { &planned };
            Some(Ok(plan.clone()))
        });
    }

    /// The check of a panel of these, whose agreement is weighed by the table, with this one as the best.
    pub(crate) fn panel(&self, members: &[&str], top: Option<&str>) -> Decision {
        let members = self.all(members);
        let cost = |model: &Arc<Model>| NanoUsd(15 * i64::try_from(model.price_rank()).unwrap() / 2_000);
        // Whoever names no best model has none that may be asked.
        let beyond = top.is_none().then(|| self.model("eel"));
        let top = top.map(|top| self.model(top));
        decision(CheckPlan::Panel(PanelPlan {
            members: members.iter().map(candidate).collect(),
            policy: PanelPolicy::Table,
            lambda: 0.06,
            unit: cost(&self.model("eel")),
            costs: members.iter().chain(&top).chain(&beyond).map(cost).collect(),
            top: top.as_ref().map(candidate),
            wanting_leave: beyond.as_ref().map(candidate),
            between: Vec::new(),
            straight_to_top: false,
        }))
    }

    /// The check by reviewers.
    pub(crate) fn review(&self, reviewers: &[&str]) -> Decision {
        let reviewers = self.all(reviewers);
        decision(CheckPlan::Review {
            reviewers: reviewers.iter().map(candidate).collect(),
        })
    }

    pub(crate) fn script(&self, model: &str, scripts: impl IntoIterator<Item = Script>) {
        self.cell.upstream.script(model, scripts);
    }

    /// Has models say this, one answer each.
    pub(crate) fn say(&self, said: &[(&str, &str)]) {
        for (model, text) in said {
            self.script(model, [say(text)]);
        }
    }

    pub(crate) async fn ask(&self, text: &str) -> Answer {
        self.cell.pipeline.complete(self.cell.ask(text)).await.unwrap()
    }

    pub(crate) fn call(&self, change: impl FnOnce(&mut TextRequest)) -> ChatCall {
        let mut request = TextRequest::new(SUM);
        change(&mut request);
        ChatCall {
            outgoing: Rc::new(request),
            ..self.cell.call()
        }
    }

    /// Waits until everything is recorded and nothing is left over; the records, in the order of their places.
    pub(crate) async fn records(&self) -> Vec<Arc<CallRecord>> {
        until("the last attempt's end", || self.cell.gauges.attempts.get() == 0).await;
        let flushed = self.cell.cost.ask(FlushCalls).await.unwrap().unwrap();
        flushed.await.unwrap();
        assert_eq!(self.cell.gauges.holds.get(), 0);
        assert_eq!(self.cell.budget.load().held, NanoUsd::ZERO);
        assert_eq!(self.cell.journal.open_attempts(), 0);
        let mut calls = self.cell.store.calls();
        calls.sort_by_key(|record| record.dispatch.attempt);
        let recorded: NanoUsd = calls.iter().map(|record| record.cost).sum();
        assert_eq!(self.cell.totals.load().cost, recorded);
        assert_eq!(self.cell.budget.load().spent, recorded);
        assert_eq!(calls.len(), self.cell.upstream.calls().len(), "a call, a record");
        calls
    }

    /// The same as rows: model, what for, how it ended, what it cost.
    pub(crate) async fn rows(&self) -> Vec<(String, LegRole, Outcome, NanoUsd)> {
        let row = |record: &Arc<CallRecord>| {
            let dispatch = &record.dispatch;
            (
                dispatch.model.to_string(),
                dispatch.purpose,
                record.outcome,
                record.cost,
            )
        };
        self.records().await.iter().map(row).collect()
    }
}

/// An answer of this text.
pub(crate) fn say(text: &str) -> Script {
    Script::Say(text.into())
}

/// A script that waits until it is let go.
pub(crate) fn held(then: Script) -> (Arc<Notify>, Script) {
    let release = Arc::new(Notify::new());
    (Arc::clone(&release), Script::Held(release, Box::new(then)))
}

/// A script that takes so many milliseconds.
pub(crate) fn after(milliseconds: u64, then: Script) -> Script {
    Script::After(Duration::from_millis(milliseconds), Box::new(then))
}

pub(crate) fn text(answer: &Answer) -> &str {
    std::str::from_utf8(&answer.completion.body).unwrap()
}

pub(crate) fn story(answer: &Answer) -> &RoutingStory {
    answer.served.routing.as_ref().unwrap()
}

/// What the answer says it cost is what the records say of the attempts that it tells of.
pub(crate) fn adds_up(answer: &Answer, records: &[Arc<CallRecord>]) {
    let told: Vec<u8> = answer.served.attempts.iter().map(|attempt| attempt.ordinal).collect();
    let of_told = records
        .iter()
        .filter(|record| told.contains(&record.dispatch.attempt.ordinal));
    let cost: NanoUsd = of_told.map(|record| record.cost).sum();
    assert_eq!(answer.served.cost, cost);
    let mut places: Vec<u8> = records.iter().map(|record| record.dispatch.attempt.ordinal).collect();
    places.dedup();
    let expected: Vec<u8> = (1..).take(records.len()).collect();
    assert_eq!(places, expected, "every attempt has a place of its own");
}
