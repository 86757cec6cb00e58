//! The schema of what `code_agent` answers with. It is open: answers may have more members.

use serde_json::{Value, json};

fn word() -> Value {
    json!({"type": "string"})
}

fn word_or_null() -> Value {
    json!({"type": ["string", "null"]})
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

fn object(properties: Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required})
}

fn described(mut schema: Value, text: &str) -> Value {
    if let Some(members) = schema.as_object_mut() {
        members.insert("description".to_owned(), text.into());
    }
    schema
}

pub(super) fn schema() -> Value {
    let performance = object(
        json!({"durationMs": count(), "tokens": object(json!({"input": count(), "output": count()}), &["input", "output"]),
            "cost": {"type": "number", "description": "USD"},
            "costNanoUsd": {"type": "integer", "minimum": 0, "description": "the same, exactly: 10^-9 USD"}}),
        &["durationMs", "tokens", "cost", "costNanoUsd"],
    );
    object(
        json!({
            "result": {"type": "string",
                "description": "the answer; of a task in steps their results, each under its heading"},
            "finishReason": {"enum": ["stop", "length", "refusal"],
                "description": "length: the answer, or a step of it, was cut; left out where it is not known"},
            "routing": described(routing(), "who answered and why"),
            "todo": described(todo(), "the steps of a task that was split"),
            "status": {"enum": ["done", "partial"],
                "description": "partial: steps are still open; the same call again goes on with them in a conversation"},
            "quality": described(quality(), "how good the answer is, as far as it was checked"),
            "performance": described(performance, "of all attempts together"),
            "conversationId": {"type": "string", "description": "the conversation the turn was stored in, if it was"},
            "context": {"type": "object",
                "properties": {"conversationId": word_or_null(), "stored": {"type": "boolean"}}},
            "escalation": described(escalation(), "a dearer layer may do better, and needs leave"),
            "requestId": {"type": "string", "description": "finds the call records of this call"}
        }),
        &[
            "result",
            "routing",
            "todo",
            "status",
            "quality",
            "performance",
            "requestId",
        ],
    )
}

fn routing() -> Value {
    let attempt = object(
        json!({"role": word(), "layer": word(), "model": word(), "provider": word(), "reason": word(), "outcome": word(),
            "costNanoUsd": count(), "heldNanoUsd": count()}),
        &["role", "layer", "model", "provider", "reason", "outcome", "costNanoUsd"],
    );
    object(
        json!({
            "summary": {"type": "string", "description": "every leg and attempt in one line"},
            "fromCache": {"type": "boolean", "description": "the same message had been answered before"},
            "layer": word_or_null(), "model": word_or_null(), "provider": word_or_null(),
            "task": word(), "complexity": word(), "startLayer": word(), "strategy": word(),
            "crossCheck": {"type": "object"}, "confidence": {"type": "number"}, "heuristic": word(),
            "experiment": {"type": "object", "description": "the experiment it is part of, and its arm"},
            "attempts": {"type": "array", "description": "every attempt, and what it was made for", "items": attempt}
        }),
        &["summary", "layer", "model", "provider", "attempts"],
    )
}

fn todo() -> Value {
    let step = object(
        json!({"text": word(), "status": {"enum": ["open", "done", "failed"]}, "model": word_or_null()}),
        &["text", "status", "model"],
    );
    json!({
        "type": ["object", "null"],
        "properties": {"id": word(), "steps": {"type": "array", "items": step}},
        "required": ["id", "steps"],
    })
}

fn quality() -> Value {
    let check = object(
        json!({"status": word(), "reason": word(), "models": {"type": "array", "items": word()},
            "agreed": count(), "of": count(), "confidence": {"type": "number"}}),
        &["status", "models"],
    );
    object(
        json!({"level": word(), "confidence": {"type": ["number", "null"],
            "description": "the chance that it is right, 0 to 1, where it is known"},
            "crossCheck": check, "assessment": {"type": "string", "description": "what came of the check, in words"}}),
        &["level", "confidence", "crossCheck", "assessment"],
    )
}

fn escalation() -> Value {
    object(
        json!({
            "required": {"type": "boolean", "description": "whether somebody is to decide"},
            "currentLayer": word(), "suggestedLayer": word(), "reason": word(),
            "estimatedCost": {"type": ["number", "null"], "description": "USD, where a price is known"},
            "estimatedCostNanoUsd": {"type": ["integer", "null"], "minimum": 0},
            "optimizedPrompt": {"type": "string", "description": "what the better model would be told"},
            "token": {"type": ["string", "null"], "description": "what the offer is decided about with"},
            "expiresAt": word_or_null(),
            "decision": {"enum": ["approved", "rejected"]},
            "error": {"type": "string", "description": "why no dearer layer answered although the user said yes"},
            "requestId": {"type": "string", "description": "the request that the offer was about"}
        }),
        &["required"],
    )
}
