//! One request's place on the bill, and what it is answered with.

use serde_json::Value;

use super::answer::{Answer, Counts};
use super::behaviour::Behaviour;
use super::bill::{Charge, Received};
use super::dialect::{Route, Task, model};
use super::embeddings::Embeddings;
use super::server::{Script, Shared};

/// A request that is being answered.
pub(super) struct Tab<'a> {
    shared: &'a Shared,
    place: Option<usize>,
    route: &'a Route,
    texts: Vec<String>,
    pub(super) answer: Answer,
}

impl<'a> Tab<'a> {
    /// Charges the request, if the behaviour is one that is charged, before anything is sent.
    pub(super) fn open(shared: &'a Shared, script: &Script, request: &Received, body: Value, route: &'a Route) -> Self {
        let dialect = route.dialect;
        let texts = (route.texts)(&body);
        let content = if dialect.brings_results(&body) {
            script.content.after_results()
        } else {
            script.content.clone()
        };
        let cap = dialect.output_cap(&body).and_then(|cap| usize::try_from(cap).ok());
        let tokens = cap.map_or(script.tokens, |cap| cap.min(script.tokens));
        let blocks = match route.task {
            Task::Answer { .. } => Answer::blocks(&shared.name, &content, tokens, |block| dialect.can_say(block)),
            Task::Count(_) | Task::Embed(_) => Vec::new(),
        };
        let mut answer = Answer {
            provider: shared.name.clone(),
            number: 0,
            id: String::new(),
            model: model(&request.path, &body),
            counts: Counts::new(&texts, &blocks, script.usage),
            end: content.end,
            request: body,
            blocks,
            with_usage: !matches!(script.behaviour, Behaviour::UsageMissing),
        };
        let mut place = None;
        shared.ledger.send_modify(|ledger| {
            ledger.answers += 1;
            answer.number = ledger.answers;
            answer.id = match route.task {
                Task::Embed(_) => format!("embd-{}-{}", shared.name, ledger.answers),
                _ => dialect.id(&shared.name, ledger.answers),
            };
            if route.is_charged(&script.behaviour) {
                place = Some(ledger.charge(Charge {
                    id: answer.id.clone(),
                    model: answer.model.clone(),
                    message: texts.last().cloned().unwrap_or_default(),
                    input_tokens: answer.counts.input(),
                    cached_tokens: answer.counts.script.cached,
                    cache_write_tokens: answer.counts.written(),
                    output_tokens: 0,
                    reasoning_tokens: answer.counts.reasoning,
                    whole: false,
                }));
            }
        });
        Self {
            shared,
            place,
            route,
            texts,
            answer,
        }
    }

    /// The body of an answer given at once.
    pub(super) fn whole(&self) -> Vec<u8> {
        let answer = &self.answer;
        let body = match self.route.task {
            Task::Answer { .. } => self.route.dialect.whole(answer),
            Task::Count(body) => body(answer.counts.input()),
            Task::Embed(body) => body(&Embeddings {
                request: &answer.request,
                model: &answer.model,
                texts: &self.texts,
                input_tokens: answer.counts.input(),
                with_usage: answer.with_usage,
            }),
        };
        serde_json::to_vec(&body).unwrap()
    }

    /// Notes how many tokens of the pieces of the answer have been handed to the network. The reasoning that nobody sees
    /// came before the first of them.
    pub(super) fn deliver(&self, tokens: usize) {
        if tokens > 0 {
            let hidden = self.answer.counts.hidden(&self.answer.blocks);
            self.change(|charge| charge.output_tokens = hidden + u64::try_from(tokens).unwrap());
        }
    }

    /// Notes that the answer goes out to its end, just before it does, so that no client can know it sooner.
    pub(super) fn close(&self, body: &[u8]) {
        self.shared
            .ledger
            .send_modify(|ledger| ledger.last_body = body.to_vec());
        self.change(|charge| {
            charge.output_tokens = self.answer.counts.output();
            charge.whole = true;
        });
    }

    fn change(&self, change: impl FnOnce(&mut Charge)) {
        if let Some(place) = self.place {
            self.shared
                .ledger
                .send_modify(|ledger| change(&mut ledger.charges[place]));
        }
    }
}

impl Route {
    /// Whether such a request is put on the bill. To count tokens costs nothing.
    fn is_charged(&self, behaviour: &Behaviour) -> bool {
        match self.task {
            Task::Answer { streamed } => behaviour.is_charged(streamed),
            Task::Embed(_) => behaviour.is_charged(false),
            Task::Count(_) => false,
        }
    }
}
