//! What is fitted, what it changes, and what it leaves alone.

use std::cell::RefCell;

use gateway_actors::protocol::{
    Billing, CheckPlan, CheckStatus, Complexity, Evidence, FailureKind, Model, NanoUsd, OutcomeEnd, QualityLevel,
    RequestId, Strategy, TaskType,
};
use gateway_actors::testkit::samples::{decision, plan};
use gateway_actors::testkit::{CUT, MemoryNotes, Script, TestCell, TestSettings, test_model, until};
use gateway_routing::RoutingModel;

use super::*;

const ARGS: CalibrateArgs = CalibrateArgs {
    since: None,
    min: 200,
    apply: false,
    revert: false,
    json: false,
};

/// A plain outcome of layer L0, the older the smaller its number.
fn outcome(number: i64, right: bool) -> OutcomeRow {
    OutcomeRow {
        request: RequestId::generate(),
        key_id: None,
        user_id: None,
        project_id: None,
        conversation: None,
        endpoint: "/v1/route".into(),
        task: TaskType::General,
        complexity: Some(Complexity::Medium),
        quality: QualityLevel::Normal,
        difficulty: Some((number % 7) as f64 / 10.0),
        start: Some(Layer::L0),
        layer: Layer::L0,
        model: ModelId::from("local"),
        strategy: Some(Strategy::Layers),
        check: CheckStatus::Off,
        votes: None,
        confidence: None,
        evidence: None,
        escalated: false,
        replaced: None,
        ended: OutcomeEnd::Answered,
        accepted: Some(right),
        rating: None,
        tests: None,
        experiment: None,
        arm_failed: false,
        cost: NanoUsd(1),
        created_at: number,
    }
}

/// 500 outcomes of which so many in ten were right.
fn outcomes(right_in_ten: i64) -> Vec<OutcomeRow> {
    (0..500)
        .map(|number| outcome(number, number % 10 < right_in_ten))
        .collect()
}

/// Over a catalogue in which two names are the same model to the calibration, and one is known by its id alone.
fn work(args: &CalibrateArgs) -> Work<'_> {
    let models = [
        ("local", "some-local-model", Layer::L0),
        ("mini", "gpt-4o-mini", Layer::L1),
        ("routed", "openai/gpt-4o-mini", Layer::L1),
        ("gpt-4o-mini", "deployment-7", Layer::L1),
    ];
    let models = models.map(|(id, api_model, layer)| (ModelId::from(id), (api_model.to_owned(), layer)));
    Work {
        args,
        since: 0,
        base: Calibration::Shipped(RoutingModel::shipped().unwrap()),
        models: models.into_iter().collect(),
    }
}

struct Bench {
    notes: MemoryNotes,
    said: RefCell<Vec<String>>,
}

impl Bench {
    fn with(rows: Vec<OutcomeRow>) -> Self {
        let bench = Self {
            notes: MemoryNotes::default(),
            said: RefCell::default(),
        };
        block_on(bench.notes.insert(rows)).unwrap();
        bench
    }

    fn run(&self, args: &CalibrateArgs) -> Result<(), CalibrateError> {
        let work = work(args);
        let say = |text: &str| self.said.borrow_mut().push(text.to_owned());
        block_on(work.run(&self.notes, &self.notes, &say))
    }

    fn applied(&self) -> Option<StoredCalibration> {
        block_on(self.notes.calibration()).unwrap()
    }

    fn last(&self) -> String {
        self.said.borrow().last().cloned().unwrap_or_default()
    }
}

/// Nothing here waits.
fn block_on<F: Future>(future: F) -> F::Output {
    actix_rt::System::new().block_on(future)
}

