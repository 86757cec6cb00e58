//! What the columns of a verdict's table stand for.

use super::check::ModelError;
use crate::answer_signals;

/// Where a column applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// To every question.
    All,
    /// To questions with code.
    Code,
    /// To questions with formulas.
    Tex,
}

/// One column. Models are numbered as in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    /// The model gave the chosen answer.
    For(usize),
    /// The model gave no answer.
    Empty(usize),
    /// Both gave the same answer.
    Pair(usize, usize),
    /// The chosen answer has so many votes.
    Votes(usize, Scope),
    /// How many different answers there are.
    Answers,
    /// The prior of the model whose answer is chosen, as a logit.
    Prior,
    /// The prior of the strongest.
    TopPrior,
    /// The question's ease.
    Ease,
    /// A signal of the chosen text.
    Chosen(usize, Scope),
    /// A signal of this model's text.
    Of(usize, usize),
    /// 1.
    One,
}

impl Column {
    /// Reads a column's name; `members` are the models whose answers the table is about.
    pub(super) fn parse(name: &str, members: &[usize]) -> Result<Self, ModelError> {
        Self::read(name, members).ok_or(ModelError::Name { field: "verdict" })
    }

    fn read(name: &str, members: &[usize]) -> Option<Self> {
        let model = |text: &str| text.parse().ok().filter(|model| members.contains(model));
        let signal = |text: &str| answer_signals::NAMES.iter().position(|name| *name == text);
        if let Some(rest) = name.strip_prefix("for:") {
            return model(rest).map(Self::For);
        }
        if let Some(rest) = name.strip_prefix("empty:") {
            return model(rest).map(Self::Empty);
        }
        if let Some(rest) = name.strip_prefix("pair:") {
            let (a, b) = rest.split_once(',')?;
            return Some(Self::Pair(model(a)?, model(b)?));
        }
        if let Some(rest) = name.strip_prefix("votes:") {
            let (votes, scope) = match rest.split_once('*') {
                None => (rest, Scope::All),
                Some((votes, "code")) => (votes, Scope::Code),
                Some((votes, "tex")) => (votes, Scope::Tex),
                Some(_) => return None,
            };
            let votes = votes.parse().ok().filter(|votes| (1..=members.len()).contains(votes))?;
            return Some(Self::Votes(votes, scope));
        }
        if let Some((place, of)) = name.split_once('.') {
            let of = signal(of)?;
            return match place {
                "text" => Some(Self::Chosen(of, Scope::All)),
                "code*text" => Some(Self::Chosen(of, Scope::Code)),
                "tex*text" => Some(Self::Chosen(of, Scope::Tex)),
                _ => model(place.strip_prefix("text")?).map(|model| Self::Of(model, of)),
            };
        }
        match name {
            "answers" => Some(Self::Answers),
            "prior" => Some(Self::Prior),
            "prior:top" => Some(Self::TopPrior),
            "difficulty" => Some(Self::Ease),
            "1" => Some(Self::One),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_the_fit_are_read() {
        let read = |name| Column::parse(name, &[0, 1, 2, 4]).unwrap();
        assert_eq!(read("for:4"), Column::For(4));
        assert_eq!(read("pair:0,2"), Column::Pair(0, 2));
        assert_eq!(read("votes:3*tex"), Column::Votes(3, Scope::Tex));
        assert_eq!(read("code*text.none"), Column::Chosen(1, Scope::Code));
        assert_eq!(read("text4.several"), Column::Of(4, 17));
        assert_eq!(read("prior:top"), Column::TopPrior);
    }

    #[test]
    fn names_that_mean_nothing_are_refused() {
        for name in [
            "for:3",
            "for:",
            "pair:0",
            "votes:0",
            "votes:5",
            "votes:1*x",
            "text.x",
            "text9.none",
            "two",
            "",
        ] {
            let error = Column::parse(name, &[0, 1, 2, 4]).unwrap_err();
            assert_eq!(error, ModelError::Name { field: "verdict" }, "{name}");
        }
    }
}
