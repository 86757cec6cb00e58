//! Reasoning in a conversation that the model which is asked did not make.
//!
//! Clients send it back as it was written for them. What a model of another dialect made is in `reasoning_details` whose
//! entries bear the gateway's mark, and once more in a text: no provider of this dialect can read the entries, and some
//! refuse a member that they do not know. The text goes where the provider has a place for it. What one of this dialect made
//! and sealed is in `reasoning_details` without a mark, or, as Google's own endpoint for this dialect has it, in the
//! `extra_content` of a message or of a tool call. It is cut out of the body where it stands, and all else stays to the byte.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::details::Detail;
use crate::dialects::json::{push_string, range_in, raw_text};
use crate::dialects::object::Text;
use crate::dialects::splice::Splice;

/// The members that tell reasoning of another dialect.
const DETAILS: &str = "reasoning_details";
const WORDS: [&str; 2] = ["reasoning_content", "reasoning"];

/// What stands between words of several entries.
const BETWEEN_WORDS: &str = "\n\n";

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    messages: Vec<&'a RawValue>,
}

/// The members of an object in order.
struct Members<'a>(Vec<(Text<'a>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}

/// A body's text and the messages in it.
fn messages_of(body: &[u8]) -> Option<(&str, Vec<&RawValue>)> {
    let json = std::str::from_utf8(body).ok()?;
    let Body { messages } = serde_json::from_str(json).ok()?;
    Some((json, messages))
}

/// What is exchanged in a body.
#[derive(Debug, Default)]
pub(super) struct Foreign {
    /// In order.
    pub(super) splices: Vec<Splice>,
    /// Whether words that can be read are left out.
    pub(super) loses_words: bool,
}

/// What is exchanged for a provider that has its reasoning's words in this member of a message. Nothing of a body that
/// cannot be read.
pub(super) fn foreign_reasoning(body: &[u8], place: Option<&str>) -> Foreign {
    let mut foreign = Foreign::default();
    let Some((json, messages)) = messages_of(body) else {
        return foreign;
    };
    for message in messages {
        let Ok(Members(members)) = serde_json::from_str(message.get()) else {
            continue;
        };
        let marked = members
            .iter()
            .find(|(name, value)| name.0 == DETAILS && is_foreign(value));
        let Some((_, details)) = marked else { continue };
        let words = words(&members, details, place);
        let place = place.filter(|_| words.is_some());
        foreign.loses_words |= words.is_some() && place.is_none();
        let stays = |name: &str, value: &RawValue| {
            let is_reasoning = name == DETAILS || WORDS.contains(&name);
            !is_reasoning || place == Some(name) && says_something(value)
        };
        let cuts = cuts_of(json, message, &members, &|name, value| !stays(name, value));
        foreign.splices.extend(cuts.into_iter().map(|cut| Splice::new(cut, "")));
        // They may stand in another member than this provider's.
        if let (Some(Words::Elsewhere(words)), Some(place)) = (words, place) {
            let is_empty = !members.iter().any(|(name, value)| stays(&name.0, value));
            let comma = if is_empty { "" } else { "," };
            let end = range_in(json, message).end - 1;
            let member = format!("{comma}\"{place}\":{words}");
            foreign.splices.push(Splice::new(end..end, member));
        }
    }
    foreign
}

/// Words of reasoning that can be read.
enum Words {
    /// In the member that the provider has for them.
    InPlace,
    /// As a JSON string.
    Elsewhere(String),
}

/// The words of a message: in the provider's member, in another, or in the entries alone.
fn words(members: &[(Text<'_>, &RawValue)], details: &RawValue, place: Option<&str>) -> Option<Words> {
    let of = |name: &str| {
        let found = members.iter().find(|(member, _)| member.0 == name);
        found.map(|(_, value)| *value).filter(|value| says_something(value))
    };
    if place.and_then(of).is_some() {
        return Some(Words::InPlace);
    }
    if let Some(words) = WORDS.into_iter().find_map(of) {
        return Some(Words::Elsewhere(words.get().to_owned()));
    }
    let entries = entries(details);
    let words: Vec<&str> = entries.iter().filter_map(Detail::words).collect();
    let mut quoted = Vec::new();
    push_string(&mut quoted, &words.join(BETWEEN_WORDS));
    let quoted = String::from_utf8(quoted).ok()?;
    (!words.is_empty()).then_some(Words::Elsewhere(quoted))
}

fn says_something(value: &RawValue) -> bool {
    raw_text(value).is_some_and(|words| !words.is_empty())
}

/// Where there stands what only a provider of this dialect can read, in order, likewise.
pub(super) fn sealed_reasoning(body: &[u8]) -> Vec<Range<usize>> {
    let Some((json, messages)) = messages_of(body) else {
        return Vec::new();
    };
    let mut cuts = Vec::new();
    for message in messages {
        let calls = cut_sealed(json, message, &mut cuts).map(RawValue::get);
        let calls: Vec<&RawValue> = calls
            .and_then(|calls| serde_json::from_str(calls).ok())
            .unwrap_or_default();
        for call in calls {
            cut_sealed(json, call, &mut cuts);
        }
    }
    cuts.sort_by_key(|cut| cut.start);
    cuts
}

/// Cuts what is sealed out of a message or a call of a tool. Gives the calls in it.
fn cut_sealed<'a>(json: &str, object: &'a RawValue, cuts: &mut Vec<Range<usize>>) -> Option<&'a RawValue> {
    let is_sealed = |name: &str, value: &RawValue| match name {
        "reasoning_details" => entries(value).iter().any(Detail::is_sealed),
        "extra_content" => value.get().contains("\"thought_signature\""),
        _ => false,
    };
    let Members(members) = serde_json::from_str(object.get()).ok()?;
    cuts.extend(cuts_of(json, object, &members, &is_sealed));
    let calls = members.into_iter().find(|(name, _)| name.0 == "tool_calls");
    calls.map(|(_, calls)| calls)
}

