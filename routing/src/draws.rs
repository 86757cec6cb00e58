//! Draws that can be repeated, and places that stay: what experiments and the adaptive mode need of chance.

use crate::math::{WIDE_START, wide_step};

/// Random numbers of a seed: splitmix64 (G. L. Steele, D. Lea, C. H. Flood, 2014, "Fast splittable pseudorandom number
/// generators"). Not for secrets.
#[derive(Debug, Clone)]
pub struct Draws(u64);

impl Draws {
    /// The draws of a seed; the same seed always gives the same.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The draws of a text or an id.
    #[must_use]
    pub fn of(seed: &[u8]) -> Self {
        Self(seed.iter().copied().fold(WIDE_START, wide_step))
    }

    /// Any number of 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// From 0 on and below 1, in steps of 2^-53.
    pub fn unit(&mut self) -> f64 {
        // 53 bits are what a double holds.
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A place among so many; 0 where there is none. Of 2^32 places each is as likely as another but for one in 2^32.
    pub fn below(&mut self, places: usize) -> usize {
        let wide = u128::from(self.next_u64()) * places as u128;
        // Less than `places`.
        (wide >> 64) as usize
    }

    /// A standard normal value: Marsaglia's polar method (G. Marsaglia, T. A. Bray, 1964, "A convenient method for
    /// generating normal variables").
    fn normal(&mut self) -> f64 {
        loop {
            let (x, y) = (2.0 * self.unit() - 1.0, 2.0 * self.unit() - 1.0);
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                return x * (-2.0 * square.ln() / square).sqrt();
            }
        }
    }

    /// A gamma value of this shape (above 0) and scale 1, as its logarithm, since small shapes give values that no
    /// double holds: G. Marsaglia, W. W. Tsang, 2000, "A simple method for generating gamma variables"; shapes below 1
    /// by the power of a uniform value that they name.
    fn ln_gamma_value(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let above = self.ln_gamma_value(shape + 1.0);
            return above + (1.0 - self.unit()).ln() / shape;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            // `unit` may be 0, whose logarithm is not finite; its complement is not.
            if v > 0.0 && (1.0 - self.unit()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d.ln() + v.ln();
            }
        }
    }
}

/// The last step of splitmix64: every bit of the result depends on every bit of the number.
const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// A draw from the beta distribution with these parameters, between 0 and 1: the share of one gamma value in two (N. L.
/// Johnson, S. Kotz, N. Balakrishnan, 1995, "Continuous univariate distributions", volume 2, chapter 25). Parameters
/// that are no numbers, or outside 0.001 to 1e9, count as the nearest that is.
pub fn beta(draws: &mut Draws, a: f64, b: f64) -> f64 {
    let sane = |value: f64| {
        if value.is_nan() {
            LEAST_SHAPE
        } else {
            value.clamp(LEAST_SHAPE, 1e9)
        }
    };
    let (x, y) = (draws.ln_gamma_value(sane(a)), draws.ln_gamma_value(sane(b)));
    1.0 / (1.0 + (y - x).exp())
}

const LEAST_SHAPE: f64 = 0.001;

