//! Items of the Responses dialect that stand for what the provider keeps: an `id` and nothing to say. The type of a
//! reference may be left out, and other kinds of items are looked up by their ids as well.

/// What an item says by one of its members, however often that is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Said {
    /// It is not there.
    #[default]
    Nothing,
    /// It is there with something in it.
    Something,
    /// It is there, and empty at least once.
    Empty,
    /// It is `null` at least once.
    Null,
}

/// The members of an item that may hold what it says.
#[derive(Debug, Default)]
pub(super) struct Saying {
    /// Whether it has an `id` by which a provider may look for it.
    pub(super) has_id: bool,
    said: Vec<(&'static str, Said)>,
}

/// Members that hold what an item says, beside those that are walked through.
pub(super) const SAYING: &[&str] = &["encrypted_content"];

impl Saying {
    /// Notes a member by what is in it: nothing for `null`, and whether it is not empty.
    pub(super) fn note(&mut self, name: &'static str, filled: Option<bool>) {
        let said = match filled {
            Some(true) => Said::Something,
            Some(false) => Said::Empty,
            None => Said::Null,
        };
        // Of two with one name nobody knows which counts: the one that says less.
        match self.said.iter_mut().find(|(member, _)| *member == name) {
            Some((_, known)) if *known == Said::Something || said == Said::Null => *known = said,
            Some(_) => {}
            None => self.said.push((name, said)),
        }
    }

    fn of(&self, name: &str) -> Said {
        let said = self.said.iter().find(|(member, _)| *member == name);
        said.map_or(Said::Nothing, |(_, said)| *said)
    }

    /// Whether an item of this kind is nothing but the name of what the provider keeps. Its summary says nothing of how
    /// long reasoning is. What a tool gave may be empty.
    pub(super) fn is_reference(&self, kind: &str) -> bool {
        let has_something = |name| self.of(name) == Said::Something;
        let is_given = |name| matches!(self.of(name), Said::Something | Said::Empty);
        self.has_id
            && !match kind {
                "reasoning" => has_something("encrypted_content") || has_something("content"),
                "compaction" => has_something("encrypted_content"),
                "function_call_output" | "custom_tool_call_output" => is_given("output"),
                "function_call" | "tool_search_call" => is_given("arguments"),
                "custom_tool_call" => is_given("input"),
                "additional_tools" | "tool_search_output" => is_given("tools"),
                _ => has_something("content"),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_says_something_only_by_the_members_of_its_kind_and_by_all_that_are_given_of_one_name() {
        let of = |kind: &str, members: &[(&'static str, Option<bool>)]| {
            let mut saying = Saying {
                has_id: true,
                ..Saying::default()
            };
            members.iter().for_each(|(name, filled)| saying.note(name, *filled));
            saying.is_reference(kind)
        };
        assert!(of("message", &[]) && of("message", &[("output", Some(true))]));
        assert!(!of("message", &[("content", Some(true))]));
        assert!(of("message", &[("content", Some(true)), ("content", None)]));
        assert!(of("message", &[("content", Some(false)), ("content", Some(true))]));
        assert!(!of("function_call_output", &[("output", Some(false))]));
        assert!(of("function_call_output", &[("output", Some(false)), ("output", None)]));
        assert!(of("function_call_output", &[("output", None), ("output", Some(true))]));
        assert!(!Saying::default().is_reference("message"));
    }
}
