//! Conversations of coding agents as they come over the wire: instructions, tools, what agents put into a user's message
//! besides what the user said, calls of tools and their results.
//!
//! Written after what Claude Code and Codex send, and after the published schemas of the `openai` and `anthropic` packages.

use serde_json::{Value, json};

/// What an agent speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Agent {
    /// Chat completions with tools, as most do.
    Chat,
    /// Chat completions with functions, their older form.
    Functions,
    /// Responses, as Codex does.
    Responses,
    /// Anthropic's Messages, as Claude Code does.
    Messages,
}

impl Agent {
    pub(crate) const ALL: [Self; 4] = [Self::Chat, Self::Functions, Self::Responses, Self::Messages];

    /// The path that it asks.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Chat | Self::Functions => "/v1/chat/completions",
            Self::Responses => "/v1/responses",
            Self::Messages => "/v1/messages",
        }
    }
}

/// A conversation that grows.
#[derive(Debug, Clone)]
pub(crate) struct Talk {
    agent: Agent,
    /// What the agent asks for.
    pub(crate) model: String,
    pub(crate) stream: bool,
    /// Instructions, of which those of one project are told from another's.
    project: String,
    entries: Vec<Value>,
}

impl Talk {
    /// A conversation in which nothing has been said, of an agent that asks for this model.
    pub(crate) fn new(agent: Agent, model: &str, project: &str) -> Self {
        Self {
            agent,
            model: model.to_owned(),
            stream: false,
            project: project.to_owned(),
            entries: Vec::new(),
        }
    }

    /// The user says something. What the agent adds is not the user's: it names files, and shouts of errors.
    #[must_use]
    pub(crate) fn asks(mut self, text: &str) -> Self {
        let is_first = self.entries.is_empty();
        let added =
            "<system-reminder>\nThe contents of CLAUDE.md: prove every theorem in /w/proofs.\n</system-reminder>";
        match self.agent {
            Agent::Chat | Agent::Functions => self.entries.push(json!({"role": "user", "content": text})),
            Agent::Responses => {
                if is_first {
                    self.entries.push(message(
                        "developer",
                        "<permissions instructions>\nAsk first.\n</permissions instructions>",
                    ));
                    let rules =
                        "# AGENTS.md instructions for /w\n\n<INSTRUCTIONS>\nProve every theorem.\n</INSTRUCTIONS>";
                    let place = "<environment_context>\n  <cwd>/w</cwd>\n  <shell>bash</shell>\n</environment_context>";
                    self.entries.push(message("user", rules));
                    self.entries.push(message("user", place));
                }
                self.entries.push(message("user", text));
            }
            Agent::Messages if is_first => self.entries.push(json!({"role": "user", "content": [
                {"type": "text", "text": added},
                {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}},
            ]})),
            Agent::Messages => self.entries.push(json!({"role": "user", "content": text})),
        }
        self
    }

    /// The model answers.
    #[must_use]
    pub(crate) fn says(mut self, text: &str) -> Self {
        self.entries.push(match self.agent {
            Agent::Chat | Agent::Functions => json!({"role": "assistant", "content": text}),
            Agent::Responses => json!({"type": "message", "role": "assistant", "content": [
                {"type": "output_text", "text": text, "annotations": []},
            ]}),
            Agent::Messages => json!({"role": "assistant", "content": [{"type": "text", "text": text}]}),
        });
        self
    }

    /// The model has a command run, under this id.
    #[must_use]
    pub(crate) fn calls(mut self, id: &str, command: &str) -> Self {
        let arguments = json!({"command": command});
        match self.agent {
            Agent::Chat => self
                .entries
                .push(json!({"role": "assistant", "content": null, "tool_calls": [
                    {"id": id, "type": "function", "function": {"name": "shell", "arguments": arguments.to_string()}},
                ]})),
            Agent::Functions => self.entries.push(json!({"role": "assistant", "content": null,
                "function_call": {"name": "shell", "arguments": arguments.to_string()}})),
            Agent::Responses => {
                self.entries
                    .push(json!({"type": "reasoning", "summary": [{"type": "summary_text", "text": "I look."}]}));
                self.entries
                    .push(json!({"type": "function_call", "call_id": id, "name": "shell",
                    "arguments": arguments.to_string()}));
            }
            Agent::Messages => self.entries.push(json!({"role": "assistant", "content": [
                {"type": "text", "text": "Let me look."},
                {"type": "tool_use", "id": id, "name": "shell", "input": arguments},
            ]})),
        }
        self
    }

    /// What came of it. Only Messages tell that it is an error by more than words.
    #[must_use]
    pub(crate) fn gets(mut self, id: &str, output: &str, is_error: bool) -> Self {
        self.entries.push(match self.agent {
            Agent::Chat => json!({"role": "tool", "tool_call_id": id, "content": output}),
            Agent::Functions => json!({"role": "function", "name": "shell", "content": output}),
            Agent::Responses => json!({"type": "function_call_output", "call_id": id, "output": output}),
            Agent::Messages => json!({"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": id, "content": output, "is_error": is_error},
                {"type": "text", "text": "<system-reminder>\nThe to-do list is empty.\n</system-reminder>"},
            ]}),
        });
        self
    }

    /// The next request's body.
    pub(crate) fn body(&self) -> Value {
        let (model, stream, entries) = (&self.model, self.stream, &self.entries);
        let about = "Runs a command.";
        let takes = json!({"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]});
        let rules = format!("You are a coding agent.\n\nThe project is {}.", self.project);
        let instructed = || {
            let mut messages = vec![json!({"role": "system", "content": rules})];
            messages.extend_from_slice(entries);
            messages
        };
        match self.agent {
            Agent::Chat => json!({"model": model, "stream": stream, "messages": instructed(), "tools": [
                {"type": "function", "function": {"name": "shell", "description": about, "parameters": takes}},
            ]}),
            Agent::Functions => json!({"model": model, "stream": stream, "messages": instructed(), "functions": [
                {"name": "shell", "description": about, "parameters": takes},
            ]}),
            Agent::Responses => json!({"model": model, "stream": stream, "instructions": rules, "input": entries,
                "tools": [{"type": "function", "name": "shell", "description": about, "parameters": takes, "strict": false}],
                "store": false, "parallel_tool_calls": false, "include": ["reasoning.encrypted_content"],
                "prompt_cache_key": self.project}),
            // Its first line is another in each request.
            Agent::Messages => json!({"model": model, "stream": stream, "max_tokens": 32_000, "messages": entries,
                "system": [
                    {"type": "text", "text": format!("x-anthropic-billing-header: cc_version=2.1; cch={:05x};", entries.len())},
                    {"type": "text", "text": rules, "cache_control": {"type": "ephemeral"}},
                ],
                "tools": [{"name": "shell", "description": about, "input_schema": takes}],
                "metadata": {"user_id": "user_1"}}),
        }
    }
}

/// A message of Codex's.
fn message(role: &str, text: &str) -> Value {
    json!({"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]})
}
