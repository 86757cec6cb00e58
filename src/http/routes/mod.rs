//! The table of routes. A route exists only through a line in it, and a line cannot be written without a rule.

mod admin;
mod analytics;
mod ask;
mod calls;
mod chat_completions;
mod code_agent;
mod completions;
mod context;
mod embeddings;
mod escalations;
mod experiments;
mod explain;
#[cfg(feature = "fault-injection")]
mod faults;
mod feedback;
mod generate;
mod health;
mod improvement;
mod messages;
mod models;
mod quota;
mod report;
mod responses;
mod root;
mod server_stats;
mod stats;

use actix_web::{HttpResponse, Resource, web};
use gateway_actors::protocol::{AccessRole, Dialect, ErrorKind, GatewayError};

use super::error::{ErrorShape, Failure};
use super::middleware::{Access, Guard};

/// Whether a route's requests count as work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// They take a place among the requests under way, and are counted.
    Work,
    /// They are answered however much is under way: health and stats.
    Exempt,
}

/// What holds for a route.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Its path.
    pub(crate) path: &'static str,
    /// Who may use it.
    pub(crate) access: Access,
    /// Whether its requests count as work.
    pub(crate) lane: Lane,
    /// The shape of its error bodies.
    pub(crate) errors: ErrorShape,
    /// Its methods, as the `Allow` header lists them.
    pub(crate) allow: &'static str,
    /// Adds its handlers.
    handlers: fn(Resource) -> Resource,
}

impl Rule {
    const fn work(path: &'static str, allow: &'static str, handlers: fn(Resource) -> Resource) -> Self {
        Self {
            path,
            access: Access::Role(AccessRole::User),
            lane: Lane::Work,
            errors: ErrorShape::Native,
            allow,
            handlers,
        }
    }

    const fn admin(path: &'static str, allow: &'static str, handlers: fn(Resource) -> Resource) -> Self {
        Self {
            access: Access::Administration,
            ..Self::work(path, allow, handlers)
        }
    }

    const fn exempt(path: &'static str, access: Access, handlers: fn(Resource) -> Resource) -> Self {
        Self {
            path,
            access,
            lane: Lane::Exempt,
            errors: ErrorShape::Native,
            allow: GET,
            handlers,
        }
    }

    /// Whether this path is the rule's, in which a name in braces stands for one segment, or for all that are left where it
    /// ends in `:.+`.
    fn is_for(&self, path: &str) -> bool {
        let (mut ours, mut theirs) = (self.path.split('/'), path.split('/'));
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return true,
                (Some(name), Some(segment)) if name.ends_with(":.+}") => return !segment.is_empty(),
                (Some(name), Some(segment)) if name.starts_with('{') && !segment.is_empty() => {}
                (Some(name), Some(segment)) if name == segment => {}
                _ => return false,
            }
        }
    }

    /// The same for clients of Anthropic's dialect and of OpenAI's, which their headers tell apart.
    const fn by_headers(self) -> Self {
        Self {
            errors: ErrorShape::AsAsked,
            ..self
        }
    }

    /// The same for clients of a dialect, in whose shape they are told of errors.
    const fn speaking(self, dialect: Dialect) -> Self {
        Self {
            errors: ErrorShape::Client(dialect),
            ..self
        }
    }
}

const GET: &str = "GET, HEAD";
const POST: &str = "POST";
const GET_POST: &str = "GET, HEAD, POST";
const GET_DELETE: &str = "GET, HEAD, DELETE";
const GET_PATCH_DELETE: &str = "GET, HEAD, PATCH, DELETE";
const GET_PUT_DELETE: &str = "GET, HEAD, PUT, DELETE";

