//! The provider's own bill: what it would charge for, kept apart from anything the gateway says.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::dialect::route;

/// One request as the provider received it, whole.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// The path asked for.
    pub(crate) path: String,
    /// The header fields, names in lower case, in order.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, byte for byte.
    pub(crate) body: Vec<u8>,
}

impl Received {
    /// The first header field of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(candidate, _)| candidate == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The text of each message of the body, in order, in the dialect that its path says; the system prompt first where
    /// it is apart from the messages. Of a request for vectors, what is to be embedded.
    pub(crate) fn messages(&self) -> Vec<String> {
        let body = self.json();
        match route(&self.path, &body) {
            Some(route) => (route.texts)(&body),
            None => Vec::new(),
        }
    }
}

/// One position of the bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Charge {
    /// The id of the answer, as the client sees it in the body where the dialect has one there.
    pub(crate) id: String,
    /// The model that the body, or the path, asked for.
    pub(crate) model: String,
    /// The text of the last message of the request.
    pub(crate) message: String,
    /// All tokens of the request.
    pub(crate) input_tokens: u64,
    /// Those of them that were read from the cache.
    pub(crate) cached_tokens: u64,
    /// Those of them that were written to the cache, for whatever time.
    pub(crate) cache_write_tokens: u64,
    /// All tokens of the answer that were sent, and of the reasoning before it.
    pub(crate) output_tokens: u64,
    /// Those of the whole answer that are reasoning.
    pub(crate) reasoning_tokens: u64,
    /// Whether the answer was sent to its end.
    pub(crate) whole: bool,
}

/// Everything the provider has seen and would charge for.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// How many requests have arrived.
    pub(super) requests: usize,
    /// Every request, in order of arrival, unless they are only counted.
    pub(super) received: Vec<Arc<Received>>,
    /// Whether requests are only counted from now on.
    pub(super) only_counts: bool,
    /// Questions for the list of models.
    pub(super) probes: Vec<Arc<Received>>,
    /// Every position of the bill, in order of arrival.
    pub(super) charges: Vec<Charge>,
    /// The bytes of the last body sent.
    pub(super) last_body: Vec<u8>,
    /// Answers begun, of any kind; numbers their ids.
    pub(super) answers: usize,
    /// Requests being answered now.
    pub(super) running: usize,
    file: Option<File>,
}

impl Ledger {
    /// A ledger that also writes each position of the bill to a file, as a line of JSON, before it begins to answer.
    pub(super) fn with_file(path: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        Self {
            file: Some(file),
            ..Self::default()
        }
    }

    /// Puts a request on the bill and returns the place of its position.
    pub(super) fn charge(&mut self, charge: Charge) -> usize {
        if let Some(file) = &mut self.file {
            let line = json!({ "id": charge.id, "model": charge.model, "message": charge.message });
            writeln!(file, "{line}").unwrap();
            file.sync_data().unwrap();
        }
        self.charges.push(charge);
        self.charges.len() - 1
    }
}
