//! What settings are loaded from, gathered before loading so that loading itself touches nothing.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use super::problem::{Problems, Report};

/// Settings given on the command line, as the text after their flags. They go before every other source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--host`
    pub host: Option<String>,
    /// `--port`
    pub port: Option<String>,
    /// `--workers`
    pub workers: Option<String>,
    /// `--data-dir`
    pub data_dir: Option<String>,
    /// `--log-level`
    pub log_level: Option<String>,
    /// `--log-format`
    pub log_format: Option<String>,
    /// `--simulator`: switches the built-in simulator on.
    pub simulator: bool,
}

impl Overrides {
    /// The flags that were given, with their texts.
    pub(super) fn flags(&self) -> Vec<(&'static str, &str)> {
        let texts = [
            ("--host", &self.host),
            ("--port", &self.port),
            ("--workers", &self.workers),
            ("--data-dir", &self.data_dir),
            ("--log-level", &self.log_level),
            ("--log-format", &self.log_format),
        ];
        let given = texts
            .into_iter()
            .filter_map(|(flag, text)| text.as_deref().map(|text| (flag, text)));
        given.chain(self.simulator.then_some(("--simulator", "true"))).collect()
    }
}

/// Everything settings are loaded from.
#[derive(Clone)]
pub struct Sources {
    /// The command line.
    pub overrides: Overrides,
    /// The process's environment.
    pub env: BTreeMap<String, String>,
    /// The text of the `.env` file in the working directory, if there is one.
    pub dotenv: Option<String>,
    /// The path and text of the file that `--config` names.
    pub config_file: Option<(PathBuf, String)>,
    /// How many processors there are to work on.
    pub processors: NonZeroUsize,
    /// Whether the settings are for a process that listens at their address: then the address must be one that may be
    /// served.
    pub listens: bool,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            overrides: Overrides::default(),
            env: BTreeMap::new(),
            dotenv: None,
            config_file: None,
            processors: NonZeroUsize::MIN,
            listens: true,
        }
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The environment and the files hold secrets.
        f.debug_struct("Sources")
            .field("overrides", &self.overrides)
            .field("config_file", &self.config_file.as_ref().map(|(path, _)| path))
            .finish_non_exhaustive()
    }
}

impl Sources {
    /// Gathers the sources of this process: its environment, `.env` in its working directory and the file of
    /// `--config`. It is taken for one that listens.
    ///
    /// # Errors
    /// Every file that should be read and cannot be.
    pub fn from_process(config: Option<&Path>, overrides: Overrides) -> Result<Self, Problems> {
        let mut report = Report::default();
        let config_file = config.and_then(|path| match std::fs::read_to_string(path) {
            Ok(text) => Some((path.to_owned(), text)),
            Err(error) => {
                report.problem(
                    format!("--config {}", path.display()),
                    format!("cannot be read: {error}"),
                );
                None
            }
        });
        let dotenv = match std::fs::read_to_string(".env") {
            Ok(text) => Some(text),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                report.problem(".env", format!("cannot be read: {error}"));
                None
            }
        };
        report.into_result()?;
        // A name or value that is not UTF-8 is garbled here and refused if it is read as a setting.
        let text_of = |text: OsString| text.to_string_lossy().into_owned();
        Ok(Self {
            overrides,
            env: std::env::vars_os()
                .map(|(name, value)| (text_of(name), text_of(value)))
                .collect(),
            dotenv,
            config_file,
            processors: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            listens: true,
        })
    }
}
