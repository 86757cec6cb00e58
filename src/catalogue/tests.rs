//! When free models are served, and when they are asked for.

use std::cell::Cell;
use std::collections::HashMap;
use std::time::Duration;

use gateway_actors::protocol::{Alias, Capabilities, Capability, Dialect, Price, TaskType, Vendor};
use tokio::time::{sleep, timeout};

use super::*;

const TIMES: RefreshTimes = RefreshTimes {
    ttl: Duration::from_secs(3_600),
    retry: Duration::from_secs(60),
};

fn model(id: &str, provider: &str, layer: Layer) -> Model {
    Model {
        id: id.into(),
        provider: provider.into(),
        vendor: Vendor::Other,
        api_model: id.into(),
        dialect: Dialect::OpenaiChat,
        layer,
        capabilities: Capabilities::NONE.with(Capability::Chat),
        context_window: 1_000,
        max_output_tokens: 100,
        price: Some(Price::FREE),
        media: gateway_actors::protocol::MediaTokens::default(),
    }
}

fn catalogue(models: Vec<Model>) -> Arc<Catalogue> {
    Arc::new(Catalogue::new(models, Vec::new(), HashMap::new()))
}

/// A live catalogue of these configured models, in a process that can call `router` and `local`.
fn live(models: Vec<Model>) -> LiveCatalogue {
    let usable = ["router", "local"].map(ProviderName::from);
    let published = Arc::new(ArcSwap::new(catalogue(models)));
    LiveCatalogue::new(published, Arc::new(HashSet::from(usable)))
}

fn ids(live: &LiveCatalogue) -> Vec<String> {
    let published = live.published.load();
    published.models().iter().map(|model| model.id.to_string()).collect()
}

fn free() -> Vec<Model> {
    ["one:free", "two:free"]
        .map(|id| model(id, "router", Layer::L0))
        .to_vec()
}

#[test]
fn a_model_that_answers_no_messages_does_not_make_up_layer_0() {
    let mut vectors = model("vectors", "local", Layer::L0);
    vectors.capabilities = Capabilities::NONE.with(Capability::Embeddings);
    let live = live(vec![vectors]);
    live.set_free(free());
    assert_eq!(ids(&live), ["vectors", "one:free", "two:free"]);
}

#[test]
fn free_models_come_behind_the_configured_ones_and_only_while_layer_0_has_nothing_usable() {
    let cases = [
        (vec![], vec!["one:free", "two:free"]),
        (
            vec![model("paid", "router", Layer::L1)],
            vec!["paid", "one:free", "two:free"],
        ),
        (
            vec![model("keyless", "elsewhere", Layer::L0)],
            vec!["keyless", "one:free", "two:free"],
        ),
        (vec![model("own", "local", Layer::L0)], vec!["own"]),
        (
            vec![model("one:free", "router", Layer::L2)],
            vec!["one:free", "two:free"],
        ),
    ];
    for (configured, served) in cases {
        let live = live(configured);
        live.set_free(free());
        assert_eq!(ids(&live), served);
    }
}

#[test]
fn a_model_that_is_configured_under_another_name_is_not_added_again() {
    let renamed = Model {
        id: "mine".into(),
        ..model("one:free", "router", Layer::L3)
    };
    let live = live(vec![renamed]);
    live.set_free(free());
    assert_eq!(ids(&live), ["mine", "two:free"]);
    let published = live.published.load();
    assert_eq!(published.by_id("mine").unwrap().layer, Layer::L3);
}

#[test]
fn a_reload_keeps_the_free_models_or_takes_them_away_as_its_layer_0_wants() {
    let live = live(vec![]);
    live.set_free(free());
    let aliases = vec![Alias {
        pattern: "gpt-*".into(),
        target: "dear".into(),
    }];
    let lists = HashMap::from([(TaskType::Chat, vec!["dear".into()])]);
    let dear = vec![model("dear", "router", Layer::L3)];
    live.set_configured(Arc::new(Catalogue::new(dear, aliases.clone(), lists)));
    assert_eq!(ids(&live), ["dear", "one:free", "two:free"]);
    let published = live.published.load_full();
    assert_eq!(published.aliases(), aliases);
    assert_eq!(
        published.task_list(TaskType::Chat),
        [std::sync::Arc::<str>::from("dear")]
    );
    live.set_configured(catalogue(vec![model("own", "local", Layer::L0)]));
    assert_eq!(ids(&live), ["own"]);
    live.set_configured(catalogue(vec![]));
    assert_eq!(ids(&live), ["one:free", "two:free"]);
}

/// How often a refresh asks within this time, when each answer takes a second and is the same.
async fn questions(live: &LiveCatalogue, within: u64, answer: Result<Vec<Model>, &str>) -> u32 {
    let asked = Cell::new(0);
    let refresh = keep_fresh(live, TIMES, async || {
        asked.set(asked.get() + 1);
        sleep(Duration::from_secs(1)).await;
        answer.clone()
    });
    assert!(timeout(Duration::from_secs(within), refresh).await.is_err());
    asked.get()
}

#[tokio::test(start_paused = true)]
async fn d6_a_list_is_good_for_its_time_and_a_failure_for_a_minute() {
    let live = live(vec![]);
    for (answer, within, asked) in [
        (Ok(free()), 3_600, 1),
        (Ok(free()), 3_602, 2),
        (Err("no"), 60, 1),
        (Err("no"), 62, 2),
        (Err("no"), 600, 10),
        (Ok(vec![]), 62, 2),
    ] {
        let what = format!("{answer:?} within {within} s");
        assert_eq!(questions(&live, within, answer).await, asked, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn d6_a_failure_keeps_the_old_models_and_a_list_without_one_takes_them_away() {
    let live = live(vec![]);
    questions(&live, 10, Ok(free())).await;
    assert_eq!(ids(&live), ["one:free", "two:free"]);
    questions(&live, 1_000, Err("no")).await;
    assert_eq!(ids(&live), ["one:free", "two:free"]);
    questions(&live, 10, Ok(vec![])).await;
    assert!(ids(&live).is_empty());
}

#[tokio::test(start_paused = true)]
async fn d6_nobody_is_asked_until_layer_0_is_empty() {
    let live = live(vec![model("own", "local", Layer::L0)]);
    assert_eq!(questions(&live, 100_000, Ok(free())).await, 0);
    let emptied = async {
        sleep(Duration::from_secs(50)).await;
        live.set_configured(catalogue(vec![]));
    };
    let (asked, ()) = tokio::join!(questions(&live, 100, Ok(free())), emptied);
    assert_eq!(asked, 1);
    assert_eq!(ids(&live), ["one:free", "two:free"]);
}
