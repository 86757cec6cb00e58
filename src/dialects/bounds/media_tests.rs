//! Images, documents and everything else in a conversation that is no text.

use gateway_actors::protocol::{BoundRules, ErrorKind, GatewayError, Model, Vendor};

use super::samples::model;
use super::{Form, Names, bounded};

fn input(body: &str, form: Form, model: &Model) -> Result<u64, GatewayError> {
    bounded(body, form, model, &BoundRules::default(), Names::Own).map(|found| found.bound.input)
}

/// Where a message's parts stand in each dialect.
fn with_part(form: Form, part: &str) -> (String, &'static str) {
    match form {
        Form::Responses => (
            format!(r#"{{"input":[{{"role":"user","content":[{part}]}}]}}"#),
            "input[0].content[0]",
        ),
        Form::Gemini => (
            format!(r#"{{"contents":[{{"parts":[{part}]}}]}}"#),
            "contents[0].parts[0]",
        ),
        _ => (
            format!(r#"{{"messages":[{{"role":"user","content":[{part}]}}]}}"#),
            "messages[0].content[0]",
        ),
    }
}

const IMAGES: [(Form, &str); 6] = [
    (
        Form::Chat,
        r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,DATA"}}"#,
    ),
    (
        Form::Responses,
        r#"{"type":"input_image","image_url":"data:image/png;base64,DATA","file_id":null}"#,
    ),
    (
        Form::Messages,
        r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"DATA"}}"#,
    ),
    (
        Form::Messages,
        r#"{"type":"tool_result","content":[{"type":"image","source":{"type":"base64","data":"DATA"}}]}"#,
    ),
    (Form::Gemini, r#"{"inlineData":{"mimeType":"image/png","data":"DATA"}}"#),
    (
        Form::Gemini,
        r#"{"functionResponse":{"response":{},"parts":[{"inlineData":{"mimeType":"image/png","data":"DATA"}}]}}"#,
    ),
];

#[test]
fn an_image_costs_its_documented_maximum_however_few_or_many_bytes_it_has() {
    let data = "A".repeat(100_000);
    for (form, part) in IMAGES {
        let mut model = model(Vendor::Other, "m");
        let (small, at) = with_part(form, part);
        let refused = input(&small, form, &model).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::CostUnbounded, "{small}");
        assert!(refused.param.as_deref().unwrap().starts_with(at), "{refused:?}");
        assert!(refused.message.contains("max_image_tokens"), "{refused}");
        model.media.image = Some(5_000);
        let large = small.replace("DATA", &data);
        let (few, many) = (
            input(&small, form, &model).unwrap(),
            input(&large, form, &model).unwrap(),
        );
        assert_eq!(few, many, "{form:?}");
        assert!((5_000..7_500).contains(&few), "{few}");
        let two = with_part(form, &format!("{part},{part}")).0;
        assert!(input(&two, form, &model).unwrap() > 10_000);
    }
    let mut model = model(Vendor::Other, "llava");
    let ollama = r#"{"messages":[{"role":"user","content":"a","images":["AAAA","AAAA"]}]}"#;
    let odd = ollama.replace(r#"["AAAA","AAAA"]"#, r#"{"a":"AAAA"}"#);
    for body in [ollama, &odd] {
        let refused = input(body, Form::Ollama, &model).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::CostUnbounded, "{body}");
    }
    model.media.image = Some(700);
    assert!(input(ollama, Form::Ollama, &model).unwrap() > 1_400);
}

#[test]
fn documents_are_refused_unless_they_are_text_or_the_operator_says_how_long_they_are() {
    for (form, part) in [
        (
            Form::Chat,
            r#"{"type":"file","file":{"file_data":"data:application/pdf;base64,AAAA"}}"#,
        ),
        (
            Form::Chat,
            r#"{"type":"document_url","document_url":"data:application/pdf;base64,AAAA"}"#,
        ),
        (
            Form::Responses,
            r#"{"type":"input_file","filename":"a.pdf","file_data":"AAAA"}"#,
        ),
        (
            Form::Messages,
            r#"{"type":"document","source":{"type":"url","url":"https://x/a.pdf"}}"#,
        ),
        (Form::Gemini, r#"{"fileData":{"fileUri":"https://x/a.pdf"}}"#),
    ] {
        let mut model = model(Vendor::Anthropic, "claude-opus-4-7");
        let (body, at) = with_part(form, part);
        let refused = input(&body, form, &model).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::CostUnbounded, "{body}");
        assert!(refused.param.as_deref().unwrap().starts_with(at));
        assert!(refused.message.contains("max_document_tokens"), "{refused}");
        model.media.document = Some(50_000);
        assert!(input(&body, form, &model).unwrap() > 50_000);
    }
    let model = model(Vendor::Anthropic, "claude-opus-4-7");
    for source in [
        r#"{"type":"text","media_type":"text/plain","data":"hello"}"#,
        r#"{"type":"content","content":[{"type":"text","text":"a"}]}"#,
        r#"{"type":"content","content":"a"}"#,
    ] {
        let body = with_part(Form::Messages, &format!(r#"{{"type":"document","source":{source}}}"#)).0;
        assert!(input(&body, Form::Messages, &model).unwrap() > body.len() as u64);
    }
}

#[test]
fn a_document_that_is_to_be_cited_has_no_bound_but_the_operators() {
    let mut model = model(Vendor::Anthropic, "claude-opus-4-7");
    let source = r#""source":{"type":"text","media_type":"text/plain","data":"A. B. C."}"#;
    for (kind, citations, is_bounded) in [
        ("document", r#"{"enabled":true}"#, false),
        ("document", r#"{"enabled":1}"#, false),
        ("search_result", r#"{"enabled":true}"#, false),
        ("document", r#"{"enabled":true,"enabled":false}"#, false),
        ("document", r#"{"enabled":false}"#, true),
        ("document", "null", true),
        ("text", r#"[{"type":"char_location","cited_text":"A."}]"#, true),
    ] {
        let source = if kind == "document" { source } else { r#""text":"a""# };
        let part = format!(r#"{{"type":"{kind}",{source},"citations":{citations}}}"#);
        let (body, at) = with_part(Form::Messages, &part);
        match input(&body, Form::Messages, &model) {
            Ok(_) => assert!(is_bounded, "{body}"),
            Err(refused) => {
                assert!(
                    !is_bounded && refused.kind == ErrorKind::CostUnbounded,
                    "{body}: {refused}"
                );
                assert_eq!(refused.param.as_deref(), Some(&*format!("{at}.citations")));
            }
        }
        model.media.document = Some(50_000);
        assert!(input(&body, Form::Messages, &model).is_ok());
        model.media.document = None;
    }
}

#[test]
fn sound_video_and_what_a_provider_keeps_are_refused_where_they_stand() {
    for (form, part) in [
        (
            Form::Chat,
            r#"{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}"#,
        ),
        (
            Form::Chat,
            r#"{"type":"video_url","video_url":{"url":"https://x/a.mp4"}}"#,
        ),
        (Form::Chat, r#"{"type":"file","file":{"file_id":"file-1"}}"#),
        (Form::Chat, r#"{"type":"text","text":"a","input_audio":{}}"#),
        (Form::Chat, r#"{"type":"hologram"}"#),
        (Form::Responses, r#"{"type":"input_image","file_id":"file-1"}"#),
        (Form::Responses, r#"{"type":"input_image"}"#),
        (Form::Responses, r#"{"type":"input_file","file_id":"file-1"}"#),
        (
            Form::Messages,
            r#"{"type":"image","source":{"type":"file","file_id":"file_1"}}"#,
        ),
        (
            Form::Messages,
            r#"{"type":"document","source":{"type":"file","file_id":"file_1"}}"#,
        ),
        (Form::Messages, r#"{"type":"container_upload","file_id":"file_1"}"#),
        (Form::Messages, r#"{"type":"server_tool_use","name":"web_search"}"#),
        (Form::Gemini, r#"{"inlineData":{"mimeType":"audio/wav","data":"AAAA"}}"#),
        (
            Form::Gemini,
            r#"{"fileData":{"mimeType":"video/mp4","fileUri":"gs://a"}}"#,
        ),
    ] {
        let mut model = model(Vendor::Openai, "gpt-4o");
        (model.media.image, model.media.document) = (Some(1), Some(1));
        let (body, at) = with_part(form, part);
        let refused = input(&body, form, &model).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::CostUnbounded, "{body}: {refused}");
        assert!(refused.param.as_deref().unwrap().starts_with(at), "{refused:?}");
    }
    let model = model(Vendor::Openai, "gpt-4o");
    for (body, form) in [
        (
            r#"{"messages":[{"role":"assistant","audio":{"id":"audio_1"}}]}"#,
            Form::Chat,
        ),
        (r#"{"input":[{"type":"item_reference","id":"msg_1"}]}"#, Form::Responses),
        (r#"{"input":[{"type":"web_search_call","id":"ws_1"}]}"#, Form::Responses),
        (
            r#"{"input":[{"type":"computer_call_output","output":{"type":"computer_screenshot","image_url":"x"}}]}"#,
            Form::Responses,
        ),
    ] {
        assert_eq!(
            input(body, form, &model).unwrap_err().kind,
            ErrorKind::CostUnbounded,
            "{body}"
        );
    }
    for body in [
        r#"{"messages":[{"content":[{"text":"a"}]}]}"#,
        r#"{"messages":[{"content":[{"type":"text","type":"image_url"}]}]}"#,
    ] {
        assert_eq!(
            input(body, Form::Chat, &model).unwrap_err().kind,
            ErrorKind::InvalidRequest,
            "{body}"
        );
    }
}

#[test]
fn an_item_that_is_nothing_but_the_id_of_what_the_provider_keeps_is_refused_whatever_its_kind() {
    let model = model(Vendor::Openai, "gpt-4o");
    let of = |item: &str| {
        let body = format!(r#"{{"input":[{{"role":"user","content":"a"}},{item}],"store":false}}"#);
        input(&body, Form::Responses, &model)
    };
    for item in [
        r#"{"id":"rs_1"}"#,
        r#"{"id":"rs_1","type":null}"#,
        r#"{"type":"item_reference","id":"rs_1"}"#,
        r#"{"type":"reasoning","id":"rs_1","summary":[]}"#,
        r#"{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a"}],"encrypted_content":null}"#,
        r#"{"type":"reasoning","id":"rs_1","summary":[],"content":[],"encrypted_content":""}"#,
        r#"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAA","encrypted_content":null}"#,
        r#"{"type":"message","role":"assistant","id":"msg_1"}"#,
        r#"{"role":"assistant","id":"msg_1","content":null}"#,
        r#"{"type":"message","role":"assistant","id":"msg_1","content":[ ]}"#,
        r#"{"type":"message","role":"assistant","id":"msg_1","content":"a","content":""}"#,
        r#"{"type":"function_call","id":"fc_1"}"#,
        r#"{"type":"function_call_output","id":"fc_1","call_id":"c","output":null}"#,
        r#"{"type":"custom_tool_call","id":"ctc_1","content":"a"}"#,
        r#"{"type":"custom_tool_call_output","id":"ctc_1"}"#,
        r#"{"type":"tool_search_call","id":"ts_1"}"#,
        r#"{"type":"tool_search_output","id":"ts_1"}"#,
        r#"{"type":"additional_tools","id":"at_1"}"#,
        r#"{"type":"compaction","id":"cmp_1"}"#,
    ] {
        let refused = of(item).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::CostUnbounded, "{item}: {refused}");
        assert_eq!(refused.param.as_deref(), Some("input[1]"), "{item}");
        assert!(refused.message.contains("the provider keeps"), "{item}: {refused}");
    }
    // A provider may read these as the id and as the text.
    for item in [r#"{"ID":"rs_1"}"#, r#"{"type":"reasoning","Encrypted_Content":"gAAA"}"#] {
        assert_eq!(of(item).unwrap_err().kind, ErrorKind::InvalidRequest, "{item}");
    }
    for item in [
        r#"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAA"}"#,
        r#"{"type":"reasoning","id":"rs_1","summary":[],"content":[{"type":"reasoning_text","text":"a"}]}"#,
        r#"{"type":"reasoning","summary":[{"type":"summary_text","text":"a"}],"encrypted_content":null}"#,
        r#"{"type":"reasoning","id":null,"summary":[]}"#,
        r#"{"type":"message","role":"assistant","id":"msg_1","content":[{"type":"output_text","text":""}]}"#,
        r#"{"role":"assistant","id":"msg_1","content":"a"}"#,
        r#"{"type":"function_call","id":"fc_1","call_id":"c","name":"f","arguments":""}"#,
        r#"{"type":"function_call_output","id":"fc_1","call_id":"c","output":""}"#,
        r#"{"type":"custom_tool_call","id":"ctc_1","call_id":"c","name":"f","input":""}"#,
        r#"{"type":"custom_tool_call_output","id":"ctc_1","call_id":"c","output":[]}"#,
        r#"{"type":"tool_search_call","id":"ts_1","arguments":{}}"#,
        r#"{"type":"tool_search_output","id":"ts_1","tools":[]}"#,
        r#"{"type":"compaction","id":"cmp_1","encrypted_content":"gAAA"}"#,
    ] {
        of(item).unwrap_or_else(|refused| panic!("{item}: {refused}"));
    }
}

#[test]
fn conversations_with_calls_of_tools_and_reasoning_are_text() {
    let model = model(Vendor::Openai, "gpt-4o");
    for (body, form) in [
        (
            r#"{"messages":[{"role":"assistant","content":null,"tool_calls":[{"function":{"arguments":"{\"type\":\"file\"}"}}],
            "audio":null},{"role":"tool","tool_call_id":"a","content":"b"}]}"#,
            Form::Chat,
        ),
        (
            r#"{"input":[{"type":"reasoning","summary":[{"type":"summary_text","text":"a"}],"encrypted_content":"gAAA"},
            {"type":"function_call","arguments":"{}"},{"type":"function_call_output","output":[{"type":"input_text"}]},
            {"type":"additional_tools","tools":[{"type":"function"}]},{"type":"custom_tool_call","input":"a"}]}"#,
            Form::Responses,
        ),
        (
            r#"{"system":[{"type":"text","text":"a"}],"messages":[{"role":"assistant","content":[
            {"type":"thinking","thinking":"a","signature":"b"},
            {"type":"tool_use","id":"a","name":"b","input":{"type":"image","source":{"a":1},"content":[{"type":"x"}]}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"b"}]}]}"#,
            Form::Messages,
        ),
        (
            r#"{"systemInstruction":{"parts":[{"text":"a"}]},"contents":[{"role":"model","parts":[{"text":"a","thought":true},
            {"functionCall":{"name":"f","args":{"type":"video"}},"thoughtSignature":"AA"}]}]}"#,
            Form::Gemini,
        ),
    ] {
        let found = input(body, form, &model).unwrap_or_else(|error| panic!("{error:?}"));
        assert!(found > body.len() as u64);
    }
}

#[test]
fn a_member_that_a_provider_may_read_as_another_is_refused() {
    let mut model = model(Vendor::Openai, "gpt-4o");
    (model.media.image, model.media.document) = (Some(1), Some(1));
    for (body, form, at) in [
        (
            r#"{"messages":[{"content":[{"type":"text","text":"a","Type":"image_url","Image_URL":{"url":"https://x"}}]}]}"#,
            Form::Chat,
            "messages[0].content[0]",
        ),
        (
            r#"{"messages":[],"tools":[{"Type":"web_search"}]}"#,
            Form::Chat,
            "tools[0]",
        ),
        (
            r#"{"messages":[],"tools":[{"TYPE":"web_search_20250305","name":"web_search"}]}"#,
            Form::Messages,
            "tools[0]",
        ),
    ] {
        let refused = input(body, form, &model).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::InvalidRequest, "{body}: {refused}");
        assert_eq!(refused.param.as_deref(), Some(at), "{body}");
    }
    let hosted = r#"{"messages":[],"tools":[{"type":"bash_code_execution_20250825","name":"a"}]}"#;
    assert_eq!(
        input(hosted, Form::Messages, &model).unwrap_err().kind,
        ErrorKind::CostUnbounded
    );
}
