//! Delivers events to the operators' webhook: each at least once, whatever fails meanwhile, by whichever process comes
//! first. What waits is in the database.

use std::convert::Infallible;
use std::error::Error as _;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_core::future::LocalBoxFuture;
use gateway_actors::protocol::{ClaimedEvent, EventStore, StoreError};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::Sha256;
use tokio::time::sleep;

use crate::moment::micros_text;

/// The time between two looks for events.
const PAUSE: Duration = Duration::from_secs(1);
/// Events that are taken at once.
const BATCH: u32 = 4;
/// For how long they are this process's: longer than their deliveries take.
const HOLD: Duration = Duration::from_secs(60);
/// The longest time between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// One post to a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its headers, besides those that every request has.
    pub headers: Vec<(&'static str, String)>,
    /// Its body, JSON.
    pub body: String,
}

/// Why a delivery came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// It was not answered, or not in time.
    #[error("the webhook did not answer")]
    NoAnswer,
    /// It was answered with this status; redirects are not followed.
    #[error("the webhook answered with status {0}")]
    Status(u16),
}

/// The way to a webhook.
pub trait Webhook: fmt::Debug {
    /// Posts once.
    fn deliver(&self, delivery: Delivery) -> LocalBoxFuture<'_, Result<(), Undelivered>>;
}

/// Delivers events for ever.
pub async fn deliver(events: &dyn EventStore, webhook: &dyn Webhook, secret: Option<&SecretString>) -> Infallible {
    loop {
        match deliver_some(events, webhook, secret).await {
            // There may be more.
            Ok(BATCH) => continue,
            Ok(_) => {}
            Err(error) => {
                let cause = error.source().map(ToString::to_string);
                tracing::debug!(%error, cause, "events that wait for the webhook cannot be read; tried again shortly");
            }
        }
        sleep(PAUSE).await;
    }
}

/// Delivers a few events; how many were tried.
async fn deliver_some(
    events: &dyn EventStore,
    webhook: &dyn Webhook,
    secret: Option<&SecretString>,
) -> Result<u32, StoreError> {
    let claimed = events.claim(BATCH, HOLD).await?;
    let mut tried = 0;
    for event in claimed {
        tried += 1;
        let id = event.event.id.clone();
        match webhook.deliver(post(&event, secret)).await {
            Ok(()) => events.delivered(id).await?,
            Err(error) => {
                let pause = pause_after(event.attempts);
                tracing::warn!(event = id, attempts = event.attempts, %error, ?pause, "an event was not delivered");
                events.put_off(id, pause).await?;
            }
        }
    }
    Ok(tried)
}

/// The pause after so many tries: a second, then twice as long each time.
fn pause_after(attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    LONGEST_PAUSE.min(Duration::from_secs(1 << doublings))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    id: &'a str,
    kind: &'a str,
    raised_at: String,
    detail: Option<Box<RawValue>>,
}

fn post(claimed: &ClaimedEvent, secret: Option<&SecretString>) -> Delivery {
    let event = &claimed.event;
    let body = Body {
        id: &event.id,
        kind: &event.kind,
        raised_at: micros_text(event.created_at),
        detail: RawValue::from_string(event.detail.clone()).ok(),
    };
    let body = serde_json::to_string(&body).unwrap_or_default();
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let timestamp = since_1970.as_secs().to_string();
    let mut headers = vec![
        ("x-gateway-event-id", event.id.clone()),
        ("x-gateway-timestamp", timestamp.clone()),
    ];
    if let Some(signature) = secret.and_then(|secret| signature(secret, &timestamp, &body)) {
        headers.push(("x-gateway-signature", signature));
    }
    Delivery { headers, body }
}

/// `v1=` and the HMAC-SHA-256, in hexadecimal digits, of the timestamp, a dot and the body.
fn signature(secret: &SecretString, timestamp: &str, body: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).ok()?;
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    let digits = mac.finalize().into_bytes();
    let digits: String = digits.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("v1={digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_ten_minutes() {
        let seconds: Vec<u64> = [1, 2, 3, 10, 11, 99]
            .map(|attempts| pause_after(attempts).as_secs())
            .to_vec();
        assert_eq!(seconds, [1, 2, 4, 512, 600, 600]);
    }

    #[test]
    fn a_signature_is_the_hmac_of_timestamp_and_body() {
        // From `printf '1.{}' | openssl dgst -sha256 -hmac key`.
        let signed = signature(&"key".to_owned().into(), "1", "{}").unwrap();
        assert_eq!(signed, EXPECTED);
        assert_ne!(signature(&"key".to_owned().into(), "2", "{}").unwrap(), signed);
        assert_ne!(signature(&"other".to_owned().into(), "1", "{}").unwrap(), signed);
    }

    const EXPECTED: &str = "v1=1ba6b8171186efc613e8bcc0cbdab2748f24984d7c5a84faa2637afa0e40d224";
}
