use super::super::samples::{read_events, read_events_in};
use super::*;

/// Written from `types/chat/chat_completion_chunk.py` of the `openai` package, version 3.57.0: text, two calls whose
/// pieces alternate, and usage at the end.
const STREAM: &str = concat!(
    "data: {\"id\":\"\",\"object\":\"chat.completion.chunk\",\"model\":\"\",\"choices\":[],\"prompt_filter_results\":[]}\n\n",
    "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,",
    "\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"H\\u00e9\"}}]}\r\n\r\n",
    ": ping\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"llo 世界\"}}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call_a\",\"type\":\"function\",",
    "\"function\":{\"name\":\"look\",\"arguments\":\"\"}}]}}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"call_b\",\"type\":\"function\",",
    "\"function\":{\"name\":\"hear\",\"arguments\":\"{}\"}}]}}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"at\\\":\"}}]}}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"1}\"}}]}}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":5}}\n\n",
    "data: [DONE]\n\n",
);

const EVENTS: [&str; 10] = [
    "begin c1 m",
    "text Hé",
    "text llo 世界",
    "call 0 call_a look",
    "call 1 call_b hear",
    "arguments 1 {}",
    "arguments 0 {\"at\":",
    "arguments 0 1}",
    "finish ToolCalls",
    "usage 12 5",
];

fn events(deltas: &[&str]) -> Result<Vec<String>, TranslationError> {
    let chunks = deltas.iter().map(|delta| {
        let choice = if delta.contains("\"delta\"") {
            (*delta).to_owned()
        } else {
            format!("\"delta\":{delta}")
        };
        format!("data: {{\"id\":\"c\",\"model\":\"m\",\"choices\":[{{{choice}}}]}}\n\n")
    });
    let text: String = chunks.collect();
    read_events(&mut Reader::default(), &text).map(|events| events[1..].to_vec())
}

const STOP: &str = r#""delta":{},"finish_reason":"stop""#;

#[test]
fn a_stream_is_read_event_by_event_however_it_is_split() {
    for at in 0..STREAM.len() {
        let (first, second) = STREAM.as_bytes().split_at(at);
        let events = read_events_in(&mut Reader::default(), [first, second]).unwrap();
        assert_eq!(events, EVENTS, "split at {at}");
    }
}

#[test]
fn a_stream_cut_after_any_event_is_not_finished() {
    let ends: Vec<usize> = STREAM.match_indices("\n\n").map(|(at, _)| at + 2).collect();
    let finish = STREAM.find("\"finish_reason\":\"tool_calls\"").unwrap();
    for end in ends {
        let events = read_events(&mut Reader::default(), &STREAM[..end]).unwrap();
        let is_finished = events.iter().any(|event| event.starts_with("finish"));
        assert_eq!(is_finished, end > finish, "cut at {end}");
    }
}

#[test]
fn reasoning_is_read_once_with_what_belongs_to_it() {
    let events = events(&[
        r#"{"reasoning":"h","reasoning_details":[{"type":"reasoning.text","text":"h","format":"f","index":0}]}"#,
        r#"{"reasoning":"m","reasoning_details":[{"type":"reasoning.text","text":"m","index":0}]}"#,
        r#"{"reasoning_details":[{"type":"reasoning.text","signature":"Eq","index":0}]}"#,
        r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"gA","index":1}]}"#,
        r#"{"content":"so"}"#,
        STOP,
    ]);
    assert_eq!(
        events.unwrap(),
        [
            "reasoning h",
            "reasoning m",
            r#"opaque Details {"type":"reasoning.text","signature":"Eq","format":"f","index":0}"#,
            r#"opaque Details {"type":"reasoning.encrypted","data":"gA","index":1}"#,
            "text so",
            "finish Stop"
        ]
    );
}

#[test]
fn plain_reasoning_parts_and_refusals_are_read() {
    let events = events(&[
        r#"{"reasoning_content":"a"}"#,
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"b"}]}]}"#,
        r#"{"content":[{"type":"text","text":"c"}]}"#,
        r#"{"refusal":"d"}"#,
        r#""delta":null,"text":"e","finish_reason":"length""#,
    ]);
    let expected = [
        "reasoning a",
        "reasoning b",
        "text c",
        "refusal d",
        "text e",
        "finish Length",
    ];
    assert_eq!(events.unwrap(), expected);
}

#[test]
fn whole_calls_are_told_apart_though_their_numbers_are_the_same_or_missing() {
    let call = |index: &str, id: &str, name: &str| {
        format!(r#"{{"tool_calls":[{{{index}"id":"{id}","function":{{"name":"{name}","arguments":"{{}}"}}}}]}}"#)
    };
    for index in ["\"index\":0,", ""] {
        let (one, other) = (call(index, "a", "f"), call(index, "b", "f"));
        let events = events(&[&one, &other, STOP]).unwrap();
        let expected = [
            "call 0 a f",
            "arguments 0 {}",
            "call 1 b f",
            "arguments 1 {}",
            "finish ToolCalls",
        ];
        assert_eq!(events, expected, "{index:?}");
    }
    let nameless = call("", "", "f").replace("\"id\":\"\",", "");
    let told = events(&[&nameless, &nameless, STOP]).unwrap();
    assert_eq!(told.iter().filter(|event| event.starts_with("call")).count(), 2);
}

#[test]
fn a_call_waits_for_its_name_and_one_that_never_gets_it_is_an_error() {
    let id = r#"{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"{\""}}]}"#;
    let name = r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"a\":1}"}}]}"#;
    let expected = [
        "call 0 a f",
        "arguments 0 {\"",
        "arguments 0 a\":1}",
        "finish ToolCalls",
    ];
    assert_eq!(events(&[id, name, STOP]).unwrap(), expected);
    assert!(events(&[id, STOP]).is_err());
}