#[test]
fn a_layer_that_does_worse_than_foretold_is_moved_down_and_only_apply_changes_anything() {
    let bench = Bench::with(outcomes(2));
    bench.run(&ARGS).unwrap();
    assert!(
        bench.last().contains("nothing was changed: --apply lets it apply"),
        "{}",
        bench.last()
    );
    assert_eq!(bench.applied(), None);
    let apply = CalibrateArgs {
        apply: true,
        json: true,
        ..ARGS
    };
    bench.run(&apply).unwrap();
    let told: serde_json::Value = serde_json::from_str(&bench.last()).unwrap();
    assert_eq!((&told["applied"], &told["isBetter"]), (&json!(true), &json!(true)));
    assert_eq!(
        told["layers"][0]["outcomes"], 400,
        "the newest fifth is kept to judge by"
    );
    let (from, to) = (&told["layers"][0]["from"], &told["layers"][0]["to"]);
    assert!(to.as_f64() < from.as_f64(), "{told}");
    let summary = &told["summary"];
    assert!(
        summary["brierAfter"].as_f64() < summary["brierBefore"].as_f64(),
        "{told}"
    );
    let applied = bench.applied().unwrap();
    let adjusted = RoutingModel::shipped().unwrap().adjusted(&applied.data).unwrap();
    let chance = adjusted.chance_at(None, gateway_routing::Layer::L0, 0.3);
    assert!((0.2..0.3).contains(&chance), "{chance}");
}

#[test]
fn few_outcomes_hardly_move_a_number() {
    let fitted = |count: i64| {
        let bench = Bench::with((0..count).map(|number| outcome(number, false)).collect());
        bench
            .run(&CalibrateArgs {
                min: 1,
                json: true,
                ..ARGS
            })
            .unwrap();
        let told: serde_json::Value = serde_json::from_str(&bench.last()).unwrap();
        let number = |name: &str| told["layers"][0][name].as_f64().unwrap();
        number("from") - number("to")
    };
    let (few, many) = (fitted(5), fitted(500));
    assert!(few > 0.0 && few < 0.3 && many > 1.5, "{few} {many}");
}

#[test]
fn too_few_outcomes_change_nothing() {
    let bench = Bench::with((0..150).map(|number| outcome(number, true)).collect());
    let error = bench.run(&CalibrateArgs { apply: true, ..ARGS }).unwrap_err();
    assert_eq!(error.exit_code(), 1);
    assert!(
        error
            .to_string()
            .starts_with("there are 150 outcomes to fit to among 150, and 200 are wanted"),
        "{error}"
    );
    assert_eq!((bench.applied(), bench.said.borrow().len()), (None, 0));
}

#[test]
fn what_foretells_no_better_is_not_applied() {
    // The newest are all right, the ones before all wrong.
    let rows = (0..500).map(|number| outcome(number, number >= 400)).collect();
    let bench = Bench::with(rows);
    let error = bench.run(&CalibrateArgs { apply: true, ..ARGS }).unwrap_err();
    assert!(matches!(error, CalibrateError::NoBetter), "{error}");
    assert_eq!(bench.applied(), None);
    bench.run(&ARGS).unwrap();
    assert!(bench.last().contains("it does not foretell better"), "{}", bench.last());
}

#[test]
fn a_calibration_is_taken_back() {
    let bench = Bench::with(outcomes(1));
    let revert = CalibrateArgs { revert: true, ..ARGS };
    bench.run(&revert).unwrap();
    assert!(bench.last().contains("there is nothing to take back"));
    bench.run(&CalibrateArgs { apply: true, ..ARGS }).unwrap();
    assert!(bench.applied().is_some());
    bench.run(&revert).unwrap();
    assert!(bench.last().contains("applies again"));
    assert_eq!(bench.applied(), None);
}

