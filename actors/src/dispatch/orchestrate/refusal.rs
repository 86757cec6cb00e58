//! Refusals in words: short answers that begin as models begin them when they will not, or cannot, do what was asked.
//!
//! Of a longer text, and of one with code or a final answer in it, it is not known whether it is one.

/// Bytes that a refusal has at most.
const MOST_BYTES: usize = 300;

/// What may come before it, several after each other.
const PRELUDES: [&str; 14] = [
    "i'm sorry",
    "i'm very sorry",
    "i'm really sorry",
    "i'm so sorry",
    "sorry",
    "i apologize",
    "i apologise",
    "my apologies",
    "unfortunately",
    "i'm afraid",
    "as an ai language model",
    "as an ai assistant",
    "as a language model",
    "as an ai",
];

/// How whoever refuses says that they do not.
const STEMS: [&str; 7] = [
    "i can't ",
    "i won't ",
    "i won't be able to ",
    "i'm unable to ",
    "i'm not able to ",
    "i'm not going to ",
    "we can't ",
];

/// What it is that they do not: all of what was asked, and no part of it.
const DEEDS: [&str; 23] = [
    "help with",
    "help you with",
    "help you to",
    "assist",
    "comply",
    "fulfill",
    "fulfil",
    "do that",
    "do this",
    "provide that",
    "provide this",
    "provide assistance",
    "provide help",
    "answer that",
    "answer this",
    "discuss that",
    "discuss this",
    "engage in",
    "engage with",
    "participate in",
    "continue with this",
    "support this",
    "support that",
];

/// Whole openings besides these.
const OPENINGS: [&str; 8] = [
    "i must decline",
    "i must respectfully decline",
    "i have to decline",
    "i need to decline",
    "i decline to",
    "that's not something i can help",
    "that's not something i can assist",
    "this isn't something i can help",
];

/// Whether a text is a refusal, by how it begins.
pub(super) fn is_refusal(text: &str) -> bool {
    let text = text.trim();
    let has_more = |text: &str| text.contains(['`', '{']) || text.contains("\\boxed") || text.contains("####");
    if text.len() > MOST_BYTES || has_more(text) {
        return false;
    }
    let text = plain(text);
    if text.contains("answer:") || text.contains("answer is") {
        return false;
    }
    let mut rest = text.as_str();
    while let Some(next) = behind_prelude(rest) {
        rest = next;
    }
    let is_opening = OPENINGS.iter().any(|opening| begins(rest, opening));
    is_opening
        || STEMS
            .iter()
            .any(|stem| rest.strip_prefix(stem).is_some_and(refuses_all))
}

/// Whether what is not done is what was asked.
fn refuses_all(what: &str) -> bool {
    // Nothing comes behind it but the end of the sentence: "I can't help." and not "I can't help but wonder".
    let ends = |word: &str| {
        what.strip_prefix(word)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ',', ';', '!']))
    };
    ends("help") || ends("help you") || DEEDS.iter().any(|deed| begins(what, deed))
}

/// What stands behind words that may come before a refusal.
fn behind_prelude(text: &str) -> Option<&str> {
    let prelude = PRELUDES.iter().find(|prelude| begins(text, prelude))?;
    let rest = text.get(prelude.len()..)?;
    let mut rest = rest.trim_start_matches([' ', ',', '.', ';', ':', '!', '-']);
    for word in ["but ", "however, ", "that "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    Some(rest)
}

/// Whether a text begins with these words.
fn begins(text: &str, words: &str) -> bool {
    let rest = text.strip_prefix(words);
    rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '\''))
}

/// The text in small letters, with one spelling of what is spelled in several ways, and one space where there are many.
fn plain(text: &str) -> String {
    let text = text
        .to_lowercase()
        .replace(['\u{2019}', '\u{2018}', '\u{2bc}', '\u{b4}'], "'");
    let text = text.replace(['\u{2014}', '\u{2013}'], "-");
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut text = words.join(" ");
    for (spelled, usual) in [
        ("cannot", "can't"),
        ("can not", "can't"),
        ("i am ", "i'm "),
        ("i will not", "i won't"),
        ("that is ", "that's "),
        ("this is not ", "this isn't "),
    ] {
        text = text.replace(spelled, usual);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_that_begins_as_refusals_do_is_one() {
        for text in [
            "I'm sorry, but I can't help with that.",
            "I\u{2019}m sorry, but I can\u{2019}t help with that.",
            "I cannot assist with that request.",
            "I can not help.",
            "  Sorry, I can't help you with this. ",
            "I am sorry, but I am unable to assist you with this request.",
            "Unfortunately, I cannot comply with this request.",
            "I apologize, but I won't be able to help with that.",
            "As an AI language model, I cannot engage in such a conversation.",
            "I'm sorry. As an AI, I'm not able to fulfill this request.",
            "I\u{2019}m really sorry \u{2014} I can\u{2019}t do that.",
            "I'm afraid I can't do that, Dave.",
            "I'm afraid that I can't answer that.",
            "I must respectfully decline.",
            "I will not\nprovide assistance with this.",
            "That's not something I can help with.",
            "I can't help you to build one.",
        ] {
            assert!(is_refusal(text), "{text}");
        }
    }

    #[test]
    fn what_only_sounds_like_a_refusal_is_none() {
        let long = format!("I'm sorry, but I can't help with that. {}", "It is so. ".repeat(30));
        for text in [
            "I can't believe it's already Friday! Have a good weekend.",
            "I'm sorry to hear that. Do you want to talk about it?",
            "I can't help but think that it is seven.",
            "I can't help wondering whether it is seven.",
            "I can't see the file, so send it to me.",
            "I can't provide a number to more than two digits: it is about 3.14.",
            "I cannot find an error in it.",
            "Sorry for the confusion: it is seven.",
            "Sorry, it is seven.",
            "Unfortunately, the function returns too early.",
            "You could write: I'm sorry, but I can't help with that.",
            "\"I'm sorry, but I can't help with that.\"",
            "I can't do that with `map`; use `filter`.",
            "I'm sorry, but I can't do that exactly. Answer: 7",
            "I can't answer that exactly; the answer is about 7.",
            "I'm unable to reproduce it.",
            "I'm not comfortable in crowds, she said.",
            "I won't assistant-proof this.",
            "As an AI, I have no birthday.",
            "I must declined",
            "Seven.",
            "I",
            "",
            &long,
        ] {
            assert!(!is_refusal(text), "{text}");
        }
    }
}
