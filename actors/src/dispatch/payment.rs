//! What pays for a request: the budgets that concern it, and the hold on each attempt's worst case.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::cell::CellParts;
use crate::protocol::{
    AttemptId, BudgetEntry, BudgetError, BudgetPath, CallContext, ConversationId, ErrorKind, GatewayError, Hold, Layer,
    LookAt, Model, NanoUsd, OnExhausted, Payer, Refill, Reserve, Reserved,
};

/// How often a hold is asked for while other calls take what was got for it, or the actors restart.
const TRIES: usize = 3;

/// What is known of a budget is looked at again when it is older than this, without waiting for it.
const FRESH: Duration = Duration::from_secs(5);

/// It says nothing any more when it is older than this.
const OLD: Duration = Duration::from_secs(60);

/// How long the ledger is waited for when nothing is known of a budget.
const PATIENCE: Duration = Duration::from_millis(250);

/// The budgets that have to pay for a request, and what they still allow.
#[derive(Debug)]
pub(super) struct Payment {
    path: BudgetPath,
    /// A budget ran dry that goes on with free models.
    ran_dry: Option<GatewayError>,
}

/// Why there is no hold.
#[derive(Debug)]
pub(super) enum NotPaid {
    /// The request ends.
    Refused(GatewayError),
    /// A model that costs nothing may be asked.
    OnlyFree,
}

impl Payment {
    /// What pays for a request of this caller, as the budgets are now.
    pub(super) fn of(cell: &CellParts, context: &CallContext, conversation: Option<&ConversationId>) -> Self {
        Self {
            path: path(cell, context, conversation),
            ran_dry: None,
        }
    }

    /// Budgets that were set, changed or deleted since hold for the next attempt.
    pub(super) fn look_again(
        &mut self,
        cell: &CellParts,
        context: &CallContext,
        conversation: Option<&ConversationId>,
    ) {
        self.path = path(cell, context, conversation);
    }

    /// Whether a call of this model is paid by a budget.
    pub(super) fn is_budgeted(&self, model: &Model) -> bool {
        !self.path.is_empty() && !model.is_free()
    }

    /// Whether a budget ran dry that goes on with free models.
    pub(super) fn is_dry(&self) -> bool {
        self.ran_dry.is_some()
    }

    /// What the client is told where a model was refused for money, whatever else there was against others; nothing where none
    /// was.
    pub(super) fn ran_dry(&self) -> Option<GatewayError> {
        self.ran_dry.clone()
    }

    /// The dearest layer that the budgets pay for.
    pub(super) fn max_layer(&self) -> Option<Layer> {
        self.path.iter().filter_map(|entry| entry.rule.max_layer).min()
    }

    /// About how much the budgets have left; nothing where none pays. It is asked of the ledger now and then, and may be as
    /// old as [`OLD`]; of a budget that nothing is known of, it is the limit.
    pub(super) async fn left(&self, cell: &CellParts) -> Option<NanoUsd> {
        let now = Instant::now();
        for entry in &self.path {
            let age = entry.told_at(now).map(|at| now.saturating_duration_since(at));
            let look = LookAt {
                entry: Arc::clone(entry),
            };
            match age {
                Some(age) if age < FRESH => {}
                Some(age) if age < OLD => {
                    if cell.budget_director.tell(look).is_err() {
                        tracing::debug!("the budget director is gone; what a budget has left is not asked for");
                    }
                }
                _ => {
                    let looked = async { cell.budget_director.ask(look).await.ok()?.ok()?.await.ok() };
                    // Who has not heard by then goes by what is known.
                    let _late = timeout(PATIENCE, looked).await;
                }
            }
        }
        let left = |entry: &Arc<BudgetEntry>| entry.left(now).unwrap_or(entry.rule.limit);
        self.path.iter().map(left).min()
    }

    /// Whether the budgets let this model answer at all.
    ///
    /// # Errors
    /// `layer_not_allowed`, `model_unpriced`, or `budget_exceeded` once only free models may answer.
    pub(super) fn allows(&self, model: &Model) -> Result<(), GatewayError> {
        if let Some(most) = self.max_layer().filter(|most| model.layer > *most) {
            let message =
                format!("the budget of this call allows no layer above {most}; choose a model of a lower one");
            return Err(GatewayError::new(ErrorKind::LayerNotAllowed, message));
        }
        if !self.is_budgeted(model) {
            return Ok(());
        }
        if let Some(error) = &self.ran_dry {
            return Err(error.clone());
        }
        if model.price.is_none() {
            let message = "no price is known for this model, so that no budget can pay for it; name its price in the \
                           catalogue, or choose another model";
            return Err(GatewayError::new(ErrorKind::ModelUnpriced, message));
        }
        Ok(())
    }

    /// A hold of this amount for an attempt. What no budget has to pay for is held without asking anybody.
    ///
    /// # Errors
    /// When a budget has not enough left, or cannot be asked.
    pub(super) async fn hold(
        &mut self,
        cell: &CellParts,
        attempt: AttemptId,
        amount: NanoUsd,
        deadline: Instant,
    ) -> Result<Hold, NotPaid> {
        if self.path.is_empty() || amount <= NanoUsd::ZERO {
            return Ok(Hold::new(
                attempt,
                Reserved::nothing(amount),
                Arc::clone(&cell.spending),
            ));
        }
        let mut reserved = None;
        for _ in 0..TRIES {
            let wanted = Reserve {
                attempt,
                amount,
                path: self.path.clone(),
                reserved: reserved.take(),
                now: Instant::now(),
            };
            match cell.budget.ask(wanted).await {
                Ok(Ok(hold)) => return Ok(hold),
                Ok(Err(BudgetError::Short)) => match self.refill(cell, amount, deadline).await {
                    Ok(got) => reserved = Some(got),
                    Err(BudgetError::Restarting) => {}
                    Err(error) => return Err(self.not_paid(error)),
                },
                Ok(Err(BudgetError::Restarting)) | Err(_) => {}
                Ok(Err(error)) => return Err(self.not_paid(error)),
            }
        }
        Err(NotPaid::Refused(BudgetError::Restarting.into()))
    }

    /// Asks the director for what the cell has not in memory.
    async fn refill(&self, cell: &CellParts, amount: NanoUsd, deadline: Instant) -> Result<Reserved, BudgetError> {
        let wanted = Refill {
            amount,
            path: self.path.clone(),
        };
        let answer = match cell.budget_director.ask(wanted).await {
            Ok(asked) => asked?,
            Err(_gone) => return Err(BudgetError::Restarting),
        };
        match timeout_at(deadline, answer).await {
            Ok(Ok(answer)) => answer,
            // The director was rebuilt.
            Ok(Err(_)) => Err(BudgetError::Restarting),
            Err(_) => Err(BudgetError::TooLate),
        }
    }

    fn not_paid(&mut self, error: BudgetError) -> NotPaid {
        let goes_on = matches!(
            error,
            BudgetError::Exhausted {
                then: OnExhausted::FreeOnly,
                ..
            }
        );
        let error = GatewayError::from(error);
        if goes_on {
            self.ran_dry = Some(error);
            NotPaid::OnlyFree
        } else {
            NotPaid::Refused(error)
        }
    }
}

/// The budgets that concern a request of this caller now.
fn path(cell: &CellParts, context: &CallContext, conversation: Option<&ConversationId>) -> BudgetPath {
    let payer = Payer {
        project: context.project_id.as_deref(),
        user: context.user_id.as_deref(),
        key: context.caller.key().map(|key| &key.id),
        conversation,
    };
    cell.budgets.load().path(payer)
}