#[test]
fn a_model_that_the_calibration_knows_gets_a_number_of_its_own() {
    // Under all of its names it is one model.
    let names = ["mini", "routed", "gpt-4o-mini"];
    let rows = (0..500).map(|number| OutcomeRow {
        model: ModelId::from(names[usize::try_from(number).unwrap() % 3]),
        layer: Layer::L1,
        start: Some(Layer::L1),
        ..outcome(number, number % 10 < 3)
    });
    let bench = Bench::with(rows.collect());
    bench.run(&CalibrateArgs { apply: true, ..ARGS }).unwrap();
    let data: serde_json::Value = serde_json::from_str(&bench.applied().unwrap().data).unwrap();
    assert_eq!(data["models"].as_object().unwrap().len(), 1, "{data}");
    let offset = data["models"]["gpt-4o-mini-2024-07-18"].as_f64().unwrap();
    assert!((-4.0..-1.0).contains(&offset), "{data}");
    assert!(
        data["layers"]["L1"].is_number() && data["layers"]["L0"].is_null(),
        "{data}"
    );
    // Once more: it starts from what applies, and comes to the same.
    bench.run(&CalibrateArgs { json: true, ..ARGS }).unwrap();
    let told: serde_json::Value = serde_json::from_str(&bench.last()).unwrap();
    let change = &told["models"][0];
    let (from, to) = (change["from"].as_f64().unwrap(), change["to"].as_f64().unwrap());
    assert!((from - to).abs() < 1e-3, "{told}");
}

#[test]
fn what_nobody_judged_says_nothing_and_is_not_taken_for_right() {
    // Four in five of those that somebody judged were right; of the many others nothing is known but of those that something
    // spoke against, which are as many of all as were wrong.
    let rows: Vec<OutcomeRow> = (0..5_000)
        .map(|number| OutcomeRow {
            accepted: (number % 10 == 0).then_some(true),
            evidence: (number % 5 == 1).then_some(Evidence::Truncated),
            ..outcome(number, true)
        })
        .collect();
    let bench = Bench::with(rows);
    bench.run(&CalibrateArgs { apply: true, ..ARGS }).unwrap();
    let adjusted = RoutingModel::shipped()
        .unwrap()
        .adjusted(&bench.applied().unwrap().data)
        .unwrap();
    let chance = adjusted.chance_at(None, gateway_routing::Layer::L0, 0.3);
    assert!((0.75..0.85).contains(&chance), "{chance}");
    // Where nobody says anything nothing can be learned.
    let silent = (0..5_000).map(|number| OutcomeRow {
        accepted: None,
        evidence: (number % 5 == 1).then_some(Evidence::Truncated),
        ..outcome(number, true)
    });
    let bench = Bench::with(silent.collect());
    let error = bench.run(&ARGS).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("there are 0 outcomes to fit to among 5000"),
        "{error}"
    );
}

#[test]
fn too_few_judged_among_the_newest_or_no_more_than_noise_applies_nothing() {
    let judged = |number: i64| OutcomeRow {
        // The newest are those that something spoke against.
        accepted: (number < 400).then_some(number % 10 < 2),
        evidence: (number >= 400).then_some(Evidence::Empty),
        ..outcome(number, false)
    };
    let bench = Bench::with((0..500).map(judged).collect());
    let error = bench.run(&CalibrateArgs { apply: true, ..ARGS }).unwrap_err();
    assert!(matches!(error, CalibrateError::FewJudged { judged: 0 }), "{error}");
    assert_eq!((error.exit_code(), bench.applied()), (1, None));
    // What is foretold already gets better by chance only: once it applies, once more changes nothing.
    let bench = Bench::with(outcomes(2));
    let apply = CalibrateArgs { apply: true, ..ARGS };
    bench.run(&apply).unwrap();
    let first = bench.applied();
    let again = bench.run(&apply).unwrap_err();
    assert!(matches!(again, CalibrateError::NoBetter), "{again}");
    assert_eq!(bench.applied(), first);
}

/// What a row says, everything counting whole.
fn said(row: &OutcomeRow) -> Vec<(&'static str, bool)> {
    let seen = work(&ARGS).said_by(row, 1.0, &HashMap::new());
    seen.iter().map(|one| (one.layer.as_str(), one.right)).collect()
}

