//! The rules, as data. A rule without an offence that proves it does not pass.

/// The folders whose source the reach and place rules speak of.
pub(crate) const RULED_FOLDERS: &[&str] = &["src", "actors/src", "routing/src"];

/// How long a file may be.
pub(crate) struct LineLimit {
    pub(crate) folders: &'static [&'static str],
    pub(crate) limit: usize,
    /// Generated files.
    pub(crate) exempt: &'static [&'static str],
}

pub(crate) const LINES: LineLimit = LineLimit {
    folders: &["src", "actors", "routing", "tests", "benches"],
    limit: 500,
    exempt: &["*/schema.rs"],
};

/// Made-up source.
pub(crate) struct Example {
    pub(crate) file: &'static str,
    pub(crate) text: &'static str,
}

const fn example(file: &'static str, text: &'static str) -> Example {
    Example { file, text }
}

/// Which paths a file may name. In the patterns `*` stands for anything, `/` included. A file may always name its own
/// top-level module.
pub(crate) struct ReachRule {
    pub(crate) name: &'static str,
    pub(crate) because: &'static str,
    /// The files it speaks of, and those of them it does not.
    pub(crate) files: &'static [&'static str],
    pub(crate) except: &'static [&'static str],
    /// What they must not name (and nothing below it), and what they may nevertheless.
    pub(crate) forbidden: &'static [&'static str],
    pub(crate) allowed: &'static [&'static str],
    pub(crate) offences: &'static [Example],
    pub(crate) innocent: &'static [Example],
}

