//! Items of the input that only the provider that made them can read, and that do not say who that is.
//!
//! Reasoning with an `encrypted_content` without the gateway's mark, and reasoning that has nothing but the `id` by which
//! its provider keeps it. Another provider refuses both, so that the item goes as a whole. Reasoning in words stays, and so
//! does what was made of a conversation to shorten it (`compaction`), since nothing would be left without it.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialects::cut::cuts_of;
use crate::dialects::json::{is_non_empty_container, raw_text, text};
use crate::dialects::neutral::{Opaque, OpaqueKind};

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    input: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    encrypted_content: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

/// What is to be cut out of a body, in order: those of its sealed items that `is_cut` says so of, by their number among
/// them. Nothing of a body whose input is no list of items.
pub(super) fn cuts_in(body: &str, is_cut: impl Fn(usize) -> bool) -> Vec<Range<usize>> {
    let Ok(Body { input }) = serde_json::from_str(body) else {
        return Vec::new();
    };
    let mut number = 0;
    let is_cut: Vec<bool> = input
        .iter()
        .map(|item| {
            let is_sealed = is_sealed(item);
            let is_cut = is_sealed && is_cut(number);
            number += usize::from(is_sealed);
            is_cut
        })
        .collect();
    cuts_of(body, &input, &is_cut)
}

/// How many of these items, a JSON array, are sealed.
#[must_use]
pub fn sealed_items(items: &str) -> usize {
    if memchr::memmem::find(items.as_bytes(), b"reasoning").is_none() {
        return 0;
    }
    let items: Vec<&RawValue> = serde_json::from_str(items).unwrap_or_default();
    items.into_iter().filter(|item| is_sealed(item)).count()
}

fn is_sealed(item: &RawValue) -> bool {
    let Ok(item) = serde_json::from_str::<Item<'_>>(item.get()) else {
        return false;
    };
    if item.kind.and_then(raw_text) != Some("reasoning") {
        return false;
    }
    match item
        .encrypted_content
        .and_then(text)
        .filter(|sealed| !sealed.is_empty())
    {
        Some(sealed) => Opaque::read(OpaqueKind::Encrypted, sealed).origin.is_none(),
        None => item.id.is_some() && !item.content.is_some_and(is_non_empty_container),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEALED: &str = r#"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAA"}"#;
    const KEPT: &str = r#"{"id":"rs_2","summary":[],"type":"reasoning","encrypted_content":null}"#;
    const MARKED: &str = r#"{"type":"reasoning","summary":[],"encrypted_content":"gw1.s.0000000000000007.x"}"#;
    const WORDS: &str =
        r#"{"type":"reasoning","id":"rs_3","summary":[],"content":[{"type":"reasoning_text","text":"a"}]}"#;
    const SAID: &str = r#"{"type":"message","role":"user","content":"\"reasoning\",\"encrypted_content\":\"gAAA\""}"#;

    #[test]
    fn what_only_its_maker_can_read_is_cut_by_its_number_and_all_else_stays_to_the_byte() {
        let items = [SAID, SEALED, MARKED, KEPT, WORDS, SEALED];
        let body = format!(r#"{{ "input" :[ {} ],"x":1.0}}"#, items.join(" , "));
        assert_eq!(sealed_items(&format!("[{}]", items.join(","))), 3);
        let without = |is_cut: &dyn Fn(usize) -> bool| {
            let mut left = body.clone();
            for cut in cuts_in(&body, is_cut).into_iter().rev() {
                left.replace_range(cut, "");
            }
            left
        };
        let expected = |items: &[&str]| format!(r#"{{ "input" :[ {} ],"x":1.0}}"#, items.join(" , "));
        assert_eq!(without(&|_| true), expected(&[SAID, MARKED, WORDS]));
        assert_eq!(
            without(&|number| number == 1),
            expected(&[SAID, SEALED, MARKED, WORDS, SEALED])
        );
        assert_eq!(without(&|number| number == 2), expected(&items[..5]));
        assert_eq!(without(&|_| false), body);
    }

    #[test]
    fn a_body_of_another_shape_is_left_alone() {
        for body in [
            "",
            "{}",
            r#"{"input":"reasoning"}"#,
            r#"{"input":[5,{"type":["reasoning"]}]}"#,
        ] {
            assert!(cuts_in(body, |_| true).is_empty(), "{body}");
        }
        assert_eq!(sealed_items("reasoning"), 0);
    }
}
