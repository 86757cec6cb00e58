//! One written value, and its conversions to what settings are made of. A conversion's error completes the sentence
//! "this setting must …" and never shows the value.

use std::borrow::Cow;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use gateway_actors::protocol::{NanoUsd, PicoUsdPerToken};
use secrecy::SecretString;
use toml::de::DeValue;
use toml::value::{Date, Datetime};
use url::{Host, Url};

use super::decimal;

/// A value as its source has it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Written<'a> {
    /// In a TOML file, with a type.
    Toml(&'a DeValue<'a>),
    /// In a variable or flag.
    Text(&'a str),
}

impl<'a> Written<'a> {
    /// Whether it comes from a file of settings, where no key or password belongs.
    pub(super) fn is_in_a_file(self) -> bool {
        matches!(self, Self::Toml(_))
    }

    pub(super) fn string(self) -> Result<&'a str, String> {
        match self {
            Self::Toml(value) => value.as_str().ok_or_else(|| "be a string".to_owned()),
            Self::Text(text) => Ok(text),
        }
    }
}

/// True or false.
pub(super) fn switch(written: Written<'_>) -> Result<bool, String> {
    let text = match written {
        Written::Toml(value) => return value.as_bool().ok_or_else(|| "be true or false".to_owned()),
        Written::Text(text) => text.trim().to_ascii_lowercase(),
    };
    match text.as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("be true or false".to_owned()),
    }
}

/// A whole number in a range that `T` holds.
pub(super) fn integer<T: TryFrom<u64>>(range: RangeInclusive<u64>) -> impl Fn(Written<'_>) -> Result<T, String> {
    move |written| {
        let number = match written {
            Written::Toml(DeValue::Integer(integer)) => u64::from_str_radix(integer.as_str(), integer.radix()).ok(),
            Written::Toml(_) => None,
            Written::Text(text) => text.trim().parse().ok(),
        };
        number
            .filter(|number| range.contains(number))
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| format!("be a whole number from {} to {}", range.start(), range.end()))
    }
}

/// A list of so many whole numbers, each in the range: a TOML array, or text separated by commas.
pub(super) fn integers<const N: usize>(range: RangeInclusive<u64>) -> impl Fn(Written<'_>) -> Result<[u8; N], String> {
    let wanted = format!(
        "be a list of {N} whole numbers from {} to {}",
        range.start(),
        range.end()
    );
    let number = integer::<u8>(range);
    move |written| {
        let numbers: Option<Vec<u8>> = match written {
            Written::Toml(DeValue::Array(items)) => {
                let numbers = items.iter().map(|item| number(Written::Toml(item.get_ref())).ok());
                numbers.collect()
            }
            Written::Toml(_) => None,
            Written::Text(text) => text.split(',').map(|item| number(Written::Text(item)).ok()).collect(),
        };
        let numbers = numbers.unwrap_or_default().try_into();
        numbers.map_err(|_wrong: Vec<u8>| wanted.clone())
    }
}

/// A span of time, written in milliseconds.
pub(super) fn millis(range: RangeInclusive<u64>) -> impl Fn(Written<'_>) -> Result<Duration, String> {
    let milliseconds = integer::<u64>(range);
    move |written| match milliseconds(written) {
        Ok(milliseconds) => Ok(Duration::from_millis(milliseconds)),
        Err(message) => Err(format!("{message} (milliseconds)")),
    }
}

/// A span of time, written in seconds.
pub(super) fn seconds(range: RangeInclusive<u64>) -> impl Fn(Written<'_>) -> Result<Duration, String> {
    let seconds = integer::<u64>(range);
    move |written| match seconds(written) {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(message) => Err(format!("{message} (seconds)")),
    }
}

/// A span of time, written in hours.
pub(super) fn hours(range: RangeInclusive<u64>) -> impl Fn(Written<'_>) -> Result<Duration, String> {
    let hours = integer::<u64>(range);
    move |written| match hours(written) {
        Ok(hours) => Ok(Duration::from_secs(hours.saturating_mul(3_600))),
        Err(message) => Err(format!("{message} (hours)")),
    }
}

/// A span of time, written in days.
pub(super) fn days(range: RangeInclusive<u64>) -> impl Fn(Written<'_>) -> Result<Duration, String> {
    let days = integer::<u64>(range);
    move |written| match days(written) {
        Ok(days) => Ok(Duration::from_secs(days.saturating_mul(86_400))),
        Err(message) => Err(format!("{message} (days)")),
    }
}

/// One of a closed set of words.
pub(super) fn word<T: FromStr<Err: Display>>(written: Written<'_>) -> Result<T, String> {
    let text = written.string()?.trim();
    text.parse().map_err(|error: T::Err| {
        let message = error.to_string();
        match message.strip_prefix("expected ") {
            Some(expected) => format!("be {expected}"),
            None => message,
        }
    })
}

/// A string with something in it and no control characters.
pub(super) fn text(written: Written<'_>) -> Result<String, String> {
    let text = written.string()?.trim();
    if text.is_empty() || text.len() > 4096 || text.chars().any(char::is_control) {
        return Err("be a string that is not empty and has no control characters".to_owned());
    }
    Ok(text.to_owned())
}

