//! Messages of the RouterActor: asking for a plan.

use std::fmt;
use std::sync::Arc;

use actix::Message;

use super::catalogue::Model;
use super::errors::{ErrorKind, GatewayError};
use super::ids::RequestId;
use super::layer::{Capabilities, Capability, Layer, QualityLevel, TaskType};
use super::orchestra::{Decision, Evidence, Question, Wish};
use super::tenancy::Caller;

/// What the caller asked to be answered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Whatever the gateway thinks best, from the default layer on.
    Auto,
    /// This layer.
    Layer(Layer),
    /// This model: an id, an `api_model` or an alias.
    Named(Arc<str>),
}

impl Target {
    /// Reads a `model` field: `auto`, `L0` to `L3`, or a name.
    #[must_use]
    pub fn from_model_field(model: &str) -> Self {
        if model == "auto" {
            return Self::Auto;
        }
        match model.parse() {
            Ok(layer) => Self::Layer(layer),
            Err(_) => Self::Named(model.into()),
        }
    }
}

/// What a request needs of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// What the model must be able to do. One that is to answer messages need not say so ([`Needs::purposes`]).
    pub capabilities: Capabilities,
    /// An estimate from above of the input's tokens: its bytes plus 16 for each message. What a budget holds is bounded
    /// for each model, when the request is written for it.
    pub input_bound: u64,
    /// A lower estimate of the input's tokens, against which the context window is checked: a request is refused
    /// only when it certainly does not fit.
    pub input_estimate: u64,
    /// The output tokens the caller asked for at most, in each answer.
    pub max_output: Option<u32>,
    /// How many answers the provider makes, and bills, for the one request: at least 1.
    pub answers: u32,
}

impl Default for Needs {
    /// One answer to nothing in particular.
    fn default() -> Self {
        Self {
            capabilities: Capabilities::NONE,
            input_bound: 0,
            input_estimate: 0,
            max_output: None,
            answers: 1,
        }
    }
}

impl Needs {
    /// What a model must be there for, one of these: to embed for a request that needs [`Capability::Embeddings`]; for
    /// one that needs [`Capability::Completions`] to go on with texts or to answer messages, which does as well; for any
    /// other to answer messages, whether it says so or not.
    #[must_use]
    pub fn purposes(&self) -> &'static [Capability] {
        if self.capabilities.has(Capability::Embeddings) {
            &[Capability::Embeddings]
        } else if self.capabilities.has(Capability::Completions) {
            &[Capability::Completions, Capability::Chat]
        } else {
            &[Capability::Chat]
        }
    }

    /// Whether a model that can do this is there for such requests at all.
    #[must_use]
    pub fn suit(&self, able: Capabilities) -> bool {
        self.purposes().iter().any(|&purpose| able.has(purpose))
    }

    /// What a model that can do this lacks.
    #[must_use]
    pub fn missing_in(&self, able: Capabilities) -> Capabilities {
        let purposes = self.purposes();
        let lacks = able.missing(self.capabilities).iter();
        let missing: Capabilities = lacks.filter(|lacking| !purposes.contains(lacking)).collect();
        match purposes.first() {
            Some(&purpose) if !self.suit(able) => missing.with(purpose),
            _ => missing,
        }
    }

    /// An upper bound of the output's tokens, all answers together, of a model that gives `most` in one answer,
    /// however much the caller would take.
    #[must_use]
    pub fn output_bound(&self, most: u32) -> u64 {
        let each = self.max_output.map_or(most, |asked| asked.min(most));
        u64::from(each) * u64::from(self.answers.max(1))
    }
}

/// Asks for the candidates of a request, best first.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Plan, RouteError>")]
pub struct PlanRequest {
    /// The request.
    pub request: RequestId,
    /// What the caller asked to be answered by.
    pub target: Target,
    /// The dearest layer the caller allows.
    pub max_layer: Option<Layer>,
    /// The models the caller's key allows, by names and patterns as in [`KeyIdentity::models`](super::KeyIdentity::models);
    /// none: all of them.
    pub allowed: Option<Arc<[Arc<str>]>>,
    /// What kind of work it is.
    pub task: TaskType,
    /// How much the answer matters.
    pub quality: QualityLevel,
    /// What it needs of a model.
    pub needs: Needs,
    /// What is asked, where the gateway is to choose the model and the request has a user's text. The pipeline fills it.
    pub question: Option<Arc<Question>>,
    /// What the caller, its conversation and its budget add.
    pub wish: Wish,
}

