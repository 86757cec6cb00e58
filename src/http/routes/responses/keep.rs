//! Keeps an answer before its client has the end of it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use gateway_actors::protocol::{Model, RequestId, ResponseId, StoreError, StoredResponse};
use serde::Deserialize;

use crate::dialects::ClientRequest as _;
use crate::dialects::openai_responses::{ResponsesRequest, final_response};
use crate::http::error::Failure;
use crate::http::keep::Keep;
use crate::http::shared::Shared;

/// What is kept besides the answer itself.
pub(super) struct Keeping {
    shared: Arc<Shared>,
    request: RequestId,
    previous: Option<ResponseId>,
    /// Whose it is.
    tenant: Option<Arc<str>>,
    /// The model that was asked for, until it is known which answers.
    model: Arc<str>,
    input: Arc<str>,
}

impl Keeping {
    /// For the answer to this request, if it is to be kept.
    pub(super) fn of(
        request: &ResponsesRequest,
        shared: &Arc<Shared>,
        id: RequestId,
        tenant: Option<Arc<str>>,
    ) -> Result<Option<Self>, Failure> {
        if !request.stores() || !shared.response_settings.store {
            return Ok(None);
        }
        let previous: Option<ResponseId> = request.previous_response().map(str::parse).transpose()?;
        Ok(Some(Self {
            shared: Arc::clone(shared),
            request: id,
            previous: previous.map(|previous| previous.within(tenant.as_deref())),
            tenant,
            model: Arc::clone(request.model()),
            input: request.input_items().into(),
        }))
    }

    /// Stores an answer. One that cannot be stored is delivered all the same, since it is paid for: a request that goes
    /// on from it will be told that it is not there.
    fn store(&self, body: &str) -> LocalBoxFuture<'static, ()> {
        #[derive(Deserialize)]
        struct Named<'a> {
            id: &'a str,
        }
        let named: Option<ResponseId> = serde_json::from_str::<Named<'_>>(body)
            .ok()
            .and_then(|named| named.id.parse().ok());
        let Some(id) = named else {
            tracing::warn!(request = %self.request, "an answer without a usable id is not kept");
            return Box::pin(std::future::ready(()));
        };
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX);
        let stored = self.shared.responses.put(StoredResponse {
            id: id.within(self.tenant.as_deref()),
            previous: self.previous.clone(),
            request: self.request,
            created_at: now,
            model: Arc::clone(&self.model),
            input: Arc::clone(&self.input),
            body: body.into(),
            expires_at: self.shared.response_settings.expires_at(now),
        });
        let request = self.request;
        Box::pin(async move {
            if let Err(error) = stored.await {
                not_stored(request, &error);
            }
        })
    }
}

fn not_stored(request: RequestId, error: &StoreError) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(%request, %error, cause, "an answer could not be kept; its client got it all the same");
}

impl Keep for Keeping {
    fn answered_by(&mut self, model: &Model) {
        self.model = model.id.as_str().into();
    }

    fn whole(&self, body: &Bytes) -> LocalBoxFuture<'static, ()> {
        self.store(std::str::from_utf8(body).unwrap_or_default())
    }

    fn events(&self, events: &Bytes) -> Option<LocalBoxFuture<'static, ()>> {
        Some(self.store(&final_response(events)?))
    }
}
