//! How what runs on the control thread is started.

use std::sync::Arc;

use actix::{Actor, Addr};
use actix_rt::Arbiter;
use arc_swap::ArcSwap;
use gateway_actors::budget::BudgetDirector;
use gateway_actors::learning::{LearningDirector, LearningParts};
use gateway_actors::protocol::{BudgetBook, Learned, LearningTotals, StoredCalls};
use gateway_actors::runtime::CrashReporter;

use super::{Ports, numbers};
use crate::config::Settings;

/// Lets budgets be published, and the process's slices be filled and emptied.
pub(super) fn start_budget_director(
    settings: &Settings,
    control: &Arbiter,
    ports: &Ports,
    book: &Arc<ArcSwap<BudgetBook>>,
    crashes: &CrashReporter,
    calls: Arc<dyn StoredCalls>,
) -> Addr<BudgetDirector> {
    let (instance, ledger) = (ports.instance, Arc::clone(&ports.ledger));
    let (book, reporter) = (Arc::clone(book), crashes.clone());
    let budget = numbers::budget(settings);
    BudgetDirector::start_in_arbiter(&control.handle(), move |_| {
        BudgetDirector::new(budget, instance, book, ledger, reporter).with_calls(calls)
    })
}

/// Lets outcomes be stored, and what was learned be published.
pub(super) fn start_learning(
    settings: &Settings,
    control: &Arbiter,
    ports: &Ports,
    (learned, totals): (&Arc<ArcSwap<Learned>>, &Arc<LearningTotals>),
    crashes: &CrashReporter,
) -> Addr<LearningDirector> {
    let parts = LearningParts {
        outcomes: Arc::clone(&ports.outcomes),
        notebook: Arc::clone(&ports.notebook),
        events: Arc::clone(&ports.events),
        calibration: ports.calibration.clone(),
        learned: Arc::clone(learned),
        totals: Arc::clone(totals),
        is_adaptive: settings.routing.adaptive,
    };
    let reporter = crashes.clone();
    LearningDirector::start_in_arbiter(&control.handle(), move |_| LearningDirector::new(parts, reporter))
}
