//! The page that the tables stand in.

use std::fs::{self, File};
use std::path::Path;

/// Where the tables stand.
const PAGE: &str = "docs/dialects.md";

/// The variable that has the tables written anew instead of compared.
const WRITE: &str = "GATEWAY_WRITE_DOCS";

/// Asserts that the page says this between the marks of a section, `<!-- NAME: … -->` and `<!-- NAME: end -->`, each on a
/// line of its own. Writes it there instead when `GATEWAY_WRITE_DOCS` is `1`.
#[track_caller]
pub(in crate::dialects) fn says(section: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    // Tests run side by side, and each writes the whole page.
    let turn = File::open(&path).unwrap();
    turn.lock().unwrap();
    let page = fs::read_to_string(&path).unwrap();
    let (before, there, after) = parts(&page, section);
    let wanted = format!("\n{}\n\n", text.trim());
    if there == wanted {
        return;
    }
    assert!(
        std::env::var(WRITE).is_ok_and(|value| value == "1"),
        "the section `{section}` of {PAGE} is not what was seen; to write it anew: \
         {WRITE}=1 cargo test --lib dialects::matrix\n{wanted}"
    );
    fs::write(&path, format!("{before}{wanted}{after}")).unwrap();
}

/// The page up to and with the first mark, what stands between the marks, and the rest.
#[track_caller]
fn parts<'a>(page: &'a str, section: &str) -> (&'a str, &'a str, &'a str) {
    let begin = page.find(&format!("<!-- {section}: ")).unwrap();
    let begin = begin + page[begin..].find('\n').unwrap() + 1;
    let end = begin + page[begin..].find(&format!("<!-- {section}: end -->")).unwrap();
    (&page[..begin], &page[begin..end], &page[end..])
}
