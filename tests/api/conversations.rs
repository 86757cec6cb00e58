//! What must hold of every conversation that is read back.

use serde_json::{Value, json};

/// Numbered from 1 without gaps, user and assistant in turn.
#[track_caller]
pub(crate) fn assert_contiguous(messages: &[Value]) {
    for (place, message) in messages.iter().enumerate() {
        assert_eq!(message["seq"], json!(place + 1), "a gap or a double in {messages:#?}");
        let role = if place % 2 == 0 { "user" } else { "assistant" };
        assert_eq!(message["role"], role, "roles do not alternate in {messages:#?}");
    }
}
