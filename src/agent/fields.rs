//! Fields of a task's request that every other endpoint has no word for: lists of texts, and texts of one line.

use gateway_actors::protocol::GatewayError;

use crate::fields::Fields;

/// Looks at fields one by one.
#[derive(Debug)]
pub(crate) struct Given<'a>(Fields<'a>);

impl<'a> Given<'a> {
    /// Over these fields.
    pub(crate) fn new(fields: Fields<'a>) -> Self {
        Self(fields)
    }

    /// The fields themselves.
    pub(crate) fn fields(&self) -> &Fields<'a> {
        &self.0
    }

    /// An array of texts, at most `most`; empty where it is absent or null.
    pub(crate) fn texts(&self, name: &'static str, most: usize) -> Result<Vec<String>, GatewayError> {
        let Some(raw) = self.0.value(name) else {
            return Ok(Vec::new());
        };
        let wrong = || {
            let message = format!("`{name}` must be an array of at most {most} texts");
            GatewayError::invalid(name, message)
        };
        let texts = serde_json::from_str::<Vec<String>>(raw).map_err(|_other| wrong())?;
        if texts.len() > most {
            return Err(wrong());
        }
        if texts.iter().any(|text| text.contains('\0')) {
            let message = format!("`{name}` must not contain the character U+0000");
            return Err(GatewayError::invalid(name, message));
        }
        Ok(texts)
    }

    /// A text of one line, at most so long; nothing where it is absent, null or empty.
    pub(crate) fn line(&self, name: &'static str, longest: usize) -> Result<Option<String>, GatewayError> {
        let Some(text) = self.0.text(name)? else {
            return Ok(None);
        };
        check_line(name, &text, longest)?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }
}

/// Refuses a text that is too long for a line, or none.
pub(crate) fn check_line(name: &'static str, text: &str, longest: usize) -> Result<(), GatewayError> {
    if text.len() > longest || text.chars().any(char::is_control) {
        let message = format!("`{name}` must hold at most {longest} bytes and no control characters");
        return Err(GatewayError::invalid(name, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(body: &str) -> Given<'_> {
        Given::new(Fields::parse(body.as_bytes(), &["list", "line"]).unwrap())
    }

    #[test]
    fn what_is_absent_null_or_empty_is_not_there() {
        for body in ["{}", r#"{"list":null,"line":null}"#, r#"{"list":[],"line":""}"#] {
            let given = given(body);
            assert_eq!(given.texts("list", 2).unwrap(), Vec::<String>::new());
            assert_eq!(given.line("line", 2).unwrap(), None);
        }
    }
}