pub(crate) const REACH_RULES: &[ReachRule] = &[
    ReachRule {
        name: "the blocking client is for tests",
        because: "ureq blocks its thread: the gateway calls providers through awc",
        files: &["src/*", "actors/src/*"],
        except: &[],
        forbidden: &["ureq"],
        allowed: &[],
        offences: &[example(
            "src/cli/http.rs",
            "fn get() { let _ = ureq::get(\"http://x\").call(); }",
        )],
        innocent: &[example("src/cli/http.rs", "use awc::Client;")],
    },
    ReachRule {
        name: "actors know no edge",
        because: "HTTP, databases and wire formats are ports that the root package implements",
        files: &["actors/src/*"],
        except: &[],
        forbidden: &[
            "actix_web",
            "actix_http",
            "awc",
            "diesel",
            "diesel_async",
            "redis",
            "bb8_redis",
            "rmcp",
        ],
        allowed: &[],
        offences: &[
            example("actors/src/dispatch/pump.rs", "use actix_web::web::Bytes;"),
            example(
                "actors/src/provider/actor.rs",
                "fn f() { let c = awc::Client::default(); }",
            ),
            example("actors/src/context/core.rs", "use {std::fmt, diesel::prelude::*};"),
            example("actors/src/runtime/mod.rs", "use redis as cache;"),
            example("actors/src/lib.rs", "pub use rmcp::model;"),
        ],
        innocent: &[example(
            "actors/src/dispatch/pump.rs",
            "use bytes::Bytes; // not actix_web::web::Bytes",
        )],
    },
    ReachRule {
        name: "routing is a function of texts and numbers",
        because: "the same question is decided alike by the gateway, by a replay and by the script that fits the model; who asks \
                  models, reads files or looks at the time is elsewhere, and tells it",
        files: &["routing/src/*"],
        except: &[],
        forbidden: &[
            "gateway_actors",
            "actix",
            "actix_rt",
            "tokio",
            "std::env",
            "std::fs",
            "std::net",
            "std::process",
            "std::thread",
            "std::time",
        ],
        allowed: &[],
        offences: &[
            example("routing/src/policy/plan.rs", "use gateway_actors::protocol::Layer;"),
            example("routing/src/policy/mod.rs", "pub use tokio::sync::watch;"),
            example(
                "routing/src/model/mod.rs",
                "fn f() { let text = std::fs::read_to_string(\"model.json\"); }",
            ),
            example("routing/src/question.rs", "use std::{fmt, time::Instant};"),
        ],
        innocent: &[
            example(
                "routing/src/policy/plan.rs",
                "use crate::question::Question; use super::Step; use std::collections::BTreeMap;",
            ),
            example("src/system.rs", "use gateway_routing::RoutingModel;"),
        ],
    },
    ReachRule {
        name: "protocol knows only itself",
        because: "it is what all others share",
        files: &["actors/src/protocol/*", "actors/src/protocol.rs"],
        except: &[],
        forbidden: &["crate"],
        allowed: &[],
        offences: &[
            example("actors/src/protocol/money.rs", "use crate::budget::Hold;"),
            example("actors/src/protocol/mod.rs", "use super::router::Core;"),
        ],
        innocent: &[
            example("actors/src/protocol/record.rs", "use super::money::NanoUsd;"),
            example("actors/src/protocol/mod.rs", "use self::money::NanoUsd;"),
        ],
    },
    ReachRule {
        name: "runtime knows only the protocol",
        because: "it carries messages, whatever they mean",
        files: &["actors/src/runtime/*", "actors/src/runtime.rs"],
        except: &[],
        forbidden: &["crate"],
        allowed: &["crate::protocol"],
        offences: &[example("actors/src/runtime/ask.rs", "use crate::supervisor::Restart;")],
        innocent: &[example(
            "actors/src/runtime/ask.rs",
            "use crate::protocol::GatewayError;",
        )],
    },
    ReachRule {
        name: "actors meet only in messages",
        because: "only the pipeline in `dispatch` asks several of them",
        files: &[
            "actors/src/router/*",
            "actors/src/provider/*",
            "actors/src/budget/*",
            "actors/src/context/*",
            "actors/src/cost/*",
            "actors/src/learning/*",
            "actors/src/supervisor/*",
        ],
        except: &[],
        forbidden: &["crate"],
        allowed: &["crate::protocol", "crate::runtime"],
        offences: &[
            example("actors/src/router/actor.rs", "use crate::provider::Breaker;"),
            example(
                "actors/src/router/core.rs",
                "fn f() { super::super::budget::reserve(); }",
            ),
            example("actors/src/provider/director.rs", "use crate::router::RouterActor;"),
            example("actors/src/budget/mod.rs", "pub use super::cost::Totals;"),
            example(
                "actors/src/context/actor.rs",
                "use crate::{protocol::Turn, dispatch::Pipeline};",
            ),
            example("actors/src/cost/actor.rs", "use crate::budget::BudgetActor;"),
            example("actors/src/learning/director.rs", "use crate::router::RouterActor;"),
            example("actors/src/supervisor/actor.rs", "use crate::router::RouterActor;"),
        ],
        innocent: &[
            example(
                "actors/src/router/actor.rs",
                "use super::core::Core; use crate::{protocol::Plan, router::classes, runtime::ask};",
            ),
            example(
                "actors/src/dispatch/mod.rs",
                "use crate::{budget::BudgetActor, router::RouterActor};",
            ),
        ],
    },
    ReachRule {
        name: "cores are pure",
        because: "they take `now` as an argument and run without actors and without a runtime",
        files: &["actors/src/*/core*"],
        except: &[],
        forbidden: &["actix", "actix_rt", "tokio"],
        allowed: &["tokio::time::Instant"],
        offences: &[
            example("actors/src/router/core.rs", "use actix::Context;"),
            example(
                "actors/src/budget/core_slices.rs",
                "use tokio::{sync::mpsc, time::Instant};",
            ),
            example("actors/src/cost/core/batch.rs", "fn f() { tokio::spawn(g()); }"),
        ],
        innocent: &[
            example("actors/src/router/core.rs", "use tokio::time::Instant;"),
            example(
                "actors/src/router/actor.rs",
                "use actix::Context; use tokio::sync::mpsc;",
            ),
            example(
                "actors/src/router/core.rs",
                "#[cfg(test)]\nmod tests { use tokio::time::advance; }",
            ),
        ],
    },
    ReachRule {
        name: "nothing behind the HTTP edge knows it",
        because: "HTTP and MCP are equal edges over one pipeline",
        files: &["src/*"],
        except: &["src/system.rs", "src/startup.rs", "src/startup/*"],
        forbidden: &["crate::http"],
        allowed: &[],
        offences: &[
            example("src/store/mod.rs", "use crate::http::error::status;"),
            example("src/providers/client.rs", "fn f() { crate::http::sse::frame(); }"),
            example("src/dialects/mod.rs", "use super::http;"),
            example("src/config/mod.rs", "pub use crate::{config::X, http::Y};"),
            example("src/mcp/error.rs", "use crate::http::error;"),
        ],
        innocent: &[
            example("src/startup.rs", "use crate::http::server;"),
            example(
                "src/http/routes/chat.rs",
                "use super::super::error; use crate::http::sse;",
            ),
            example("src/providers/client.rs", "use awc::http::StatusCode;"),
        ],
    },
    ReachRule {
        name: "the edges know no adapter",
        because: "a request reaches models and stores through the pipeline and the ports",
        files: &["src/http/*", "src/http.rs", "src/mcp/*", "src/mcp.rs"],
        except: &[],
        forbidden: &["diesel", "diesel_async", "awc"],
        allowed: &[],
        offences: &[
            example("src/http/routes/chat.rs", "use awc::Client;"),
            example("src/mcp/tools/code_agent.rs", "use awc::Client;"),
            example("src/http/routes/context.rs", "#[derive(diesel::Queryable)] struct Row;"),
        ],
        innocent: &[example("src/store/models.rs", "use diesel::prelude::*;")],
    },
    ReachRule {
        name: "only the MCP edge knows MCP",
        because: "HTTP and MCP are equal edges over one pipeline",
        files: &["src/*"],
        except: &["src/mcp/*", "src/startup.rs", "src/startup/*"],
        forbidden: &["rmcp", "crate::mcp"],
        allowed: &[],
        offences: &[
            example("src/http/routes/mod.rs", "use rmcp::ServerHandler;"),
            example("src/system.rs", "use crate::mcp::Desk;"),
        ],
        innocent: &[
            example("src/startup/mcp.rs", "use crate::mcp::Desk;"),
            example("src/lib.rs", "mod mcp;"),
        ],
    },
    ReachRule {
        name: "adapters are named only where everything is wired",
        because: "`system.rs` and `startup.rs` put them together; all others see ports",
        files: &["src/*"],
        except: &[
            "src/system.rs",
            "src/startup.rs",
            "src/startup/*",
            // `migrate` and `check-config` talk to the store without a system.
            "src/main.rs",
            "src/commands/*",
            "src/commands.rs",
        ],
        forbidden: &["crate::store", "crate::providers"],
        allowed: &[],
        offences: &[
            example("src/http/routes/context.rs", "use crate::store::Conversations;"),
            example("src/http/routes/chat.rs", "use crate::providers::Client;"),
            example("src/config/mod.rs", "use super::store::migrate;"),
            example("src/cli/chat.rs", "use ai_mcp_gateway::store::Store;"),
            example("src/store/mod.rs", "use crate::providers::Client;"),
            example("src/providers/client.rs", "use super::super::store::Store;"),
        ],
        innocent: &[
            example("src/system.rs", "use crate::{providers, store};"),
            example(
                "src/store/calls.rs",
                "use super::models::CallRow; use crate::store::runtime;",
            ),
            example("src/lib.rs", "pub mod store; mod providers;"),
            example(
                "src/http/routes/context.rs",
                "use gateway_actors::protocol::ConversationStore;",
            ),
        ],
    },
];

