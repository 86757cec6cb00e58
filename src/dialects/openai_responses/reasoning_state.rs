//! The encrypted reasoning of an item, and the item's id, in one: `id|encrypted_content`.
//!
//! Both go back to the provider that made them. The id may be empty, and never holds a `|`.

/// Joins them. An id that cannot stand there is left out.
pub(super) fn join(id: &str, encrypted: &str) -> String {
    let id = if id.contains('|') { "" } else { id };
    format!("{id}|{encrypted}")
}

/// The id and the encrypted content.
pub(super) fn split(state: &str) -> (&str, &str) {
    state.split_once('|').unwrap_or(("", state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_and_content_come_apart_as_they_were() {
        assert_eq!(split(&join("rs_1", "gAAA|=")), ("rs_1", "gAAA|="));
        assert_eq!(split(&join("", "|x")), ("", "|x"));
        assert_eq!(split(&join("a|b", "x")), ("", "x"));
        assert_eq!(split("bare"), ("", "bare"));
    }
}
