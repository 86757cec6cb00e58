//! The address of a PostgreSQL server, read without ever repeating a part of it that may be secret.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::config::{Host, SslMode};

const DEFAULT_PORT: u16 = 5432;
const APPLICATION_NAME: &str = "ai-mcp-gateway";

/// How the connection to PostgreSQL is protected, in the words of `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// `disable`: no encryption.
    Disable,
    /// `prefer`, the default: encrypted if the server can; the certificate is not checked.
    Prefer,
    /// `require`: encrypted or not at all; the certificate is checked only against `sslrootcert`, if that is given.
    Require,
    /// `verify-ca`: encrypted, and the certificate comes from an authority that is trusted.
    VerifyCa,
    /// `verify-full`: the same, and the certificate is for the server's name.
    VerifyFull,
}

/// What an address must be.
const SHAPE: &str =
    "be postgres://USER:PASSWORD@HOST:PORT/DATABASE, with special characters of the parts written as %XX";

/// What may stand behind the `?` of an address: the gateway's own, then the driver's.
const PARAMETERS: [&str; 20] = [
    "sslmode",
    "sslrootcert",
    "application_name",
    "channel_binding",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "load_balance_hosts",
    "options",
    "password",
    "port",
    "sslnegotiation",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
];

impl TlsMode {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "disable" => Some(Self::Disable),
            "prefer" => Some(Self::Prefer),
            "require" => Some(Self::Require),
            "verify-ca" => Some(Self::VerifyCa),
            "verify-full" => Some(Self::VerifyFull),
            _ => None,
        }
    }
}

/// Where a PostgreSQL database is and how to log in. Its `Debug` text has no password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresAddress {
    /// What the driver is given.
    pub server: tokio_postgres::Config,
    /// How the connection is protected.
    pub tls: TlsMode,
    /// A PEM file with the authorities to trust (`sslrootcert`); otherwise those that browsers trust.
    pub root_certificates: Option<PathBuf>,
}

impl PostgresAddress {
    /// Reads `postgres://user:password@host:port/database?sslmode=…`, or the same with `postgresql://`.
    ///
    /// # Errors
    /// What the address must be; without any part of it.
    pub fn parse(url: &str) -> Result<Self, String> {
        if holds_stray_separator(url) {
            return Err(SHAPE.to_owned());
        }
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let mut tls = TlsMode::Prefer;
        let mut root_certificates = None;
        let mut others = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslmode", mode)) => {
                    tls = TlsMode::parse(mode)
                        .ok_or("have an sslmode of disable, prefer, require, verify-ca or verify-full")?;
                }
                Some(("sslrootcert", path)) => {
                    let path = percent_decoded(path).ok_or("have an sslrootcert that is a path")?;
                    root_certificates = (path != "system").then(|| PathBuf::from(path));
                }
                Some((name, _)) if !PARAMETERS.contains(&name) => return Err(unknown_parameter(place, query, name)),
                _ => others.push(pair),
            }
        }
        let rest = match others.is_empty() {
            true => place.to_owned(),
            false => format!("{place}?{}", others.join("&")),
        };
        let server: tokio_postgres::Config = rest.parse().map_err(|_repeats_it| what_is_wrong(place, &others))?;
        Self::new(server, tls, root_certificates)
    }

    /// Puts an address together from its parts, as compose files name them.
    pub(super) fn of_parts(parts: &super::PostgresSettings) -> Result<Self, String> {
        let mut server = tokio_postgres::Config::new();
        server.host(parts.host.as_deref().unwrap_or("localhost"));
        server.port(parts.port.unwrap_or(DEFAULT_PORT));
        server.user(parts.user.as_deref().unwrap_or("postgres"));
        if let Some(password) = &parts.password {
            server.password(SecretString::expose_secret(password));
        }
        if let Some(database) = &parts.database {
            server.dbname(database);
        }
        Self::new(server, TlsMode::Prefer, None)
    }

    fn new(
        mut server: tokio_postgres::Config,
        tls: TlsMode,
        root_certificates: Option<PathBuf>,
    ) -> Result<Self, String> {
        if server.get_hosts().is_empty() && server.get_hostaddrs().is_empty() {
            return Err("name a host".to_owned());
        }
        server.ssl_mode(match tls {
            TlsMode::Disable => SslMode::Disable,
            TlsMode::Prefer => SslMode::Prefer,
            TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => SslMode::Require,
        });
        if server.get_application_name().is_none() {
            server.application_name(APPLICATION_NAME);
        }
        Ok(Self {
            server,
            tls,
            root_certificates,
        })
    }

    /// Host, port and database, for people and file names: `db.example:5432/gateway`. Where the address says at which IP
    /// address the host is (`hostaddr`), that is told instead of the host's name.
    #[must_use]
    pub fn label(&self) -> String {
        let ports = self.server.get_ports();
        let addresses = self.server.get_hostaddrs().iter().map(ToString::to_string);
        let hosts = self.server.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(folder) => folder.display().to_string(),
        });
        let places: Vec<String> = match self.server.get_hostaddrs().is_empty() {
            true => hosts.collect(),
            false => addresses.collect(),
        };
        let places = places.iter().enumerate().map(|(place, host)| {
            let port = ports.get(place).or(ports.first()).copied().unwrap_or(DEFAULT_PORT);
            format!("{host}:{port}")
        });
        let database = self.server.get_dbname().or(self.server.get_user()).unwrap_or_default();
        format!("{}/{database}", places.collect::<Vec<_>>().join(","))
    }
}

