//! `/v1/improvement`: what was learned, rules for choosing models, and notes of bugs. Operators look, administrators change.

mod draft;
mod edits;
mod learned;
mod notes;

pub(super) use self::edits::{delete_model, model, put_model};
pub(super) use self::learned::{models, routing};
pub(super) use self::notes::{
    bug, bugs, create_bug, create_heuristic, delete_bug, delete_heuristic, heuristic, heuristics, update_bug,
    update_heuristic,
};