impl PlanRequest {
    /// The same for this caller, whose key may allow less than the request asks for.
    #[must_use]
    pub fn of(mut self, caller: &Caller) -> Self {
        let Some(key) = caller.key() else { return self };
        self.max_layer = match (self.max_layer, key.max_layer) {
            (Some(asked), Some(allowed)) => Some(asked.min(allowed)),
            (asked, allowed) => asked.or(allowed),
        };
        self.allowed.clone_from(&key.models);
        self
    }

    /// Whether the caller's key allows this model, whatever its layer is.
    #[must_use]
    pub fn allows(&self, model: &Model) -> bool {
        self.allowed.as_deref().is_none_or(|allowed| model.is_among(allowed))
    }
}

/// How a candidate came to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// The caller named it by id.
    Id,
    /// The caller named it by the provider's name for it.
    ApiModel,
    /// The caller's name for it is an alias.
    Alias,
    /// The task list names it, at this place from 0.
    TaskList(u16),
    /// It belongs to a layer that may be used.
    Layer,
    /// It is the best one, and asking it at once is worth more than having cheaper ones answer first.
    AtOnce,
}

/// What the published health says of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HealthNote {
    /// Its last calls went well, or there were none.
    Healthy,
    /// Its last call failed.
    Shaky,
    /// Its breaker lets one probe through: this request may be it.
    Probing,
    /// Its breaker is open: a last resort when nothing else is left.
    Open,
}

/// Why a candidate stands where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// How it came to be a candidate.
    pub selection: Selection,
    /// What its health was.
    pub health: HealthNote,
    /// Its price rank: input and output price together, in pico-USD per token; `u64::MAX` when unknown.
    pub price_rank: u64,
    /// Whether its cheapest possible call costs more than the budgets are thought to have left, so that it stands behind
    /// the others.
    pub is_too_dear: bool,
    /// Whether, where models are chosen by value, its chance of a right answer is worth less than its price: after an answer
    /// that something speaks against, nothing moves up to it.
    pub is_not_worth_it: bool,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.selection {
            Selection::Id => f.write_str("named by id")?,
            Selection::ApiModel => f.write_str("named by its provider's name")?,
            Selection::Alias => f.write_str("named by an alias")?,
            Selection::TaskList(place) => write!(f, "number {} of the task list", u32::from(place) + 1)?,
            Selection::Layer => f.write_str("next in its layer by price")?,
            Selection::AtOnce => f.write_str("at once: worth more than cheaper answers first")?,
        }
        match self.health {
            HealthNote::Healthy => {}
            HealthNote::Shaky => f.write_str(", its last call failed")?,
            HealthNote::Probing => f.write_str(", being probed")?,
            HealthNote::Open => f.write_str(", breaker open")?,
        }
        if self.is_too_dear {
            f.write_str(", more than the budget has left")?;
        }
        if self.is_not_worth_it {
            f.write_str(", not worth its price")?;
        }
        Ok(())
    }
}

/// A model that may answer.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The model.
    pub model: Arc<Model>,
    /// Why it stands here.
    pub reason: Reason,
}

/// Why a model of an allowed layer is not a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectReason {
    /// It cannot do something the request needs.
    Lacks(Capabilities),
    /// The input does not fit its window.
    WindowTooSmall,
    /// Its provider has no key.
    NoKey,
}

/// A model that was considered and left out.
#[derive(Debug, Clone)]
pub struct Rejected {
    /// The model.
    pub model: Arc<Model>,
    /// Why.
    pub reason: RejectReason,
}

/// What would need the caller's leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// The layer that could answer, if the caller allows it.
    pub layer: Layer,
    /// What speaks for it.
    pub evidence: Evidence,
}

