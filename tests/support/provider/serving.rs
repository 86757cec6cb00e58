//! One request, from its arrival to the end of what is said to it.

use std::io;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::behaviour::{Behaviour, ModelList};
use super::bill::Received;
use super::dialect::{Dialect, Task, route};
use super::http::{Connection, chunk};
use super::server::{Script, Shared};
use super::tab::Tab;
use crate::support::Draw;

/// Answers one request; gives the connection back when it can carry another.
pub(super) async fn answer(
    mut connection: Connection,
    shared: &Shared,
    script: &Script,
    request: &Received,
) -> io::Result<Option<Connection>> {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let Some(route) = route(&request.path, &body) else {
        let error = json!({ "error": { "message": "the scripted provider knows no such path", "path": request.path } });
        connection.send(404, JSON, error.to_string().as_bytes()).await?;
        return Ok(Some(connection));
    };
    let tab = Tab::open(shared, script, request, body, &route);
    let is_kept = match &script.behaviour {
        Behaviour::Status(status, headers, text) => {
            connection.send(*status, headers, text.as_bytes()).await?;
            true
        }
        Behaviour::StallBeforeHead => connection.stall().await.map(|()| false)?,
        Behaviour::Raw(bytes) => connection.send_raw(bytes).await.map(|()| false)?,
        Behaviour::ResetAfterRequest => {
            connection.reset();
            return Ok(None);
        }
        behaviour if matches!(route.task, Task::Answer { streamed: true }) => {
            stream(&mut connection, &tab, route.dialect, behaviour).await?
        }
        behaviour => send_whole(&mut connection, &tab, route.dialect, behaviour).await?,
    };
    Ok(is_kept.then_some(connection))
}

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

/// Answers a question for the list of models. False when the connection must go.
pub(super) async fn list_models(connection: &mut Connection, models: &ModelList) -> io::Result<bool> {
    match models {
        ModelList::Json(text) => connection.send(200, JSON, text.as_bytes()).await.map(|()| true),
        ModelList::Status(status, headers, text) => {
            connection.send(*status, headers, text.as_bytes()).await.map(|()| true)
        }
        ModelList::Stall => connection.stall().await.map(|()| false),
        ModelList::StallInBody => {
            connection.send_claiming(1_000, 200, JSON, b"{\"data\":[").await?;
            connection.stall().await.map(|()| false)
        }
        ModelList::Endless => {
            connection.begin_stream("text/event-stream").await?;
            connection.send_chunk("{\"data\":[{}").await?;
            let more = ",{}".repeat(10_000);
            loop {
                connection.send_chunk(&more).await?;
            }
        }
    }
}

/// Sends an answer at once. False when it was not sent whole and the connection must go.
async fn send_whole(
    connection: &mut Connection,
    tab: &Tab<'_>,
    dialect: &dyn Dialect,
    behaviour: &Behaviour,
) -> io::Result<bool> {
    if let Behaviour::Slow(pause) = behaviour {
        sleep(*pause).await;
    }
    let body = tab.whole();
    match behaviour {
        Behaviour::Answer | Behaviour::Slow(_) | Behaviour::UsageMissing => {
            tab.close(&body);
            connection.send(200, JSON, &body).await?;
            Ok(true)
        }
        Behaviour::Drip(pause) => {
            tab.close(&body);
            connection.send_claiming(body.len(), 200, JSON, b"").await?;
            connection.drip(&body, *pause).await.map(|()| true)
        }
        Behaviour::Corrupt(seed) => {
            tab.close(&body);
            connection.send(200, JSON, &corrupted(body, *seed)).await.map(|()| true)
        }
        Behaviour::ErrorFrameFirst | Behaviour::ErrorAfterEvents(_) => {
            let error = dialect.error().to_string();
            connection.send(200, JSON, error.as_bytes()).await?;
            Ok(true)
        }
        Behaviour::EmptyStream | Behaviour::CommentsOnly => {
            connection.send(200, JSON, b"").await?;
            Ok(true)
        }
        Behaviour::StallBeforeFirstEvent | Behaviour::StallMidStream => {
            connection.send_claiming(body.len(), 200, JSON, b"{").await?;
            connection.stall().await.map(|()| false)
        }
        _ => {
            let half = &body[..body.len() / 2];
            connection
                .send_claiming(body.len(), 200, JSON, half)
                .await
                .map(|()| false)
        }
    }
}

