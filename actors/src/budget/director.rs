//! The actix side of the budget director.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message};
use arc_swap::ArcSwap;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::action::{Action, WaiterId};
use super::director_core::{BudgetSettings, DirectorCore};
use crate::protocol::{
    BudgetBook, BudgetChanges, BudgetEntry, BudgetError, BudgetStatus, GiveBack, Grant, GrantRequest, InstanceId,
    LeaseId, LedgerStore, LookAt, Recall, Refill, ReloadBudgets, Reserved, Scope, StoreError, StoredCalls,
};
use crate::runtime::{AbortPoint, CrashReporter, Guard, accept_injected_faults, pass, tell};

/// How often it is looked for something to do.
const TICK: Duration = Duration::from_millis(100);

/// Fills and empties the process's slices. One per process, on the control arbiter.
#[derive(Debug)]
pub struct BudgetDirector {
    guard: Guard<DirectorCore>,
    ledger: Arc<dyn LedgerStore>,
    /// Knows which calls are stored; without it leases that were lost are ended by the next start.
    calls: Option<Arc<dyn StoredCalls>>,
    waiting: HashMap<WaiterId, oneshot::Sender<Result<Reserved, BudgetError>>>,
    reloading: Vec<oneshot::Sender<bool>>,
    /// Budgets that the ledger is being asked about, and who waits for it.
    looking: HashMap<Scope, Vec<oneshot::Sender<()>>>,
    next_waiter: u64,
    /// How often changed budgets were looked for.
    looks: u64,
}

/// The ledger has answered (to itself).
#[derive(Debug, Message)]
#[rtype(result = "()")]
enum Answered {
    LeaseOpened(Result<LeaseId, StoreError>, Instant),
    LeaseRenewed(LeaseId, Result<bool, StoreError>, Instant),
    Expired,
    Granted(LeaseId, Vec<GrantRequest>, Result<Vec<Grant>, StoreError>),
    GivenBack(LeaseId, Vec<GiveBack>, Result<(), StoreError>),
    Recalled(LeaseId, Result<Vec<Recall>, StoreError>),
    /// What the look of this number found.
    Changed(u64, Result<BudgetChanges, StoreError>),
    /// Whether a lost lease has ended.
    LostEnded(LeaseId, Result<bool, StoreError>),
    /// How this budget stands.
    Looked(Arc<BudgetEntry>, Result<Option<BudgetStatus>, StoreError>),
}

impl BudgetDirector {
    /// A director that publishes to `book`, in which the budgets are already.
    #[must_use]
    pub fn new(
        settings: BudgetSettings,
        instance: InstanceId,
        book: Arc<ArcSwap<BudgetBook>>,
        ledger: Arc<dyn LedgerStore>,
        crashes: CrashReporter,
    ) -> Self {
        let rebuild = move || DirectorCore::new(settings, instance, Arc::clone(&book), Instant::now());
        Self {
            guard: Guard::new("budget-director", crashes, rebuild),
            ledger,
            calls: None,
            waiting: HashMap::new(),
            reloading: Vec::new(),
            looking: HashMap::new(),
            next_waiter: 0,
            looks: 0,
        }
    }

    /// Leases that were lost are ended once this knows their calls to be stored.
    #[must_use]
    pub fn with_calls(mut self, calls: Arc<dyn StoredCalls>) -> Self {
        self.calls = Some(calls);
        self
    }

    /// Lets the core change, and does what it wants done; whether that went well.
    fn change(&mut self, ctx: &Context<Self>, change: impl FnOnce(&mut DirectorCore, Instant) -> Vec<Action>) -> bool {
        let now = Instant::now();
        let changed = self.guard.run(|core| change(core, now));
        let went_well = changed.is_ok();
        match changed {
            Ok(actions) => actions.into_iter().for_each(|action| self.perform(ctx, action)),
            // The rebuilt core knows nobody who waits: they ask again.
            Err(_panicked) => self.waiting.clear(),
        }
        went_well
    }

    /// Lets go of those who wait and whom the core does not know, wherever the one panicked that knew them: they ask again.
    fn let_go_of_the_unknown(&mut self) {
        let waiting = &mut self.waiting;
        let known = self.guard.run(|core| {
            if waiting.len() != core.waiters.len() {
                waiting.retain(|id, _| core.waiters.contains(*id));
            }
        });
        if known.is_err() {
            self.waiting.clear();
        }
    }

