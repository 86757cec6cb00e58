//! The grammar of a stream of chat completion chunks, as a state machine.
//!
//! A chunk with the role comes first. Deltas follow; a tool call begins with its name before more of its arguments come,
//! and calls are numbered from 0. One chunk has the finish reason; then at most one, without choices, has the usage; and
//! `[DONE]` ends the stream. The writer steps through it with all that it writes, and tests with what was written.

use std::fmt;

/// What a chunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dialects) enum Step {
    /// The role, before all else.
    Role,
    /// More text, reasoning or refusal.
    Delta,
    /// A tool call begins.
    CallBegins(usize),
    /// More of a call's arguments.
    CallGoesOn(usize),
    /// The call of the older form, which has no number, begins.
    FunctionBegins,
    /// More of its arguments.
    FunctionGoesOn,
    /// The finish reason.
    Finish,
    /// The usage.
    Usage,
    /// The end mark.
    Done,
}

/// A chunk that may not stand where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dialects) struct Violation {
    step: Step,
    state: State,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} may not follow where the stream is {:?}", self.step, self.state)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    NotBegun,
    Open {
        calls: usize,
        function: bool,
    },
    Finished,
    Counted,
    Over,
}

/// Where a stream is.
#[derive(Debug, Default)]
pub(in crate::dialects) struct Grammar(State);

impl Grammar {
    /// Goes on by one chunk.
    ///
    /// # Errors
    /// When it may not stand here; the stream is where it was.
    pub(in crate::dialects) fn step(&mut self, step: Step) -> Result<(), Violation> {
        let Self(state) = *self;
        let violation = Violation { step, state };
        self.0 = match (state, step) {
            (State::NotBegun, Step::Role) => State::Open {
                calls: 0,
                function: false,
            },
            (State::Open { .. }, Step::Delta) => state,
            (State::Open { calls, function }, Step::CallBegins(call)) if call == calls => State::Open {
                calls: calls + 1,
                function,
            },
            (State::Open { calls, .. }, Step::CallGoesOn(call)) if call < calls => state,
            (State::Open { calls, function: false }, Step::FunctionBegins) => State::Open { calls, function: true },
            (State::Open { function: true, .. }, Step::FunctionGoesOn) => state,
            (State::Open { .. }, Step::Finish) => State::Finished,
            (State::Finished, Step::Usage) => State::Counted,
            (State::Finished | State::Counted, Step::Done) => State::Over,
            _ => return Err(violation),
        };
        Ok(())
    }

    /// Whether the end mark has come.
    pub(in crate::dialects) fn is_over(&self) -> bool {
        self.0 == State::Over
    }
}

#[cfg(test)]
mod check;
#[cfg(test)]
pub(in crate::dialects) use check::check_stream;

#[cfg(test)]
mod tests {
    use super::*;

    fn run(steps: &[Step]) -> Result<bool, Violation> {
        let mut grammar = Grammar::default();
        for step in steps {
            grammar.step(*step)?;
        }
        Ok(grammar.is_over())
    }

    #[test]
    fn a_whole_stream_is_over_and_one_that_stops_before_is_not() {
        use Step::{CallBegins, CallGoesOn, Delta, Done, Finish, FunctionBegins, FunctionGoesOn, Role, Usage};
        let whole = [
            Role,
            Delta,
            CallBegins(0),
            CallGoesOn(0),
            CallBegins(1),
            CallGoesOn(0),
            FunctionBegins,
            FunctionGoesOn,
            Delta,
            Finish,
            Usage,
            Done,
        ];
        assert_eq!(run(&whole), Ok(true));
        for length in 0..whole.len() {
            assert_eq!(run(&whole[..length]), Ok(false), "{length}");
        }
    }

    #[test]
    fn what_stands_where_it_must_not_is_a_violation() {
        use Step::{CallBegins, CallGoesOn, Delta, Done, Finish, FunctionGoesOn, Role, Usage};
        for steps in [
            &[Delta][..],
            &[Role, Role],
            &[Role, CallGoesOn(0)],
            &[Role, CallBegins(1)],
            &[Role, FunctionGoesOn],
            &[Role, Usage],
            &[Role, Done],
            &[Role, Finish, Finish],
            &[Role, Finish, Delta],
            &[Role, Finish, Usage, Usage],
            &[Role, Finish, Done, Done],
        ] {
            assert!(run(steps).is_err(), "{steps:?}");
        }
    }
}
