//! What providers of this dialect take beyond what they all do, told by whose service they are.
//!
//! Only a request that comes from another dialect is written anew, and so only it has to know. What is told here is
//! from the providers' own references: OpenAI's `max_completion_tokens` and `developer`, OpenRouter's `reasoning`,
//! `reasoning_details` and `cache_control`, DeepSeek's `reasoning_content`, Mistral's `random_seed`, `document_url`
//! and `prefix` and its call ids of nine characters. Any other provider is taken for one that ignores what it does
//! not know, as the servers that people run themselves do (vLLM, llama.cpp, LM Studio).

use gateway_actors::protocol::{Capability, Model, Vendor};

/// A provider's kind of the dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    OpenAi,
    OpenRouter,
    DeepSeek,
    Mistral,
    /// Known to refuse a member that it does not know.
    Closed,
    /// Anything else.
    Open,
}

impl Kind {
    fn of(vendor: Vendor) -> Self {
        match vendor {
            Vendor::Openai => Self::OpenAi,
            Vendor::Openrouter => Self::OpenRouter,
            Vendor::Deepseek => Self::DeepSeek,
            Vendor::Mistral => Self::Mistral,
            Vendor::Groq | Vendor::Cerebras | Vendor::Cohere | Vendor::Xai | Vendor::Gemini => Self::Closed,
            Vendor::Anthropic | Vendor::Together | Vendor::Other => Self::Open,
        }
    }
}

/// What a model's provider takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flavour {
    kind: Kind,
    /// Whose service it is.
    pub(super) vendor: Vendor,
    /// Whether the model reasons.
    pub(super) reasons: bool,
}

/// How a request says how much the model is to reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReasoningForm {
    /// `reasoning_effort` with every word of OpenAI's.
    EffortOfAnyWord,
    /// `reasoning_effort`, which is `none`, `low`, `medium` or `high`.
    EffortOfFourWords,
    /// OpenRouter's `reasoning`.
    Object,
    /// Not at all.
    Nothing,
}

/// The form of the ids that tie tool results to their calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallIds {
    /// Up to 40 characters, as OpenAI has it.
    UpToForty,
    /// Nine letters and digits.
    Nine,
}

/// How a provider is sent a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Documents {
    /// As a `file`, with its bytes; `at_addresses` where it fetches one too.
    Files { at_addresses: bool },
    /// As a `document_url`, which may hold the bytes.
    Addresses,
    /// Not at all: messages have no place for one.
    Nothing,
}

impl Flavour {
    /// What the provider of this model takes.
    pub(super) fn of(model: &Model) -> Self {
        Self {
            kind: Kind::of(model.vendor),
            vendor: model.vendor,
            reasons: model.capabilities.has(Capability::Reasoning),
        }
    }

    /// Whether it is OpenAI, of which alone it is certain that it has `developer`, `max_completion_tokens` (its reasoning
    /// models take nothing else), `refusal`, tools of plain text, `prompt_cache_key` and `verbosity`. All others get
    /// `max_tokens`, which every one of them knows.
    pub(super) fn is_openai(self) -> bool {
        self.kind == Kind::OpenAi
    }

    /// Whether a stream may be asked for its usage. Mistral refuses the field, and tells the usage unasked.
    pub(super) fn takes_stream_options(self) -> bool {
        self.kind != Kind::Mistral
    }

    /// Whether it takes a message's text in several parts; some take a string only.
    pub(super) fn takes_text_parts(self) -> bool {
        matches!(self.kind, Kind::OpenAi | Kind::OpenRouter | Kind::Mistral)
    }

    /// Whether it takes marks for a prompt cache.
    pub(super) fn takes_cache_marks(self) -> bool {
        self.kind == Kind::OpenRouter
    }

    /// Whether it takes `top_k` and `min_p`.
    pub(super) fn takes_more_sampling(self) -> bool {
        matches!(self.kind, Kind::OpenRouter | Kind::Open)
    }

    /// Whether the model takes `temperature`, `top_p` and penalties other than the default.
    pub(super) fn takes_sampling(self) -> bool {
        !(self.is_openai() && self.reasons)
    }

    /// Whether it takes entries of `reasoning_details`.
    pub(super) fn takes_reasoning_details(self) -> bool {
        matches!(self.kind, Kind::OpenRouter | Kind::Open)
    }

