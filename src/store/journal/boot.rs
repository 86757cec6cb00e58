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

/// More than any is long.
const MOST_BYTES: u64 = 256;

static BOOT: LazyLock<String> = LazyLock::new(|| match fs::read_to_string(LINUX) {
    Ok(id) => format!("boot {}\n", id.trim()),
    // Other systems are not known to have started again.
    Err(_) => "boot unknown\n".to_owned(),
});

/// What a process writes down of the start of the machine that it lives in, never empty.
pub(super) fn written() -> &'static str {
    &BOOT
}

/// Whether that was written during this start.
pub(super) fn is_this(mut written_down: impl Read) -> io::Result<bool> {
    let mut text = Vec::new();
    written_down.by_ref().take(MOST_BYTES).read_to_end(&mut text)?;
    Ok(text == written().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_written_during_this_start_is_of_it() {
        let now = written();
        assert_eq!(written(), now);
        assert!(is_this(now.as_bytes()).unwrap());
        for other in [
            "",
            "boot",
            "boot 00000000-0000-0000-0000-000000000000\n",
            &now.repeat(2),
        ] {
            assert!(!is_this(other.as_bytes()).unwrap(), "{other:?}");
        }
    }
}
