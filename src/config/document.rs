//! One TOML file: its text, its tables and the lines they stand on.

use std::ops::Range;

use memchr::memchr_iter;
use toml::de::DeTable;

use super::problem::Report;

/// A parsed file.
#[derive(Debug)]
pub(super) struct Document<'a> {
    name: String,
    text: &'a str,
    root: DeTable<'a>,
    /// Whether the file comes with the gateway, so that its names of absent providers are no mistake of the user's.
    pub(super) is_shipped: bool,
}

impl<'a> Document<'a> {
    /// Parses a file; reports every syntax error by its line, without showing the line, which may hold a secret.
    pub(super) fn parse(name: String, text: &'a str, is_shipped: bool, report: &mut Report) -> Option<Self> {
        let (root, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            return Some(Self {
                name,
                text,
                root: root.into_inner(),
                is_shipped,
            });
        }
        for error in errors {
            let line = line_of(text, error.span().map_or(0, |span| span.start));
            report.problem(format!("{name}:{line}"), format!("not valid TOML: {}", error.message()));
        }
        None
    }

    /// The file's top level.
    pub(super) fn root(&self) -> &DeTable<'a> {
        &self.root
    }

    /// The place of a key: file, line and key path.
    pub(super) fn place(&self, span: Range<usize>, path: &str) -> String {
        let line = line_of(self.text, span.start);
        format!("{}:{line} {path}", self.name)
    }
}

/// The line of a byte, from 1.
pub(super) fn line_of(text: &str, byte: usize) -> usize {
    let before = text.as_bytes().get(..byte).unwrap_or(text.as_bytes());
    memchr_iter(b'\n', before).count() + 1
}
