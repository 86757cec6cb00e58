//! A client that speaks JSON over the transport itself, and a pipeline that answers as it is told.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use gateway_actors::protocol::{
    AccessRole, AgentAnswer, GatewayError, KeyHash, KeyId, KeyIdentity, KeyStore, Layer, Leave, NewKey, RateLimits,
};
use gateway_actors::testkit::{MemoryKeys, MemoryNotes};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::desk::Task;
use super::*;
use crate::agent::samples::{agent_answer, need};
use crate::auth::{Auth, KeyRing, LocalIdentity};
use crate::escalation::Offers;
use crate::http::testing::parts;
use crate::limits::{Limits, Span};

/// How long anything may take that is not meant to hang.
const LIMIT: Duration = Duration::from_secs(20);

/// A client, and what the pipeline was asked.
pub(super) struct Client {
    pub(super) input: Option<UnixStream>,
    pub(super) lines: mpsc::UnboundedReceiver<Value>,
    pub(super) tasks: watch::Receiver<Vec<Seen>>,
    pub(super) notes: Arc<MemoryNotes>,
    keys: Arc<MemoryKeys>,
    ring: Arc<KeyRing>,
    pub(super) session: tokio::task::JoinHandle<()>,
    pub(super) last_id: i64,
}

/// What is looked at of a task.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    pub(super) leave: Leave,
    pub(super) floor: Option<Layer>,
    pub(super) has_note: bool,
    pub(super) amend: Option<i64>,
    pub(super) message: Arc<str>,
}

impl Client {
    /// A client of a gateway whose every task without leave wants some.
    pub(super) fn start() -> Self {
        Self::start_with(Duration::from_secs(900), |task: &Task| {
            Ok(match task.plan.wish.leave {
                Leave::Standing => AgentAnswer {
                    user_seq: Some(3),
                    ..agent_answer("so far", 5, Some(need()))
                },
                Leave::UpTo(_) => agent_answer("better", 100, None),
            })
        })
    }