/// Every route of the gateway.
pub(crate) static TABLE: &[Rule] = &[
    Rule::work("/v1/chat/completions", POST, |route| route.post(chat_completions::post)).speaking(Dialect::OpenaiChat),
    Rule::work("/v1/completions", POST, |route| route.post(completions::post)).speaking(Dialect::OpenaiChat),
    Rule::work("/v1/embeddings", POST, |route| route.post(embeddings::post)).speaking(Dialect::OpenaiChat),
    Rule::work("/v1/responses", POST, |route| route.post(responses::post)).speaking(Dialect::OpenaiResponses),
    Rule::work("/v1/responses/{id}", GET_DELETE, |route| {
        route.get(responses::get).head(responses::get).delete(responses::delete)
    })
    .speaking(Dialect::OpenaiResponses),
    Rule::work("/v1/responses/{id}/input_items", GET, |route| {
        route.get(responses::input_items).head(responses::input_items)
    })
    .speaking(Dialect::OpenaiResponses),
    Rule::work("/v1/messages", POST, |route| route.post(messages::post)).speaking(Dialect::AnthropicMessages),
    Rule::work("/v1/messages/count_tokens", POST, |route| {
        route.post(messages::count_tokens)
    })
    .speaking(Dialect::AnthropicMessages),
    Rule::work("/v1/models", GET, |route| route.get(models::list).head(models::list)).by_headers(),
    Rule::work("/v1/models/{id:.+}", GET, |route| {
        route.get(models::one).head(models::one)
    })
    .by_headers(),
    Rule::work("/v1/route", POST, |route| route.post(ask::post_route)),
    Rule::work("/v1/chat", POST, |route| route.post(ask::post_chat)),
    Rule::work("/v1/route/explain", POST, |route| route.post(explain::post)),
    Rule::work("/v1/code-agent", POST, |route| route.post(code_agent::post)),
    Rule::work("/v1/escalations/{token}/approve", POST, |route| {
        route.post(escalations::approve)
    }),
    Rule::work("/v1/escalations/{token}/reject", POST, |route| {
        route.post(escalations::reject)
    }),
    Rule::work("/v1/feedback", POST, |route| route.post(feedback::post)),
    Rule::work("/v1/context/{id}", GET_DELETE, |route| {
        route.get(context::get).head(context::get).delete(context::delete)
    }),
    Rule::work("/v1/stats", GET, |route| route.get(stats::get).head(stats::get)),
    Rule::work("/v1/stats/conversation/{id}", GET, |route| {
        route.get(stats::of_conversation).head(stats::of_conversation)
    }),
    Rule::work("/v1/analytics", GET, |route| {
        route.get(analytics::get).head(analytics::get)
    }),
    Rule::work("/v1/analytics/top-expensive", GET, |route| {
        route.get(analytics::top_expensive).head(analytics::top_expensive)
    }),
    Rule::work("/v1/analytics/error-rate", GET, |route| {
        route.get(analytics::error_rate).head(analytics::error_rate)
    }),
    Rule::work("/v1/quota/status", GET, |route| {
        route.get(quota::status).head(quota::status)
    }),
    Rule::admin("/v1/quota/update", POST, |route| route.post(quota::update)),
    Rule::admin("/v1/admin/keys", GET_POST, |route| {
        route.get(admin::list).head(admin::list).post(admin::create)
    }),
    Rule::admin("/v1/admin/keys/{id}", GET_PATCH_DELETE, |route| {
        let route = route.get(admin::get).head(admin::get);
        route.patch(admin::update).delete(admin::revoke)
    }),
    Rule::admin("/v1/admin/keys/{id}/rotate", POST, |route| route.post(admin::rotate)),
    Rule::admin("/v1/admin/budgets", GET, |route| {
        route.get(admin::budgets).head(admin::budgets)
    }),
    Rule::admin("/v1/admin/budgets/{scope:.+}", GET_PUT_DELETE, |route| {
        let route = route.get(admin::budget).head(admin::budget);
        route.put(admin::put_budget).delete(admin::delete_budget)
    }),
    Rule::admin("/v1/admin/limits/{scope:.+}", GET_PUT_DELETE, |route| {
        let route = route.get(admin::limits).head(admin::limits);
        route.put(admin::put_limits).delete(admin::delete_limits)
    }),
    Rule::admin("/v1/experiments", GET_POST, |route| {
        let route = route.get(experiments::list).head(experiments::list);
        route.post(experiments::create)
    }),
    Rule::admin("/v1/experiments/{id}", GET_PATCH_DELETE, |route| {
        let route = route.get(experiments::get).head(experiments::get);
        route.patch(experiments::update).delete(experiments::delete)
    }),
    Rule::admin("/v1/improvement/models", GET, |route| {
        route.get(improvement::models).head(improvement::models)
    }),
    Rule::admin("/v1/improvement/models/{model:.+}", GET_PUT_DELETE, |route| {
        let route = route.get(improvement::model).head(improvement::model);
        route.put(improvement::put_model).delete(improvement::delete_model)
    }),
    Rule::admin("/v1/improvement/routing", GET, |route| {
        route.get(improvement::routing).head(improvement::routing)
    }),
    Rule::admin("/v1/improvement/heuristics", GET_POST, |route| {
        let route = route.get(improvement::heuristics).head(improvement::heuristics);
        route.post(improvement::create_heuristic)
    }),
    Rule::admin("/v1/improvement/heuristics/{id}", GET_PATCH_DELETE, |route| {
        let route = route.get(improvement::heuristic).head(improvement::heuristic);
        let route = route.patch(improvement::update_heuristic);
        route.delete(improvement::delete_heuristic)
    }),
    Rule::admin("/v1/improvement/bugs", GET_POST, |route| {
        let route = route.get(improvement::bugs).head(improvement::bugs);
        route.post(improvement::create_bug)
    }),
    Rule::admin("/v1/improvement/bugs/{id}", GET_PATCH_DELETE, |route| {
        let route = route.get(improvement::bug).head(improvement::bug);
        route.patch(improvement::update_bug).delete(improvement::delete_bug)
    }),
    Rule::exempt("/health", Access::Role(AccessRole::Operator), |route| {
        route.get(health::get).head(health::get)
    }),
    Rule::exempt("/health/live", Access::Open, |route| {
        route.get(health::live).head(health::live)
    }),
    Rule::exempt("/health/ready", Access::Open, |route| {
        route.get(health::ready).head(health::ready)
    }),
    Rule::exempt("/v1/server-stats", Access::Role(AccessRole::Operator), |route| {
        route.get(server_stats::get).head(server_stats::get)
    }),
    Rule::exempt("/", Access::Role(AccessRole::User), |route| {
        route.get(root::get).head(root::get)
    }),
    #[cfg(feature = "fault-injection")]
    Rule::admin("/v1/faults/{actor}", POST, |route| route.post(faults::post)),
];

