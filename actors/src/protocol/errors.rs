//! The one error type that leaves the pipeline. Edges turn its kind into a status or a JSON-RPC code, each in one table.

use std::borrow::Cow;
use std::time::Duration;

/// What went wrong, as clients are told it. The HTTP status of each is in `src/http/error.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The body is not JSON.
    MalformedJson,
    /// A field is missing, unknown, given twice or has an impossible value.
    InvalidRequest,
    /// A header has an impossible value.
    InvalidHeader,
    /// No key, or a wrong one.
    Unauthenticated,
    /// A budget has not enough left for the call.
    BudgetExceeded,
    /// The caller may not do this.
    Forbidden,
    /// The layer is not open to this caller or request.
    LayerNotAllowed,
    /// The token of an offer is none, or another's.
    EscalationInvalid,
    /// The offer has ended.
    EscalationExpired,
    /// The offer was decided before.
    EscalationUsed,
    /// There is no such thing.
    NotFound,
    /// No model has this name.
    ModelNotFound,
    /// The answer that a request goes on from is not there.
    PreviousResponseNotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The request took too long to arrive.
    RequestTimeout,
    /// Too many turns wait for this conversation.
    ConversationBusy,
    /// The client's message id was used for another text, or its idempotency key for another body.
    IdempotencyMismatch,
    /// The request with this idempotency key is still being answered.
    IdempotencyInProgress,
    /// The request with this idempotency key was answered, and the answer was too large to be kept.
    IdempotencyNotKept,
    /// The body is larger than the limit.
    PayloadTooLarge,
    /// The content type or encoding is not one that is read here.
    UnsupportedMediaType,
    /// The input does not fit any candidate's context window.
    ContextTooLong,
    /// A budget would pay for a model whose price is not known.
    ModelUnpriced,
    /// A budget would pay for something that may cost any amount.
    CostUnbounded,
    /// The provider refused the request for what it says.
    UpstreamRejected,
    /// The same, where the provider said so with 400: that status is what clients know it by.
    UpstreamInvalid,
    /// The caller asks more often, for more or for more at once than it may.
    RateLimited,
    /// Every candidate's provider limits our rate.
    UpstreamRateLimited,
    /// The client left before the answer (for logs and records).
    ClientClosed,
    /// A defect of the gateway.
    Internal,
    /// Recognised, but not offered.
    NotSupported,
    /// The last provider tried failed.
    UpstreamError,
    /// The last provider tried answered something that is no answer.
    UpstreamMalformed,
    /// The last provider tried refused our key.
    UpstreamAuth,
    /// The last provider tried answered nothing.
    UpstreamEmpty,
    /// The gateway is at its limit of requests.
    Overloaded,
    /// The gateway is shutting down.
    Draining,
    /// The database cannot be written.
    StoreUnavailable,
    /// No candidate can be tried now.
    NoProviderAvailable,
    /// A part of the gateway is restarting.
    ComponentFailed,
    /// The caller's deadline passed.
    DeadlineExceeded,
    /// The last provider tried did not answer in time.
    UpstreamTimeout,
    /// The disk is full.
    InsufficientStorage,
}

impl ErrorKind {
    /// The `type` that clients see.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MalformedJson => "malformed_json",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidHeader => "invalid_header",
            Self::Unauthenticated => "unauthenticated",
            Self::BudgetExceeded => "budget_exceeded",
            Self::Forbidden => "forbidden",
            Self::LayerNotAllowed => "layer_not_allowed",
            Self::EscalationInvalid => "escalation_invalid",
            Self::EscalationExpired => "escalation_expired",
            Self::EscalationUsed => "escalation_used",
            Self::NotFound => "not_found",
            Self::ModelNotFound => "model_not_found",
            Self::PreviousResponseNotFound => "previous_response_not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RequestTimeout => "request_timeout",
            Self::ConversationBusy => "conversation_busy",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::IdempotencyInProgress => "idempotency_in_progress",
            Self::IdempotencyNotKept => "idempotency_not_kept",
            Self::PayloadTooLarge => "payload_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::ContextTooLong => "context_too_long",
            Self::ModelUnpriced => "model_unpriced",
            Self::CostUnbounded => "cost_unbounded",
            Self::UpstreamRejected => "upstream_rejected",
            Self::UpstreamInvalid => "upstream_invalid_request",
            Self::RateLimited => "rate_limited",
            Self::UpstreamRateLimited => "upstream_rate_limited",
            Self::ClientClosed => "client_closed",
            Self::Internal => "internal",
            Self::NotSupported => "not_supported",
            Self::UpstreamError => "upstream_error",
            Self::UpstreamMalformed => "upstream_malformed",
            Self::UpstreamAuth => "upstream_auth",
            Self::UpstreamEmpty => "upstream_empty",
            Self::Overloaded => "overloaded",
            Self::Draining => "draining",
            Self::StoreUnavailable => "ledger_unavailable",
            Self::NoProviderAvailable => "no_provider_available",
            Self::ComponentFailed => "component_failed",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::InsufficientStorage => "insufficient_storage",
        }
    }
}

/// An error as a client may see it: ours in every word, never a provider's text, a statement or a path.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct GatewayError {
    /// What went wrong.
    pub kind: ErrorKind,
    /// What happened and what to do next, in a sentence or two.
    pub message: Cow<'static, str>,
    /// The field or header at fault.
    pub param: Option<Cow<'static, str>>,
    /// When trying again may help.
    pub retry_after: Option<Duration>,
}

// All of them are cold, so that the compiler lays out the code that leads to an error apart from what a request usually runs
// through: how much memory that code spans counts for more than how many instructions it has.
impl GatewayError {
    /// An error of this kind.
    #[cold]
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            param: None,
            retry_after: None,
        }
    }

    /// An `invalid_request` that names the field at fault.
    #[cold]
    #[must_use]
    pub fn invalid(param: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::InvalidRequest, message).with_param(param)
    }

    /// Names the field or header at fault.
    #[cold]
    #[must_use]
    pub fn with_param(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Says when trying again may help.
    #[cold]
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// A part of the gateway did not answer because it is being rebuilt.
    #[cold]
    #[must_use]
    pub fn component_failed(component: &'static str) -> Self {
        Self::new(
            ErrorKind::ComponentFailed,
            format!("the {component} is restarting; try again"),
        )
        .with_retry_after(Duration::from_secs(1))
    }
}