    pub(super) fn start_with(
        ttl: Duration,
        answer: impl Fn(&Task) -> Result<AgentAnswer, GatewayError> + Send + 'static,
    ) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (output, written) = UnixStream::pair().unwrap();
        let pipes = Pipes::over(File::from(OwnedFd::from(output)));
        let (transport, end) =
            StdioTransport::over(move || BufReader::new(theirs), pipes, Duration::from_secs(5)).unwrap();
        let (desk, orders) = Desk::new();
        let (seen, tasks) = watch::channel(Vec::new());
        tokio::spawn(orders.answer_by(move |task| {
            let wish = &task.plan.wish;
            let looked_at = Seen {
                leave: wish.leave,
                floor: wish.floor,
                has_note: wish.note.is_some(),
                amend: task.amend.map(|place| place.user_seq),
                message: task.text.message(),
            };
            seen.send_modify(|seen| seen.push(looked_at));
            answer(&task)
        }));
        let notes = Arc::new(MemoryNotes::default());
        let parts = parts();
        let keys = Arc::new(MemoryKeys::default());
        let ring = Arc::new(KeyRing::new(keys.clone(), Duration::from_secs(60)));
        let auth = Arc::new(Auth::new(None, false, Arc::clone(&ring)));
        let status = StatusParts {
            catalogue: parts.catalogue,
            health: parts.health,
            providers: parts.providers,
            totals: parts.totals,
            budgets: parts.budgets,
            gauges: parts.gauges,
            store_health: parts.store_health,
            system_health: parts.system_health,
        };
        let server = GatewayServer::new(
            LocalIdentity::new(auth, None),
            Arc::new(Limits::new(Arc::default(), Span::default(), None)),
            desk,
            status,
            Offers::new(notes.clone(), ttl),
            Duration::from_secs(30),
            end.give_up(),
        );
        let session = tokio::spawn(async move {
            // It is told to end by whoever holds this.
            let _end = end;
            serve(server, transport).await;
        });
        let (told, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in BufReader::new(written).lines().map_while(Result::ok) {
                let _ = told.send(serde_json::from_str(&line).unwrap());
            }
        });
        Self {
            input: Some(ours),
            lines,
            tasks,
            notes,
            keys,
            ring,
            session,
            last_id: 0,
        }
    }

    /// Makes a virtual key that the gateway knows of when this is ready.
    pub(super) async fn make_key(&self) {
        let key = NewKey {
            identity: KeyIdentity {
                id: KeyId::generate(),
                project: None,
                user: None,
                role: AccessRole::User,
                max_layer: None,
                models: None,
                expires_at: None,
                limits: RateLimits::default(),
            },
            name: "test".into(),
            prefix: "gw_".into(),
            hash: KeyHash::new([7; 32]),
        };
        self.keys.create(key).await.unwrap();
        self.ring.catch_up().await.unwrap();
    }

    /// A client that has begun a session of an older revision, and can ask its user or not.
    pub(super) async fn begun(mut self, can_ask: bool) -> Self {
        let capabilities = if can_ask { json!({"elicitation": {}}) } else { json!({}) };
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": capabilities,
            "clientInfo": {"name": "test", "version": "1"}});
        let id = self.ask("initialize", &params);
        assert!(self.answer(&id).await["result"].is_object());
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        self
    }

    pub(super) fn send(&mut self, message: &Value) {
        let line = format!("{message}\n");
        self.input.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
    }

    pub(super) fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.last_id += 1;
        let id = json!(self.last_id);
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    /// Calls the tool in an older revision.
    pub(super) fn call(&mut self, arguments: &Value) -> Value {
        self.ask("tools/call", &json!({"name": "code_agent", "arguments": arguments}))
    }

    /// Calls the tool in revision 2026-07-28, with more members of the parameters.
    pub(super) fn call_new(&mut self, can_ask: bool, arguments: &Value, more: &Value) -> Value {
        let capabilities = if can_ask {
            json!({"elicitation": {"form": {}}})
        } else {
            json!({})
        };
        let mut params = json!({"name": "code_agent", "arguments": arguments, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": capabilities}});
        for (name, value) in more.as_object().unwrap() {
            params[name] = value.clone();
        }
        self.ask("tools/call", &params)
    }

    /// The next message of the server's.
    pub(super) async fn next(&mut self) -> Value {
        timeout(LIMIT, self.lines.recv())
            .await
            .expect("a message in time")
            .expect("a session")
    }

    pub(super) async fn answer(&mut self, id: &Value) -> Value {
        let message = self.next().await;
        assert_eq!((&message["id"], message.get("method")), (id, None), "{message}");
        message
    }

    /// The structured content of a call that worked.
    pub(super) async fn works(&mut self, id: &Value) -> Value {
        let answer = self.answer(id).await;
        assert_eq!(answer["result"]["isError"], false, "{answer}");
        answer["result"]["structuredContent"].clone()
    }

    /// The error of a call that did not.
    pub(super) async fn fails(&mut self, id: &Value) -> Value {
        let answer = self.answer(id).await;
        assert_eq!(answer["result"]["isError"], true, "{answer}");
        let text = answer["result"]["content"][0]["text"].as_str().unwrap();
        serde_json::from_str::<Value>(text).unwrap()["error"]["type"].clone()
    }

    pub(super) fn tasks(&self) -> Vec<Seen> {
        self.tasks.borrow().clone()
    }

    /// How many tasks were done with leave to spend.
    pub(super) fn paid(&self) -> usize {
        self.tasks().iter().filter(|task| task.leave != Leave::Standing).count()
    }

    /// Ends its input, and waits for the end of the session.
    pub(super) async fn end(mut self) {
        self.input = None;
        timeout(LIMIT, self.session).await.expect("an end in time").unwrap();
    }
}

/// A client that cannot ask its user, in a new or an older revision, and an offer that was made to it.
pub(super) struct Unasked {
    pub(super) client: Client,
    pub(super) is_new: bool,
}

impl Unasked {
    pub(super) async fn start(is_new: bool) -> Self {
        let client = Client::start();
        let client = if is_new { client } else { client.begun(false).await };
        Self { client, is_new }
    }

    pub(super) fn task() -> Value {
        json!({"task": "Sort a list", "context": {"requirements": ["fast"]}})
    }

    /// The task with a token and what was decided about it.
    pub(super) fn whole(token: &Value, decision: &str) -> Value {
        let mut arguments = Self::task();
        arguments["escalationToken"] = token.clone();
        arguments["escalationDecision"] = json!(decision);
        arguments
    }

    /// The token and what was decided, and nothing else.
    pub(super) fn bare(token: &Value, decision: &str) -> Value {
        json!({"escalationToken": token, "escalationDecision": decision})
    }

    pub(super) fn call(&mut self, arguments: &Value) -> Value {
        if self.is_new {
            self.client.call_new(false, arguments, &json!({}))
        } else {
            self.client.call(arguments)
        }
    }

    pub(super) async fn works(&mut self, arguments: &Value) -> Value {
        let id = self.call(arguments);
        self.client.works(&id).await
    }

    pub(super) async fn fails(&mut self, arguments: &Value) -> Value {
        let id = self.call(arguments);
        self.client.fails(&id).await
    }

    /// The token of a new offer, which is told in the text too.
    pub(super) async fn offer(&mut self) -> Value {
        let id = self.call(&Self::task());
        let answer = self.client.answer(&id).await;
        let told = &answer["result"]["structuredContent"];
        assert_eq!(told["result"], "so far", "{answer}");
        assert_eq!(told["escalation"]["suggestedLayer"], "L2");
        assert_eq!(told["escalation"]["required"], true);
        let token = told["escalation"]["token"].clone();
        let line = answer["result"]["content"][2]["text"].as_str().unwrap();
        assert!(line.contains(token.as_str().unwrap()), "{line}");
        token
    }
}
