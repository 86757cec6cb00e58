//! Reads settings out of one source at a time: a table of a file, the environment, or the command line. Each setting is
//! named once, with all its names, its range and where it goes; reading the sources in rising order of precedence does
//! the rest. Whatever cannot be read is reported, and the setting keeps its former value.

use std::collections::BTreeMap;

use secrecy::SecretString;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::document::{Document, line_of};
use super::problem::{Report, quoted};
use super::value::{self, Written};

/// The names of one setting: its key in its table, its environment variable and its flag, each where it has one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Names {
    key: Option<&'static str>,
    variable: Option<&'static str>,
    flag: Option<&'static str>,
}

/// A setting with a key in a TOML table.
pub(super) const fn key(key: &'static str) -> Names {
    Names {
        key: Some(key),
        variable: None,
        flag: None,
    }
}

/// A setting that comes only from the environment, as secrets do.
pub(super) const fn variable(variable: &'static str) -> Names {
    Names {
        key: None,
        variable: Some(variable),
        flag: None,
    }
}

impl Names {
    /// Adds the environment variable.
    pub(super) const fn or_variable(self, variable: &'static str) -> Self {
        Self {
            variable: Some(variable),
            ..self
        }
    }

    /// Adds the flag.
    pub(super) const fn or_flag(self, flag: &'static str) -> Self {
        Self {
            flag: Some(flag),
            ..self
        }
    }
}

/// Where a reader takes its values from.
enum Origin<'a> {
    Table {
        document: &'a Document<'a>,
        path: String,
        table: &'a DeTable<'a>,
        asked: Vec<&'static str>,
    },
    Environment(&'a Environment),
    Flags(&'a [(&'static str, &'a str)]),
}

/// Reads from one source and reports what is wrong there.
pub(super) struct Reader<'a> {
    origin: Origin<'a>,
    pub(super) report: &'a mut Report,
}

impl<'a> Reader<'a> {
    /// Reads a table of a file. Call [`Self::finish`] when every key has been asked for.
    pub(super) fn of_table(
        document: &'a Document<'a>,
        path: impl Into<String>,
        table: &'a DeTable<'a>,
        report: &'a mut Report,
    ) -> Self {
        let origin = Origin::Table {
            document,
            path: path.into(),
            table,
            asked: Vec::new(),
        };
        Self { origin, report }
    }

    /// Reads the environment.
    pub(super) fn of_environment(environment: &'a Environment, report: &'a mut Report) -> Self {
        let origin = Origin::Environment(environment);
        Self { origin, report }
    }

    /// Reads flags of the command line.
    pub(super) fn of_flags(flags: &'a [(&'static str, &'a str)], report: &'a mut Report) -> Self {
        let origin = Origin::Flags(flags);
        Self { origin, report }
    }

