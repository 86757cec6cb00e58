//! The value of a closed arithmetic expression: `+ - * / ^ !`, brackets, `\frac`, `\sqrt`, `\pi`, and a product without
//! a sign before a bracket, a root or pi.

use std::f64::consts::PI;

/// How deep brackets may be nested.
const DEEPEST: usize = 40;

/// The value; `None` where the text is no such expression, or divides by 0, or has no real value.
pub(crate) fn value(text: &str) -> Option<f64> {
    let mut reader = Reader {
        letters: text.chars().collect(),
        at: 0,
        depth: 0,
    };
    let value = reader.sum()?;
    reader.peek().is_none().then_some(value)
}

struct Reader {
    letters: Vec<char>,
    at: usize,
    depth: usize,
}

impl Reader {
    /// The next letter that is no blank.
    fn peek(&mut self) -> Option<char> {
        while self.letters.get(self.at) == Some(&' ') {
            self.at += 1;
        }
        self.letters.get(self.at).copied()
    }

    fn take(&mut self, letter: char) -> bool {
        let found = self.peek() == Some(letter);
        self.at += usize::from(found);
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let rest = self.letters.get(self.at..).unwrap_or_default();
        let found = rest.len() >= word.len() && word.chars().zip(rest).all(|(a, b)| a == *b);
        if found {
            self.at += word.len();
        }
        found
    }

    fn sum(&mut self) -> Option<f64> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let mut value = self.product()?;
        loop {
            if self.take('+') {
                value += self.product()?;
            } else if self.take('-') {
                value -= self.product()?;
            } else {
                break;
            }
        }
        self.depth -= 1;
        Some(value)
    }

    fn product(&mut self) -> Option<f64> {
        let mut value = self.signed()?;
        loop {
            if self.take('*') {
                value *= self.signed()?;
            } else if self.take('/') {
                value = divide(value, self.signed()?)?;
            } else if matches!(self.peek(), Some('(' | '\\' | '√' | 'π')) {
                value *= self.power()?;
            } else {
                return Some(value);
            }
        }
    }

    fn signed(&mut self) -> Option<f64> {
        let mut sign = 1.0;
        loop {
            if self.take('-') {
                sign = -sign;
            } else if !self.take('+') {
                return Some(sign * self.power()?);
            }
        }
    }

    fn power(&mut self) -> Option<f64> {
        let mut value = self.atom()?;
        while self.take('!') {
            value = factorial(value)?;
        }
        if self.take('^') {
            let exponent = if self.peek() == Some('{') {
                self.group()?
            } else {
                self.signed()?
            };
            value = raise(value, exponent)?;
        }
        Some(value)
    }

    /// `{…}` or a single digit.
    fn group(&mut self) -> Option<f64> {
        if self.take('{') {
            let value = self.sum()?;
            return self.take('}').then_some(value);
        }
        let digit = self.peek()?.to_digit(10)?;
        self.at += 1;
        Some(f64::from(digit))
    }

    fn atom(&mut self) -> Option<f64> {
        for (open, close) in [('(', ')'), ('{', '}')] {
            if self.take(open) {
                let value = self.sum()?;
                return self.take(close).then_some(value);
            }
        }
        if self.take('√') {
            return root(self.atom()?);
        }
        if self.take('π') {
            return Some(PI);
        }
        if self.peek() == Some('\\') {
            if ["\\frac", "\\dfrac", "\\tfrac"].iter().any(|word| self.take_word(word)) {
                let above = self.group()?;
                return divide(above, self.group()?);
            }
            if self.take_word("\\sqrt") {
                return root(self.group()?);
            }
            return self.take_word("\\pi").then_some(PI);
        }
        let rest = self.letters.get(self.at..).unwrap_or_default();
        let number: String = rest
            .iter()
            .take_while(|letter| letter.is_ascii_digit() || **letter == '.')
            .collect();
        self.at += number.len();
        number.parse().ok()
    }
}

fn divide(above: f64, below: f64) -> Option<f64> {
    (below != 0.0).then(|| above / below)
}

fn root(value: f64) -> Option<f64> {
    if value < 0.0 { None } else { Some(value.sqrt()) }
}

fn factorial(value: f64) -> Option<f64> {
    let good = (0.0..=25.0).contains(&value) && value.fract() == 0.0;
    good.then(|| {
        (1..=25)
            .take_while(|factor| f64::from(*factor) <= value)
            .map(f64::from)
            .product()
    })
}

fn raise(base: f64, exponent: f64) -> Option<f64> {
    let unreal = base < 0.0 && exponent.fract() != 0.0;
    let endless = base == 0.0 && exponent < 0.0;
    if exponent.abs() > 400.0 || unreal || endless {
        return None;
    }
    let value = base.powf(exponent);
    (value.is_finite() || !base.is_finite()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_have_the_values_that_mathematics_gives_them() {
        for (text, expected) in [
            ("1 + 2*3 - 4/8", 6.5),
            ("-2^2", -4.0),
            ("2^{3+1}", 16.0),
            ("2^-1", 0.5),
            ("5!", 120.0),
            ("\\frac{3}{4}", 0.75),
            ("\\frac34", 0.75),
            ("2\\sqrt{16}", 8.0),
            ("2(3)(4)", 24.0),
            ("√9", 3.0),
            ("3π", 3.0 * PI),
            ("\\dfrac{\\pi}{2}", PI / 2.0),
            ("(1+{2})", 3.0),
            (".5", 0.5),
            ("2^3^2", 512.0),
        ] {
            let value = value(text).unwrap_or_else(|| panic!("{text}"));
            assert!((value - expected).abs() < 1e-9, "{text}: {value}");
        }
    }

    #[test]
    fn what_has_no_value_is_none() {
        for text in [
            "",
            "1/0",
            "\\frac{1}{0}",
            "\\sqrt{-1}",
            "(-8)^{.5}",
            "0^-1",
            "2^401",
            "26!",
            "1.5!",
            "1.2.3",
            "(1",
            "1)",
            "x",
            "1 +",
            "\\alpha",
            "2^",
            "10^{400}!",
            "9^{9^{9}}",
        ] {
            assert_eq!(value(text), None, "{text}");
        }
    }

    #[test]
    fn brackets_end_at_their_limit() {
        let nested = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
        assert_eq!(value(&nested(39)), Some(1.0));
        assert_eq!(value(&nested(40)), None);
        assert_eq!(value(&"√".repeat(200)), None);
    }
}
