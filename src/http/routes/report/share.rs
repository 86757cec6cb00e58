//! Parts of a whole as decimal numbers, without floats.

use serde_json::value::RawValue;

use crate::http::error::Failure;
use crate::http::respond::raw_number;

const MILLION: u128 = 1_000_000;

/// `part / whole` as a decimal number, cut to six digits; 0 of nothing.
pub(in crate::http::routes) fn share(part: u128, whole: u128) -> Result<Box<RawValue>, Failure> {
    raw_number(share_text(part, whole))
}

fn share_text(part: u128, whole: u128) -> String {
    let millionths = part.saturating_mul(MILLION).checked_div(whole).unwrap_or_default();
    let (ones, fraction) = (millionths / MILLION, millionths % MILLION);
    if fraction == 0 {
        return ones.to_string();
    }
    let digits = format!("{fraction:06}");
    format!("{ones}.{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_cut_to_six_digits() {
        for (part, whole, text) in [
            (0, 0, "0"),
            (0, 7, "0"),
            (7, 7, "1"),
            (1, 4, "0.25"),
            (2, 3, "0.666666"),
            (1, 3_000_000, "0"),
            (3, 2, "1.5"),
            (u64::MAX.into(), u64::MAX.into(), "1"),
        ] {
            assert_eq!(share_text(part, whole), text);
        }
    }
}
