//! The few functions that the fitted tables are read with.

/// The logistic function; like the fit it stops at 30.
pub(crate) fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z.clamp(-30.0, 30.0)).exp())
}

/// Its inverse, at most 5 in size.
pub(crate) fn logit(p: f64) -> f64 {
    let p = p.clamp(1e-9, 1.0 - 1e-9);
    (p / (1.0 - p)).ln().clamp(-5.0, 5.0)
}

/// Sum of the products, pair by pair.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `ln(1 + count)`.
pub(crate) fn log1(count: usize) -> f64 {
    (count as f64).ln_1p()
}

/// 1 for true.
pub(crate) fn flag(yes: bool) -> f64 {
    if yes { 1.0 } else { 0.0 }
}

/// `(value - mean) / deviation`, at most `clip` in size.
pub(crate) fn standardise(value: f64, mean: f64, deviation: f64, clip: f64) -> f64 {
    ((value - mean) / deviation).clamp(-clip, clip)
}

/// The start of FNV-1a with 32 bits.
pub(crate) const FNV_START: u32 = 2_166_136_261;

/// One byte of FNV-1a with 32 bits.
pub(crate) const fn fnv_step(hash: u32, byte: u8) -> u32 {
    (hash ^ byte as u32).wrapping_mul(16_777_619)
}

/// The start of FNV-1a with 64 bits.
pub(crate) const WIDE_START: u64 = 0xcbf2_9ce4_8422_2325;

/// One byte of FNV-1a with 64 bits.
pub(crate) const fn wide_step(hash: u64, byte: u8) -> u64 {
    (hash ^ byte as u64).wrapping_mul(0x0100_0000_01b3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fnv1a(text: &str) -> u32 {
        text.bytes().fold(FNV_START, fnv_step)
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(fnv1a(""), 2_166_136_261);
        assert_eq!(fnv1a("a"), 3_826_002_220);
        assert_eq!(fnv1a("foobar"), 3_214_735_720);
    }

    #[test]
    fn the_logit_undoes_the_logistic_function_and_stops_at_five() {
        for p in [0.01, 0.3, 0.5, 0.9] {
            assert!((sigmoid(logit(p)) - p).abs() < 1e-12, "{p}");
        }
        assert_eq!(logit(0.0), -5.0);
        assert_eq!(logit(1.0), 5.0);
        assert!(sigmoid(f64::MAX).is_finite() && sigmoid(f64::MIN) > 0.0);
    }
}