    /// Reads a setting into its place, if this source has it.
    pub(super) fn set<T>(
        &mut self,
        names: Names,
        slot: &mut T,
        convert: impl FnOnce(Written<'_>) -> Result<T, String>,
    ) {
        if let Some(value) = self.optional(names, convert) {
            *slot = value;
        }
    }

    /// Reads a setting that may be absent into its place, if this source has it.
    pub(super) fn set_some<T>(
        &mut self,
        names: Names,
        slot: &mut Option<T>,
        convert: impl FnOnce(Written<'_>) -> Result<T, String>,
    ) {
        if let Some(value) = self.optional(names, convert) {
            *slot = Some(value);
        }
    }

    /// The setting, if this source has it and it can be read.
    pub(super) fn optional<T>(
        &mut self,
        names: Names,
        convert: impl FnOnce(Written<'_>) -> Result<T, String>,
    ) -> Option<T> {
        let (place, written) = self.take(names)?;
        let is_garbled = matches!(written, Written::Text(text) if text.contains(char::REPLACEMENT_CHARACTER));
        let converted = if is_garbled {
            Err("be valid UTF-8".to_owned())
        } else {
            convert(written)
        };
        match converted {
            Ok(value) => Some(value),
            Err(message) => {
                self.report.problem(place, format!("must {message}"));
                None
            }
        }
    }

    /// The setting, which must be there.
    pub(super) fn required<T>(
        &mut self,
        names: Names,
        convert: impl FnOnce(Written<'_>) -> Result<T, String>,
    ) -> Option<T> {
        if !self.has(names) {
            let name = names.key.unwrap_or_default();
            self.note_asked(names);
            let place = self.place();
            self.report.problem(place, format!("`{name}` is missing"));
            return None;
        }
        self.optional(names, convert)
    }

    /// Whether this source has the setting.
    pub(super) fn has(&self, names: Names) -> bool {
        match &self.origin {
            Origin::Table { table, .. } => names.key.is_some_and(|key| table.contains_key(key)),
            Origin::Environment(environment) => names.variable.is_some_and(|name| environment.get(name).is_some()),
            Origin::Flags(flags) => names
                .flag
                .is_some_and(|name| flags.iter().any(|(flag, _)| *flag == name)),
        }
    }

    /// The place of the whole table, for what concerns more than one of its keys.
    pub(super) fn place(&self) -> String {
        match &self.origin {
            Origin::Table {
                document, path, table, ..
            } => {
                let first_key = table.keys().map(|key| key.span().start).min().unwrap_or_default();
                document.place(first_key..first_key, path)
            }
            Origin::Environment(_) => "environment".to_owned(),
            Origin::Flags(_) => "command line".to_owned(),
        }
    }

    /// The place of one setting; of the whole source where it has not got it.
    pub(super) fn place_of(&self, names: Names) -> String {
        self.look_up(names).map_or_else(|| self.place(), |(place, _)| place)
    }

    /// Whether the source is a file that comes with the gateway.
    pub(super) fn is_shipped(&self) -> bool {
        matches!(&self.origin, Origin::Table { document, .. } if document.is_shipped)
    }

    /// Reads a table within this table.
    pub(super) fn sub_table(&mut self, name: &'static str, read: impl FnOnce(&mut Reader<'_>)) {
        self.note_asked(key(name));
        let Origin::Table {
            document, path, table, ..
        } = &self.origin
        else {
            return;
        };
        let Some((name, value)) = table.get_key_value(name) else {
            return;
        };
        let path = format!("{path}.{}", name.get_ref());
        match value.get_ref() {
            DeValue::Table(inner) => {
                let mut reader = Reader::of_table(document, path, inner, self.report);
                read(&mut reader);
                reader.finish();
            }
            _ => self
                .report
                .problem(document.place(name.span(), &path), "must be a table"),
        }
    }

    /// Reads a table within this table whose keys are not known beforehand, in the order of the file.
    pub(super) fn each_of(
        &mut self,
        name: &'static str,
        mut read: impl FnMut(&str, Written<'_>) -> Result<(), String>,
    ) {
        self.note_asked(key(name));
        let Origin::Table {
            document, path, table, ..
        } = &self.origin
        else {
            return;
        };
        let Some((name, value)) = table.get_key_value(name) else {
            return;
        };
        let path = format!("{path}.{}", name.get_ref());
        let DeValue::Table(inner) = value.get_ref() else {
            let place = document.place(name.span(), &path);
            self.report.problem(place, "must be a table");
            return;
        };
        for (name, value) in in_order(inner) {
            if let Err(message) = read(name.get_ref(), Written::Toml(value.get_ref())) {
                let place = document.place(name.span(), &format!("{path}.{}", shown_key(name.get_ref())));
                self.report.problem(place, format!("must {message}"));
            }
        }
    }

    /// Reports every key of the table that nobody asked for.
    pub(super) fn finish(self) {
        let Origin::Table {
            document,
            path,
            table,
            asked,
        } = self.origin
        else {
            return;
        };
        for name in unknown_in_order(table, &asked) {
            let place = document.place(name.span(), &format!("{path}.{}", shown_key(name.get_ref())));
            self.report.problem(place, unknown_key(name.get_ref(), &asked));
        }
    }

    fn take(&mut self, names: Names) -> Option<(String, Written<'a>)> {
        self.note_asked(names);
        self.look_up(names)
    }

    fn look_up(&self, names: Names) -> Option<(String, Written<'a>)> {
        match &self.origin {
            Origin::Table {
                document, path, table, ..
            } => {
                let (name, value) = table.get_key_value(names.key?)?;
                let place = document.place(name.span(), &format!("{path}.{}", name.get_ref()));
                Some((place, Written::Toml(value.get_ref())))
            }
            Origin::Environment(environment) => {
                let variable = environment.get(names.variable?)?;
                Some((variable.place.clone(), Written::Text(&variable.value)))
            }
            Origin::Flags(flags) => {
                let (flag, text) = flags.iter().find(|(flag, _)| names.flag == Some(*flag))?;
                Some((format!("flag {flag}"), Written::Text(text)))
            }
        }
    }

    fn note_asked(&mut self, names: Names) {
        if let (Origin::Table { asked, .. }, Some(key)) = (&mut self.origin, names.key) {
            asked.push(key);
        }
    }
}

/// A key of a table, and what it stands for.
type Entry<'t, 'a> = (&'t Spanned<DeString<'a>>, &'t Spanned<DeValue<'a>>);

/// The entries of a table, in the order of the file.
pub(super) fn in_order<'t, 'a>(table: &'t DeTable<'a>) -> Vec<Entry<'t, 'a>> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    entries
}

/// The keys of a table that are not among the known ones, in the order of the file.
pub(super) fn unknown_in_order<'t>(table: &'t DeTable<'_>, known: &[&'static str]) -> Vec<&'t Spanned<DeString<'t>>> {
    let is_unknown = |name: &&Spanned<DeString<'_>>| !known.contains(&name.get_ref().as_ref());
    let mut unknown: Vec<_> = table.keys().filter(is_unknown).collect();
    unknown.sort_by_key(|name| name.span().start);
    unknown
}

/// What to say of a key that is not a setting.
pub(super) fn unknown_key(name: &str, known: &[&'static str]) -> String {
    let lower = name.to_ascii_lowercase();
    let is_secret = ["key", "secret", "password", "token"]
        .iter()
        .any(|word| lower.contains(word));
    if is_secret {
        return "is not a setting: secrets are read from the environment only".to_owned();
    }
    let mut known: Vec<&str> = known.to_vec();
    known.sort_unstable();
    format!("is not a setting; known here: {}", known.join(", "))
}

/// A key as a message shows it: cut, since a file's mistake may put anything there.
pub(super) fn shown_key(name: &str) -> String {
    quoted(name).trim_matches('`').to_owned()
}

/// A variable and where it was set.
struct Variable {
    place: String,
    value: String,
}

/// The environment over the `.env` file. A variable that is set to nothing counts as not set, and hides the file's.
#[derive(Default)]
pub(super) struct Environment {
    variables: BTreeMap<String, Variable>,
}

impl Environment {
    /// Puts the process's variables over those of a `.env` file.
    pub(super) fn new(variables: &BTreeMap<String, String>, dotenv: Option<&str>, report: &mut Report) -> Self {
        let mut environment = Self::default();
        if let Some(text) = dotenv {
            environment.add_dotenv(text, report);
        }
        for (name, value) in variables {
            let place = format!("environment variable {name}");
            let value = value.clone();
            environment.variables.insert(name.clone(), Variable { place, value });
        }
        environment
            .variables
            .retain(|_, variable| !variable.value.trim().is_empty());
        environment
    }

    fn add_dotenv(&mut self, text: &str, report: &mut Report) {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for entry in dotenvy::from_read_iter(text.as_bytes()) {
            match entry {
                Ok((name, value)) => {
                    let place = format!(".env {name}");
                    self.variables.entry(name).or_insert(Variable { place, value });
                }
                // The error holds the line, and with it perhaps a key.
                Err(dotenvy::Error::LineParse(line, _)) => {
                    let line = line_of(text, text.find(&line).unwrap_or_default());
                    report.problem(
                        format!(".env:{line}"),
                        "must be NAME=value; put a value with spaces, quotes or # into single quotes",
                    );
                }
                Err(_) => report.problem(".env", "cannot be read"),
            }
        }
    }

    fn get(&self, name: &str) -> Option<&Variable> {
        self.variables.get(name)
    }

    /// The variable's text, if it is set.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).map(|variable| variable.value.as_str())
    }

    /// Where the variable is set.
    pub(super) fn place(&self, name: &str) -> String {
        match self.get(name) {
            Some(variable) => variable.place.clone(),
            None => format!("environment variable {name}"),
        }
    }

    /// The key in a variable, if it is set and can be one.
    pub(super) fn secret(&self, name: &str, report: &mut Report) -> Option<SecretString> {
        let variable = self.get(name)?;
        match value::secret(Written::Text(&variable.value)) {
            Ok(secret) => Some(secret),
            Err(message) => {
                report.problem(variable.place.clone(), format!("must {message}"));
                None
            }
        }
    }
}
