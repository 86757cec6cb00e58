//! Why a measurement was not made.

use std::path::{Path, PathBuf};

/// Why a measurement was not made. Nothing was written then, save where it says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// A file cannot be opened or read.
    #[error("{} cannot be read: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A packed file is damaged or ends too early.
    #[error("{}, line {line}: the file is no whole gzip file from here on ({source}); fetch or pack it again", path.display())]
    Packed {
        /// Which.
        path: PathBuf,
        /// The line up to which it could be unpacked, from 1.
        line: usize,
        /// What is wrong.
        source: std::io::Error,
    },
    /// A line of a file is not what it must be.
    #[error("{}, line {line}: {problem}", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A file as a whole is not what it must be.
    #[error("{}: {problem}", path.display())]
    Whole {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A flag is not what it must be.
    #[error("--{flag}: {problem}")]
    Flag {
        /// Which.
        flag: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The figures cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Output {
        /// Which file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The actors did not do what they must.
    #[error("the measurement itself failed: {0}")]
    Broken(String),
}

impl EvalError {
    /// The exit code, after `sysexits.h`.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Flag { .. } => 64,
            Self::Line { .. } | Self::Whole { .. } | Self::Packed { .. } => 65,
            Self::File { .. } => 66,
            Self::Broken(_) => 70,
            Self::Output { .. } => 73,
        }
    }

    pub(super) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        |source| Self::File {
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn whole(path: &Path, problem: impl Into<String>) -> Self {
        Self::Whole {
            path: path.to_owned(),
            problem: problem.into(),
        }
    }

    pub(super) fn line(path: &Path, line: usize, problem: impl Into<String>) -> Self {
        Self::Line {
            path: path.to_owned(),
            line,
            problem: problem.into(),
        }
    }
}
