//! Ids of tool calls, as Anthropic takes them.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write as _;

/// How an id begins that was written anew.
const WRITTEN_ANEW: &str = "gwx_";

/// The id under which a call is known in this dialect, which takes letters, digits, underscores and dashes
/// (`^[a-zA-Z0-9_-]+$`). Any other id is written as hexadecimal digits. Different ids stay different, and the same one
/// always becomes the same.
pub(super) fn wire_id(id: &str) -> Cow<'_, str> {
    let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !id.is_empty() && id.bytes().all(may_stand) && !id.starts_with(WRITTEN_ANEW) {
        return Cow::Borrowed(id);
    }
    let mut written = String::with_capacity(WRITTEN_ANEW.len() + 2 * id.len());
    written.push_str(WRITTEN_ANEW);
    for byte in id.bytes() {
        let _never_fails = write!(written, "{byte:02x}");
    }
    Cow::Owned(written)
}

/// The ids of the calls of one answer, of which no two may be the same.
#[derive(Debug, Default)]
pub(super) struct UniqueIds {
    given: HashSet<String>,
}

impl UniqueIds {
    /// The id under which a call is known; another one than its own if the provider gave it to a call before.
    pub(super) fn wire_id(&mut self, id: &str) -> String {
        let own = wire_id(id);
        let mut given = own.clone().into_owned();
        let mut number = self.given.len();
        while !self.given.insert(given.clone()) {
            number = number.saturating_add(1);
            given = format!("{own}_{number}");
        }
        given
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn no_two_calls_of_an_answer_have_the_same_id() {
        let mut ids = UniqueIds::default();
        let given = ["a", "a", "a_2", "", ""].map(|id| ids.wire_id(id));
        assert_eq!(given, ["a", "a_2", "a_2_3", "gwx_", "gwx__5"]);
    }

    #[test]
    fn an_id_that_may_stand_is_kept_and_others_stay_apart() {
        assert_eq!(wire_id("toolu_01A-b"), "toolu_01A-b");
        let mut seen = HashMap::new();
        for id in [
            "",
            " ",
            "a.b",
            "a:b",
            "a_b",
            "gwx_",
            "gwx_20",
            "gwx_612e62",
            "ä",
            "call|1",
            "call_1",
        ] {
            let written = wire_id(id).into_owned();
            let is_taken = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
            assert!(!written.is_empty() && written.bytes().all(is_taken), "{id}: {written}");
            assert_eq!(wire_id(id), written);
            assert_eq!(seen.insert(written, id), None, "{id}");
        }
    }
}