/// Whether a character that divides the parts of an address stands within one: then a piece of the password would be taken
/// for the host or the database, and be shown as such.
fn holds_stray_separator(url: &str) -> bool {
    let parts = url.split_once("://").map_or(url, |(_scheme, parts)| parts);
    let login = parts.rsplit_once('@').map_or("", |(login, _place)| login);
    login.contains(['@', '/', '?', '#']) || parts.contains('#')
}

/// What an address with this parameter must be. The name is told only where it can be no piece of a password that was
/// not written as `%XX`.
fn unknown_parameter(place: &str, query: &str, name: &str) -> String {
    let known = PARAMETERS.join(", ");
    let authority = place.split_once("://").map_or(place, |(_scheme, authority)| authority);
    let is_past_the_login = authority.contains('@') || !authority.contains(':');
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    match is_past_the_login && !query.contains("password=") && name.len() <= 40 && name.chars().all(is_name) {
        true => format!("have no parameter `{name}` after the `?`: it is not known; known are {known}"),
        false => format!("have only known parameters after the `?`: {known}"),
    }
}

/// What an address that the driver does not take must be. What the driver says may repeat a piece of the password.
fn what_is_wrong(place: &str, parameters: &[&str]) -> String {
    let is_taken = |address: &str| address.parse::<tokio_postgres::Config>().is_ok();
    let refused = parameters.iter().find(|pair| !is_taken(&format!("{place}?{pair}")));
    match refused.and_then(|pair| pair.split_once('=')) {
        Some((name, _)) if is_taken(place) => format!("have another value of the parameter `{name}`"),
        _ => SHAPE.to_owned(),
    }
}

