//! `[budget]`.

use super::{problems, settings};
use crate::config::ExhaustedStatus;

#[test]
fn a_spent_budget_is_told_with_402_or_429() {
    for (written, status) in [
        ("402", ExhaustedStatus::PaymentRequired),
        ("429", ExhaustedStatus::TooManyRequests),
    ] {
        let loaded = settings(&format!("[budget]\nexhausted_status = {written}\n"), &[]);
        assert_eq!(loaded.budget.exhausted_status, status);
    }
    for written in ["403", "503", "-1", "\"429\"", "true"] {
        let said = problems(&format!("[budget]\nexhausted_status = {written}\n"), &[]);
        assert_eq!(said, "gw.toml:2 budget.exhausted_status: must be 402 or 429\n");
    }
}
