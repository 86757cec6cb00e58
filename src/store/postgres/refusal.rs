//! Why there is no connection, and what to do next.

use std::error::Error as _;
use std::io;

use tokio_postgres::error::SqlState;

/// Why there is no connection. The reason is in the driver's words, which never hold the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Trying again may help.
    Away {
        /// What to do if it does not.
        advice: &'static str,
        reason: String,
    },
    /// Trying again does not help.
    Final {
        /// What to do.
        advice: &'static str,
        reason: String,
    },
}

const CHECK_THE_SERVER: &str = "check that it runs, and that DATABASE_URL has its host and port";
const CHECK_WHAT_LISTENS: &str =
    "check that it runs well, and that it is PostgreSQL that listens at this host and port";
const NO_TLS: &str = "the server offers no TLS, which sslmode in DATABASE_URL asks for: turn it on at the server (ssl = on), \
                      or, where the network is trusted, set sslmode=disable";
const NO_PASSWORD: &str = "the server asks for a password: put it into DATABASE_URL (or POSTGRES_PASSWORD)";

impl Refusal {
    /// A server that may answer the next time.
    pub(super) fn away(reason: impl Into<String>) -> Self {
        Self::Away {
            advice: CHECK_THE_SERVER,
            reason: reason.into(),
        }
    }

    /// Nothing came back for a while.
    pub(super) fn silent() -> Self {
        Self::Away {
            advice: "check that it runs, that DATABASE_URL has its host and port, and that no firewall is in between",
            reason: "no answer in time".to_owned(),
        }
    }

    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Away { reason, .. } | Self::Final { reason, .. } => reason,
        }
    }

    /// What to do next.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::Away { advice, .. } | Self::Final { advice, .. } => advice,
        }
    }
}

impl From<tokio_postgres::Error> for Refusal {
    fn from(error: tokio_postgres::Error) -> Self {
        let cause = error.source();
        let reason = cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
        // What the server said has a code, and what the network did has a cause of its own. The rest is the driver's own
        // finding, of which only its words tell what it is.
        if let Some(code) = error.code() {
            return of_code(code, reason);
        }
        match cause {
            Some(cause) => match cause.downcast_ref::<io::Error>() {
                Some(cause) => of_network(cause, reason),
                None => Self::Final {
                    advice: of_driver(&cause.to_string()),
                    reason,
                },
            },
            // The connection was closed.
            None => Self::Away {
                advice: CHECK_WHAT_LISTENS,
                reason,
            },
        }
    }
}

/// What the server answered.
fn of_code(code: &SqlState, reason: String) -> Refusal {
    let advice = match *code {
        SqlState::INVALID_PASSWORD => "check user and password in DATABASE_URL",
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            "check the user in DATABASE_URL, and that the server's pg_hba.conf lets it in from this machine, with or \
             without TLS as sslmode says"
        }
        SqlState::INVALID_CATALOG_NAME => {
            "there is no such database: create it (CREATE DATABASE), or correct its name in DATABASE_URL"
        }
        SqlState::INSUFFICIENT_PRIVILEGE => {
            "let its user in (GRANT CONNECT ON DATABASE), or use another in DATABASE_URL"
        }
        SqlState::CANNOT_CONNECT_NOW => {
            return Refusal::Away {
                advice: "it is starting or stopping: start again when it takes connections",
                reason,
            };
        }
        SqlState::TOO_MANY_CONNECTIONS => {
            return Refusal::Away {
                advice: "all its connections are taken: raise its max_connections, or lower store.max_connections of the \
                         gateways that use it",
                reason,
            };
        }
        _ => return Refusal::away(reason),
    };
    Refusal::Final { advice, reason }
}

/// What happened on the way, which trying again may mend; a certificate that is not trusted stays so.
fn of_network(cause: &io::Error, reason: String) -> Refusal {
    if cause.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
        return Refusal::Final {
            advice: "check the server's certificate, and sslmode and sslrootcert in DATABASE_URL",
            reason,
        };
    }
    // The standard library has no kind for it.
    if cause.to_string().starts_with("failed to lookup address") {
        return Refusal::Away {
            advice: "the host's name is not known: check it in DATABASE_URL",
            reason,
        };
    }
    match cause.kind() {
        io::ErrorKind::TimedOut => Refusal::silent(),
        // It answered, but not as PostgreSQL does, or it closed the connection.
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::InvalidData
        | io::ErrorKind::Other => Refusal::Away {
            advice: CHECK_WHAT_LISTENS,
            reason,
        },
        _ => Refusal::away(reason),
    }
}

/// What the driver found impossible, in its words.
fn of_driver(words: &str) -> &'static str {
    match words {
        "server does not support TLS" => NO_TLS,
        "password missing" => NO_PASSWORD,
        _ => {
            "check user and password in DATABASE_URL, and that the server asks for the password by scram-sha-256 or md5"
        }
    }
}
