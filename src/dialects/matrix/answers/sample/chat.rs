//! OpenAI chat completions: `ChatCompletion` and `ChatCompletionChunk` of the `openai` Python package, version 3.57.0
//! (`types/chat`); reasoning as DeepSeek (`reasoning_content`) and OpenRouter (`reasoning_details`) tell it, a content in
//! parts as Mistral's, `stop_reason` as vLLM's, `executed_tools` as Groq's.

use super::{MODEL, PARTS, REFUSAL, STATE, STOP_TEXT, STRANGE, Sample, TEXT, THOUGHT, json};
use crate::dialects::matrix::answers::row::Row;

const USAGE: &str = r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,
    "prompt_tokens_details":{"cached_tokens":40,"cache_write_tokens":30,"audio_tokens":0},
    "completion_tokens_details":{"reasoning_tokens":15,"audio_tokens":0,"accepted_prediction_tokens":0,
    "rejected_prediction_tokens":0}}"#;

/// The members that end a choice.
struct End<'a> {
    finish: &'a str,
    more: &'a str,
}

const STOP: End<'static> = End {
    finish: "stop",
    more: r#","logprobs":null"#,
};

/// An answer with this message, and its stream with these deltas.
fn answer(message: &str, deltas: &[&str], end: &End<'_>) -> Sample {
    let End { finish, more } = end;
    let usage = USAGE.replace(['\n', ' '], "");
    let whole = format!(
        r#"{{"id":"chatcmpl-9","object":"chat.completion","created":1760000000,"model":"{MODEL}","choices":[{{"index":0,
        "message":{{"role":"assistant",{message}}},"finish_reason":"{finish}"{more}}}],"usage":{usage},
        "service_tier":"default","system_fingerprint":"fp_1"}}"#
    );
    let head = format!(
        r#"{{"id":"chatcmpl-9","object":"chat.completion.chunk","created":1760000000,"model":"{MODEL}","system_fingerprint":"fp_1""#
    );
    let mut stream = String::new();
    let mut chunk = |rest: &str| stream.push_str(&format!("data: {head},{rest}}}\n\n"));
    chunk(
        r#""choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,
        "finish_reason":null}],"usage":null"#
            .replace("\n        ", "")
            .as_str(),
    );
    for delta in deltas {
        chunk(&format!(
            r#""choices":[{{"index":0,"delta":{{{delta}}},"logprobs":null,"finish_reason":null}}],"usage":null"#
        ));
    }
    chunk(&format!(
        r#""choices":[{{"index":0,"delta":{{}},"finish_reason":"{finish}"{more}}}],"usage":null"#
    ));
    chunk(&format!(r#""choices":[],"usage":{usage}"#));
    stream.push_str("data: [DONE]\n\n");
    Sample { whole, stream }
}

/// An answer of the text, with these members beside it.
fn said(more: &str) -> Sample {
    let [first, second] = PARTS.map(json);
    let (first, second) = (format!(r#""content":{first}"#), format!(r#""content":{second}"#));
    let content = format!(r#""content":{},"refusal":null"#, json(TEXT));
    if more.is_empty() {
        return answer(&content, &[&first, &second], &STOP);
    }
    answer(&format!("{content},{more}"), &[more, &first, &second], &STOP)
}

fn ended(end: &End<'_>) -> Sample {
    let content = format!(r#""content":{}"#, json(TEXT));
    answer(&format!(r#"{content},"refusal":null"#), &[&content], end)
}

const CALLED: End<'static> = End {
    finish: "tool_calls",
    more: r#","logprobs":null"#,
};

pub(super) fn sample(row: Row) -> Option<Sample> {
    let thought = json(THOUGHT);
    Some(match row {
        Row::Text | Row::Names | Row::Counts | Row::CacheReads | Row::CacheWrites | Row::ReasoningCount => said(""),
        Row::Texts => {
            let [first, second] = PARTS.map(|part| format!(r#"{{"type":"text","text":{}}}"#, json(part)));
            answer(
                &format!(r#""content":[{first},{second}]"#),
                &[&format!(r#""content":[{first}]"#), &format!(r#""content":[{second}]"#)],
                &STOP,
            )
        }
        Row::Reasoning => said(&format!(r#""reasoning_content":{thought}"#)),
        Row::State => said(
            &format!(
                r#""reasoning_details":[{{"type":"reasoning.text","text":{thought},"signature":"{STATE}","id":null,
            "format":"anthropic-claude-v1","index":0}}]"#
            )
            .replace("\n            ", ""),
        ),
        Row::Withheld => said(&format!(
            r#""reasoning_details":[{{"type":"reasoning.encrypted","data":"{STATE}","id":"rs_1","format":"openai-responses-v1","index":0}}]"#
        )),
        Row::Call => answer(
            r#""content":null,"refusal":null,"tool_calls":[{"id":"call_1","type":"function","function":
                {"name":"weather","arguments":"{\"city\":\"Zürich\",\"days\":1.50}"}}]"#,
            &[
                r#""tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"weather","arguments":""}}]"#,
                r#""tool_calls":[{"index":0,"function":{"arguments":"{\"city\":\"Zür"}}]"#,
                r#""tool_calls":[{"index":0,"function":{"arguments":"ich\",\"days\":1.50}"}}]"#,
            ],
            &CALLED,
        ),
        Row::Calls => answer(
            r#""content":"Hello, Zürich.","tool_calls":[
                {"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Zürich\"}"}},
                {"id":"call_2","type":"function","function":{"name":"clock","arguments":"{\"zone\":\"CET\"}"}}]"#,
            &[
                r#""content":"Hello, Zürich.""#,
                r#""tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"weather","arguments":""}}]"#,
                r#""tool_calls":[{"index":1,"id":"call_2","type":"function","function":{"name":"clock","arguments":""}}]"#,
                r#""tool_calls":[{"index":0,"function":{"arguments":"{\"city\":"}}]"#,
                r#""tool_calls":[{"index":1,"function":{"arguments":"{\"zone\":\"CET\"}"}}]"#,
                r#""tool_calls":[{"index":0,"function":{"arguments":"\"Zürich\"}"}}]"#,
            ],
            &CALLED,
        ),
        Row::BareCall => answer(
            r#""content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"clock","arguments":""}}]"#,
            &[
                r#""tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"clock","arguments":""}}]"#,
            ],
            &CALLED,
        ),
        Row::Refusal => {
            let refusal = format!(r#""refusal":{}"#, json(REFUSAL));
            answer(&format!(r#""content":null,{refusal}"#), &[&refusal], &STOP)
        }
        Row::Length => ended(&End {
            finish: "length",
            more: r#","logprobs":null"#,
        }),
        Row::StopText => ended(&End {
            finish: "stop",
            more: &format!(r#","logprobs":null,"stop_reason":"{STOP_TEXT}""#),
        }),
        Row::Filter => ended(&End {
            finish: "content_filter",
            more: r#","logprobs":null,"content_filter_results":{"hate":{"filtered":true,"severity":"high"}}"#,
        }),
        Row::Citations => said(&format!(
            r#""annotations":[{{"type":"url_citation","url_citation":{{"start_index":0,"end_index":5,"title":"{STRANGE}","url":"https://example.com/{STRANGE}"}}}}]"#
        )),
        Row::Logprobs => {
            let token = format!(r#"{{"token":"{STRANGE}","logprob":-0.5,"bytes":null,"top_logprobs":[]}}"#);
            ended(&End {
                finish: "stop",
                more: &format!(r#","logprobs":{{"content":[{token}],"refusal":null}}"#),
            })
        }
        Row::Media => {
            // Sound has no text beside it, but a transcript.
            let audio = |more: &str| format!(r#""audio":{{"id":"audio_1",{more}}}"#);
            let transcript = json(TEXT);
            answer(
                &format!(
                    r#""content":null,"refusal":null,{}"#,
                    audio(&format!(
                        r#""data":"{STATE}","expires_at":1760003600,"transcript":{transcript}"#
                    ))
                ),
                &[
                    &audio(&format!(r#""data":"{STATE}""#)),
                    &audio(&format!(r#""transcript":{transcript}"#)),
                ],
                &STOP,
            )
        }
        Row::Hosted => said(&format!(
            r#""executed_tools":[{{"index":0,"type":"python","arguments":"1+1","output":"{STRANGE}"}}]"#
        )),
        Row::Unknown => said(&format!(r#""x_new":{{"kind":"{STRANGE}"}},"x_{STRANGE}":1"#)),
    })
}
