//! What administrators do to keys, budgets and rates, the same over HTTP and on the command line.

mod drafts;
mod shown;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gateway_actors::protocol::{
    Budget, BudgetCursor, BudgetRule, BudgetStore, ErrorKind, GatewayError, KeyChange, KeyId, KeyIdentity, KeyStore,
    NewKey, RateLimits, Rotation, Scope, StoreError, StoredKey,
};

use crate::auth::{Hasher, KeyRing, KeyText, NoRandomness};

pub(crate) use self::drafts::{
    DEFAULT_ALERTS, KeyDraft, MOST_ALERTS, budget_rule, grace, key_change, limit, limited_scope, rate_limits, scope,
};
pub(crate) use self::shown::{ShownBudget, ShownKey, ShownLimits};

/// The keys, budgets and rates of a database.
#[derive(Debug, Clone)]
pub(crate) struct Administration {
    keys: Arc<dyn KeyStore>,
    budgets: Arc<dyn BudgetStore>,
    /// What this process knows of the keys, if it serves requests.
    ring: Option<Arc<KeyRing>>,
}

impl Administration {
    /// Over these ports. What is changed holds at once for who asks `ring`, and a little later for other processes.
    pub(crate) fn new(keys: Arc<dyn KeyStore>, budgets: Arc<dyn BudgetStore>, ring: Option<Arc<KeyRing>>) -> Self {
        Self { keys, budgets, ring }
    }

    /// Makes a key, with its budget or not at all.
    pub(crate) async fn create(&self, draft: KeyDraft) -> Result<ShownKey, GatewayError> {
        let hasher = Hasher::new(&self.keys.hash_secret().await?);
        let text = KeyText::generate().map_err(no_randomness)?;
        let id = KeyId::generate();
        let key = NewKey {
            identity: KeyIdentity {
                id: id.clone(),
                project: draft.project,
                user: draft.user,
                role: draft.role,
                max_layer: draft.max_layer,
                models: draft.models,
                expires_at: draft.expires_at,
                limits: draft.limits,
            },
            name: draft.name,
            prefix: text.shown().into(),
            hash: hasher.hash(&text),
        };
        let scope = Scope::Key(id);
        // The budget first: a key must never be there without the budget that it was to have. A budget without a key
        // harms nobody.
        let budget = match draft.budget {
            Some(rule) => Some(self.budgets.set_budget(scope.clone(), rule).await?),
            None => None,
        };
        let stored = match self.keys.create(key).await {
            Ok(stored) => stored,
            Err(error) => {
                if budget.is_some() && self.budgets.delete_budget(scope.clone()).await.is_err() {
                    tracing::warn!(%scope, "a budget is left of a key that could not be made");
                }
                return Err(error.into());
            }
        };
        self.tell().await;
        let shown = ShownKey::new(&stored, now_us()).with_key(text.expose());
        Ok(shown.with_budget(budget.map(|status| ShownBudget::new(scope, status))))
    }

    /// Keys in the order in which they were made: those behind this one, or the first.
    pub(crate) async fn list(&self, after: Option<KeyId>, most: u32) -> Result<Vec<ShownKey>, GatewayError> {
        let keys = self.keys.list(after, most).await?;
        Ok(keys.iter().map(|key| ShownKey::new(key, now_us())).collect())
    }

    /// A key, with its budget if it has one.
    pub(crate) async fn get(&self, id: &KeyId) -> Result<ShownKey, GatewayError> {
        let stored = self.keys.get(id).await?.ok_or_else(no_key)?;
        let scope = Scope::Key(id.clone());
        let status = self.budgets.budget(scope.clone()).await?;
        let budget = status.map(|status| ShownBudget::new(scope, status));
        Ok(ShownKey::new(&stored, now_us()).with_budget(budget))
    }

    /// Changes a key.
    pub(crate) async fn update(&self, id: &KeyId, change: KeyChange) -> Result<ShownKey, GatewayError> {
        let changed = self.keys.update(id, change).await?;
        self.told(id, changed).await
    }

    /// Revokes a key for ever.
    pub(crate) async fn revoke(&self, id: &KeyId) -> Result<ShownKey, GatewayError> {
        let revoked = self.keys.revoke(id).await?.ok_or_else(no_key)?;
        self.tell().await;
        Ok(ShownKey::new(&revoked, now_us()))
    }

