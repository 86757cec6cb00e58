//! The cases, by what they are of.

mod answers;
mod choice;
mod history;
mod media;
mod reasoning;
mod sampling;
mod state;
mod text;
mod tools;

use super::case::Case;

/// All of them.
pub(super) const ALL: &[&[Case]] = &[
    text::CASES,
    media::CASES,
    tools::CASES,
    choice::CASES,
    history::CASES,
    answers::CASES,
    sampling::CASES,
    reasoning::CASES,
    state::CASES,
];
