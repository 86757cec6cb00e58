//! Who uses the file. Everyone who has it open shares a lock on a file beside it, for as long as he has; who moves its
//! data away has that lock alone. The operating system gives a lock back when its process ends, however it ends.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::file::sibling;
use crate::store::error::OpenError;
use crate::store::files::private_file;

/// What the lock's file is called, behind the name of the database. It stays there: its absence means nothing.
const SUFFIX: &str = ".use";

/// One of those who have the file open. No lock where none can be had.
#[derive(Debug)]
pub(in crate::store) struct Share {
    _lock: Option<File>,
}

/// The only one who has the file open.
#[derive(Debug)]
pub(in crate::store) struct Claim {
    _lock: File,
}

/// Why the file cannot be claimed.
#[derive(Debug)]
pub(in crate::store) enum NotClaimed {
    /// Somebody has it open.
    Shared,
    /// Somebody else has claimed it.
    Claimed,
    /// The lock's file cannot be made or locked.
    Failed {
        /// That file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl Share {
    /// For whoever has claimed the file himself.
    pub(in crate::store) fn of_claim(_claim: &Claim) -> Self {
        Self { _lock: None }
    }

    /// Joins those who have the file open. Where the lock cannot be made nobody is kept from serving: the log tells
    /// what does not work then.
    pub(super) fn join(path: &Path) -> Result<Self, OpenError> {
        let lock_path = sibling(path, SUFFIX);
        let locked = open(&lock_path)
            .map_err(TryLockError::Error)
            .and_then(|lock| lock.try_lock_shared().map(|()| lock));
        match locked {
            Ok(lock) => Ok(Self { _lock: Some(lock) }),
            Err(TryLockError::WouldBlock) => Err(OpenError::BeingMoved { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => {
                tracing::warn!(
                    path = %lock_path.display(),
                    %error,
                    "cannot lock the file that says that the database is in use: `migrate --from` may not notice this \
                     process; stop it before its data is moved"
                );
                Ok(Self { _lock: None })
            }
        }
    }
}

impl Claim {
    /// Claims the file for one, if nobody has it open.
    pub(in crate::store) fn take(path: &Path) -> Result<Self, NotClaimed> {
        let lock_path = sibling(path, SUFFIX);
        let failed = |source| NotClaimed::Failed {
            path: lock_path.clone(),
            source,
        };
        let lock = open(&lock_path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { _lock: lock }),
            Err(TryLockError::WouldBlock) => match lock.try_lock_shared() {
                Err(TryLockError::WouldBlock) => Err(NotClaimed::Claimed),
                Ok(()) | Err(TryLockError::Error(_)) => Err(NotClaimed::Shared),
            },
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

/// Opens the lock's file, made if it is missing. One that may only be read can be locked too.
fn open(path: &Path) -> io::Result<File> {
    let made = private_file().create(true).append(true).open(path);
    made.or_else(|error| File::open(path).or(Err(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_share_and_one_claims() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gw.db");
        let shares = [Share::join(&path).unwrap(), Share::join(&path).unwrap()];
        assert!(matches!(Claim::take(&path), Err(NotClaimed::Shared)));
        drop(shares);
        let claim = Claim::take(&path).unwrap();
        assert!(matches!(Claim::take(&path), Err(NotClaimed::Claimed)));
        let refused = Share::join(&path).unwrap_err();
        assert!(matches!(&refused, OpenError::BeingMoved { .. }), "{refused:?}");
        drop(claim);
        Share::join(&path).unwrap();
    }

    #[test]
    fn where_no_lock_can_be_made_the_file_is_shared_and_not_claimed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("missing/gw.db");
        assert!(Share::join(&path).unwrap()._lock.is_none());
        assert!(matches!(Claim::take(&path), Err(NotClaimed::Failed { .. })));
    }
}
