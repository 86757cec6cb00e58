//! Which start of the machine this is.
//!
//! Journals are written and not flushed to the disk: what a process wrote outlives the process, and not a crash or a
//! loss of power of the machine. So what a journal says is all there was only while the machine has not started again
//! since.

use std::fs;
use std::io::{self, Read};
use std::sync::LazyLock;

/// Where Linux tells it: a random UUID for each start of the kernel, <https://docs.kernel.org/admin-guide/sysctl/kernel.html>.
const LINUX: &str = "/proc/sys/kernel/random/boot_id";

static BOOT: LazyLock<String> = LazyLock::new(|| match fs::read_to_string(LINUX) {
    Ok(id) => format!("boot {}\n", id.trim()),
    // Other systems are not known to have started again.
    Err(_) => "boot unknown\n".to_owned(),
});

/// What a process writes down of the start of the machine that it lives in, never empty.
pub(super) fn written() -> &'static str {
    &BOOT
}

/// Whether that begins with what was written during this start: a check that was cut off may have left something behind it.
pub(super) fn is_this(written_down: impl Read) -> io::Result<bool> {
    let mut text = Vec::new();
    let length = u64::try_from(written().len()).unwrap_or(u64::MAX);
    written_down.take(length).read_to_end(&mut text)?;
    Ok(text == written().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_written_during_this_start_is_of_it() {
        let now = written();
        assert!(now.ends_with('\n'), "no longer text begins with it");
        for same in [now, &format!("{now}\0\0\0")] {
            assert!(is_this(same.as_bytes()).unwrap(), "{same:?}");
        }
        for other in ["", "boot", "boot 00000000-0000-0000-0000-000000000000\n"] {
            assert!(!is_this(other.as_bytes()).unwrap(), "{other:?}");
        }
    }
}
