//! The database's file: how it is made, and what it is called.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::store::error::OpenError;
use crate::store::files::{private_file, private_folder};

/// Creates the file and its folders where they are missing, and finds its path without symbolic links: by that all who
/// use it find the files beside it. Never empties a file.
pub(super) fn settle(path: &Path) -> Result<PathBuf, OpenError> {
    let failed = |source| OpenError::create(path.to_owned(), source);
    create_folder(path)?;
    let found = match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create_file(path)?;
            fs::canonicalize(path)
        }
        found => found,
    };
    let found = found.map_err(failed)?;
    match found.is_dir() {
        true => Err(failed(io::ErrorKind::IsADirectory.into())),
        false => Ok(found),
    }
}

/// Creates the folder of the file, and the folders above it, where they are missing.
fn create_folder(path: &Path) -> Result<(), OpenError> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    private_folder(folder).map_err(|source| OpenError::create(folder.to_owned(), source))
}

/// Creates a file if it is missing; never empties one.
pub(super) fn create_file(path: &Path) -> Result<File, OpenError> {
    private_file()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|source| OpenError::create(path.to_owned(), source))
}

/// The file beside the database whose name ends so.
pub(super) fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_is_made_where_a_link_leads_and_found_there_under_every_name() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("real");
        fs::create_dir(&real).unwrap();
        symlink(&real, dir.path().join("folder")).unwrap();
        symlink(real.join("gw.db"), dir.path().join("file")).unwrap();
        for path in [
            dir.path().join("file"),
            dir.path().join("folder/gw.db"),
            real.join("../folder/gw.db"),
        ] {
            assert_eq!(settle(&path).unwrap(), real.canonicalize().unwrap().join("gw.db"));
        }
        fs::write(real.join("gw.db"), "kept").unwrap();
        settle(&real.join("gw.db")).unwrap();
        assert_eq!(fs::read(real.join("gw.db")).unwrap(), b"kept");
    }
}