/// Which models may answer a request, in which order, and why.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Models to try, best first. Never empty.
    pub candidates: Vec<Candidate>,
    /// Models of the allowed layers that were left out.
    pub rejected: Vec<Rejected>,
    /// What was decided about the request; nothing where the caller named the model, or there is no question to read.
    pub decision: Option<Box<Decision>>,
    /// A dearer layer that was not entered for want of leave.
    pub confirmation: Option<Confirmation>,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// No model has this name.
    #[error("no model is called `{}`; GET /v1/models lists the names", beginning(name))]
    UnknownModel {
        /// The name asked for.
        name: Arc<str>,
    },
    /// The layer asked for is above what the caller or the operator allows.
    #[error("layer {layer} is above the highest layer allowed, {max}")]
    LayerNotAllowed {
        /// The layer asked for.
        layer: Layer,
        /// The highest allowed.
        max: Layer,
    },
    /// Models were found, but the caller's key is for others.
    #[error(
        "this key may not use {}; GET /v1/models lists the models that it may use",
        what(name)
    )]
    ModelNotAllowed {
        /// The name asked for; none where a layer was.
        name: Option<Arc<str>>,
    },
    /// Models were found, but none can do what the request needs.
    #[error("no model that may be used here can do this: missing {missing}{}", after(hint))]
    Incapable {
        /// What the nearest one lacks.
        missing: Capabilities,
        /// What to do about it, if there is something.
        hint: Option<Arc<str>>,
    },
    /// Models were found, but the input fits none.
    #[error(
        "the input has at least {input} tokens, and the largest context window that may be used here is {window}{}",
        after(hint)
    )]
    ContextTooLong {
        /// The estimate of the input's tokens.
        input: u64,
        /// The largest window among the candidates.
        window: u32,
        /// What to do about it, if there is something.
        hint: Option<Arc<str>>,
    },
    /// The allowed layers hold no usable model.
    #[error("no model is available in {}; {hint}", layers_text(layers))]
    NoModel {
        /// The layers that were looked at.
        layers: Vec<Layer>,
        /// What to do about it.
        hint: Arc<str>,
    },
    /// The layers that an offer was made for have lost their models since.
    #[error(
        "what was offered is gone: no model is available in {} now{}; the answer before stays, and the same request \
         without the offer is answered by what there is",
        layers_text(layers),
        after(hint)
    )]
    OfferGone {
        /// The layers that were to be gone on with.
        layers: Vec<Layer>,
        /// What else could be done, if there is something.
        hint: Option<Arc<str>>,
    },
    /// The RouterActor is being rebuilt.
    #[error("the router is restarting; try again")]
    Restarting,
}

fn what(name: &Option<Arc<str>>) -> String {
    match name {
        Some(name) => format!("`{}`", beginning(name)),
        None => "any model of these layers".to_owned(),
    }
}

/// A name as far as it may be repeated in a message: a caller's text is not sent back at any length.
fn beginning(name: &str) -> String {
    const MOST: usize = 100;
    match name.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", name.get(..at).unwrap_or_default()),
        None => name.to_owned(),
    }
}

fn after(hint: &Option<Arc<str>>) -> String {
    hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default()
}

fn layers_text(layers: &[Layer]) -> String {
    let names: Vec<&str> = layers.iter().map(|layer| layer.as_str()).collect();
    names.join(", ")
}

impl From<RouteError> for GatewayError {
    fn from(error: RouteError) -> Self {
        let message = error.to_string();
        match error {
            RouteError::UnknownModel { .. } => Self::new(ErrorKind::ModelNotFound, message).with_param("model"),
            RouteError::LayerNotAllowed { .. } => Self::new(ErrorKind::LayerNotAllowed, message).with_param("layer"),
            RouteError::ModelNotAllowed { .. } => Self::new(ErrorKind::Forbidden, message).with_param("model"),
            RouteError::Incapable { .. } => Self::invalid("model", message),
            RouteError::ContextTooLong { .. } => Self::new(ErrorKind::ContextTooLong, message),
            RouteError::NoModel { .. } | RouteError::OfferGone { .. } => {
                Self::new(ErrorKind::NoProviderAvailable, message)
            }
            RouteError::Restarting => Self::component_failed("router"),
        }
    }
}