/// Which things are done only in named places.
pub(crate) struct PlaceRule {
    pub(crate) name: &'static str,
    pub(crate) because: &'static str,
    pub(crate) things: &'static [Thing],
    /// The files it speaks of, and those of them where the things are done.
    pub(crate) files: &'static [&'static str],
    pub(crate) except: &'static [&'static str],
    pub(crate) offences: &'static [Example],
    pub(crate) innocent: &'static [Example],
}

/// Something that a file may do.
pub(crate) enum Thing {
    /// A macro of this name.
    Macro(&'static str),
    /// A method of this name, or a function whose path ends so.
    Function(&'static str),
    /// A text that contains this.
    Text(&'static str),
}

pub(crate) const PLACE_RULES: &[PlaceRule] = &[
    PlaceRule {
        name: "do_send only in runtime",
        because: "it is unbounded, and silent when nobody listens: use runtime::tell",
        things: &[Thing::Function("do_send")],
        files: &["src/*", "actors/src/*", "routing/src/*"],
        except: &["actors/src/runtime/*"],
        offences: &[
            example("actors/src/dispatch/pump.rs", "fn f() { self.budget.do_send(Settle); }"),
            example("src/http/routes/chat.rs", "fn f() { actix::Addr::do_send(&a, m); }"),
        ],
        innocent: &[
            example("actors/src/runtime/tell.rs", "fn f() { address.do_send(message); }"),
            example(
                "actors/src/dispatch/pump.rs",
                "fn f() { tell(&a, m) } // not a.do_send(m)",
            ),
        ],
    },
    PlaceRule {
        name: "printing only in programs",
        because: "stdout belongs to the command line and to MCP, all else is logged",
        things: &[
            Thing::Macro("println"),
            Thing::Macro("print"),
            Thing::Macro("eprintln"),
            Thing::Macro("eprint"),
            Thing::Macro("dbg"),
        ],
        files: &["src/*", "actors/src/*", "routing/src/*"],
        except: &[
            "src/main.rs",
            "src/startup.rs",
            "src/bin/*",
            "src/cli/*",
            "src/commands/*",
            "src/commands.rs",
        ],
        offences: &[
            example("src/http/mod.rs", "fn f() { println!(\"here\"); }"),
            example(
                "actors/src/router/core.rs",
                "fn f() { if x { std::eprintln!(\"{y}\") } }",
            ),
        ],
        innocent: &[
            example("src/main.rs", "fn main() { println!(\"listening on {url}\"); }"),
            example(
                "src/http/mod.rs",
                "#[test]\nfn f() {}\n#[cfg(test)]\nmod tests { fn f() { println!(); } }",
            ),
        ],
    },
    PlaceRule {
        name: "no process is started",
        because: "a program that is run for a user belongs in one named place, with its sandbox",
        things: &[Thing::Function("Command::new")],
        files: &["src/*", "actors/src/*", "routing/src/*"],
        except: &[],
        offences: &[
            example(
                "src/store/migrate.rs",
                "fn f() { std::process::Command::new(\"pg_dump\"); }",
            ),
            example("src/http/mod.rs", "fn f() { Command::new(program).spawn() }"),
        ],
        innocent: &[example("src/http/mod.rs", "fn f() { MyCommand::new(1); }")],
    },
    PlaceRule {
        name: "no shell",
        because: "what a shell is given can be made to say something else: pass arguments as a list",
        things: &[Thing::Text("sh -c"), Thing::Text("\"-c\"")],
        files: &["src/*", "actors/src/*", "routing/src/*"],
        except: &[],
        offences: &[
            example("src/http/mod.rs", "const RUN: &str = \"/bin/sh -c 'ls'\";"),
            example("src/http/mod.rs", "fn f() { run(&[\"bash\", \"-c\", text]); }"),
        ],
        innocent: &[example(
            "src/http/mod.rs",
            "/// Never `sh -c`.\nconst FLAG: &str = \"-C\";",
        )],
    },
];
