//! How many requests may be under way: a fixed number, and a few more that wait shortly for a place.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::Method;
use gateway_actors::protocol::{ErrorKind, GatewayError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use crate::config::HttpSettings;
use crate::http::shared::Lifecycle;

/// A place among the requests under way; dropped when the last byte of the answer is gone.
pub(crate) type Place = OwnedSemaphorePermit;

/// Hands out the places.
#[derive(Debug)]
pub(crate) struct Admission {
    places: Arc<Semaphore>,
    max_in_flight: usize,
    queue: Semaphore,
    queue_wait: Duration,
    lifecycle: watch::Receiver<Lifecycle>,
}

impl Admission {
    pub(crate) fn new(settings: &HttpSettings, lifecycle: watch::Receiver<Lifecycle>) -> Self {
        Self {
            places: Arc::new(Semaphore::new(settings.max_in_flight)),
            max_in_flight: settings.max_in_flight,
            queue: Semaphore::new(settings.queue),
            queue_wait: settings.queue_wait,
            lifecycle,
        }
    }

    /// How many requests are under way.
    pub(crate) fn in_flight(&self) -> usize {
        self.max_in_flight.saturating_sub(self.places.available_permits())
    }

    /// Takes a place, after waiting for one where needed. A process that drains begins nothing new.
    pub(crate) async fn enter(&self, method: &Method) -> Result<Place, GatewayError> {
        if *self.lifecycle.borrow() >= Lifecycle::Draining && method == Method::POST {
            let message = "the gateway is shutting down; send the request again";
            return Err(GatewayError::new(ErrorKind::Draining, message).with_retry_after(Duration::from_secs(1)));
        }
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place);
        }
        let Ok(_waiting) = self.queue.try_acquire() else {
            return Err(overloaded());
        };
        match timeout(self.queue_wait, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(overloaded()),
        }
    }
}

fn overloaded() -> GatewayError {
    let message = "the gateway has as many requests under way as it can take; try again shortly";
    GatewayError::new(ErrorKind::Overloaded, message).with_retry_after(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use tokio::time::Instant;

    use super::*;

    fn admission(max_in_flight: usize, queue: usize, lifecycle: Lifecycle) -> Admission {
        let settings = HttpSettings {
            max_in_flight,
            queue,
            ..HttpSettings::default()
        };
        Admission::new(&settings, watch::channel(lifecycle).1)
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_find_no_place_wait_and_the_rest_is_refused_at_once() {
        let admission = admission(2, 3, Lifecycle::Serving);
        let start = Instant::now();
        let answers = join_all((0..10).map(|_| async {
            let place = admission.enter(&Method::POST).await;
            (place, start.elapsed())
        }))
        .await;
        let waits: Vec<(bool, u128)> = answers
            .iter()
            .map(|(place, wait)| (place.is_ok(), wait.as_millis()))
            .collect();
        assert_eq!(waits.iter().filter(|wait| **wait == (true, 0)).count(), 2);
        assert_eq!(waits.iter().filter(|wait| **wait == (false, 0)).count(), 5);
        assert_eq!(waits.iter().filter(|(got, wait)| !got && *wait >= 100).count(), 3);
        assert_eq!(admission.in_flight(), 2);
        drop(answers);
        assert_eq!(admission.in_flight(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_waits_gets_the_place_that_becomes_free() {
        let admission = admission(1, 1, Lifecycle::Serving);
        let first = admission.enter(&Method::POST).await.unwrap();
        let (second, ()) = tokio::join!(admission.enter(&Method::POST), async { drop(first) });
        assert!(second.is_ok());
    }

    #[tokio::test]
    async fn a_process_that_drains_takes_no_new_work_but_lets_people_look() {
        let admission = admission(1, 1, Lifecycle::Draining);
        assert_eq!(
            admission.enter(&Method::POST).await.unwrap_err().kind,
            ErrorKind::Draining
        );
        assert!(admission.enter(&Method::GET).await.is_ok());
    }
}
