//! A provider's stream, mended: characters that it cut in two are whole, and usage that it takes back stays.
//!
//! Some servers cut their texts by units of UTF-16, so that one chunk ends with the first half of a character outside the
//! basic plane (`"a\ud83d"`) and the next one of the same place begins with the second (`"\ude00b"`). No JSON reader takes
//! a half. So each is put as a character of its own before the event is read, and what is read is put together: behind the
//! half that was waited for comes the other, or it is U+FFFD, the character for what cannot be read.

use std::borrow::Cow;

use gateway_actors::protocol::{TranslationError, UsageReport};
use memchr::memchr;

use super::events::says_nothing_behind;
use super::neutral::{Event, StreamReader};
use super::sse::EventText;

/// What is added to a half for the character in its place: they are in a plane for private use, at its very end, where
/// nothing is known to be. An event without halves is not changed, whatever is in it.
const IN_PLACE: u32 = 0x10_0000;

/// Reads one stream.
#[derive(Debug)]
pub(super) struct Mended {
    reader: Box<dyn StreamReader>,
    /// First halves whose second has not come.
    held: Vec<(Place, u16)>,
    /// What was told of usage last.
    usage: UsageReport,
}

/// What a text is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Text,
    Refusal,
    Reasoning,
    Arguments(u32),
}

impl Place {
    fn event(self, text: Cow<'_, str>) -> Event<'_> {
        match self {
            Self::Text => Event::Text(text),
            Self::Refusal => Event::Refusal(text),
            Self::Reasoning => Event::Reasoning(text),
            Self::Arguments(index) => Event::Arguments { index, json: text },
        }
    }

    /// Whether the text ends where something else begins. Calls that are made at once take turns.
    fn ends_before(self, other: Option<Self>) -> bool {
        match other {
            Some(Self::Arguments(_)) => !matches!(self, Self::Arguments(_)),
            Some(other) => self != other,
            None => true,
        }
    }
}

impl Mended {
    /// The stream that this reader reads.
    pub(super) fn new(reader: Box<dyn StreamReader>) -> Self {
        Self {
            reader,
            held: Vec::new(),
            usage: UsageReport::Missing,
        }
    }
}

impl StreamReader for Mended {
    fn read(&mut self, event: &EventText<'_>, give: &mut dyn FnMut(Event<'_>)) -> Result<(), TranslationError> {
        let Self { reader, held, usage } = self;
        let with_marks = marked(&event.data).map(|data| EventText {
            name: event.name,
            data: Cow::Owned(data),
        });
        let has_halves = with_marks.is_some();
        let mut mend = |event: Event<'_>| {
            let (place, text) = match event {
                Event::Usage(told) => {
                    if !says_nothing_behind(told, *usage) {
                        *usage = told;
                        give(event);
                    }
                    return;
                }
                Event::Text(text) => (Place::Text, text),
                Event::Refusal(text) => (Place::Refusal, text),
                Event::Reasoning(text) => (Place::Reasoning, text),
                Event::Arguments { index, json } => (Place::Arguments(index), json),
                Event::ServiceTier(_) => return give(event),
                Event::ToolCall { index, .. } => {
                    end(held, Some(Place::Arguments(index)), give);
                    return give(event);
                }
                other => {
                    end(held, None, give);
                    return give(other);
                }
            };
            end(held, Some(place), give);
            let before = held.iter().position(|(of, _)| *of == place);
            let before = before.map(|at| held.swap_remove(at).1);
            if !has_halves && before.is_none() {
                return give(place.event(text));
            }
            let (text, rest) = put_together(before, &text, has_halves);
            held.extend(rest.map(|half| (place, half)));
            if !text.is_empty() {
                give(place.event(Cow::Owned(text)));
            }
        };
        reader.read(with_marks.as_ref().unwrap_or(event), &mut mend)
    }
}

/// Gives the halves whose second will not come any more, since something else begins.
fn end(held: &mut Vec<(Place, u16)>, begins: Option<Place>, give: &mut dyn FnMut(Event<'_>)) {
    held.retain(|(place, _)| {
        let is_over = place.ends_before(begins);
        if is_over {
            give(place.event(Cow::Borrowed("\u{fffd}")));
        }
        !is_over
    });
}

/// A text behind a half, and the half with which it ends. `has_halves`: whether there may be some in it.
fn put_together(before: Option<u16>, text: &str, has_halves: bool) -> (String, Option<u16>) {
    let mut whole = String::with_capacity(text.len() + 4);
    let mut open = before;
    for character in text.chars() {
        let half = if has_halves { half_of(character) } else { None };
        let pair = [open, half].into_iter().flatten();
        if let (Some(_), Some(Ok(both))) = (open, half.and_then(|_| char::decode_utf16(pair).next())) {
            whole.push(both);
            open = None;
            continue;
        }
        if open.take().is_some() {
            whole.push(char::REPLACEMENT_CHARACTER);
        }
        match half {
            Some(first @ 0xD800..=0xDBFF) => open = Some(first),
            Some(_second) => whole.push(char::REPLACEMENT_CHARACTER),
            None => whole.push(character),
        }
    }
    (whole, open)
}

/// The half for which a character stands.
fn half_of(character: char) -> Option<u16> {
    let half = u32::from(character).checked_sub(IN_PLACE)?;
    u16::try_from(half).ok().filter(|half| (0xD800..=0xDFFF).contains(half))
}

/// JSON in which a character stands for each half without its other; nothing if there is none.
fn marked(json: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = memchr(b'\\', json.get(at..).unwrap_or_default()) {
        at += found;
        let Some(unit) = escaped(json, at) else {
            // Another escape, of which the second byte may be a backslash.
            at += 2;
            continue;
        };
        let pair = [Some(unit), escaped(json, at + 6)];
        match char::decode_utf16(pair.into_iter().flatten()).next() {
            Some(Err(half)) => {
                out.extend_from_slice(json.get(copied..at).unwrap_or_default());
                let mark = char::from_u32(IN_PLACE + u32::from(half.unpaired_surrogate()));
                out.extend_from_slice(mark?.encode_utf8(&mut [0; 4]).as_bytes());
                at += 6;
                copied = at;
            }
            Some(Ok(character)) => at += 6 * character.len_utf16(),
            None => at += 6,
        }
    }
    if copied == 0 {
        return None;
    }
    out.extend_from_slice(json.get(copied..).unwrap_or_default());
    Some(out)
}

/// The unit of UTF-16 whose escape begins here.
fn escaped(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix(br"\u")?;
    let digits = std::str::from_utf8(digits).ok()?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
#[path = "mended_tests.rs"]
mod tests;