    fn perform(&mut self, ctx: &Context<Self>, action: Action) {
        let (ledger, now) = (&self.ledger, Instant::now());
        match action {
            Action::Answer(waiter, answer) => {
                if let Some(waiting) = self.waiting.remove(&waiter) {
                    // Who has left drops what it was given, which is given back.
                    let _ = waiting.send(answer);
                }
            }
            Action::OpenLease { instance, ttl } => {
                let opened = ledger.open_lease(instance, ttl);
                answer(ctx, async move { Answered::LeaseOpened(opened.await, now) });
            }
            Action::RenewLease { lease, ttl } => {
                let renewed = ledger.renew_lease(lease, ttl);
                answer(ctx, async move { Answered::LeaseRenewed(lease, renewed.await, now) });
            }
            Action::ExpireLeases { grace } => {
                let expired = ledger.expire_leases(grace);
                answer(ctx, async move {
                    match expired.await {
                        Ok(slices) => slices.iter().for_each(|slice| {
                            tracing::warn!(
                                lease = %slice.lease, scope = %slice.scope, period = %slice.period, posted = %slice.posted,
                                "a process has not been heard of for too long; what it held of a budget counts as spent \
                                 until its journal is read"
                            );
                        }),
                        Err(error) => tracing::debug!(%error, "leases that ran out could not be looked for"),
                    }
                    Answered::Expired
                });
            }
            Action::Grant { lease, wanted } => {
                let granted = ledger.grant(lease, wanted.clone());
                answer(ctx, async move { Answered::Granted(lease, wanted, granted.await) });
            }
            Action::GiveBack { lease, parts } => {
                pass(AbortPoint::GivingBack);
                let given = ledger.give_back(lease, parts.clone());
                answer(ctx, async move { Answered::GivenBack(lease, parts, given.await) });
            }
            Action::Recalls { lease } => {
                let recalls = ledger.recalls(lease);
                answer(ctx, async move { Answered::Recalled(lease, recalls.await) });
            }
            Action::EndLost { lease } => {
                let (ledger, calls) = (Arc::clone(ledger), self.calls.clone());
                answer(ctx, async move {
                    let are_stored = match calls {
                        Some(calls) => calls.are_stored(lease.epoch).await,
                        None => false,
                    };
                    let ended = match are_stored {
                        true => ledger.end_lease(lease).await.map(|()| true),
                        false => Ok(false),
                    };
                    Answered::LostEnded(lease, ended)
                });
            }
            Action::Changes { from } => {
                let changes = ledger.budget_changes(from);
                self.looks += 1;
                let look = self.looks;
                answer(ctx, async move { Answered::Changed(look, changes.await) });
            }
        }
    }
}

/// Sends what the ledger answers back to the director.
fn answer(ctx: &Context<BudgetDirector>, answer: impl Future<Output = Answered> + 'static) {
    let director = ctx.address();
    actix_rt::spawn(async move {
        let answered = answer.await;
        if tell(&director, answered).is_err() {
            tracing::debug!("the budget director is gone; an answer of the ledger was dropped");
        }
    });
}

impl Actor for BudgetDirector {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(TICK, |director, ctx| {
            director.change(ctx, DirectorCore::tick);
            director.let_go_of_the_unknown();
        });
    }
}

impl Handler<Refill> for BudgetDirector {
    type Result = Result<oneshot::Receiver<Result<Reserved, BudgetError>>, BudgetError>;

    fn handle(&mut self, wanted: Refill, ctx: &mut Self::Context) -> Self::Result {
        let (waiting, answer) = oneshot::channel();
        self.next_waiter += 1;
        let waiter = WaiterId(self.next_waiter);
        self.waiting.insert(waiter, waiting);
        self.change(ctx, |core, now| core.refill(waiter, wanted, now));
        Ok(answer)
    }
}

impl Handler<ReloadBudgets> for BudgetDirector {
    type Result = Result<oneshot::Receiver<bool>, BudgetError>;

    fn handle(&mut self, _: ReloadBudgets, ctx: &mut Self::Context) -> Self::Result {
        let (waiting, reloaded) = oneshot::channel();
        self.reloading.push(waiting);
        self.change(ctx, |core, now| core.reload(now));
        Ok(reloaded)
    }
}

impl Handler<LookAt> for BudgetDirector {
    type Result = Result<oneshot::Receiver<()>, BudgetError>;

    fn handle(&mut self, LookAt { entry }: LookAt, ctx: &mut Self::Context) -> Self::Result {
        let (waiting, looked) = oneshot::channel();
        let all = self.looking.entry(entry.scope.clone()).or_default();
        all.push(waiting);
        // One question at a time is under way about a budget.
        if all.len() == 1 {
            let status = self.ledger.budget(entry.scope.clone());
            answer(ctx, async move { Answered::Looked(entry, status.await) });
        }
        Ok(looked)
    }
}

impl Handler<Answered> for BudgetDirector {
    type Result = ();

    fn handle(&mut self, answered: Answered, ctx: &mut Self::Context) {
        match answered {
            Answered::LeaseOpened(opened, sent) => {
                self.change(ctx, |core, now| core.lease_opened(opened, sent, now));
            }
            Answered::LeaseRenewed(lease, renewed, sent) => {
                self.change(ctx, |core, now| core.lease_renewed(lease, renewed, sent, now));
            }
            Answered::Expired => {}
            Answered::LostEnded(lease, ended) => {
                self.change(ctx, |core, now| core.lost_ended(lease, ended, now));
            }
            Answered::Granted(lease, wanted, granted) => {
                pass(AbortPoint::Granted);
                self.change(ctx, |core, now| core.granted(lease, &wanted, granted, now));
            }
            Answered::GivenBack(lease, parts, given) => {
                pass(AbortPoint::GivenBack);
                self.change(ctx, |core, now| core.given_back(lease, &parts, given, now));
            }
            Answered::Recalled(lease, recalls) => {
                self.change(ctx, |core, now| core.recalled(lease, recalls, now));
            }
            Answered::Looked(entry, status) => {
                let left = |status: BudgetStatus| status.rule.limit - status.posted - status.held;
                entry.note_left(status.ok().flatten().map(left), Instant::now());
                for waiting in self.looking.remove(&entry.scope).unwrap_or_default() {
                    let _ = waiting.send(());
                }
            }
            // Of a director that was rebuilt since: the next has looked again, and must not hear how it was before.
            Answered::Changed(look, _) if look != self.looks => {}
            Answered::Changed(_, changes) => {
                let was_told = changes.is_ok();
                let is_known = self.change(ctx, |core, now| core.changed(changes, now)) && was_told;
                // A look that was under way when somebody asked is followed by another; they wait for that.
                let is_done = self.guard.run(|core| !core.is_reloading()).unwrap_or(true);
                if is_done {
                    for waiting in self.reloading.drain(..) {
                        let _ = waiting.send(is_known);
                    }
                }
            }
        }
    }
}

accept_injected_faults!(BudgetDirector);
