//! `mcp chat`: one message, or a conversation at the terminal.

use std::fmt;
use std::io::{self, IsTerminal, Read};

use clap::Args;
use gateway_actors::protocol::NanoUsd;
use serde::{Deserialize, Serialize};

use super::error::CliError;
use super::gateway::{Gateway, GatewayArgs};
use super::output::{complain, prompt, say};

const PATH: &str = "/v1/chat";
/// Bytes that are read from stdin: more than any gateway takes as a message.
const MOST_INPUT: u64 = 16 * 1024 * 1024;

/// The arguments of `mcp chat`.
#[derive(Debug, Args)]
pub(super) struct ChatArgs {
    /// What to say. With `-`, or without it when something is piped in, standard input is the message; without it at
    /// a terminal, every line is one.
    message: Option<String>,
    /// The conversation to go on with; without it a new one begins.
    #[arg(long, value_name = "ID")]
    conversation: Option<String>,
    /// The model to ask, by name.
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// The layer to ask: L0, L1, L2 or L3.
    #[arg(long, value_name = "LAYER")]
    layer: Option<String>,
    /// The dearest layer that may be asked.
    #[arg(long, value_name = "LAYER")]
    max_layer: Option<String>,
    /// How much the answer matters: normal, high or critical.
    #[arg(long, value_name = "LEVEL")]
    quality: Option<String>,
    /// Prints the whole answer as the gateway's JSON, and no summary.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// The body of a request. The values are the user's own words: the gateway judges them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    message: &'a str,
    #[serde(flatten)]
    options: &'a Options,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_layer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quality_level: Option<String>,
}

/// What the program needs of an answer.
#[derive(Debug, Deserialize)]
struct Answer {
    result: Outcome,
    context: Context,
    performance: Performance,
}

#[derive(Debug, Deserialize)]
struct Outcome {
    response: String,
    model: Option<String>,
    layer: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    conversation_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Performance {
    tokens: Tokens,
    cost_nano_usd: NanoUsd,
}

#[derive(Debug, Deserialize)]
struct Tokens {
    input: u64,
    output: u64,
}

/// The summary line: model, layer, tokens, cost, conversation.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Performance { tokens, cost_nano_usd } = &self.performance;
        let model = self.result.model.as_deref().unwrap_or("answered before");
        let layer = self.result.layer.as_deref().unwrap_or("no layer");
        write!(
            f,
            "[{model}, {layer}, {} tokens in, {} out, {cost_nano_usd}, conversation {}]",
            tokens.input, tokens.output, self.context.conversation_id
        )
    }
}

/// A chat under way: what stays the same from message to message, and the conversation once it is known.
struct Chat {
    gateway: Gateway,
    options: Options,
    json: bool,
}

/// Runs `mcp chat`.
///
/// # Errors
/// When the message cannot be had, or is not answered. At a terminal only the end of the input ends the command:
/// a message that fails is told and the next one asked for.
pub(super) async fn run(args: ChatArgs) -> Result<(), CliError> {
    let mut chat = Chat {
        gateway: Gateway::new(args.gateway)?,
        options: Options {
            conversation_id: args.conversation,
            model: args.model,
            layer: args.layer,
            max_layer: args.max_layer,
            quality_level: args.quality,
        },
        json: args.json,
    };
    match args.message.as_deref() {
        Some("-") => chat.say(&piped_message()?).await,
        Some(message) => chat.say(message).await,
        None if io::stdin().is_terminal() => chat.hold().await,
        None => chat.say(&piped_message()?).await,
    }
}

impl Chat {
    /// Sends a message and prints the answer; the next message belongs to the same conversation.
    async fn say(&mut self, message: &str) -> Result<(), CliError> {
        let request = Request {
            message,
            options: &self.options,
        };
        let body = self.gateway.post(PATH, &request).await?;
        let answer: Answer = self.gateway.read(&body)?;
        if self.json {
            say(String::from_utf8_lossy(&body).trim_end())?;
        } else {
            say(&answer.result.response)?;
            complain(&answer.to_string());
        }
        self.options.conversation_id = Some(answer.context.conversation_id);
        Ok(())
    }

