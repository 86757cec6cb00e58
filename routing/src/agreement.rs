//! Who agrees with whom, and whose answer is the best so far.

/// What several answers say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// For each answer how many say the same, itself included; 0 for no answer.
    pub votes: Vec<usize>,
    /// The answer with most votes; among equals the one of the highest rank, then the first. `None` without answers.
    pub best: Option<usize>,
    /// How many say what the best says; 0 where nobody answered.
    pub most: usize,
    /// How many different answers there are.
    pub different: usize,
}

/// Counts votes over normal forms ([`answer_key`](crate::answer_key), [`code_key`](crate::code_key)); an empty form is no
/// answer. `ranks` are those of the models, the higher the better, in the same order; a missing one is the lowest.
#[must_use]
pub fn agree<R: Ord + Copy>(keys: &[&str], ranks: &[R]) -> Agreement {
    let votes: Vec<usize> = keys
        .iter()
        .map(|key| match *key {
            "" => 0,
            key => keys.iter().filter(|other| **other == key).count(),
        })
        .collect();
    let mut best: Option<(usize, (usize, Option<R>))> = None;
    for (answer, votes) in votes.iter().enumerate() {
        let rank = (*votes, ranks.get(answer).copied());
        if best.is_none_or(|(_, highest)| rank > highest) {
            best = Some((answer, rank));
        }
    }
    let firsts = keys
        .iter()
        .enumerate()
        .filter(|(at, key)| !key.is_empty() && !keys.iter().take(*at).any(|earlier| earlier == *key));
    Agreement {
        different: firsts.count(),
        most: best.map_or(0, |(_, (votes, _))| votes),
        best: best.map(|(answer, _)| answer),
        votes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_with_most_votes_is_the_best_whatever_its_rank() {
        let agreement = agree(&["=1", "=2", "=1", ""], &[0, 5, 1, 9]);
        assert_eq!(agreement.votes, [2, 1, 2, 0]);
        assert_eq!(agreement.best, Some(2));
        assert_eq!((agreement.most, agreement.different), (2, 2));
    }

    #[test]
    fn among_equals_the_rank_decides_then_the_place() {
        assert_eq!(agree(&["=1", "=2"], &[1, 2]).best, Some(1));
        assert_eq!(agree(&["=1", "=2"], &[2, 2]).best, Some(0));
        assert_eq!(agree(&["=1", "=2"], &[] as &[u8]).best, Some(0));
    }

    #[test]
    fn no_answer_agrees_with_no_answer() {
        let agreement = agree(&["", ""], &[1, 2]);
        assert_eq!((agreement.most, agreement.different), (0, 0));
        assert_eq!(agreement.best, Some(1));
        assert_eq!(agree(&[], &[] as &[u8]).best, None);
    }
}
