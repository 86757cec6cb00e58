//! Where in a body something stands, for errors that name it.

use std::fmt;

use gateway_actors::protocol::GatewayError;

/// A place in a body. It is put into words only where something is wrong.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'p> {
    above: Option<&'p At<'p>>,
    step: Step,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Member(&'static str),
    Item(usize),
}

impl At<'_> {
    /// A member of the body.
    pub(super) const fn top(name: &'static str) -> Self {
        Self {
            above: None,
            step: Step::Member(name),
        }
    }

    /// A member of what stands here.
    pub(super) const fn member(&self, name: &'static str) -> At<'_> {
        At {
            above: Some(self),
            step: Step::Member(name),
        }
    }

    /// An element of the array that stands here.
    pub(super) const fn item(&self, place: usize) -> At<'_> {
        At {
            above: Some(self),
            step: Step::Item(place),
        }
    }

    /// Whether it is a member of the body with this name.
    pub(super) fn is_top(&self, name: &str) -> bool {
        self.above.is_none() && matches!(self.step, Step::Member(member) if member == name)
    }

    /// The error that something must stand here.
    pub(super) fn required(&self) -> GatewayError {
        self.wrong("is required")
    }

    /// An error about what stands here: its name, and these words.
    pub(super) fn wrong(&self, words: &str) -> GatewayError {
        let name = self.to_string();
        let message = format!("`{name}` {words}");
        GatewayError::invalid(name, message)
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.above, self.step) {
            (None, Step::Member(name)) => f.write_str(name),
            (Some(above), Step::Member(name)) => write!(f, "{above}.{name}"),
            (None, Step::Item(place)) => write!(f, "[{place}]"),
            (Some(above), Step::Item(place)) => write!(f, "{above}[{place}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_named_as_clients_write_it() {
        let messages = At::top("messages");
        let third = messages.item(3);
        let error = third.member("content").required();
        assert_eq!(error.param.as_deref(), Some("messages[3].content"));
        assert_eq!(error.message, "`messages[3].content` is required");
    }
}