    /// The member of a message for reasoning that nobody signed.
    pub(super) fn reasoning_text(self) -> Option<&'static str> {
        match self.kind {
            Kind::OpenRouter => Some("reasoning"),
            Kind::DeepSeek => Some("reasoning_content"),
            Kind::Open if self.reasons => Some("reasoning_content"),
            _ => None,
        }
    }

    pub(super) fn reasoning(self) -> ReasoningForm {
        match self.kind {
            Kind::OpenRouter => ReasoningForm::Object,
            _ if !self.reasons => ReasoningForm::Nothing,
            Kind::OpenAi => ReasoningForm::EffortOfAnyWord,
            _ => ReasoningForm::EffortOfFourWords,
        }
    }

    /// The member for the seed.
    pub(super) fn seed(self) -> &'static str {
        match self.kind {
            Kind::Mistral => "random_seed",
            _ => "seed",
        }
    }

    /// Whether it takes `user`.
    pub(super) fn takes_user(self) -> bool {
        self.kind != Kind::Mistral
    }

    /// Whether it takes `logit_bias`.
    pub(super) fn takes_logit_bias(self) -> bool {
        !matches!(self.kind, Kind::Mistral | Kind::Closed)
    }

    /// Whether it takes this word for a service tier.
    pub(super) fn takes_tier(self, tier: &str) -> bool {
        let is_known = ["auto", "default", "flex", "scale", "priority", "fast"].contains(&tier);
        is_known && matches!(self.kind, Kind::OpenAi | Kind::OpenRouter)
    }

    /// Whether an answer can be held to a schema. DeepSeek has `json_object` and nothing more ("This response_format type is
    /// unavailable now").
    pub(super) fn takes_schemas(self) -> bool {
        self.kind != Kind::DeepSeek
    }

    /// How documents are sent to it.
    pub(super) fn documents(self) -> Documents {
        match self.vendor {
            Vendor::Openrouter => Documents::Files { at_addresses: true },
            Vendor::Mistral => Documents::Addresses,
            Vendor::Deepseek | Vendor::Groq | Vendor::Cerebras | Vendor::Cohere | Vendor::Xai => Documents::Nothing,
            _ => Documents::Files { at_addresses: false },
        }
    }

    /// Whether a message of the model's that comes last must say that the answer goes on with it.
    pub(super) fn marks_prefix(self) -> bool {
        self.kind == Kind::Mistral
    }

    /// Whether a user may speak right after a tool. Mistral refuses that ("Unexpected role 'user' after role 'tool'").
    pub(super) fn takes_users_behind_tools(self) -> bool {
        self.kind != Kind::Mistral
    }

    pub(super) fn call_ids(self) -> CallIds {
        match self.kind {
            Kind::Mistral => CallIds::Nine,
            _ => CallIds::UpToForty,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::model_of;
    use super::*;

    #[test]
    fn what_a_provider_takes_is_told_by_its_vendor_whatever_it_is_called() {
        for (vendor, kind) in [
            (Vendor::Openai, Kind::OpenAi),
            (Vendor::Openrouter, Kind::OpenRouter),
            (Vendor::Mistral, Kind::Mistral),
            (Vendor::Groq, Kind::Closed),
            (Vendor::Together, Kind::Open),
            (Vendor::Other, Kind::Open),
        ] {
            for name in ["openai", "mistral", "groq-eu", "box"] {
                let model = Model {
                    vendor,
                    ..model_of(name, &[])
                };
                assert_eq!(Flavour::of(&model).kind, kind, "{vendor} called {name}");
            }
        }
    }

    #[test]
    fn who_reasons_is_told_by_the_models_capabilities() {
        let flavour = |provider: &str, reasons: bool| {
            let capabilities: &[_] = if reasons { &[Capability::Reasoning] } else { &[] };
            Flavour::of(&model_of(provider, capabilities))
        };
        assert_eq!(flavour("openai", true).reasoning(), ReasoningForm::EffortOfAnyWord);
        assert_eq!(flavour("openai", false).reasoning(), ReasoningForm::Nothing);
        assert_eq!(flavour("openrouter", false).reasoning(), ReasoningForm::Object);
        assert!(flavour("openai", false).takes_sampling() && !flavour("openai", true).takes_sampling());
        assert_eq!(flavour("box", true).reasoning_text(), Some("reasoning_content"));
        assert_eq!(flavour("box", false).reasoning_text(), None);
    }
}
