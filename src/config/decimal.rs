//! Decimal text to integers, exactly: money never passes through a float.

/// Reads a decimal number such as `0.15`, `37.5` or `1e-6` and returns it times `10^scale`.
///
/// # Errors
/// Says, as the end of a sentence that begins with "must", why the text is no such number: not a decimal number,
/// negative, with more digits than `scale` holds, or too large.
pub(crate) fn scaled(text: &str, scale: i32) -> Result<u64, String> {
    let not_a_number = || "be a decimal number such as 0.15".to_owned();
    if text.starts_with('-') {
        return Err("not be negative".to_owned());
    }
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().ok()),
        None => (unsigned, Some(0)),
    };
    let exponent = exponent.ok_or_else(not_a_number)?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || digits.len() > 64 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(not_a_number());
    }
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    let dropped_zeros = length(&digits) - length(significant);
    let power = scale + i32::from(exponent) - length(fraction) + dropped_zeros;
    let Ok(power) = u32::try_from(power) else {
        return Err(format!("have at most {scale} digits after the point"));
    };
    let value = significant.parse::<u64>().ok();
    let factor = 10_u64.checked_pow(power);
    let product = value.zip(factor).and_then(|(value, factor)| value.checked_mul(factor));
    product.ok_or_else(|| "be a smaller number".to_owned())
}

/// Digits in a text of at most 64.
fn length(digits: &str) -> i32 {
    i32::try_from(digits.len()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_become_pico_usd_per_token_exactly() {
        for (text, pico) in [
            ("0", 0),
            ("0.0", 0),
            ("0e9", 0),
            ("0.15", 150_000),
            ("0.60", 600_000),
            ("0.075", 75_000),
            ("37.5", 37_500_000),
            ("2.50", 2_500_000),
            ("+3", 3_000_000),
            (".5", 500_000),
            ("1e-6", 1),
            ("1.5e-5", 15),
            ("1E2", 100_000_000),
            ("0.000001", 1),
            ("0.0000010", 1),
            ("18446744073709.551615", u64::MAX),
            // The nearest doubles of these are a little off; the text is not.
            ("0.1", 100_000),
            ("1.1", 1_100_000),
            ("4.35", 4_350_000),
        ] {
            assert_eq!(scaled(text, 6), Ok(pico), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_held_exactly_is_refused() {
        for (text, why) in [
            ("1e-7", "at most 6 digits"),
            ("0.0000001", "at most 6 digits"),
            ("0.1234567", "at most 6 digits"),
            ("-0.1", "not be negative"),
            ("-0", "not be negative"),
            ("18446744073709.551616", "smaller"),
            ("1e300", "smaller"),
            ("1e99999", "a decimal number"),
            ("", "a decimal number"),
            (".", "a decimal number"),
            ("e5", "a decimal number"),
            ("1.2.3", "a decimal number"),
            ("nan", "a decimal number"),
            ("inf", "a decimal number"),
            ("0x10", "a decimal number"),
            ("$3", "a decimal number"),
            (" 1", "a decimal number"),
        ] {
            let message = scaled(text, 6).unwrap_err();
            assert!(message.contains(why), "{text}: {message}");
        }
    }
}
