//! Many requests, some at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Does `work` for 0 up to `total`, `at_once` at a time, and returns what each gave, in order.
pub(crate) fn in_parallel<T: Send>(total: usize, at_once: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= total {
                return done;
            }
            done.push((index, work(index)));
        }
    };
    let mut results: Vec<(usize, T)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_is_worked_once_and_results_are_in_order() {
        let results = in_parallel(100, 8, |index| index * 2);
        let expected: Vec<usize> = (0..100).map(|index| index * 2).collect();
        assert_eq!(results, expected);
    }
}
