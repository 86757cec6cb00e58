//! One linear look at a body before it is parsed: nesting and lone surrogates, neither of which the parser minds in
//! the parts that are only carried through.

use memchr::memchr2;

/// How deep arrays and objects may be nested.
const MAX_DEPTH: usize = 128;

/// Why a body is not parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// Arrays and objects are nested too deep.
    #[error("it is nested more than 128 levels deep")]
    TooDeep,
    /// An escape names half a character.
    #[error("it holds half of a surrogate pair")]
    LoneSurrogate,
}

/// Looks at a body. Text that is not JSON passes: the parser finds that.
pub(super) fn precheck(body: &[u8]) -> Result<(), Refused> {
    let mut depth = 0_usize;
    let mut rest = body;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'"' => rest = after_string(rest)?,
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(Refused::TooDeep);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// What follows a string whose opening quote has been read.
fn after_string(mut rest: &[u8]) -> Result<&[u8], Refused> {
    while let Some(at) = memchr2(b'"', b'\\', rest) {
        let (stop, after) = (rest.get(at), rest.get(at + 1..).unwrap_or_default());
        if stop == Some(&b'"') {
            return Ok(after);
        }
        rest = match after.split_first() {
            Some((b'u', digits)) => after_code_unit(digits)?,
            Some((_, after)) => after,
            None => after,
        };
    }
    Ok(&[])
}

/// What follows a `\u` escape, or the pair of them that makes one character.
fn after_code_unit(digits: &[u8]) -> Result<&[u8], Refused> {
    let (unit, after) = code_unit(digits);
    match unit {
        Some(0xD800..=0xDBFF) => match after.strip_prefix(b"\\u").map(code_unit) {
            Some((Some(0xDC00..=0xDFFF), after)) => Ok(after),
            _ => Err(Refused::LoneSurrogate),
        },
        Some(0xDC00..=0xDFFF) => Err(Refused::LoneSurrogate),
        _ => Ok(after),
    }
}

/// Four hexadecimal digits and what follows them; no value if they are not that.
fn code_unit(digits: &[u8]) -> (Option<u16>, &[u8]) {
    let Some((four, after)) = digits.split_at_checked(4) else {
        return (None, digits);
    };
    let value = std::str::from_utf8(four)
        .ok()
        .and_then(|four| u16::from_str_radix(four, 16).ok());
    (value, if value.is_some() { after } else { digits })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_allowed_to_128_levels_and_no_further() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(precheck(nested(128).as_bytes()), Ok(()));
        assert_eq!(precheck(nested(129).as_bytes()), Err(Refused::TooDeep));
        assert_eq!(precheck("[".repeat(200_000).as_bytes()), Err(Refused::TooDeep));
    }

    #[test]
    fn brackets_inside_strings_are_text() {
        let text = format!(r#"{{"a":"{}","b":"\"{}"}}"#, "[".repeat(500), "{".repeat(500));
        assert_eq!(precheck(text.as_bytes()), Ok(()));
    }

    #[test]
    fn half_a_surrogate_pair_is_refused_and_a_whole_one_is_not() {
        for whole in [r#""\ud83d\ude00""#, r#""\uD83D\uDE00x""#, r#""\\ud800""#, r#""\u00e9""#] {
            assert_eq!(precheck(whole.as_bytes()), Ok(()), "{whole}");
        }
        for half in [r#""\ud800""#, r#""\ud83d \ude00""#, r#""\ude00""#, r#""\ud83d\u0041""#] {
            assert_eq!(precheck(half.as_bytes()), Err(Refused::LoneSurrogate), "{half}");
        }
    }

    #[test]
    fn text_that_stops_anywhere_is_left_to_the_parser() {
        let text = r#"{"a":["\ud83d\ude00\n",{"b":1}]}"#;
        for length in 0..text.len() {
            let _ = precheck(&text.as_bytes()[..length]);
        }
    }
}
