//! The ids of requests: which are under way, so that each is answered once and the end waits for them; and what was asked
//! of the client, so that only what answers it is let in.

use std::collections::{HashSet, VecDeque};

use rmcp::model::RequestId;

/// Cancelled requests that are remembered: the answer to one may still be on its way inside when its id comes again.
const REMEMBERED: usize = 1_024;

#[derive(Debug, Default)]
pub(super) struct Ids {
    open: HashSet<RequestId>,
    cancelled: VecDeque<RequestId>,
}

impl Ids {
    /// A request arrives; false when its id cannot be told from another's.
    pub(super) fn begin(&mut self, id: &RequestId) -> bool {
        !self.is_taken(id) && self.open.insert(id.clone())
    }

    /// Whether an answer under this id would be taken for that to a request which is under way, or was cancelled.
    pub(super) fn is_taken(&self, id: &RequestId) -> bool {
        self.open.contains(id) || self.cancelled.contains(id)
    }

    /// A request is answered.
    pub(super) fn end(&mut self, id: &RequestId) {
        self.open.remove(id);
    }

    /// A request is cancelled: it will not be answered.
    pub(super) fn cancel(&mut self, id: &RequestId) {
        if let Some(id) = self.open.take(id) {
            if self.cancelled.len() == REMEMBERED {
                self.cancelled.pop_front();
            }
            self.cancelled.push_back(id);
        }
    }

    /// Whether no request is under way.
    pub(super) fn none_open(&self) -> bool {
        self.open.is_empty()
    }
}

/// What was asked of the client and is not answered yet. The client's own requests have other ids, even where they look
/// the same.
#[derive(Debug, Default)]
pub(super) struct Asked(HashSet<RequestId>);

impl Asked {
    /// The client is asked something.
    pub(super) fn begin(&mut self, id: RequestId) {
        self.0.insert(id);
    }

    /// The client answers, or is not asked any more; whether it was asked. Some clients send a number back as a text.
    pub(super) fn end(&mut self, id: &RequestId) -> bool {
        self.0.remove(id)
            || match id {
                RequestId::String(text) => text
                    .parse()
                    .is_ok_and(|number| self.0.remove(&RequestId::Number(number))),
                RequestId::Number(_) => false,
            }
    }

    /// Takes one that will not be answered any more.
    pub(super) fn give_up(&mut self) -> Option<RequestId> {
        let id = self.0.iter().next().cloned()?;
        self.0.take(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_free_again_when_its_request_was_answered_but_not_when_it_was_cancelled() {
        let mut ids = Ids::default();
        let (one, text) = (RequestId::Number(1), RequestId::String("1".into()));
        assert!(!ids.is_taken(&one));
        assert!(ids.begin(&one) && ids.begin(&text), "a number is no text");
        assert!(ids.is_taken(&one) && !ids.begin(&one));
        ids.end(&one);
        assert!(!ids.is_taken(&one) && ids.begin(&one));
        ids.cancel(&one);
        assert!(ids.is_taken(&one) && !ids.begin(&one));
        assert!(!ids.none_open());
        ids.end(&text);
        assert!(ids.none_open());
    }

    #[test]
    fn only_what_was_asked_can_be_answered_and_once() {
        let mut asked = Asked::default();
        assert!(!asked.end(&RequestId::Number(0)));
        asked.begin(RequestId::Number(0));
        asked.begin(RequestId::Number(1));
        assert!(asked.end(&RequestId::String("0".into())) && !asked.end(&RequestId::Number(0)));
        assert!(!asked.end(&RequestId::String("one".into())));
        assert_eq!((asked.give_up(), asked.give_up()), (Some(RequestId::Number(1)), None));
    }

    #[test]
    fn only_so_many_cancelled_ids_are_remembered() {
        let mut ids = Ids::default();
        let count = i64::try_from(REMEMBERED).unwrap() + 1;
        for id in (0..count).map(RequestId::Number) {
            assert!(ids.begin(&id));
            ids.cancel(&id);
        }
        assert_eq!(ids.cancelled.len(), REMEMBERED);
        assert!(ids.begin(&RequestId::Number(0)) && !ids.begin(&RequestId::Number(1)));
    }
}
