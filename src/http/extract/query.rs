//! The query of the gateway's own endpoints: known names only, each once, values in their range.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use gateway_actors::protocol::GatewayError;

use crate::http::middleware::check_text;

/// A query's names and values.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Query<'a> {
    /// Reads a query.
    ///
    /// # Errors
    /// `invalid_request` when a name is not among those accepted or is given twice, or the query is no text.
    pub(crate) fn parse(text: &'a str, accepted: &[&str]) -> Result<Self, GatewayError> {
        check_text(text, "query")?;
        let mut pairs: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            if !accepted.contains(&&*name) {
                return Err(crate::fields::unknown(&name, accepted));
            }
            if pairs.iter().any(|(seen, _)| *seen == name) {
                return Err(crate::fields::given_twice(&name));
            }
            pairs.push((name, value));
        }
        Ok(Self { pairs })
    }

    /// Reads those parameters of a query that are among these, and passes over all others: for endpoints of dialects, whose
    /// clients may send more than is known here.
    ///
    /// # Errors
    /// `invalid_request` when one of them is given twice.
    pub(crate) fn some(text: &'a str, wanted: &[&str]) -> Result<Self, GatewayError> {
        let mut query = Self { pairs: Vec::new() };
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            if query.text(&name).is_some() {
                return Err(crate::fields::given_twice(&name));
            }
            if wanted.contains(&&*name) {
                query.pairs.push((name, value));
            }
        }
        Ok(query)
    }

    /// A parameter as it is.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| &**value)
    }

    /// A whole number within its range.
    pub(crate) fn number(&self, name: &'static str, range: RangeInclusive<i64>) -> Result<Option<i64>, GatewayError> {
        let Some((_, value)) = self.pairs.iter().find(|(given, _)| given == name) else {
            return Ok(None);
        };
        match value.parse::<i64>() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => Err(crate::fields::not_in_range(name, &range)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialects_query_may_hold_more_than_is_wanted() {
        let query = Query::some("beta=true&after_id=a%2Fb&beta=x", &["after_id", "limit"]).unwrap();
        assert_eq!((query.text("after_id"), query.text("beta")), (Some("a/b"), None));
        assert!(Query::some("limit=1&limit=2", &["limit"]).is_err());
    }

    #[test]
    fn only_known_names_once_and_in_range() {
        let limit = |text| Query::parse(text, &["limit", "before"])?.number("limit", 1..=5_000);
        assert_eq!(limit("").unwrap(), None);
        assert_eq!(limit("limit=7&before=3").unwrap(), Some(7));
        for bad in [
            "limit=abc",
            "limit=-1",
            "limit=0",
            "limit=1000000000",
            "limit=1&limit=2",
            "limit=",
            "limit",
        ] {
            assert_eq!(limit(bad).unwrap_err().param.as_deref(), Some("limit"), "{bad}");
        }
        assert_eq!(limit("after=1").unwrap_err().param.as_deref(), Some("after"));
        for bad in ["limit=%ff", "limit=%zz", "limit=1%"] {
            assert_eq!(limit(bad).unwrap_err().param.as_deref(), Some("query"), "{bad}");
        }
    }
}