#[test]
fn a_name_in_pieces_is_told_whole_and_never_changed_behind_its_arguments() {
    let piece = |members: &str| format!(r#"{{"tool_calls":[{{"index":0,"function":{{{members}}}}}]}}"#);
    let begins = r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"get_","arguments":""}}]}"#;
    let more = &*piece(r#""name":"weather""#);
    let both = &*piece(r#""name":"weather","arguments":"{}""#);
    let input = &*piece(r#""arguments":"{}""#);
    let same = &*piece(r#""name":"get_","arguments":"""#);
    let other = r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"f","arguments":"{}"}}]}"#;
    let text = r#"{"content":"so"}"#;
    let (whole, cut) = ("call 0 a get_weather", "call 0 a get_");
    for (deltas, expected) in [
        (
            vec![begins, more, input, STOP],
            vec![whole, "arguments 0 {}", "finish ToolCalls"],
        ),
        (
            vec![begins, both, STOP],
            vec![whole, "arguments 0 {}", "finish ToolCalls"],
        ),
        (vec![begins, more, STOP], vec![whole, "finish ToolCalls"]),
        (vec![begins, more, text], vec![whole, "text so"]),
        (vec![begins, more, other], vec![whole, "call 1 b f", "arguments 1 {}"]),
        // It is the same name again.
        (
            vec![begins, same, input, same, STOP],
            vec![cut, "arguments 0 {}", "finish ToolCalls"],
        ),
    ] {
        assert_eq!(events(&deltas).unwrap(), expected, "{deltas:?}");
    }
    for between in [input, other, text] {
        assert!(events(&[begins, between, more, STOP]).is_err(), "{between}");
    }
}

#[test]
fn a_tool_of_plain_text_is_told_as_a_function_with_one_argument() {
    let told = events(&[
        r#"{"tool_calls":[{"index":0,"id":"a","type":"custom","custom":{"name":"shell","input":""}}]}"#,
        r#"{"tool_calls":[{"index":0,"custom":{"input":"ls \""}}]}"#,
        r#"{"tool_calls":[{"index":0,"custom":{"input":"x\"\n"}}]}"#,
        STOP,
    ]);
    let told = told.unwrap();
    assert_eq!(told[0], "call 0 a shell");
    let json: String = told
        .iter()
        .filter_map(|event| event.strip_prefix("arguments 0 "))
        .collect();
    assert_eq!(json, r#"{"input":"ls \"x\"\n"}"#);
}

#[test]
fn the_call_of_the_older_form_is_a_call() {
    let told = events(&[
        r#"{"function_call":{"name":"f","arguments":""}}"#,
        r#"{"function_call":{"arguments":"{}"}}"#,
        r#""delta":{},"finish_reason":"function_call""#,
    ]);
    let told = told.unwrap();
    assert!(told[0].starts_with("call 0 call_") && told[0].ends_with(" f"));
    assert_eq!(told[1..], ["arguments 0 {}", "finish ToolCalls"]);
}

#[test]
fn a_finish_is_told_once_and_nothing_may_be_said_behind_it() {
    let empty = r#""delta":{"content":""},"finish_reason":"stop""#;
    assert_eq!(events(&[STOP, empty]).unwrap(), ["finish Stop"]);
    assert!(events(&[STOP, r#"{"content":"x"}"#]).is_err());
    assert!(events(&[STOP, r#"{"reasoning":"x"}"#]).is_err());
}

#[test]
fn what_is_spoken_is_told_by_its_words_and_an_image_is_an_error() {
    let spoken = [
        r#"{"audio":{"id":"a","data":"UklG"}}"#,
        r#"{"content":null,"audio":{"transcript":"spo"}}"#,
        r#"{"audio":{"transcript":"ken"}}"#,
    ];
    assert_eq!(events(&spoken).unwrap(), ["text spo", "text ken"]);
    assert!(events(&[r#"{"images":[{"type":"image_url"}]}"#]).is_err());
    assert_eq!(
        events(&[r#"{"content":"x","images":[],"audio":null}"#]).unwrap(),
        ["text x"]
    );
}

#[test]
fn an_empty_finish_reason_is_none() {
    let goes_on = r#""delta":{"content":"x"},"finish_reason":"""#;
    assert_eq!(
        events(&[goes_on, goes_on, STOP]).unwrap(),
        ["text x", "text x", "finish Stop"]
    );
}

#[test]
fn what_is_no_chunk_is_an_error() {
    for text in [
        "data: {\"choices\":7}\n\n",
        "data: hello\n\n",
        "data: {\"error\":{\"message\":\"x\"}}\n\n",
        "event: error\ndata: {}\n\n",
        "data: \u{0}\n\n",
    ] {
        assert!(read_events(&mut Reader::default(), text).is_err(), "{text:?}");
    }
}
