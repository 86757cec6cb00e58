//! The virtual keys of a process: read before anybody is served, and kept fresh from then on.

use std::sync::Arc;

use actix_rt::task::JoinHandle;

use super::ServeError;
use crate::auth::{Auth, KeyRing, ReadFirst};
use crate::config::Settings;
use crate::store::Store;
use crate::system::ActorSystem;

/// How often the budgets are asked for at the start, two seconds each: other processes may hold a SQLite file for longer.
const TRIES: usize = 5;

/// Keeps virtual keys fresh as long as it lives.
pub(super) struct KeepingFresh(JoinHandle<()>);

impl Drop for KeepingFresh {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Reads the keys of the database, and goes on doing so on this thread.
///
/// # Errors
/// When they cannot be read.
pub(super) async fn open(settings: &Settings, store: &Store) -> Result<(Arc<KeyRing>, KeepingFresh), ServeError> {
    let ring = Arc::new(KeyRing::new(store.keys(), settings.auth.keys_max_age));
    ring.catch_up().await.map_err(ServeError::Keys)?;
    let kept = Arc::clone(&ring);
    let keeping = actix_rt::spawn(async move { match kept.keep_fresh().await {} });
    Ok((ring, KeepingFresh(keeping)))
}

/// From now on no key is taken before the budgets are known that were made before it.
///
/// # Errors
/// When the budgets cannot be read.
pub(super) async fn spend_within_budgets(ring: &KeyRing, system: &ActorSystem) -> Result<(), ServeError> {
    let news = system.budget_news();
    let again = news.clone();
    let hear = ReadFirst::new(move || {
        let news = news.clone();
        Box::pin(async move { news.hear().await })
    });
    let mut heard = ring.read_first(hear).await;
    for _ in 1..TRIES {
        if heard.is_ok() {
            break;
        }
        heard = again.hear().await;
    }
    heard.map_err(ServeError::Budgets)
}

/// Who may come in over HTTP.
pub(super) fn auth(settings: &Settings, ring: &Arc<KeyRing>) -> Arc<Auth> {
    let admin_key = settings.auth.admin_key.clone();
    Arc::new(Auth::new(admin_key, settings.auth.require_keys, Arc::clone(ring)))
}
