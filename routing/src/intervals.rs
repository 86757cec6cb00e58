//! Intervals of 95 % around rates, means, and differences of both.

/// The share of a normal distribution's mass between -z and z is 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// An estimate, and where the true value lies with 95 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The estimate.
    pub value: f64,
    /// Where it begins.
    pub low: f64,
    /// Where it ends.
    pub high: f64,
}

impl Interval {
    /// Whether a value is outside, so that the data speak against it.
    #[must_use]
    pub fn excludes(&self, value: f64) -> bool {
        value < self.low || value > self.high
    }
}

/// The rate of successes, with Wilson's score interval (E. B. Wilson, 1927, "Probable inference, the law of succession,
/// and statistical inference"; without continuity correction). `None` without trials. More successes than trials count
/// as all.
#[must_use]
pub fn wilson(successes: u64, trials: u64) -> Option<Interval> {
    if trials == 0 {
        return None;
    }
    let successes = successes.min(trials);
    let (n, z2) = (trials as f64, Z * Z);
    let rate = successes as f64 / n;
    let center = rate + z2 / (2.0 * n);
    let half = Z * (rate * (1.0 - rate) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    Some(Interval {
        value: rate,
        // Exactly 0 and 1 at the ends, where rounding would leave a trace.
        low: if successes == 0 { 0.0 } else { (center - half) / scale },
        high: if successes == trials {
            1.0
        } else {
            (center + half) / scale
        },
    })
}

/// The difference of two rates (a less b), each given as successes and trials, with Newcombe's hybrid score interval
/// (R. G. Newcombe, 1998, "Interval estimation for the difference between independent proportions", method 10). `None`
/// where one has no trials.
#[must_use]
pub fn newcombe(a: (u64, u64), b: (u64, u64)) -> Option<Interval> {
    let (a, b) = (wilson(a.0, a.1)?, wilson(b.0, b.1)?);
    let value = a.value - b.value;
    Some(Interval {
        value,
        low: value - (a.value - a.low).hypot(b.high - b.value),
        high: value + (a.high - a.value).hypot(b.value - b.low),
    })
}

/// Mean and variance of the mean, by Welford's sums (B. P. Welford, 1962, "Note on a method for calculating corrected
/// sums of squares and products").
fn moments(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for value in values {
        count += 1.0;
        let off = value - mean;
        mean += off / count;
        squares += off * (value - mean);
    }
    (count > 1.0).then(|| (mean, squares / (count - 1.0) / count))
}

/// The mean of values, with the interval of the normal approximation (mean and standard error: central limit theorem).
/// `None` of fewer than two values. Of a few dozen values or of very uneven ones it is too narrow.
#[must_use]
pub fn mean_interval(values: impl IntoIterator<Item = f64>) -> Option<Interval> {
    let (value, variance) = moments(values)?;
    Some(around(value, variance))
}

/// The difference of two means (a less b), with the interval of the normal approximation for samples of different
/// variance (B. L. Welch, 1947: the variances of the means add up). `None` where one has fewer than two values.
#[must_use]
pub fn mean_difference(a: impl IntoIterator<Item = f64>, b: impl IntoIterator<Item = f64>) -> Option<Interval> {
    let (a, b) = (moments(a)?, moments(b)?);
    Some(around(a.0 - b.0, a.1 + b.1))
}

fn around(value: f64, variance: f64) -> Interval {
    let half = Z * variance.sqrt();
    Interval {
        value,
        low: value - half,
        high: value + half,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: Interval, low: f64, high: f64) {
        assert!((found.low - low).abs() < 6e-5, "{found:?}, {low}");
        assert!((found.high - high).abs() < 6e-5, "{found:?}, {high}");
    }

    #[test]
    fn rates_have_the_intervals_of_the_papers_examples() {
        // Newcombe's tables of one proportion, method 3.
        near(wilson(81, 263).unwrap(), 0.2553, 0.3662);
        near(wilson(15, 148).unwrap(), 0.0624, 0.1605);
        near(wilson(0, 20).unwrap(), 0.0, 0.1611);
        near(wilson(1, 29).unwrap(), 0.0061, 0.1718);
        near(wilson(20, 20).unwrap(), 1.0 - 0.1611, 1.0);
        assert_eq!(wilson(0, 0), None);
        assert_eq!(wilson(9, 3), wilson(3, 3));
    }

    #[test]
    fn differences_of_rates_have_the_intervals_of_the_papers_examples() {
        // Its table of differences, method 10.
        near(newcombe((56, 70), (48, 80)).unwrap(), 0.0524, 0.3339);
        near(newcombe((9, 10), (3, 10)).unwrap(), 0.1705, 0.8090);
        near(newcombe((6, 7), (2, 7)).unwrap(), 0.0582, 0.8062);
        near(newcombe((5, 56), (0, 29)).unwrap(), -0.0381, 0.1926);
        assert_eq!(newcombe((0, 0), (1, 2)), None);
        assert!(newcombe((56, 70), (48, 80)).unwrap().excludes(0.0));
        assert!(!newcombe((5, 56), (0, 29)).unwrap().excludes(0.0));
    }

    #[test]
    fn a_mean_lies_between_its_bounds() {
        let mean = mean_interval([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        // Mean 5, sum of squares 32, n 8.
        let half = Z * (32.0 / 7.0 / 8.0_f64).sqrt();
        assert_eq!(mean.value, 5.0);
        near(mean, 5.0 - half, 5.0 + half);
        assert_eq!(mean_interval([3.0]), None);
        assert_eq!(mean_interval([3.0, 3.0]).unwrap().low, 3.0);
    }

    #[test]
    fn a_difference_of_means_is_wider_than_each_mean() {
        let (a, b) = ([1.0, 2.0, 3.0], [4.0, 5.0, 9.0]);
        let difference = mean_difference(a, b).unwrap();
        assert_eq!(difference.value, -4.0);
        let half = |values| mean_interval(values).unwrap().high - mean_interval(values).unwrap().value;
        assert!((difference.high - difference.value - half(a).hypot(half(b))).abs() < 1e-12);
        assert_eq!(mean_difference(a, [1.0]), None);
    }
}