    /// Gives a key another text; the old one is taken for this long.
    pub(crate) async fn rotate(&self, id: &KeyId, grace: Duration) -> Result<ShownKey, GatewayError> {
        let hasher = Hasher::new(&self.keys.hash_secret().await?);
        let text = KeyText::generate().map_err(no_randomness)?;
        let rotation = Rotation {
            hash: hasher.hash(&text),
            prefix: text.shown().into(),
            grace,
        };
        let rotated = self.keys.rotate(id, rotation).await?;
        Ok(self.told(id, rotated).await?.with_key(text.expose()))
    }

    /// Sets a budget.
    pub(crate) async fn set_budget(&self, scope: Scope, rule: BudgetRule) -> Result<ShownBudget, GatewayError> {
        let status = self.budgets.set_budget(scope.clone(), rule).await?;
        Ok(ShownBudget::new(scope, status))
    }

    /// How a budget stands.
    pub(crate) async fn budget(&self, scope: Scope) -> Result<ShownBudget, GatewayError> {
        let status = self.budgets.budget(scope.clone()).await?;
        Ok(ShownBudget::new(scope, status.ok_or_else(no_budget)?))
    }

    /// How budgets stand, in the order of their scopes: those behind this one, or the first.
    pub(crate) async fn budgets(&self, after: Option<Scope>, most: usize) -> Result<Vec<ShownBudget>, GatewayError> {
        let all = self.budgets.budget_changes(BudgetCursor::default()).await?.budgets;
        let there = all.into_iter().filter(|budget| budget.rule.is_some());
        let mut scopes: Vec<Scope> = there.map(|Budget { scope, .. }| scope).collect();
        scopes.sort();
        scopes.dedup();
        let behind = scopes
            .into_iter()
            .filter(|scope| after.as_ref().is_none_or(|after| scope > after));
        let mut shown = Vec::new();
        for scope in behind.take(most) {
            // One may have been deleted meanwhile.
            if let Some(status) = self.budgets.budget(scope.clone()).await? {
                shown.push(ShownBudget::new(scope, status));
            }
        }
        Ok(shown)
    }

    /// Deletes a budget.
    pub(crate) async fn delete_budget(&self, scope: Scope) -> Result<(), GatewayError> {
        match self.budgets.delete_budget(scope).await? {
            true => Ok(()),
            false => Err(no_budget()),
        }
    }

    /// Sets the rates of a project or user.
    pub(crate) async fn set_limits(&self, scope: Scope, limits: RateLimits) -> Result<ShownLimits, GatewayError> {
        self.keys.set_limits(scope.clone(), limits).await?;
        self.tell().await;
        Ok(ShownLimits::new(scope, limits))
    }

    /// The rates of a project or user.
    pub(crate) async fn limits(&self, scope: Scope) -> Result<ShownLimits, GatewayError> {
        let limits = self.keys.limits(scope.clone()).await?;
        Ok(ShownLimits::new(scope, limits.ok_or_else(no_limits)?))
    }

    /// Deletes the rates of a project or user.
    pub(crate) async fn delete_limits(&self, scope: Scope) -> Result<(), GatewayError> {
        if !self.keys.delete_limits(scope).await? {
            return Err(no_limits());
        }
        self.tell().await;
        Ok(())
    }

    async fn told(&self, id: &KeyId, changed: Option<StoredKey>) -> Result<ShownKey, GatewayError> {
        let Some(stored) = changed else {
            return Err(match self.keys.get(id).await? {
                Some(_) => GatewayError::invalid("id", "this key was revoked, and stays so; make another one"),
                None => no_key(),
            });
        };
        self.tell().await;
        Ok(ShownKey::new(&stored, now_us()))
    }

    /// Lets this process's requests know of a change. One that cannot be seen now is seen at the next look.
    async fn tell(&self) {
        let Some(ring) = &self.ring else { return };
        let looked: Result<(), StoreError> = ring.catch_up().await;
        if let Err(error) = looked {
            tracing::warn!(%error, "a change of keys is seen a little later");
        }
    }
}

fn now_us() -> i64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(since_1970.unwrap_or_default().as_micros()).unwrap_or(i64::MAX)
}

fn no_randomness(error: NoRandomness) -> GatewayError {
    GatewayError::new(ErrorKind::Internal, error.to_string())
}

fn no_key() -> GatewayError {
    GatewayError::new(
        ErrorKind::NotFound,
        "there is no key of this id; list the keys to see which there are",
    )
}

fn no_budget() -> GatewayError {
    GatewayError::new(ErrorKind::NotFound, "this scope has no budget; set one first")
}

fn no_limits() -> GatewayError {
    GatewayError::new(
        ErrorKind::NotFound,
        "this scope has no rates of its own; set them first",
    )
}
