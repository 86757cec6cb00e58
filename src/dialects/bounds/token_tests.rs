//! The bound beside real tokenizers, with conversations at random.

use gateway_actors::protocol::{BoundRules, PicoUsdPerToken, Price, TokenUsage, Vendor};
use serde_json::{Value, json};
use tiktoken_rs::{cl100k_base_singleton, o200k_base_singleton};
use unicode_normalization::UnicodeNormalization as _;

use super::samples::model;
use super::{Form, Names, bounded};
use crate::dialects::random;
use crate::fuzz::{Rng, fuzz, json as any_json, pick};

/// Letters that tokenizers find hard: rare ones, those that grow in a normal form, special tokens, runs.
const PIECES: &[&str] = &[
    "\u{fdfa}",
    "\u{1d160}",
    "½",
    "㌖",
    "ﷺ",
    "<|im_start|>",
    "<|endoftext|>",
    "𒀀",
    "\u{e000}",
    "\u{10ffff}",
    "क़",
    "ﬃ",
    "        ",
    "\u{0}",
    "zqxj",
    "한글",
    "👩‍👩‍👧‍👦",
    "1234567890",
    "\u{200b}",
    "é",
    "ΐ",
];

/// A text, now and then of any letters whatever.
fn text(rng: &mut Rng) -> String {
    (0..rng.usize(..12))
        .map(|_| match rng.u8(..3) {
            0 => pick(rng, PIECES).to_string(),
            1 => rng.char(..).to_string(),
            _ => random::text(rng),
        })
        .collect()
}

/// The most tokens that one of the tokenizers makes of a text, in any of the normal forms in use.
fn tokens(text: &str) -> u64 {
    let forms = [text.to_owned(), text.nfc().collect(), text.nfkc().collect()];
    let count = |text: &String| {
        let (new, old) = (o200k_base_singleton(), cl100k_base_singleton());
        new.encode_ordinary(text).len().max(old.encode_ordinary(text).len())
    };
    forms.iter().map(count).max().unwrap_or_default() as u64
}

/// The tokens of a schema: as JSON, close and with white space, and as OpenAI counts functions (its cookbook, "How to count
/// tokens with tiktoken"): 3 for each property and each word of an enumeration beside their text.
fn schema_tokens(tool: &Value) -> u64 {
    let pretty = serde_json::to_string_pretty(tool).unwrap();
    let wide = pretty.replace("  ", "    ");
    tokens(&tool.to_string()).max(tokens(&pretty)).max(tokens(&wide))
}

fn tool(rng: &mut Rng) -> Value {
    let properties: serde_json::Map<String, Value> = (0..rng.usize(..4))
        .map(|place| {
            let values: Vec<String> = (0..rng.usize(..4)).map(|_| text(rng)).collect();
            let property = json!({"type": "string", "description": text(rng), "enum": values});
            (format!("p{place}"), property)
        })
        .collect();
    json!({"type": "function", "function": {"name": "f", "description": text(rng),
        "parameters": {"type": "object", "properties": properties}}})
}

#[test]
fn no_tokenizer_makes_more_of_a_conversation_than_its_bound() {
    let model = model(Vendor::Openai, "gpt-4o");
    fuzz("bounds of conversations", |rng| {
        let mut messages = Vec::new();
        let mut counted = 3;
        for _ in 0..rng.usize(1..5) {
            let texts: Vec<String> = (0..rng.usize(..3)).map(|_| text(rng)).collect();
            // Four for the frame of a message and its role.
            counted += 4 + texts.iter().map(|text| tokens(text)).sum::<u64>();
            let content = match texts.as_slice() {
                [one] => json!(one),
                several => several
                    .iter()
                    .map(|text| json!({"type": "text", "text": text}))
                    .collect(),
            };
            messages.push(json!({"role": "user", "content": content}));
        }
        let tools: Vec<Value> = (0..rng.usize(..3)).map(|_| tool(rng)).collect();
        counted += tools.iter().map(|tool| schema_tokens(tool) + 22).sum::<u64>();
        let escaped = rng.bool();
        let body = json!({"model": "m", "messages": messages, "tools": tools}).to_string();
        let body = if escaped { ascii(&body) } else { body };
        let found = bounded(&body, Form::Chat, &model, &BoundRules::default(), Names::Own).unwrap();
        // What is a budget's own is not needed for the texts alone.
        let texts = found.bound.input - super::TOKENS_PER_REQUEST;
        assert!(counted <= texts, "{counted} of at most {texts}: {body}");
    });
}

/// The same JSON with every letter beyond ASCII escaped.
fn ascii(json: &str) -> String {
    let mut units = [0; 2];
    json.chars()
        .map(|letter| match letter.is_ascii() {
            true => letter.to_string(),
            false => letter
                .encode_utf16(&mut units)
                .iter()
                .map(|unit| format!("\\u{unit:04x}"))
                .collect(),
        })
        .collect()
}

#[test]
fn no_body_is_bounded_below_its_bytes_or_makes_the_reader_fail() {
    let model = model(Vendor::Anthropic, "claude-opus-4-7");
    let forms = [
        Form::Chat,
        Form::Responses,
        Form::Messages,
        Form::Gemini,
        Form::Ollama,
        Form::Completions,
    ];
    fuzz("bounds of any JSON", |rng| {
        let form = forms[rng.usize(..forms.len())];
        let fields = form.fields();
        let field = fields[rng.usize(..fields.len())].name;
        let body = format!("{{\"{field}\":{}}}", any_json(rng, 3));
        if let Ok(found) = bounded(&body, form, &model, &BoundRules::default(), Names::Own) {
            let media = body.contains("image") || body.contains("source") || body.contains("Data");
            assert!(found.bound.input >= body.len() as u64 || media, "{body}");
            assert!(found.bound.output <= 128 * 1_000 * 128, "{body}");
        }
    });
}

#[test]
fn no_usage_within_the_bound_costs_more_than_what_is_held() {
    let model = model(Vendor::Openai, "gpt-4o");
    fuzz("costs within bounds", |rng| {
        let pico = |rng: &mut Rng| PicoUsdPerToken(rng.u64(..1_000_000_000));
        let mut price = Price::plain(pico(rng), pico(rng), pico(rng));
        (price.rates.cache_write_5m, price.rates.reasoning) = (pico(rng), pico(rng));
        let answers = rng.u64(1..5);
        let body = json!({"n": answers, "messages": [{"role": "user", "content": text(rng)}]}).to_string();
        let bound = bounded(&body, Form::Chat, &model, &BoundRules::default(), Names::Own)
            .unwrap()
            .bound;
        let (input, output) = (rng.u64(..=bound.input), rng.u64(..=bound.output));
        let cached_input = rng.u64(..=input);
        let used = TokenUsage {
            input,
            cached_input,
            cache_write_5m: rng.u64(..=input - cached_input),
            output,
            reasoning: rng.u64(..=output),
            ..TokenUsage::default()
        };
        assert!(price.cost(&used) <= price.worst_case(bound.input, bound.output));
    });
}
