//! Asks OpenRouter which of its models are free.

mod list;

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use awc::FrozenClientRequest;
use awc::http::StatusCode;
use awc::http::header::CONTENT_LENGTH;
use gateway_actors::protocol::{Model, ProviderName, UpstreamFailure};
use tokio::time::Instant;

pub use self::list::ListError;
use self::list::choose;
use super::BuildError;
use super::client::Clients;
use super::failure::from_send_error;
use super::http::{connection_kind, models_request};
use super::resting::Call;
use super::watchdog::Watchdog;
use super::whole::read_whole;
use crate::config::{ProviderSettings, UpstreamTimeouts};

/// How large the list may be.
const BODY_BYTES: usize = 8 * 1024 * 1024;

/// How long a question may take, whatever the provider's own limits are.
const TOTAL: Duration = Duration::from_secs(60);

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub enum FreeModelsError {
    /// The provider could not be asked, or its answer broke off, stalled or was too large.
    #[error(transparent)]
    Call(#[from] UpstreamFailure),
    /// It answered with another status than 200; redirects are not followed.
    #[error("the list was answered with status {0}")]
    Status(StatusCode),
    /// Its answer is no list.
    #[error(transparent)]
    List(#[from] ListError),
}

/// The question for a provider's free models. Stays on the thread that made it.
pub struct FreeModels {
    provider: ProviderName,
    request: FrozenClientRequest,
    timeouts: UpstreamTimeouts,
}

impl FreeModels {
    /// Prepares the question, on the thread that will ask it.
    ///
    /// # Errors
    /// A provider whose address or key cannot be used, or TLS that cannot be set up.
    pub fn new(provider: &ProviderSettings) -> Result<Self, BuildError> {
        let client = Clients::default().with(connection_kind(provider, provider.timeouts.connect))?;
        Ok(Self {
            provider: provider.name.clone(),
            request: models_request(provider, &client)?,
            timeouts: provider.timeouts,
        })
    }

    /// Asks for the list and returns the five best of its free models, best first: the larger window, the more
    /// capabilities, the id.
    ///
    /// Bounded by the provider's own time limits and by 60 s, by 8 MiB and by 10,000 models.
    ///
    /// # Errors
    /// When no list came. The key is in no error.
    pub async fn fetch(&self) -> Result<Vec<Model>, FreeModelsError> {
        let mut watchdog = Watchdog::start(&self.timeouts, Instant::now() + TOTAL)?;
        let call = Call::begin();
        let sent = watchdog.guard(Rc::clone(&call).send(self.request.send())).await;
        let mut response = sent
            .map_err(UpstreamFailure::from)?
            .map_err(|error| from_send_error(&error))?;
        if response.status() != StatusCode::OK {
            return Err(FreeModelsError::Status(response.status()));
        }
        let announced = response.headers().get(CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.parse().ok());
        let body = read_whole(&mut response, announced, BODY_BYTES, &mut watchdog).await?;
        drop(call);
        Ok(choose(&body, &self.provider)?)
    }
}

impl fmt::Debug for FreeModels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FreeModels")
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}