    /// Sends every line that is typed, until the end of the input.
    async fn hold(&mut self) -> Result<(), CliError> {
        complain(&format!("talking to {}; Ctrl-D ends it", self.gateway.endpoint()));
        loop {
            prompt();
            let mut line = String::new();
            // Nothing else runs on this thread, so it may wait for the user.
            if io::stdin().read_line(&mut line).map_err(|error| no_message(&error))? == 0 {
                complain("");
                return Ok(());
            }
            let message = line.trim();
            if message.is_empty() {
                continue;
            }
            match self.say(message).await {
                Err(error @ CliError::Output(_)) => return Err(error),
                Err(error) => complain(&error.to_string()),
                Ok(()) => {}
            }
        }
    }
}

/// All of stdin, without the line break at its end.
fn piped_message() -> Result<String, CliError> {
    read_message(io::stdin().lock())
}

fn read_message(input: impl Read) -> Result<String, CliError> {
    let mut message = String::new();
    let mut limited = input.take(MOST_INPUT + 1);
    let read = limited.read_to_string(&mut message);
    let read = read.map_err(|error| no_message(&error))?;
    if u64::try_from(read).is_ok_and(|read| read > MOST_INPUT) {
        let most = MOST_INPUT / (1024 * 1024);
        return Err(CliError::Usage(format!("the message on stdin is over {most} MiB")));
    }
    if message.trim().is_empty() {
        let what = "there is no message: give one as an argument, or pipe one in";
        return Err(CliError::Usage(what.to_owned()));
    }
    let end = message.trim_end_matches(['\r', '\n']).len();
    message.truncate(end);
    Ok(message)
}

fn no_message(error: &io::Error) -> CliError {
    CliError::Usage(format!("cannot read the message from stdin: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piped_message_loses_only_the_line_break_at_its_end() {
        assert_eq!(read_message(&b"  one\n two \r\n"[..]).unwrap(), "  one\n two ");
    }

    #[test]
    fn input_that_is_no_message_is_a_usage_error() {
        let too_much = io::repeat(b'x').take(MOST_INPUT + 1);
        for refused in [
            read_message(&b" \n"[..]),
            read_message(&b"\xff\xfe"[..]),
            read_message(too_much),
        ] {
            assert_eq!(refused.unwrap_err().exit_code(), 2);
        }
    }

    #[test]
    fn only_what_was_asked_for_is_sent() {
        let mut options = Options {
            conversation_id: None,
            model: None,
            layer: None,
            max_layer: None,
            quality_level: None,
        };
        let sent = |options: &Options| serde_json::to_string(&Request { message: "hi", options }).unwrap();
        assert_eq!(sent(&options), r#"{"message":"hi"}"#);
        options.max_layer = Some("L2".to_owned());
        options.quality_level = Some("high".to_owned());
        assert_eq!(
            sent(&options),
            r#"{"message":"hi","maxLayer":"L2","qualityLevel":"high"}"#
        );
    }

    #[test]
    fn the_summary_is_one_line_also_for_an_answer_given_before() {
        let answer = |result: &str| -> Answer {
            let rest = r#""context":{"conversationId":"c"},"performance":{"tokens":{"input":50,"output":200},
                "costNanoUsd":2000000}"#;
            serde_json::from_str(&format!("{{\"result\":{result},{rest}}}")).unwrap()
        };
        let fresh = answer(r#"{"response":"hi","model":"small","layer":"L0"}"#);
        assert_eq!(
            fresh.to_string(),
            "[small, L0, 50 tokens in, 200 out, $0.002, conversation c]"
        );
        let known = answer(r#"{"response":"hi","model":null,"layer":null}"#);
        assert!(known.to_string().starts_with("[answered before, no layer, "));
    }
}