/// A name: 1 to 200 characters, none of them white space or control characters.
pub(super) fn name(written: Written<'_>) -> Result<String, String> {
    let text = written.string()?;
    let is_bad = |letter: char| letter.is_whitespace() || letter.is_control();
    if text.is_empty() || text.len() > 200 || text.chars().any(is_bad) {
        return Err("be 1 to 200 characters without spaces or control characters".to_owned());
    }
    Ok(text.to_owned())
}

/// The name of an environment variable; anything else may be a key put in the wrong place.
pub(super) fn variable_name(written: Written<'_>) -> Result<String, String> {
    let text = written.string()?;
    let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let starts_well = text.starts_with(|first: char| !first.is_ascii_digit());
    if starts_well && text.len() <= 128 && text.chars().all(is_allowed) {
        return Ok(text.to_owned());
    }
    Err("be the name of an environment variable (letters, digits and _), not a key itself".to_owned())
}

/// Names: a TOML array of strings, or text separated by commas.
pub(super) fn names(written: Written<'_>) -> Result<Vec<String>, String> {
    let wanted = "be a list of names without spaces or control characters";
    let listed: Option<Vec<Cow<'_, str>>> = match written {
        Written::Text(text) => Some(
            text.split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .map(Cow::from)
                .collect(),
        ),
        Written::Toml(DeValue::Array(items)) => {
            let text_of =
                |item: &toml::Spanned<DeValue<'_>>| item.get_ref().as_str().map(|text| text.to_owned().into());
            items.iter().map(text_of).collect()
        }
        Written::Toml(_) => None,
    };
    let listed = listed.ok_or(wanted)?;
    listed
        .iter()
        .map(|item| name(Written::Text(item)))
        .collect::<Result<_, _>>()
        .or(Err(wanted.to_owned()))
}

/// A price: USD per million tokens, a number or a string.
pub(super) fn price(written: Written<'_>) -> Result<PicoUsdPerToken, String> {
    // 1 USD per million tokens is 10^6 pico-USD per token.
    decimal_text(written)
        .and_then(|text| decimal::scaled(&text, 6))
        .map(PicoUsdPerToken)
}

/// An amount of money in USD, a number or a string.
pub(super) fn usd(written: Written<'_>) -> Result<NanoUsd, String> {
    let nano = decimal_text(written).and_then(|text| decimal::scaled(&text, 9))?;
    i64::try_from(nano)
        .map(NanoUsd)
        .or(Err("be a smaller number".to_owned()))
}

fn decimal_text(written: Written<'_>) -> Result<Cow<'_, str>, String> {
    match written {
        Written::Toml(DeValue::Integer(integer)) if integer.radix() == 10 => Ok(integer.as_str().into()),
        Written::Toml(DeValue::Float(float)) => Ok(float.as_str().into()),
        Written::Toml(DeValue::String(text)) => Ok(text.trim().into()),
        Written::Toml(_) => Err("be a decimal number such as 0.15".to_owned()),
        Written::Text(text) => Ok(text.trim().into()),
    }
}

/// A key or password: visible ASCII, since it travels in a header.
pub(super) fn secret(written: Written<'_>) -> Result<SecretString, String> {
    let text = written.string()?;
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("hold only visible ASCII characters: look for a space or line break in it".to_owned());
    }
    Ok(text.into())
}

/// A password or address that may hold one: anything but control characters.
pub(super) fn secret_text(written: Written<'_>) -> Result<SecretString, String> {
    let text = written.string()?;
    if text.chars().any(char::is_control) {
        return Err("have no control characters".to_owned());
    }
    Ok(text.into())
}

/// A date as TOML has it, or the same as text; nothing finer than a day is asked for.
pub(super) fn date(written: Written<'_>) -> Result<Date, String> {
    let parsed = match written {
        Written::Toml(DeValue::Datetime(date)) => Some(*date),
        Written::Toml(DeValue::String(text)) => text.parse::<Datetime>().ok(),
        Written::Toml(_) => None,
        Written::Text(text) => text.trim().parse().ok(),
    };
    parsed
        .and_then(|date| date.date)
        .ok_or_else(|| "be a date such as 2026-11-22".to_owned())
}

/// A provider's address: `http` or `https`, without user, password, query or fragment, and not one that only a
/// machine's own metadata service answers at. Comes out without a trailing slash in its path.
pub(super) fn base_url(written: Written<'_>) -> Result<Url, String> {
    let Ok(mut url) = Url::parse(written.string()?.trim()) else {
        return Err("be a URL such as https://host/v1".to_owned());
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Err("begin with http:// or https://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("have no user or password in it: name the variable that holds the key in api_key_env".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("have no ? or # part".to_owned());
    }
    let is_forbidden = match url.host() {
        Some(Host::Ipv4(address)) => address.is_unspecified() || address.is_link_local(),
        Some(Host::Ipv6(address)) => match address.to_ipv4_mapped() {
            Some(mapped) => mapped.is_unspecified() || mapped.is_link_local(),
            None => address.is_unspecified() || address.is_unicast_link_local(),
        },
        Some(Host::Domain(_)) => false,
        None => true,
    };
    if is_forbidden {
        return Err("name a host: neither 0.0.0.0 nor a link-local address can be a provider's".to_owned());
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}