/// The place that a unit has in an experiment: always the same, on every replica, in proportion to the weights. FNV-1a
/// with 64 bits (G. Fowler, L. C. Noll, K.-P. Vo) over the experiment's id, a zero byte and the unit, mixed once more, as
/// its last bits alone depend on the last bits of each byte, so that two experiments would split their units alike.
/// Without weights above 0 it is the first.
#[must_use]
pub fn bucket(id: &str, unit: &str, weights: &[u32]) -> usize {
    let all: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    let bytes = id.bytes().chain([0]).chain(unit.bytes());
    let Some(mut left) = mix(bytes.fold(WIDE_START, wide_step)).checked_rem(all) else {
        return 0;
    };
    for (place, weight) in weights.iter().enumerate() {
        match left.checked_sub(u64::from(*weight)) {
            Some(rest) => left = rest,
            None => return place,
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_draws_are_those_of_splitmix64() {
        let mut draws = Draws::new(1_234_567);
        let first: Vec<u64> = (0..5).map(|_| draws.next_u64()).collect();
        assert_eq!(
            first,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821
            ]
        );
        assert_eq!(Draws::of(b"").0, WIDE_START);
        assert_eq!(Draws::of(b"foobar").0, 0x8594_4171_f739_67e8);
    }

    #[test]
    fn places_are_drawn_about_equally_often() {
        let mut draws = Draws::new(7);
        let mut counts = [0_u32; 5];
        for _ in 0..50_000 {
            counts[draws.below(5)] += 1;
        }
        assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
        assert_eq!(draws.below(0), 0);
        assert!((0..1000).all(|_| (0.0..1.0).contains(&draws.unit())));
    }

    /// Mean and variance of many draws.
    fn moments(a: f64, b: f64) -> (f64, f64) {
        let mut draws = Draws::new(20_260_101);
        let count = 40_000;
        let values: Vec<f64> = (0..count).map(|_| beta(&mut draws, a, b)).collect();
        assert!(values.iter().all(|value| (0.0..=1.0).contains(value)), "{a} {b}");
        let mean = values.iter().sum::<f64>() / f64::from(count);
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / f64::from(count);
        (mean, variance)
    }

    #[test]
    fn beta_draws_have_the_mean_and_the_variance_of_the_distribution() {
        for (a, b) in [
            (1.0, 1.0),
            (0.5, 0.5),
            (2.0, 5.0),
            (40.0, 10.0),
            (0.05, 0.2),
            (5_000.0, 1.0),
        ] {
            let (mean, variance) = moments(a, b);
            let expected = a / (a + b);
            let spread = a * b / ((a + b) * (a + b) * (a + b + 1.0));
            assert!(
                (mean - expected).abs() < 4.0 * (spread / 40_000.0).sqrt(),
                "{a} {b}: {mean}"
            );
            assert!((variance / spread - 1.0).abs() < 0.06, "{a} {b}: {variance} {spread}");
        }
    }

    #[test]
    fn beta_takes_any_parameters_and_a_seed_gives_the_same_again() {
        for (a, b) in [(0.0, 0.0), (-1.0, 3.0), (f64::NAN, f64::INFINITY), (1e300, 1e-300)] {
            let value = beta(&mut Draws::new(3), a, b);
            assert!((0.0..=1.0).contains(&value), "{a} {b}");
            assert_eq!(value, beta(&mut Draws::new(3), a, b));
        }
    }

    #[test]
    fn a_unit_keeps_its_place_and_places_fill_by_weight() {
        let place = |id: &str, unit: u32| bucket(id, &unit.to_string(), &[3, 0, 1]);
        let counts = (0..8_000).fold([0_u32; 3], |mut counts, unit| {
            assert_eq!(place("exp_1", unit), place("exp_1", unit));
            counts[place("exp_1", unit)] += 1;
            counts
        });
        assert_eq!(counts[1], 0);
        assert!((5_850..6_150).contains(&counts[0]), "{counts:?}");
        assert_eq!(bucket("exp_1", "x", &[]), 0);
        assert_eq!(bucket("exp_1", "x", &[0, 0]), 0);
        assert_ne!(
            (0..64)
                .map(|unit| bucket("ab", &unit.to_string(), &[1, 1]))
                .collect::<Vec<_>>(),
            (0..64)
                .map(|unit| bucket("a", &format!("b{unit}"), &[1, 1]))
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn two_experiments_split_the_same_units_independently() {
        let same = (0..4_000_u32)
            .map(|unit| unit.to_string())
            .filter(|unit| bucket("exp_1", unit, &[1, 1]) == bucket("exp_2", unit, &[1, 1]))
            .count();
        assert!((1_850..2_150).contains(&same), "{same}");
    }
}
