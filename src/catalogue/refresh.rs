//! Asks for the free models again and again, one question at a time, and nobody waits for the answer.

use std::convert::Infallible;
use std::fmt::Display;
use std::time::Duration;

use gateway_actors::protocol::Model;
use tokio::time::sleep;

use super::LiveCatalogue;

/// When the next question is due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RefreshTimes {
    /// After an answer with free models.
    pub(crate) ttl: Duration,
    /// After a failure, or an answer without one.
    pub(crate) retry: Duration,
}

/// Keeps the free models up to date for as long as it is polled. Asks by `fetch`, and only while they are wanted; what
/// fails leaves the ones that are known.
pub(crate) async fn keep_fresh<E: Display>(
    catalogue: &LiveCatalogue,
    times: RefreshTimes,
    fetch: impl AsyncFn() -> Result<Vec<Model>, E>,
) -> Infallible {
    let mut told = None;
    loop {
        catalogue.until_wanted().await;
        let pause = match fetch().await {
            Ok(models) => {
                tell(&mut told, News::of(&models));
                let is_empty = models.is_empty();
                catalogue.set_free(models);
                if is_empty { times.retry } else { times.ttl }
            }
            Err(error) => {
                tell(&mut told, News::Failed(error.to_string()));
                times.retry
            }
        };
        sleep(pause).await;
    }
}

/// What a question came to, as the log has it.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Models(String),
    Failed(String),
}

impl News {
    fn of(models: &[Model]) -> Self {
        let ids: Vec<&str> = models.iter().map(|model| model.id.as_str()).collect();
        Self::Models(ids.join(", "))
    }
}

/// Logs what differs from what was told last.
fn tell(told: &mut Option<News>, news: News) {
    if told.as_ref() == Some(&news) {
        return;
    }
    match &news {
        News::Models(none) if none.is_empty() => {
            tracing::warn!("layer L0 has no configured model, and OpenRouter's model list has no free one");
        }
        News::Models(models) => tracing::info!(
            models,
            price_source = "OpenRouter's model list",
            "layer L0 has no configured model: these free ones stand in for it"
        ),
        News::Failed(error) => tracing::warn!(
            error,
            "OpenRouter's model list cannot be used; the free models stay as they were"
        ),
    }
    *told = Some(news);
}
