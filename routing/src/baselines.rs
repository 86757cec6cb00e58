//! Simple rules that others route by, to measure against.

use crate::layer::Layer;

fn has(small: &str, words: &[&str]) -> usize {
    words.iter().filter(|word| small.contains(**word)).count()
}

/// The first heuristic: one layer up for more than a hundred words, one for signs of code, one for a word such as
/// "explain" or "architecture".
#[must_use]
pub fn seed_layer(question: &str) -> Layer {
    let small = question.to_lowercase();
    let long = question.split_whitespace().nth(100).is_some();
    let code = question.contains("```") || question.contains("def ") || small.contains("function");
    let deep = has(&small, &["explain", "analyze", "architecture", "debug", "design"]) > 0;
    match u8::from(long) + u8::from(code) + u8::from(deep) {
        0 => Layer::L0,
        1 => Layer::L1,
        2 => Layer::L2,
        _ => Layer::L3,
    }
}

/// Weights of keywords: code .30, reasoning .25, technical terms .25, length .10, simple questions -.05, steps .03,
/// question marks .02. Between -0.05 and 0.95.
#[must_use]
pub fn keyword_score(question: &str) -> f64 {
    let small = question.to_lowercase();
    let hit = |words: &[&str]| (has(&small, words) as f64 / 3.0).min(1.0);
    let words = question.split_whitespace().count() as f64;
    let marks = question.matches('?').count() as f64;
    0.30 * hit(&["def ", "class ", "import ", "```", "function", "return ", "code"])
        + 0.25 * hit(&["prove", "step by step", "reason", "derive", "why", "explain", "analyze"])
        + 0.25
            * hit(&[
                "algorithm",
                "database",
                "architecture",
                "distributed",
                "optimiz",
                "complexity",
                "api",
                "matrix",
                "polynomial",
            ])
        + 0.10 * (words / 200.0).min(1.0)
        - 0.05 * hit(&["what is", "who is", "define", "hello", "thanks"])
        + 0.03 * hit(&["first", "then", "finally", "next"])
        + 0.02 * (marks / 3.0).min(1.0)
}

/// The layer of a keyword score, by the bounds .15, .35 and .60.
#[must_use]
pub fn keyword_layer(question: &str) -> Layer {
    match keyword_score(question) {
        score if score < 0.15 => Layer::L0,
        score if score < 0.35 => Layer::L1,
        score if score < 0.60 => Layer::L2,
        _ => Layer::L3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_heuristic_counts_length_code_and_deep_words() {
        assert_eq!(seed_layer("Hello"), Layer::L0);
        assert_eq!(seed_layer("Explain tides"), Layer::L1);
        assert_eq!(seed_layer("Debug this: ```x```"), Layer::L2);
        let long = format!("Explain this function: {}", "word ".repeat(100));
        assert_eq!(seed_layer(&long), Layer::L3);
        assert_eq!(seed_layer(&"word ".repeat(100)), Layer::L0);
        assert_eq!(seed_layer(&"word ".repeat(101)), Layer::L1);
    }

    #[test]
    fn keywords_add_their_weights() {
        assert_eq!(keyword_score(""), 0.0);
        let score = keyword_score("What is code?");
        let expected = 0.30 / 3.0 + 0.10 * 3.0 / 200.0 - 0.05 / 3.0 + 0.02 / 3.0;
        assert!((score - expected).abs() < 1e-12, "{score}");
        assert_eq!(keyword_layer("What is code?"), Layer::L0);
        assert_eq!(
            keyword_layer("Explain why the algorithm's complexity needs a distributed database"),
            Layer::L2
        );
    }
}