/// What holds for a path that no route has.
static UNKNOWN_PATH: Rule = UNKNOWN_PATH_RULE;

const UNKNOWN_PATH_RULE: Rule = Rule {
    path: "unknown",
    access: Access::Open,
    lane: Lane::Exempt,
    errors: ErrorShape::Native,
    allow: "",
    handlers: |route| route,
};

impl Rule {
    /// What holds for a path that no route has, in one vendor's part of the paths.
    const fn unknown(path: &'static str) -> Self {
        Self {
            path,
            ..UNKNOWN_PATH_RULE
        }
    }
}

/// Paths that vendors' clients ask for and no route has, so that they are told so in their own shape. Of a path that either
/// vendor has, the headers tell whose client asks.
static UNKNOWN_OF_VENDORS: &[Rule] = &[
    Rule::unknown("/v1/messages/{path:.+}").speaking(Dialect::AnthropicMessages),
    Rule::unknown("/v1/complete").speaking(Dialect::AnthropicMessages),
    Rule::unknown("/v1/chat/completions/{path:.+}").by_headers(),
    Rule::unknown("/v1/completions/{path:.+}").by_headers(),
    Rule::unknown("/v1/embeddings/{path:.+}").by_headers(),
    Rule::unknown("/v1/responses/{path:.+}").by_headers(),
    Rule::unknown("/v1/audio/{path:.+}").by_headers(),
    Rule::unknown("/v1/batches").by_headers(),
    Rule::unknown("/v1/batches/{path:.+}").by_headers(),
    Rule::unknown("/v1/conversations").by_headers(),
    Rule::unknown("/v1/conversations/{path:.+}").by_headers(),
    Rule::unknown("/v1/files").by_headers(),
    Rule::unknown("/v1/files/{path:.+}").by_headers(),
    Rule::unknown("/v1/fine_tuning/{path:.+}").by_headers(),
    Rule::unknown("/v1/images/{path:.+}").by_headers(),
    Rule::unknown("/v1/moderations").by_headers(),
    Rule::unknown("/v1/uploads").by_headers(),
    Rule::unknown("/v1/uploads/{path:.+}").by_headers(),
    Rule::unknown("/v1/vector_stores").by_headers(),
    Rule::unknown("/v1/vector_stores/{path:.+}").by_headers(),
];

/// What holds for a path.
pub(crate) fn rule_of(path: &str) -> &'static Rule {
    let mut rules = TABLE.iter().chain(UNKNOWN_OF_VENDORS);
    rules.find(|rule| rule.is_for(path)).unwrap_or(&UNKNOWN_PATH)
}

/// Registers every route, each inside its guard.
pub(crate) fn register(config: &mut web::ServiceConfig) {
    for rule in TABLE {
        let wrong_method =
            web::to(move || std::future::ready(Err::<HttpResponse, _>(Failure::method_not_allowed(rule.allow))));
        let resource = (rule.handlers)(web::resource(rule.path)).default_service(wrong_method);
        config.service(resource.wrap(Guard::new(rule)));
    }
    for rule in UNKNOWN_OF_VENDORS {
        let resource = web::resource(rule.path).default_service(web::to(not_found));
        config.service(resource.wrap(Guard::new(rule)));
    }
    config.default_service(web::to(not_found).wrap(Guard::new(&UNKNOWN_PATH)));
}

async fn not_found() -> Result<HttpResponse, Failure> {
    let message = "there is nothing at this path; GET / lists what there is";
    std::future::ready(Err(GatewayError::new(ErrorKind::NotFound, message).into())).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_the_rule_of_its_route() {
        for (path, of) in [
            ("/v1/chat", "/v1/chat"),
            ("/v1/context/abc", "/v1/context/{id}"),
            ("/health", "/health"),
            ("/health/live", "/health/live"),
            ("/", "/"),
            ("", "unknown"),
            ("/v1/models/gpt-4o", "/v1/models/{id:.+}"),
            ("/v1/models/qwen/qwen3:free", "/v1/models/{id:.+}"),
            ("/v1/models", "/v1/models"),
            ("/v1/models/", "unknown"),
            ("/v1/context/", "unknown"),
            ("/v1/context/a/b", "unknown"),
            ("/v1/chat/", "unknown"),
            ("/V1/chat", "unknown"),
            ("/v1/messages/count_tokens", "/v1/messages/count_tokens"),
            ("/v1/messages/batches", "/v1/messages/{path:.+}"),
            ("/v1/responses/resp_1", "/v1/responses/{id}"),
            ("/v1/responses/resp_1/cancel", "/v1/responses/{path:.+}"),
        ] {
            assert_eq!(rule_of(path).path, of, "{path}");
        }
    }
}
