//! `[log]`: how much is logged, and in which form.

use std::fmt;
use std::str::FromStr;

use super::reader::{Reader, key};
use super::value::word;

/// The least severe event that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// What needs a person.
    Error,
    /// What may soon.
    Warn,
    /// What happens.
    Info,
    /// How it happens.
    Debug,
    /// Everything.
    Trace,
}

impl FromStr for LogLevel {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "error" => Ok(Self::Error),
            "warn" => Ok(Self::Warn),
            "info" => Ok(Self::Info),
            "debug" => Ok(Self::Debug),
            "trace" => Ok(Self::Trace),
            _ => Err("be one of error, warn, info, debug, trace"),
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        })
    }
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("be text or json"),
        }
    }
}

/// How much is logged, and in which form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// The least severe event that is logged (`level`, `LOG_LEVEL`). Default info.
    pub level: LogLevel,
    /// The form of a line (`format`, `LOG_FORMAT`). Default text.
    pub format: LogFormat,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            level: LogLevel::Info,
            format: LogFormat::Text,
        }
    }
}

impl LogSettings {
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) {
        let level = key("level").or_variable("LOG_LEVEL").or_flag("--log-level");
        reader.set(level, &mut self.level, word);
        let format = key("format").or_variable("LOG_FORMAT").or_flag("--log-format");
        reader.set(format, &mut self.format, word);
    }
}