/// Sends a stream. False when it was not sent whole and the connection must go.
async fn stream(
    connection: &mut Connection,
    tab: &Tab<'_>,
    dialect: &dyn Dialect,
    behaviour: &Behaviour,
) -> io::Result<bool> {
    connection.begin_stream(dialect.stream_type()).await?;
    match behaviour {
        Behaviour::StallBeforeFirstEvent => connection.stall().await.map(|()| false),
        Behaviour::EmptyStream => connection.end_chunks().await.map(|()| true),
        Behaviour::CommentsOnly => {
            connection.send_chunk(dialect.comments()).await?;
            connection.end_chunks().await.map(|()| true)
        }
        Behaviour::ErrorFrameFirst => {
            connection.send_chunk(&dialect.error_frame(&tab.answer, 0)).await?;
            connection.end_chunks().await.map(|()| true)
        }
        Behaviour::DieAfterFrames(frames) | Behaviour::EndAfterFrames(frames) => {
            let mut tokens = 0;
            for frame in dialect.frames(&tab.answer).take(*frames) {
                tokens += frame.tokens;
                tab.deliver(tokens);
                connection.send_chunk(&frame.text).await?;
            }
            let is_ended = matches!(behaviour, Behaviour::EndAfterFrames(_));
            if is_ended {
                connection.end_chunks().await?;
            }
            Ok(is_ended)
        }
        Behaviour::Drip(pause) => {
            let mut tokens = 0;
            for frame in dialect.frames(&tab.answer) {
                tokens += frame.tokens;
                tab.deliver(tokens);
                connection.drip(&chunk(frame.text.as_bytes()), *pause).await?;
            }
            connection.end_chunks().await.map(|()| true)
        }
        Behaviour::Corrupt(seed) => {
            tab.close(b"");
            for (number, frame) in (*seed..).zip(dialect.frames(&tab.answer)) {
                let text = frame.text.into_bytes();
                let is_hit = Draw::new(number).below(3) == 0;
                let text = if is_hit { corrupted(text, number) } else { text };
                connection.send_raw(&chunk(&text)).await?;
            }
            connection.end_chunks().await.map(|()| true)
        }
        behaviour => stream_pieces(connection, tab, dialect, behaviour).await,
    }
}

/// One byte in eight is another one.
fn corrupted(mut bytes: Vec<u8>, seed: u64) -> Vec<u8> {
    let mut draw = Draw::new(seed);
    for _ in 0..bytes.len().div_ceil(8) {
        let place = draw.below(bytes.len());
        bytes[place] ^= 1 << draw.below(8);
    }
    bytes
}

/// Sends the frames of an answer, as far as the behaviour lets it. What is before the first piece and what is after the
/// last goes out at once; what is between two pieces goes with the later one.
async fn stream_pieces(
    connection: &mut Connection,
    tab: &Tab<'_>,
    dialect: &dyn Dialect,
    behaviour: &Behaviour,
) -> io::Result<bool> {
    let (mut sent, mut next) = (String::new(), String::new());
    let (mut pieces, mut tokens, mut frames_sent, mut frames_next) = (0, 0, 0, 0);
    for frame in dialect.frames(&tab.answer) {
        if frame.tokens == 0 {
            next.push_str(&frame.text);
            frames_next += 1;
            continue;
        }
        if pieces == 0 && !next.is_empty() {
            connection.send_chunk(&next).await?;
            sent.push_str(&std::mem::take(&mut next));
            frames_sent += std::mem::take(&mut frames_next);
        }
        if let Some(trouble) = trouble(behaviour, pieces, false) {
            return make(connection, tab, dialect, (trouble, frames_sent)).await;
        }
        if let Behaviour::Slow(pause) = behaviour {
            sleep(*pause).await;
        }
        next.push_str(&frame.text);
        pieces += 1;
        tokens += frame.tokens;
        tab.deliver(tokens);
        connection.send_chunk(&next).await?;
        sent.push_str(&std::mem::take(&mut next));
        frames_sent += std::mem::take(&mut frames_next) + 1;
    }
    if let Some(trouble) = trouble(behaviour, pieces, true) {
        return make(connection, tab, dialect, (trouble, frames_sent)).await;
    }
    sent.push_str(&next);
    tab.close(sent.as_bytes());
    connection.send_chunk(&next).await?;
    connection.end_chunks().await?;
    Ok(true)
}

/// What can happen in the middle of a stream.
enum Trouble {
    Stall,
    Cut,
    Error,
}

/// What the behaviour demands after this many pieces. Where there are no more, it demands what it had in store for later.
fn trouble(behaviour: &Behaviour, pieces: usize, at_the_end: bool) -> Option<Trouble> {
    let is_due = |after: usize| at_the_end || pieces >= after;
    match behaviour {
        Behaviour::StallMidStream if is_due(1) => Some(Trouble::Stall),
        Behaviour::TruncatedBody if is_due(1) => Some(Trouble::Cut),
        Behaviour::DieAfterEvents(events) if is_due(*events) => Some(Trouble::Cut),
        Behaviour::ErrorAfterEvents(events) if is_due(*events) => Some(Trouble::Error),
        _ => None,
    }
}

/// Does so, after this many frames. False when the connection must go.
async fn make(
    connection: &mut Connection,
    tab: &Tab<'_>,
    dialect: &dyn Dialect,
    (trouble, frames_sent): (Trouble, usize),
) -> io::Result<bool> {
    match trouble {
        Trouble::Stall => connection.stall().await.map(|()| false),
        Trouble::Cut => Ok(false),
        Trouble::Error => {
            connection
                .send_chunk(&dialect.error_frame(&tab.answer, frames_sent))
                .await?;
            connection.end_chunks().await.map(|()| true)
        }
    }
}
