//! Somebody who looks at the provider's bill and at the books all the time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::books::Books;
use crate::support::wait_for;

/// No crowd spends for longer.
const LONG: Duration = Duration::from_secs(300);

/// Looks again and again until all is over, and once more then; how often that was.
///
/// At every moment what the provider has on its bill is in the books, as spent or as held, and both together are no more
/// than the limit. The bill is read first: what is on it by then is held, or spent, at every moment after.
#[track_caller]
pub(crate) fn observe(books: &Books<'_>, bill: impl Fn() -> i64, limit: i64, is_over: &AtomicBool) -> usize {
    let mut reader = books.reader();
    let mut looks = 0;
    wait_for("the crowd to come to its end", LONG, || {
        let is_last = is_over.load(Ordering::Acquire);
        let billed = bill();
        let moment = reader.look("global");
        let up = moment.posted + moment.held;
        assert!(billed <= up, "look {looks}: {billed} billed, and {moment:?}");
        assert!(up <= limit, "look {looks}: {moment:?}");
        assert_eq!(moment.posted, moment.recorded, "look {looks}: {moment:?}");
        looks += 1;
        is_last
    });
    looks
}

/// Says that something is over, however it ends.
pub(crate) struct End<'a>(pub(crate) &'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}
