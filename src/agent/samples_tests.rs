//! Answers to tasks, for tests of both edges.

use std::sync::Arc;

use gateway_actors::protocol::{
    AgentAnswer, AgentStatus, CheckPlan, CheckStatus, Complexity, Decision, EscalationNeed, Evidence, HandOff, Layer,
    ModelId, NanoUsd, RoutingStory, Served, Strategy, TaskType, TokenUsage, UsageSource,
};

use crate::http::testing::model;

/// A decision for a task that is hard, and what came of the check.
pub(crate) fn story(check: CheckStatus) -> RoutingStory {
    RoutingStory {
        decision: Decision {
            task: TaskType::Code,
            complexity: Complexity::Complex,
            unsure: false,
            difficulty: 0.5,
            signals: Vec::new(),
            start: Layer::L1,
            raised_by: None,
            strategy: Strategy::Layers,
            skipped: Vec::new(),
            check: CheckPlan::Off,
            arm: None,
            heuristic: None,
            estimates: Vec::new(),
        },
        check,
        check_reason: None,
        checkers: vec![ModelId::from("b")],
        votes: None,
        legs: Vec::new(),
        note: None,
        rises: Vec::new(),
        confidence: None,
        escalation: None,
        candidates: Vec::new(),
        rejected: Vec::new(),
    }
}

/// An answer of a free model.
pub(crate) fn served(routing: Option<RoutingStory>) -> Served {
    let model = Arc::new(model("small", "alpha"));
    Served {
        model: Arc::clone(&model),
        attempts: Vec::new(),
        usage: TokenUsage::default(),
        usage_source: UsageSource::None,
        cost: NanoUsd::ZERO,
        dropped: Vec::new(),
        routing: routing.map(Box::new),
        end: None,
    }
}

/// Layer L2 may do better.
pub(crate) fn need() -> EscalationNeed {
    EscalationNeed {
        current: Layer::L0,
        suggested: Layer::L2,
        evidence: Evidence::Empty,
        estimated_cost: Some(NanoUsd(12_300_000)),
        package: Arc::new(HandOff {
            summary: "a task".into(),
            task: TaskType::Code,
            attempts: Vec::new(),
            known_issues: Vec::new(),
            open_questions: Vec::new(),
            request: "Sort a list".into(),
            tokens: 10,
        }),
    }
}

/// An answer to a task of this text, at this cost, with or without the wish for a dearer layer.
pub(crate) fn agent_answer(text: &str, cost: i64, need: Option<EscalationNeed>) -> AgentAnswer {
    let story = RoutingStory {
        escalation: need,
        ..story(CheckStatus::Off)
    };
    AgentAnswer {
        text: text.into(),
        todo: None,
        served: Some(Served {
            cost: NanoUsd(cost),
            ..served(Some(story))
        }),
        status: AgentStatus::Done,
        user_seq: None,
        stored: true,
    }
}
