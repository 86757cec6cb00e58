//! `[alerts]`: who is told of events.

use secrecy::SecretString;
use url::{Host, Url};

use super::problem::Report;
use super::reader::{Environment, Reader, key};
use super::value::{self, Written, variable_name};

/// Who is told of events.
#[derive(Debug, Clone, Default)]
pub struct AlertSettings {
    /// The address that each event is posted to (`webhook_url`): `https`, or `http` on this machine. Default nobody's.
    pub webhook_url: Option<Url>,
    /// What events are signed with: the content of the variable that `webhook_secret_env` names. Without it they are not.
    pub webhook_secret: Option<SecretString>,
}

/// The same as written.
#[derive(Debug, Default)]
pub(super) struct WrittenAlerts {
    webhook_url: Option<Url>,
    /// The variable, and where it is named.
    webhook_secret_env: Option<(String, String)>,
}

impl WrittenAlerts {
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) {
        reader.set_some(key("webhook_url"), &mut self.webhook_url, webhook_url);
        let name = key("webhook_secret_env");
        if let Some(variable) = reader.optional(name, variable_name) {
            self.webhook_secret_env = Some((variable, reader.place_of(name)));
        }
    }

    pub(super) fn resolve(self, environment: &Environment, report: &mut Report) -> AlertSettings {
        let secret = self.webhook_secret_env.and_then(|(variable, place)| {
            if environment.text(&variable).is_none() {
                // The name is not shown: somebody may have put the secret itself there.
                report.problem(
                    place,
                    "the variable that is named here is not set: set it to the webhook's secret",
                );
                return None;
            }
            environment.secret(&variable, report)
        });
        AlertSettings {
            webhook_url: self.webhook_url,
            webhook_secret: secret,
        }
    }
}

/// An address that events may be sent to: what they tell is nobody else's business.
fn webhook_url(written: Written<'_>) -> Result<Url, String> {
    let text = value::text(written)?;
    let Ok(url) = Url::parse(text.trim()) else {
        return Err("be a URL such as https://host/path".to_owned());
    };
    let is_local = match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => {}
        "http" if is_local => {}
        _ => return Err("begin with https://; http:// only leads to this machine".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("have no user, password or # part".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_go_over_https_or_stay_on_this_machine() {
        for good in [
            "https://hooks.example.com/a?b=c",
            "http://127.0.0.1:9000/x",
            "http://localhost/x",
            "http://[::1]:1/x",
        ] {
            assert!(webhook_url(Written::Text(good)).is_ok(), "{good}");
        }
        for bad in [
            "",
            "hooks.example.com",
            "http://hooks.example.com/",
            "http://10.0.0.1/",
            "http://127.0.0.1.example.com/",
            "ftp://127.0.0.1/",
            "https://me:secret@example.com/",
            "https://example.com/#x",
        ] {
            assert!(webhook_url(Written::Text(bad)).is_err(), "{bad}");
        }
    }
}
