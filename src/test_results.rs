//! How a client's tests of an earlier answer went, as requests and feedback tell it.

use std::sync::Arc;

use gateway_actors::protocol::{GatewayError, TestResults};

use crate::fields::{Fields, within};

/// Tests of one kind at most.
const MOST_TESTS: u32 = 1_000_000;
/// Bytes of what tests printed.
const OUTPUT_BYTES: usize = 16 * 1024;

/// Reads `{"passed", "failed", "output"}` from a request's field; nothing where it is absent or null.
///
/// # Errors
/// `invalid_request`, with the member at fault.
pub(crate) fn results(fields: &Fields<'_>, name: &'static str) -> Result<Option<TestResults>, GatewayError> {
    read(fields, name, &["passed", "failed", "output"])
}

/// The same where only the numbers are of interest: how many passed, and failed.
///
/// # Errors
/// `invalid_request`, with the member at fault.
pub(crate) fn counts(fields: &Fields<'_>, name: &'static str) -> Result<Option<(u32, u32)>, GatewayError> {
    let results = read(fields, name, &["passed", "failed"])?;
    Ok(results.map(|results| (results.passed, results.failed)))
}

fn read(
    fields: &Fields<'_>,
    name: &'static str,
    members: &'static [&'static str],
) -> Result<Option<TestResults>, GatewayError> {
    let Some(tests) = fields.object(name, members)? else {
        return Ok(None);
    };
    let read = || {
        let count = |name| Ok::<_, GatewayError>(tests.whole_number(name, 0..=MOST_TESTS)?.unwrap_or_default());
        let output = tests.text("output")?;
        if output.as_ref().is_some_and(|output| output.len() > OUTPUT_BYTES) {
            let message = format!("`output` must hold at most {OUTPUT_BYTES} bytes; send its end");
            return Err(GatewayError::invalid("output", message));
        }
        Ok(TestResults {
            passed: count("passed")?,
            failed: count("failed")?,
            output: output.map(Arc::from),
        })
    };
    read().map(Some).map_err(|error| within(name, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: &str) -> Fields<'_> {
        Fields::parse(body.as_bytes(), &["tests"]).unwrap()
    }

    #[test]
    fn results_are_read_and_what_is_wrong_with_them_is_named() {
        let body = r#"{"tests":{"passed":3,"failed":1,"output":"boom"}}"#;
        let read = results(&fields(body), "tests").unwrap().unwrap();
        assert_eq!((read.passed, read.failed, read.output.as_deref()), (3, 1, Some("boom")));
        let long = format!(r#"{{"tests":{{"output":"{}"}}}}"#, "x".repeat(OUTPUT_BYTES + 1));
        for (body, param) in [
            (r#"{"tests":5}"#, "tests"),
            (r#"{"tests":{"passed":-1}}"#, "tests.passed"),
            (r#"{"tests":{"failed":1000001}}"#, "tests.failed"),
            (r#"{"tests":{"skipped":1}}"#, "tests.skipped"),
            (long.as_str(), "tests.output"),
        ] {
            let error = results(&fields(body), "tests").unwrap_err();
            assert_eq!(error.param.as_deref(), Some(param), "{body:.60}");
        }
    }

    #[test]
    fn counts_alone_have_no_output() {
        let read = |body| counts(&fields(body), "tests");
        assert_eq!(read(r#"{"tests":{"passed":3}}"#).unwrap(), Some((3, 0)));
        assert_eq!(read(r#"{"tests":null}"#).unwrap(), None);
        let error = read(r#"{"tests":{"output":"boom"}}"#).unwrap_err();
        assert_eq!(error.param.as_deref(), Some("tests.output"));
    }
}
