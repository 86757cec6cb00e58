//! A client's request, read for a model whose provider speaks another dialect.
//!
//! The body is that of `MessageCreateParams` and, in part, of its beta; the same reader reads what `count_tokens` is
//! sent. `temperature`, `top_p` and `top_k` are no longer in the newest package, but older clients send them.

mod blocks;
mod settings;
mod tools;
mod wire;

use std::borrow::Cow;

use gateway_actors::protocol::GatewayError;

use self::blocks::{cache_mark, read_content, read_system};
use self::settings::{read_format, read_thinking};
use self::tools::{read_tool_choice, read_tools};
use crate::dialects::neutral::{CacheMark, Effort, Feature, Losses, Message, Number, PartKind, Request, Role};
use crate::dialects::object::{AnyNumber, Count, Flag, List, Text, read_body};
use crate::dialects::place::At;

/// Reads a body, which is JSON in UTF-8.
///
/// # Errors
/// `invalid_request` naming the field that is not what it must be, or that holds what only Anthropic's own models can be
/// asked.
pub(in crate::dialects) fn read_request<'a>(body: &'a str, losses: &mut Losses) -> Result<Request<'a>, GatewayError> {
    let mut body: wire::Body<'a> = read_body(body)?;
    check_essential(&body)?;
    let mut messages = Vec::new();
    if let Some(system) = body.system.take() {
        messages.push(Message {
            role: Role::System,
            parts: read_system(losses, At::top("system"), system)?,
        });
    }
    read_messages(losses, body.messages.take(), &mut messages)?;
    if let Some(mark) = cache_mark(At::top("cache_control"), body.cache_control.take())? {
        mark_last(&mut messages, mark);
    }
    let offers = read_tools(losses, body.tools.take())?;
    let (tool_choice, parallel_tool_calls) = match body.tool_choice.take() {
        None => (None, None),
        Some(choice) => read_tool_choice(losses, choice, &offers)?,
    };
    let effort = effort(losses, &body)?;
    let output = At::top("output_config");
    let format = body.output_config.and_then(|output| output.format);
    let format = match (format, body.output_format) {
        (Some(format), _) => Some((output.member("format"), format)),
        (None, Some(format)) => Some((At::top("output_format"), format)),
        (None, None) => None,
    };
    let number = |number: Option<AnyNumber<'a>>| -> Option<Number<'a>> { number.map(|AnyNumber(number)| number) };
    let List(stop) = body.stop_sequences.unwrap_or_default();
    Ok(Request {
        messages,
        tools: offers.tools,
        tool_choice,
        parallel_tool_calls,
        format: format.map(|(at, format)| read_format(losses, at, format)).transpose()?,
        max_output_tokens: max_tokens(losses, body.max_tokens)?,
        temperature: number(body.temperature),
        top_p: number(body.top_p),
        top_k: number(body.top_k),
        stop: stop.into_iter().map(|Text(stop)| stop).collect(),
        reasoning: read_thinking(losses, body.thinking, effort)?,
        user: body.metadata.and_then(|metadata| user(losses, metadata)),
        service_tier: body.service_tier.map(|Text(tier)| tier_of(tier)),
        stream: body.stream == Some(Flag(true)),
        unknown: body.others,
        ..Request::default()
    })
}

/// Refuses what the model would be asked otherwise, and what only Anthropic's own servers have.
fn check_essential(body: &wire::Body<'_>) -> Result<(), GatewayError> {
    let has_servers = body
        .mcp_servers
        .as_ref()
        .is_some_and(|List(servers)| !servers.is_empty());
    for (is_asked, name, what) in [
        (
            has_servers,
            "mcp_servers",
            "tools of MCP servers that the provider calls itself",
        ),
        (
            body.container.is_some(),
            "container",
            "a container that the provider keeps",
        ),
        (
            body.thread.is_some(),
            "thread",
            "a conversation that the provider keeps",
        ),
        (
            body.compaction.is_some(),
            "compaction",
            "a conversation that the provider sums up",
        ),
    ] {
        if is_asked {
            let words = format!(
                "names {what}, which cannot be carried to this model, whose provider is not Anthropic; leave it out or \
                 ask for a model of Anthropic's"
            );
            return Err(At::top(name).wrong(&words));
        }
    }
    Ok(())
}