#[test]
fn what_an_outcome_says_is_said_of_who_answered() {
    let plain = OutcomeRow {
        accepted: None,
        ..outcome(1, true)
    };
    assert_eq!(said(&plain), [], "nobody judged it");
    let tests = OutcomeRow {
        tests: Some((3, 1)),
        ..plain.clone()
    };
    assert_eq!(said(&tests), [("L0", false)]);
    let liked = OutcomeRow {
        rating: Some(1),
        ..plain.clone()
    };
    assert_eq!(said(&liked), [("L0", true)]);
    for ended in [OutcomeEnd::Failed, OutcomeEnd::Refused, OutcomeEnd::Left] {
        assert_eq!(said(&OutcomeRow { ended, ..plain.clone() }), [], "{ended}");
        assert_eq!(said(&OutcomeRow { ended, ..liked.clone() }), [("L0", true)], "{ended}");
    }
    for nothing in [
        OutcomeRow {
            difficulty: None,
            ..liked.clone()
        },
        OutcomeRow {
            difficulty: Some(f64::NAN),
            ..liked.clone()
        },
        OutcomeRow {
            check: CheckStatus::Agreed,
            ..liked
        },
    ] {
        assert!(work(&ARGS).seen(vec![nothing], &HashMap::new()).is_empty());
    }
}

#[test]
fn what_a_model_did_before_administrators_say_it_changed_is_left_out() {
    let mut row = outcome(10, false);
    row.replaced = Some("mini".into());
    let said = |model: &str, since| {
        let from = HashMap::from([(ModelId::from(model), since)]);
        work(&ARGS).said_by(&row, 1.0, &from).len()
    };
    assert_eq!((said("local", 10), said("local", 11), said("mini", 11)), (2, 1, 1));
}

/// The outcome that the gateway tells of a request whose cheap and better model say this; nothing is a model that fails.
fn told(cheap: Option<&str>, better: Option<&str>) -> OutcomeRow {
    let model = |id: &str, layer| Model {
        layer,
        context_window: 100_000,
        ..test_model(id, id, 1_000)
    };
    let models = vec![model("cheap", Layer::L0), model("better", Layer::L1)];
    actix_rt::System::new().block_on(async move {
        let cell = TestCell::start_with(models.clone(), TestSettings::default());
        let models: Vec<Arc<Model>> = models.into_iter().map(Arc::new).collect();
        let planned = plan(&models, decision(CheckPlan::Off));
        cell.pipeline.plan_by(move |_| Some(Ok(planned.clone())));
        for (model, said) in [("cheap", cheap), ("better", better)] {
            let script = match said {
                Some(text) => Script::Say(text.into()),
                None => Script::Fail(FailureKind::ServerError, Billing::NotBilled),
            };
            cell.upstream.script(model, [script]);
        }
        cell.pipeline.complete(cell.ask("What is it?")).await.unwrap();
        until("the outcome", || !cell.notes.outcomes().is_empty()).await;
        let row = cell.notes.outcomes().remove(0);
        cell.stop();
        row
    })
}

#[test]
fn what_the_gateway_tells_of_an_answer_that_was_replaced_is_read_as_it_was_meant() {
    let cut = format!("and then{CUT}");
    let repaired = told(Some(&cut), Some("it"));
    assert_eq!(said(&repaired), [("L0", false), ("L1", true)]);
    let disliked = OutcomeRow {
        rating: Some(-1),
        ..repaired
    };
    assert_eq!(said(&disliked), [("L0", false), ("L1", false)]);
    assert_eq!(said(&told(Some(&cut), Some(&cut))), [("L0", false), ("L1", false)]);
    assert_eq!(said(&told(Some(&cut), None)), [("L0", false)], "no better answer came");
    assert_eq!(said(&told(Some("it"), None)), [], "nothing is known against it");
    assert_eq!(
        said(&told(None, Some("it"))),
        [],
        "another took its place: that is no answer of it"
    );
}
