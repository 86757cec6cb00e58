//! Token counts by the OpenAI convention, read with distrust.

use gateway_actors::protocol::{TokenUsage, UsageReport};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{is_object, raw_text};

/// More tokens than any answer has: a count above it is an error of the provider.
const MOST_TOKENS: u64 = 1_000_000_000_000;

#[derive(Deserialize)]
struct Usage<'a> {
    #[serde(borrow)]
    prompt_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    completion_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    total_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt_tokens_details: Option<&'a RawValue>,
    #[serde(borrow)]
    completion_tokens_details: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct Details<'a> {
    #[serde(borrow)]
    cached_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_tokens: Option<&'a RawValue>,
}

/// A value that cannot be a count.
struct NoCount;

/// Reads the value of a `usage` member.
///
/// A count is a whole number from 0 to 10^12, or a string that is one. Of input and output one may be missing if the
/// total is there. `cached_tokens` above the input are taken as all of it. Output is recorded as `completion_tokens`
/// says, also where a provider reports more reasoning than that.
#[must_use]
pub fn usage_report(value: &RawValue) -> UsageReport {
    if value.get() == "null" {
        return UsageReport::Missing;
    }
    if !is_object(value) {
        return UsageReport::Absurd;
    }
    let Ok(usage) = serde_json::from_str::<Usage<'_>>(value.get()) else {
        return UsageReport::Absurd;
    };
    match counts(&usage) {
        Ok(Some(usage)) => UsageReport::Reported(usage),
        Ok(None) => UsageReport::Missing,
        Err(NoCount) => UsageReport::Absurd,
    }
}

fn counts(usage: &Usage<'_>) -> Result<Option<TokenUsage>, NoCount> {
    let total = count(usage.total_tokens)?;
    let (input, output) = match (count(usage.prompt_tokens)?, count(usage.completion_tokens)?, total) {
        (Some(input), Some(output), _) => (input, output),
        (Some(input), None, Some(total)) => (input, total.checked_sub(input).ok_or(NoCount)?),
        (None, Some(output), Some(total)) => (total.checked_sub(output).ok_or(NoCount)?, output),
        _ => return Ok(None),
    };
    let cached_input = count(details(usage.prompt_tokens_details).cached_tokens)?.unwrap_or(0);
    let reasoning = count(details(usage.completion_tokens_details).reasoning_tokens)?.unwrap_or(0);
    Ok(Some(TokenUsage {
        input,
        cached_input: cached_input.min(input),
        output,
        reasoning,
        ..TokenUsage::default()
    }))
}

/// Details that cannot be read are as good as none: the totals still count.
fn details(value: Option<&RawValue>) -> Details<'_> {
    value
        .and_then(|value| serde_json::from_str(value.get()).ok())
        .unwrap_or_default()
}

/// A count; nothing if it is absent or `null`.
fn count(value: Option<&RawValue>) -> Result<Option<u64>, NoCount> {
    let Some(value) = value.filter(|value| value.get() != "null") else {
        return Ok(None);
    };
    let digits = raw_text(value).unwrap_or(value.get());
    let count = match digits.parse::<u64>() {
        Ok(count) => count,
        Err(_not_plain) => whole(digits).ok_or(NoCount)?,
    };
    if count <= MOST_TOKENS {
        Ok(Some(count))
    } else {
        Err(NoCount)
    }
}

/// A whole number that is written as a fraction (`12.0`, `1e3`), as some languages print theirs.
fn whole(digits: &str) -> Option<u64> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.bytes().all(|digit| digit == b'0') && !fraction.is_empty() {
        return whole.parse().ok();
    }
    let (mantissa, exponent) = digits.split_once(['e', 'E'])?;
    let exponent = exponent.strip_prefix('+').unwrap_or(exponent);
    mantissa
        .parse::<u64>()
        .ok()?
        .checked_mul(10_u64.checked_pow(exponent.parse().ok()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> UsageReport {
        usage_report(serde_json::from_str(json).unwrap())
    }

    fn reported(input: u64, cached_input: u64, output: u64, reasoning: u64) -> UsageReport {
        UsageReport::Reported(TokenUsage {
            input,
            cached_input,
            output,
            reasoning,
            ..TokenUsage::default()
        })
    }

    #[test]
    fn counts_and_their_details_are_read() {
        let usage = r#"{"prompt_tokens":10,"completion_tokens":7,"total_tokens":17,
            "prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},
            "completion_tokens_details":{"reasoning_tokens":5}}"#;
        assert_eq!(read(usage), reported(10, 4, 7, 5));
    }

    #[test]
    fn an_explicit_zero_is_a_count_and_nothing_is_not() {
        assert_eq!(
            read(r#"{"prompt_tokens":0,"completion_tokens":0}"#),
            reported(0, 0, 0, 0)
        );
        for missing in [
            "null",
            "{}",
            r#"{"prompt_tokens":null,"completion_tokens":3}"#,
            r#"{"prompt_tokens":3}"#,
        ] {
            assert_eq!(read(missing), UsageReport::Missing, "{missing}");
        }
    }

    #[test]
    fn what_cannot_be_a_count_is_absurd() {
        for value in [
            "-1",
            "1.5",
            "1e13",
            "1000000000001",
            "\"many\"",
            "\"-3\"",
            "\"\"",
            "true",
            "[1]",
            "{}",
            "1e400",
        ] {
            let usage = format!(r#"{{"prompt_tokens":{value},"completion_tokens":3}}"#);
            assert_eq!(read(&usage), UsageReport::Absurd, "{value}");
        }
        for usage in ["[]", "5", "\"x\"", r#"{"prompt_tokens":9,"total_tokens":3}"#] {
            assert_eq!(read(usage), UsageReport::Absurd, "{usage}");
        }
    }

    #[test]
    fn whole_numbers_count_however_they_are_spelled() {
        let usage = r#"{"prompt_tokens":"12","completion_tokens":3.0,"total_tokens":1e3}"#;
        assert_eq!(read(usage), reported(12, 0, 3, 0));
        assert_eq!(
            read(r#"{"prompt_tokens":2,"total_tokens":1e3}"#),
            reported(2, 0, 998, 0)
        );
    }

    #[test]
    fn details_never_make_more_of_the_totals() {
        let usage = r#"{"prompt_tokens":3,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":9},
            "completion_tokens_details":null}"#;
        assert_eq!(read(usage), reported(3, 3, 2, 0));
    }
}
