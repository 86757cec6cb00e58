//! A wall clock that a test sets ahead or back while a gateway runs.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use tempfile::TempDir;

use super::setup::Setup;

/// What is preloaded, compiled once for a test program. The linker's compiler is there wherever Rust is.
static PRELOADED: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let library = folder.join(format!("clock-{}.so", std::process::id()));
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .arg(&library)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/clock.c"))
        .output()
        .expect("these tests need a C compiler under the name of cc");
    assert!(
        compiled.status.success(),
        "{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    library
});

/// The wall clock of those gateways that were set up with it: the machine's, and so much ahead of it. Clocks that only
/// measure time are not touched.
#[derive(Debug)]
pub(crate) struct Clock {
    folder: TempDir,
}

impl Clock {
    /// A clock that is this much ahead.
    pub(crate) fn ahead(time: Duration) -> Self {
        let clock = Self {
            folder: TempDir::new().unwrap(),
        };
        clock.set_ahead(time);
        clock
    }

    /// Jumps to where it is this much ahead.
    pub(crate) fn set_ahead(&self, time: Duration) {
        let seconds = i64::try_from(time.as_secs()).unwrap();
        // Not cut first: a process that looks at it in between would not survive that.
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.file());
        file.unwrap().write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }

    /// These settings, for a process that lives by this clock.
    pub(crate) fn of(&self, setup: Setup) -> Setup {
        setup
            .env("LD_PRELOAD", PRELOADED.to_str().unwrap())
            .env("GATEWAY_TEST_CLOCK", self.file().to_str().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ahead")
    }
}
