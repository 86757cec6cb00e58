//! Events in memory.

use std::time::Duration;

use arc_swap::ArcSwap;

use crate::protocol::{ClaimedEvent, EventStore, GatewayEvent, NanoUsd, Period, StoreError, StoreFuture};

/// What operators would be told of. Nothing is delivered.
#[derive(Debug, Default)]
pub struct MemoryEvents {
    raised: ArcSwap<Vec<(String, GatewayEvent)>>,
}

impl MemoryEvents {
    /// The events that were raised, in order.
    #[must_use]
    pub fn raised(&self) -> Vec<GatewayEvent> {
        self.raised.load().iter().map(|(_, event)| event.clone()).collect()
    }
}

fn ready<T: Send + 'static>(value: T) -> StoreFuture<T> {
    Box::pin(std::future::ready(Ok(value)))
}

impl EventStore for MemoryEvents {
    fn raise(&self, kind: &'static str, once: String, detail: String) -> StoreFuture<bool> {
        let before = self.raised.rcu(|raised| {
            let mut raised = Vec::clone(raised);
            if raised.iter().all(|(known, _)| *known != once) {
                let event = GatewayEvent {
                    id: once.clone(),
                    kind: kind.to_owned(),
                    detail: detail.clone(),
                    created_at: 0,
                };
                raised.push((once.clone(), event));
            }
            raised
        });
        ready(before.iter().all(|(known, _)| *known != once))
    }

    fn present(&self, _: u32) -> StoreFuture<Vec<GatewayEvent>> {
        ready(self.raised())
    }

    fn claim(&self, _: u32, _: Duration) -> StoreFuture<Vec<ClaimedEvent>> {
        ready(Vec::new())
    }

    fn delivered(&self, _: String) -> StoreFuture<()> {
        ready(())
    }

    fn put_off(&self, _: String, _: Duration) -> StoreFuture<()> {
        ready(())
    }

    fn spent_today(&self) -> StoreFuture<(Period, NanoUsd)> {
        Box::pin(std::future::ready(Err(StoreError::Unavailable { source: None })))
    }
}
