//! What processes look for changes of.

/// Rows whose changes have an order of their own, told by `updated_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stamped {
    /// Budgets.
    Budgets,
    /// Virtual keys.
    Keys,
    /// Rates of projects and users.
    Limits,
}
