//! Which database this is, told by where it is, and the folder of its journal.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The longest name of a folder, in bytes; file systems allow 255.
const LONGEST: usize = 200;

/// A database, the same however its address is spelled. Two names are two databases, with one exception: a PostgreSQL
/// server has a name for each of its host names and addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseName {
    /// A SQLite file: its path without symbolic links.
    Sqlite(PathBuf),
    /// The tables in a schema of a PostgreSQL database.
    Postgres {
        /// Host, port and database: `db.example:5432/gateway`.
        database: String,
        /// The schema that the tables are in.
        schema: String,
    },
}

impl DatabaseName {
    /// The name of a SQLite file.
    ///
    /// # Errors
    /// When the file is not there or its folders cannot be read.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        fs::canonicalize(path).map(Self::Sqlite)
    }

    /// The folder of the cells' journals in a data folder: one per database, so that nobody takes the records of another
    /// database for his own.
    ///
    /// A file in the data folder itself is told from all others by its name, and keeps its journal when the data folder
    /// is moved; so is the usual schema of a PostgreSQL database. All others are told by everything that names them.
    #[must_use]
    pub fn journal_dir(&self, data_dir: &Path) -> PathBuf {
        let journals = data_dir.join("journal");
        match self {
            Self::Sqlite(file) => match file.file_name() {
                Some(name) if is_folder_of(data_dir, file) => journals.join(name),
                _ => journals.join(folder_name("sqlite", file.as_os_str().as_encoded_bytes(), "")),
            },
            Self::Postgres { database, schema } => {
                let schema = if schema == "public" { "" } else { schema };
                journals.join(folder_name("postgres", database.as_bytes(), schema))
            }
        }
    }
}

/// Whether the file, named without links, is in this folder.
fn is_folder_of(folder: &Path, file: &Path) -> bool {
    fs::canonicalize(folder).is_ok_and(|folder| file.parent() == Some(&folder))
}

/// Each place, and each part of it that is not empty, its own name. A name that would be too long is its SHA-256.
fn folder_name(kind: &str, place: &[u8], part: &str) -> String {
    let mut name = escaped(place);
    if !part.is_empty() {
        // No escaped text holds this letter.
        name.push('+');
        name.push_str(&escaped(part.as_bytes()));
    }
    if name.len() > LONGEST {
        let digest = Sha256::digest(name.as_bytes());
        name = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    }
    format!("{kind}-{name}")
}

/// What a file name cannot hold, and `_` itself, becomes `_` and its number.
fn escaped(text: &[u8]) -> String {
    let mut name = String::with_capacity(text.len());
    for byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' => name.push(char::from(*byte)),
            other => name.push_str(&format!("_{other:02x}")),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::os::unix::fs::symlink;

    use super::*;

    fn file(folder: &Path, name: &str) -> PathBuf {
        fs::create_dir_all(folder).unwrap();
        let path = folder.join(name);
        fs::write(&path, "").unwrap();
        path
    }

    fn postgres(database: &str, schema: &str) -> DatabaseName {
        DatabaseName::Postgres {
            database: database.to_owned(),
            schema: schema.to_owned(),
        }
    }

    #[test]
    fn a_file_in_the_data_folder_has_a_journal_of_its_name_whatever_leads_to_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let path = file(&data, "gw.db");
        symlink(&data, dir.path().join("link")).unwrap();
        for typed in [path, dir.path().join("link/gw.db"), data.join("../link/./gw.db")] {
            let name = DatabaseName::of_file(&typed).unwrap();
            for folder in [&data, &dir.path().join("link")] {
                assert_eq!(name.journal_dir(folder), folder.join("journal/gw.db"));
            }
        }
    }

    #[test]
    fn files_elsewhere_are_told_apart_by_their_paths_and_not_by_how_these_are_spelled() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let own = file(&data, "gw.db");
        let (first, second) = (
            file(&dir.path().join("a"), "gw.db"),
            file(&dir.path().join("b"), "gw.db"),
        );
        symlink(&first, data.join("other.db")).unwrap();
        let folder = |path: &Path| DatabaseName::of_file(path).unwrap().journal_dir(&data);
        let folders = HashSet::from([folder(&own), folder(&first), folder(&second)]);
        assert_eq!(folders.len(), 3, "{folders:?}");
        assert_eq!(folder(&data.join("other.db")), folder(&first));
        assert_eq!(folder(&data.join("../b/gw.db")), folder(&second));
        let shown = folder(&first).display().to_string();
        assert!(shown.ends_with("_2fa_2fgw.db"), "{shown}");
    }

    #[test]
    fn a_file_that_is_not_there_has_no_name() {
        let dir = tempfile::tempdir().unwrap();
        assert!(DatabaseName::of_file(&dir.path().join("gw.db")).is_err());
    }

    #[test]
    fn schemas_of_a_database_have_journals_of_their_own() {
        let folder = |database, schema| {
            let path = postgres(database, schema).journal_dir(Path::new("data"));
            path.strip_prefix("data/journal").unwrap().display().to_string()
        };
        assert_eq!(folder("db:5432/gw", "public"), "postgres-db_3a5432_2fgw");
        assert_eq!(folder("db:5432/gw", "one"), "postgres-db_3a5432_2fgw+one");
        assert_eq!(folder("db:5432/gw+one", "public"), "postgres-db_3a5432_2fgw_2bone");
    }

    #[test]
    fn names_that_are_too_long_are_told_apart_too() {
        let long = "x/".repeat(2_000);
        let (first, second) = (format!("{long}1"), format!("{long}2"));
        let folder = |database: &str| postgres(database, "public").journal_dir(Path::new("data"));
        assert_ne!(folder(&first), folder(&second));
        assert_eq!(folder(&first), folder(&first));
        assert!(folder(&first).file_name().unwrap().len() <= 255);
    }
}