/// A value of an address's query, with its `%XX` made characters.
fn percent_decoded(value: &str) -> Option<String> {
    let pair = format!("v={}", value.replace('+', "%2B"));
    let mut pairs = url::form_urlencoded::parse(pair.as_bytes());
    pairs.next().map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_with_a_stray_separator_is_refused_and_no_piece_of_it_shown() {
        for password in ["SEC@RET", "S@CRET1/CRET2", "SEC#RET", "SEC/RET", "SEC?RET", "S@E@C"] {
            let refused = PostgresAddress::parse(&format!("postgres://u:{password}@127.0.0.1/x")).unwrap_err();
            assert_eq!(refused, SHAPE, "{password}");
        }
        let address = PostgresAddress::parse("postgres://u:S%40E%23C%2F@127.0.0.1:1/x?sslmode=disable").unwrap();
        assert_eq!(address.label(), "127.0.0.1:1/x");
    }

    #[test]
    fn an_address_is_read_with_its_tls_mode() {
        let address =
            PostgresAddress::parse("postgresql://me:p%40ss@db.example:5433/gw?sslmode=verify-full&connect_timeout=3")
                .unwrap();
        assert_eq!(address.tls, TlsMode::VerifyFull);
        assert_eq!(address.server.get_password(), Some(b"p@ss".as_slice()));
        assert_eq!(address.server.get_application_name(), Some(APPLICATION_NAME));
        assert_eq!(address.label(), "db.example:5433/gw");
        let plain = PostgresAddress::parse("postgres://me@localhost/gw?application_name=mine").unwrap();
        assert_eq!(plain.tls, TlsMode::Prefer);
        assert_eq!(plain.server.get_application_name(), Some("mine"));
        assert_eq!(plain.label(), "localhost:5432/gw");
    }

    #[test]
    fn an_address_is_put_together_from_its_parts() {
        let mut parts = crate::config::PostgresSettings {
            host: Some("db".into()),
            user: Some("me".into()),
            password: Some("p@ss/word".into()),
            database: Some("gw".into()),
            ..Default::default()
        };
        let address = PostgresAddress::of_parts(&parts).unwrap();
        assert_eq!(address.label(), "db:5432/gw");
        assert_eq!(address.server.get_password(), Some(b"p@ss/word".as_slice()));
        parts.port = Some(6000);
        assert_eq!(PostgresAddress::of_parts(&parts).unwrap().label(), "db:6000/gw");
    }

    #[test]
    fn the_label_tells_where_the_connection_goes() {
        let label = |url| PostgresAddress::parse(url).unwrap().label();
        assert_eq!(label("postgres://me@db/gw?hostaddr=10.0.0.1"), "10.0.0.1:5432/gw");
        assert_eq!(label("postgres:///gw?hostaddr=10.0.0.2&port=6000"), "10.0.0.2:6000/gw");
        assert_eq!(label("postgres://me@one:1,two:2/gw"), "one:1,two:2/gw");
        assert_eq!(label("postgres://me@%2Frun%2Fpg/gw"), "/run/pg:5432/gw");
    }

    #[test]
    fn certificates_to_trust_are_named_by_their_file() {
        let address = PostgresAddress::parse("postgres://h/gw?sslmode=require&sslrootcert=/etc/my%20ca.pem").unwrap();
        assert_eq!(address.root_certificates, Some(PathBuf::from("/etc/my ca.pem")));
        let address = PostgresAddress::parse("postgres://h/gw?sslmode=verify-full&sslrootcert=system").unwrap();
        assert_eq!(address.root_certificates, None);
    }

    #[test]
    fn a_parameter_that_is_not_known_is_named_with_those_that_are() {
        for name in ["schema", "pgbouncer", "gssencmode", "sslcert"] {
            for place in ["postgres://u:p@h:1/d?connect_timeout=3&", "postgres://h/d?"] {
                let said = PostgresAddress::parse(&format!("{place}{name}=x")).unwrap_err();
                assert!(said.contains(&format!("no parameter `{name}` after the `?`")), "{said}");
                assert!(
                    said.contains("known are sslmode, sslrootcert, application_name,"),
                    "{said}"
                );
            }
        }
        let said = PostgresAddress::parse("postgres://u:p@h/d?connect_timeout=soon").unwrap_err();
        assert_eq!(said, "have another value of the parameter `connect_timeout`");
    }

    #[test]
    fn every_known_parameter_is_taken() {
        for name in PARAMETERS {
            let value = match name {
                "sslmode" => "require",
                "channel_binding" => "prefer",
                "load_balance_hosts" => "random",
                "sslnegotiation" => "postgres",
                "target_session_attrs" => "read-write",
                "hostaddr" => "127.0.0.1",
                _ => "5",
            };
            PostgresAddress::parse(&format!("postgres://u:p@h/d?{name}={value}")).unwrap();
        }
    }

    #[test]
    fn no_part_of_an_address_is_repeated_when_it_is_refused() {
        for url in [
            "postgres://me:canary@host:port/db",
            "postgres://me:pw?canary=b",
            "postgres://me@host/db?password=pw&canary=b",
            "postgres://me@host/db?password=pw&canary",
            "postgres://me:pw@host/db?connect_timeout=canary",
            "postgres://me:canary@host/db?sslmode=canary",
            "postgres:///canary",
        ] {
            let said = PostgresAddress::parse(url).unwrap_err();
            assert!(!said.contains("canary"), "{said}");
        }
        let address = PostgresAddress::parse("postgres://me:canary@host/db").unwrap();
        assert!(!format!("{address:?}").contains("canary"));
        assert!(!address.label().contains("canary"));
    }
}
