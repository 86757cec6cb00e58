//! What a command can fail with, in words for whoever typed it.

use std::fmt;
use std::io;
use std::time::Duration;

use serde::Deserialize;

use super::gateway::Endpoint;

/// The gateway answered with an error, or broke off.
const FAILED: u8 = 1;
/// The command line or the input is wrong (the code clap ends with too).
const USAGE: u8 = 2;
/// `EX_UNAVAILABLE` of sysexits.h.
const UNAVAILABLE: u8 = 69;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// Nothing was sent: the command cannot be done like this.
    #[error("{0}")]
    Usage(String),
    /// No connection could be made.
    #[error(
        "cannot reach a gateway at {endpoint}: {cause}\n  \
         start one:    ai-mcp-gateway serve    (with --simulator it needs no key)\n  \
         or name one:  --endpoint URL, or MCP_ENDPOINT"
    )]
    Unreachable { endpoint: Endpoint, cause: String },
    /// There is something, but TLS it does not speak.
    #[error("what listens at {endpoint} speaks no TLS: use {}  (--endpoint URL, or MCP_ENDPOINT)", endpoint.without_tls())]
    NoTls { endpoint: Endpoint },
    /// The gateway answered with an error.
    #[error("{0}")]
    Refused(Refusal),
    /// The gateway takes no requests now.
    #[error("the gateway at {endpoint} is not ready: {reasons}")]
    NotReady { endpoint: Endpoint, reasons: String },
    /// There was a connection, but no answer of a gateway.
    #[error("no answer from the gateway at {endpoint}: {cause}")]
    NoAnswer { endpoint: Endpoint, cause: String },
    /// The answer is there and cannot be written down.
    #[error("cannot write the answer: {0}")]
    Output(#[source] io::Error),
    /// The program could not begin.
    #[error("cannot start: {0}")]
    Runtime(#[source] io::Error),
}

impl CliError {
    /// The code that the process ends with.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => USAGE,
            Self::Unreachable { .. } | Self::NoTls { .. } => UNAVAILABLE,
            Self::Refused(_) | Self::NotReady { .. } | Self::NoAnswer { .. } | Self::Output(_) | Self::Runtime(_) => {
                FAILED
            }
        }
    }
}

/// An error body of the gateway's native endpoints, and the status that it came with.
#[derive(Debug)]
pub(super) struct Refusal {
    status: u16,
    body: RefusalBody,
}

#[derive(Debug, Deserialize)]
struct Envelope {
    error: RefusalBody,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RefusalBody {
    r#type: String,
    message: String,
    param: Option<String>,
    request_id: Option<String>,
    retry_after_ms: Option<u64>,
}

impl Refusal {
    /// Reads an error body; nothing when it is none of the gateway's.
    pub(super) fn parse(status: u16, body: &[u8]) -> Option<Self> {
        let Envelope { error } = serde_json::from_slice(body).ok()?;
        Some(Self { status, body: error })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RefusalBody {
            r#type,
            message,
            param,
            request_id,
            retry_after_ms,
        } = &self.body;
        write!(f, "the gateway says: {message}\n  error:    {type} ({})", self.status)?;
        if let Some(param) = param {
            write!(f, "\n  field:    {param}")?;
        }
        if let Some(request) = request_id {
            write!(f, "\n  request:  {request}")?;
        }
        if let Some(millis) = retry_after_ms {
            write!(f, "\n  retry in: {:?}", Duration::from_millis(*millis))?;
        }
        if self.status == 401 {
            write!(
                f,
                "\n  set GATEWAY_API_KEY or GATEWAY_ADMIN_KEY to a key of this gateway"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_tells_everything_that_the_gateway_told() {
        let body = br#"{"error":{"type":"overloaded","message":"too busy","param":"layer","requestId":"r-1",
            "retryAfterMs":1500}}"#;
        let text = Refusal::parse(503, body).unwrap().to_string();
        for part in [
            "too busy",
            "overloaded (503)",
            "field:    layer",
            "request:  r-1",
            "retry in: 1.5s",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("GATEWAY_API_KEY"), "{text}");
    }

    #[test]
    fn a_refusal_for_want_of_a_key_says_where_a_key_goes() {
        let body = br#"{"error":{"type":"unauthenticated","message":"no key"}}"#;
        let text = Refusal::parse(401, body).unwrap().to_string();
        assert!(text.contains("GATEWAY_API_KEY"), "{text}");
    }

    #[test]
    fn what_is_no_error_of_a_gateway_is_not_taken_for_one() {
        for body in [&b"<html>"[..], b"", b"{}", br#"{"error":"no"}"#, br#"{"error":{}}"#] {
            assert!(Refusal::parse(404, body).is_none());
        }
    }
}