fn read_messages<'a>(
    losses: &mut Losses,
    list: Option<List<wire::Message<'a>>>,
    messages: &mut Vec<Message<'a>>,
) -> Result<(), GatewayError> {
    let at = At::top("messages");
    let List(list) = list.ok_or_else(|| at.required())?;
    if list.is_empty() {
        return Err(at.wrong("must have at least one message"));
    }
    for (place, message) in list.into_iter().enumerate() {
        messages.push(read_message(losses, at.item(place), message)?);
    }
    Ok(())
}

fn read_message<'a>(losses: &mut Losses, at: At<'_>, message: wire::Message<'a>) -> Result<Message<'a>, GatewayError> {
    drop_others(losses, "messages", &message.others);
    let role = match message.role.as_ref().map(|Text(role)| &**role) {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("system") => Role::System,
        Some(_) => return Err(at.member("role").wrong("must be user, assistant or system")),
        None => return Err(at.member("role").required()),
    };
    let content_at = at.member("content");
    let parts = match message.content {
        Some(content) if role == Role::System => read_system(losses, content_at, content)?,
        Some(content) => read_content(losses, content_at, content)?,
        // A beta has messages of the system's that only change how the model is to answer.
        None if role == Role::System => Vec::new(),
        None => return Err(content_at.required()),
    };
    Ok(Message { role, parts })
}

/// Marks the last part that can be kept in a cache, as Anthropic does for a mark of the whole request.
fn mark_last(messages: &mut [Message<'_>], mark: CacheMark) {
    let parts = messages
        .iter_mut()
        .rev()
        .flat_map(|message| message.parts.iter_mut().rev());
    let mut cacheable = parts.filter(|part| !matches!(part.kind, PartKind::Reasoning { .. }));
    if let Some(part) = cacheable.next() {
        part.cache = part.cache.or(Some(mark));
    }
}

fn max_tokens(losses: &Losses, limit: Option<Count>) -> Result<Option<u32>, GatewayError> {
    match limit {
        Some(Count(0)) => {
            let why = "a request without any answer, to fill the prompt cache, cannot be carried to this model";
            Err(losses.refuse_value(Feature::MaxTokens, why))
        }
        limit => Ok(limit.map(|Count(limit)| limit)),
    }
}

fn effort(losses: &mut Losses, body: &wire::Body<'_>) -> Result<Option<Effort>, GatewayError> {
    let Some(output) = &body.output_config else {
        return Ok(None);
    };
    drop_others(losses, "output_config", &output.others);
    let Some(Text(word)) = &output.effort else {
        return Ok(None);
    };
    let effort = Effort::from_word(word).filter(|effort| *effort >= Effort::Low);
    let wrong = || {
        At::top("output_config")
            .member("effort")
            .wrong("must be low, medium, high, xhigh or max")
    };
    effort.map(Some).ok_or_else(wrong)
}

fn user<'a>(losses: &mut Losses, metadata: wire::Metadata<'a>) -> Option<Cow<'a, str>> {
    drop_others(losses, "metadata", &metadata.others);
    metadata.user_id.map(|Text(user)| user)
}

/// The tier by its name in OpenAI's dialects, which all writers know.
fn tier_of(tier: Cow<'_, str>) -> Cow<'_, str> {
    match &*tier {
        "standard_only" => Cow::Borrowed("default"),
        _ => tier,
    }
}

/// Leaves out members that nobody here knows, which stand in what is called by this path.
fn drop_others(losses: &mut Losses, path: &str, others: &[Cow<'_, str>]) {
    for name in others {
        losses.drop_unknown(&format!("{path}.{name}"));
    }
}

#[cfg(test)]
#[path = "read_request_tests.rs"]
mod tests;