fn entries(details: &RawValue) -> Vec<Detail<'_>> {
    serde_json::from_str(details.get()).unwrap_or_default()
}

/// Whether a model of another dialect made one of these entries.
fn is_foreign(details: &RawValue) -> bool {
    entries(details).iter().any(Detail::is_marked)
}

/// Where these members of an object stand, each run of them with the comma that would be too many.
fn cuts_of(
    json: &str,
    object: &RawValue,
    members: &[(Text<'_>, &RawValue)],
    is_cut: &dyn Fn(&str, &RawValue) -> bool,
) -> Vec<Range<usize>> {
    let mut cuts = Vec::new();
    // Where what came before the next member ends.
    let mut end = range_in(json, object).start + 1;
    let mut is_first = true;
    let mut cut: Option<Range<usize>> = None;
    for (Text(name), value) in members {
        let goes = is_cut(name, value);
        let value = range_in(json, value);
        if goes {
            cut = Some(cut.map_or(end, |cut| cut.start)..value.end);
        } else {
            if let Some(mut cut) = cut.take() {
                if is_first {
                    // The comma behind goes, since there is none before.
                    let comma = json.get(cut.end..).and_then(|rest| rest.find(','));
                    cut.end += comma.map_or(0, |comma| comma + 1);
                }
                cuts.push(cut);
            }
            is_first = false;
        }
        end = value.end;
    }
    cuts.extend(cut);
    cuts
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const FOREIGN: &str =
        r#""reasoning_details":[{"type":"reasoning.text","text":"a","signature":"gw1.s.0000000000000007.x"}]"#;
    const OWN: &str = r#""reasoning_details":[{"type":"reasoning.text","text":"\"gw1.","signature":"Eq=="}]"#;

    fn without(messages: &str) -> String {
        for_place(messages, None)
    }

    fn for_place(messages: &str, place: Option<&str>) -> String {
        let body = format!(r#" {{"x":"gw1.", "messages" : {messages}, "stream":true }}"#);
        let mut left = body.clone();
        for splice in foreign_reasoning(body.as_bytes(), place).splices.into_iter().rev() {
            left.replace_range(splice.at, std::str::from_utf8(&splice.with).unwrap());
        }
        serde_json::from_str::<Value>(&left).unwrap_or_else(|error| panic!("{error}: {left}"));
        left
    }

    #[test]
    fn what_a_model_of_another_dialect_thought_is_cut_and_all_else_stays_to_the_byte() {
        for (message, left) in [
            (
                format!(r#"{{"role":"assistant", "content" : "b",{FOREIGN},"reasoning_content":"a" , "x":1}}"#),
                r#"{"role":"assistant", "content" : "b" , "x":1}"#,
            ),
            (
                format!(r#"{{ {FOREIGN} , "reasoning":"a","role":"assistant","content":"b"}}"#),
                r#"{"role":"assistant","content":"b"}"#,
            ),
            (
                format!(r#"{{"reasoning_content":"a","role":"assistant",{FOREIGN}}}"#),
                r#"{"role":"assistant"}"#,
            ),
        ] {
            let left_over = without(&format!("[{message},{{\"role\":\"user\"}}]"));
            assert!(
                left_over.contains(&format!("[{left},{{\"role\":\"user\"}}]")),
                "{left_over}"
            );
        }
    }

    #[test]
    fn words_that_can_be_read_go_where_the_provider_has_a_place_for_them() {
        let sealed = r#""reasoning_details":[{"type":"reasoning.encrypted","data":"gw1.r.0000000000000007.x"}]"#;
        for (message, place, left, loses_words) in [
            (
                format!(r#"{{"role":"assistant",{FOREIGN},"reasoning_content" : "a\n","content":"b"}}"#),
                Some("reasoning_content"),
                r#"{"role":"assistant","reasoning_content" : "a\n","content":"b"}"#,
                false,
            ),
            (
                format!(r#"{{"reasoning_content":"a\n",{FOREIGN},"role":"assistant","content":"b" }}"#),
                Some("reasoning"),
                r#"{"role":"assistant","content":"b" ,"reasoning":"a\n"}"#,
                false,
            ),
            (
                format!(r#"{{"role":"assistant","content":"b",{FOREIGN}}}"#),
                Some("reasoning_content"),
                r#"{"role":"assistant","content":"b","reasoning_content":"a"}"#,
                false,
            ),
            (
                format!(r#"{{"reasoning":"a",{FOREIGN},"reasoning_content":"a"}}"#),
                Some("reasoning_content"),
                r#"{"reasoning_content":"a"}"#,
                false,
            ),
            (
                format!("{{{FOREIGN}}}"),
                Some("reasoning"),
                r#"{"reasoning":"a"}"#,
                false,
            ),
            (format!("{{{FOREIGN}}}"), None, "{}", true),
            (
                format!(r#"{{"role":"assistant",{FOREIGN},"reasoning":"a"}}"#),
                None,
                r#"{"role":"assistant"}"#,
                true,
            ),
            (
                format!(r#"{{"role":"assistant",{sealed},"reasoning_content":""}}"#),
                Some("reasoning_content"),
                r#"{"role":"assistant"}"#,
                false,
            ),
            (
                format!(r#"{{"role":"assistant",{sealed}}}"#),
                None,
                r#"{"role":"assistant"}"#,
                false,
            ),
        ] {
            let body = format!(r#"{{"messages":[{message}]}}"#);
            assert_eq!(
                foreign_reasoning(body.as_bytes(), place).loses_words,
                loses_words,
                "{message}"
            );
            let messages = for_place(&format!("[{message}]"), place);
            assert!(messages.contains(&format!("[{left}]")), "{messages}");
        }
    }

    #[test]
    fn what_a_model_of_this_dialect_made_stays() {
        for message in [
            format!(r#"{{"role":"assistant","content":"b",{OWN},"reasoning":"a"}}"#),
            r#"{"role":"assistant","content":"\"gw1.s.0000000000000007.x","reasoning_content":"a"}"#.to_owned(),
            r#"{"role":"user","content":[{"type":"text","text":"gw1.s.0000000000000007.x"}]}"#.to_owned(),
            r#"{"role":"assistant","reasoning_details":7}"#.to_owned(),
        ] {
            assert!(without(&format!("[{message}]")).contains(&message), "{message}");
        }
        for body in ["", "{", "[]", r#"{"messages":7}"#, r#"{"messages":[7]}"#] {
            assert!(foreign_reasoning(body.as_bytes(), None).splices.is_empty(), "{body}");
        }
    }

    #[test]
    fn what_a_model_of_this_dialect_sealed_is_cut_when_that_is_asked_for() {
        let google = r#""extra_content":{"google":{"thought_signature":"Eq=="}}"#;
        let words = r#""reasoning_details":[{"type":"reasoning.text","text":"\"signature\""}]"#;
        let call = r#"{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}"#;
        let sealed_call = call.replacen('{', &format!("{{{google} ,"), 1);
        let body = format!(
            r#"{{"messages":[{{"role":"assistant",{OWN},"reasoning":"a","content":null,"tool_calls":[{sealed_call} ,{call}],{google}}},
                {{{words},{FOREIGN},"extra_content":{{"google":{{}}}}}}]}}"#
        );
        let mut left = body.clone();
        for cut in sealed_reasoning(body.as_bytes()).into_iter().rev() {
            left.replace_range(cut, "");
        }
        let expected = body
            .replace(&format!("{google} ,"), "")
            .replace(&format!(",{google}"), "")
            .replace(&format!(",{OWN}"), "");
        assert_eq!(left, expected);
        assert!(sealed_reasoning(left.as_bytes()).is_empty());
        for body in [
            "",
            "{",
            "[]",
            r#"{"messages":7}"#,
            r#"{"messages":[7,{"tool_calls":{}}]}"#,
        ] {
            assert!(sealed_reasoning(body.as_bytes()).is_empty(), "{body}");
        }
    }

    #[test]
    fn every_order_of_members_leaves_an_object() {
        let mut members = [
            FOREIGN,
            r#""reasoning":"a""#,
            r#""role":"assistant""#,
            r#""content":"b""#,
        ];
        for turn in 0..members.len() * 6 {
            members.swap(turn % 4, (turn + 1 + turn / 4) % 4);
            let body = without(&format!("[{{{}}}]", members.join(" ,\n")));
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["messages"], json!([{"role": "assistant", "content": "b"}]));
        }
    }
}
