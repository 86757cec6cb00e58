//! Requests that are answered in several calls: what is asked, what is given, and that every call is accounted for.
//!
//! Plans are made by hand here: what is done with one does not depend on who made it. Time is paused where nothing crosses
//! threads, so that waiting costs none.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod budgets;
mod evidence;
mod leaving;
mod outcomes;
mod panel;
mod rating;
mod review;
mod scene;
mod tests_told;
mod turns;
