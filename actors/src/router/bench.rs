//! A core over made-up models, for this module's unit tests.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::core::RouterCore;
use super::settings::{RouterSettings, RouterSources};
use crate::protocol::testkit::learned;
use crate::protocol::{
    AnswerShape, Capability, Catalogue, Decision, Dialect, Gate, HealthSnapshot, Layer, Learned, Model, ModelHealth,
    Needs, PicoUsdPerToken, Plan, PlanRequest, Price, QualityLevel, Question, RequestId, Target, TaskType, Vendor,
    Wish,
};

/// Small models are likely right about it, and its words are known.
pub(super) const EASY: &str = "Write a poem about the sea";
/// Too little to tell anything by.
pub(super) const NOTHING: &str = "zzzz";
/// Cheap models are hardly ever right about it, and the answer can be compared.
pub(super) const HARD: &str = "Let $P(x)$ be a polynomial with complex roots $a_1, \\ldots, a_7$ such that \
    $\\prod_{k} (a_k^2 + 1) = 3$. Find the number of distinct real matrices $M$ with $\\det(M - xI) = P(x)^2$ and \
    $\\mathrm{tr}(M^{-1}) = \\frac{22}{7}$. Put the final answer in \\boxed{}.";
/// As hard, and in free text.
pub(super) const HARD_PROSE: &str = "Explain why every finite integral domain is a field, prove that the order of its \
    multiplicative group is a prime power less one, derive from it that no such group is the product of two cyclic \
    groups of even order, and discuss which of these steps fails for polynomial rings in infinitely many variables \
    over $\\mathbb{F}_2[x]$ modulo $(x^2 + x + 1)^3$.";

/// A model of this price in USD per million tokens, input and output alike.
pub(super) fn model(id: &str, layer: Layer, usd_per_mtok: u64) -> Model {
    let pico = PicoUsdPerToken(usd_per_mtok * 1_000_000);
    Model {
        id: id.into(),
        provider: "p".into(),
        vendor: Vendor::Other,
        api_model: id.into(),
        dialect: Dialect::OpenaiChat,
        layer,
        capabilities: [Capability::Chat, Capability::Tools].into_iter().collect(),
        context_window: 100_000,
        max_output_tokens: 10_000,
        price: Some(Price::plain(pico, pico, pico)),
        media: crate::protocol::MediaTokens::default(),
    }
}

/// A model that its provider calls so.
pub(super) fn model_called(id: &str, api_model: &str) -> Model {
    Model {
        api_model: api_model.into(),
        ..model(id, Layer::L0, 1)
    }
}

/// A question without anything but its text.
pub(super) fn question(text: &str) -> Question {
    Question {
        text: text.into(),
        user_turns: 1,
        loop_key: None,
        in_loop: false,
        tool_errors: 0,
        shape: AnswerShape::Free,
        has_tools: false,
        has_media: false,
        stream: false,
        answers: 1,
        capped: false,
    }
}

/// One model in each layer, of four makers: free, 1, 2 and 9 USD.
pub(super) fn ladder() -> Vec<Model> {
    vec![
        model("gemma-free", Layer::L0, 0),
        model("qwen-cheap", Layer::L1, 1),
        model("claude-mid", Layer::L2, 3),
        model("gpt-top", Layer::L3, 9),
    ]
}

/// The calibration's own models at their layers, `o1-mini` the best.
pub(super) fn fitted() -> Vec<Model> {
    [
        ("Meta-Llama-3.1-8B-Instruct", Layer::L0, 1),
        ("gemma-2-9b-it", Layer::L0, 1),
        ("gpt-4o-mini-2024-07-18", Layer::L1, 2),
        ("claude-3-5-haiku-20241022", Layer::L1, 4),
        ("gpt-4o-2024-08-06", Layer::L2, 9),
        ("o1-mini-2024-09-12", Layer::L3, 12),
    ]
    .map(|(id, layer, usd)| model(id, layer, usd))
    .to_vec()
}

/// The request whose id is this number.
fn numbered(number: u32) -> RequestId {
    format!("req_{number:032x}").parse().unwrap()
}

/// A core and the next request.
pub(super) struct Bench {
    pub(super) core: RouterCore,
    pub(super) request: PlanRequest,
}

impl Bench {
    /// Everything may be spent, and nothing is checked.
    pub(super) fn new(models: Vec<Model>) -> Self {
        let settings = RouterSettings {
            auto_escalate: true,
            ..RouterSettings::default()
        };
        let usable = models.iter().map(|model| model.provider.clone()).collect();
        let sources = RouterSources {
            catalogue: Arc::new(ArcSwap::from_pointee(Catalogue::new(
                models,
                Vec::new(),
                HashMap::new(),
            ))),
            health: Arc::default(),
            usable: Arc::new(usable),
            key_variables: Arc::default(),
            learned: learned(),
        };
        let request = PlanRequest {
            request: numbered(0),
            target: Target::Auto,
            max_layer: None,
            allowed: None,
            task: TaskType::General,
            quality: QualityLevel::Normal,
            needs: Needs::default(),
            question: Some(Arc::new(question(EASY))),
            wish: Wish::default(),
        };
        Self {
            core: RouterCore::new(settings, sources),
            request,
        }
    }

    /// Makes it another request. Its id is this number, so that what is drawn by it is the same in every run.
    pub(super) fn number(&mut self, number: u32) -> &mut Self {
        self.request.request = numbered(number);
        self
    }

    pub(super) fn ask(&mut self, text: &str) -> &mut Self {
        self.request.question = Some(Arc::new(question(text)));
        self
    }

    /// Changes the question.
    pub(super) fn with(&mut self, change: impl FnOnce(&mut Question)) -> &mut Self {
        let mut changed = self.request.question.as_deref().cloned().unwrap();
        change(&mut changed);
        self.request.question = Some(Arc::new(changed));
        self
    }

    /// Changes what was learned.
    pub(super) fn learn(&self, change: impl FnOnce(&mut Learned)) {
        let mut changed = Learned::clone(&self.core.sources.learned.load());
        change(&mut changed);
        self.core.sources.learned.store(Arc::new(changed));
    }

    /// Opens the breakers of these models.
    pub(super) fn shut(&self, ids: &[&str]) {
        let mut health = HealthSnapshot::default();
        for id in ids {
            let gate = Gate::Open {
                until: Instant::now() + std::time::Duration::from_secs(60),
                probe: Arc::default(),
            };
            let model = ModelHealth { gate, latency_ms: None };
            health.models.insert((*id).into(), model);
        }
        self.core.sources.health.store(Arc::new(health));
    }

    pub(super) fn plan(&self) -> Plan {
        self.core.plan(&self.request, Instant::now()).unwrap()
    }

    pub(super) fn decision(&self) -> Decision {
        *self.plan().decision.unwrap()
    }

    pub(super) fn ids(&self) -> Vec<String> {
        let plan = self.plan();
        plan.candidates.iter().map(|one| one.model.id.to_string()).collect()
    }
}
