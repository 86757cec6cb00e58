//! Money: integers only. Amounts are nano-USD, prices pico-USD per token ([`Price`](super::Price)).

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub, SubAssign};

use serde::{Deserialize, Serialize};

const NANO_PER_USD: u64 = 1_000_000_000;

/// An amount of money in nano-USD (10⁻⁹ USD). Arithmetic saturates: a sum that cannot be held is reported as the
/// largest amount rather than wrapping round to a small one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NanoUsd(pub i64);

impl NanoUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The amount as a decimal number of USD without trailing zeros, for example `0.002` or `0`.
    ///
    /// Printed from the integer, so that it is exact at every size.
    #[must_use]
    pub fn to_usd_string(self) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nano = self.0.unsigned_abs();
        let (whole, fraction) = (nano / NANO_PER_USD, nano % NANO_PER_USD);
        if fraction == 0 {
            return format!("{sign}{whole}");
        }
        let digits = format!("{fraction:09}");
        format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}", self.to_usd_string())
    }
}

impl Add for NanoUsd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for NanoUsd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for NanoUsd {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl SubAssign for NanoUsd {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Sum for NanoUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_print_exactly() {
        for (nano, text) in [
            (0, "0"),
            (1, "0.000000001"),
            (2_000_000, "0.002"),
            (1_500_000_000, "1.5"),
            (-250_000_000, "-0.25"),
            (i64::MAX, "9223372036.854775807"),
        ] {
            assert_eq!(NanoUsd(nano).to_usd_string(), text);
        }
    }
}
