//! Images, documents, sound, and content that few know.
//!
//! Documents at an address in chat completions, and `video_url`, are from OpenRouter's reference.

use super::super::case::{Asked, Case, Held, NOWHERE};
use super::super::models::Models::Current;
use crate::dialects::neutral::Feature;

/// A member with one message of the user's: a text, and this part.
macro_rules! with_part {
    ("input", $part:literal) => {
        concat!(
            r#""input": [{"role": "user", "content": [{"type": "input_text", "text": "See"}, "#,
            $part,
            "]}]"
        )
    };
    ("messages", $part:literal) => {
        concat!(
            r#""messages": [{"role": "user", "content": [{"type": "text", "text": "See"}, "#,
            $part,
            "]}]"
        )
    };
}

pub(super) const CASES: &[Case] = &[
    Case {
        feature: Feature::ImageData,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(with_part!(
                "messages",
                r#"{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}"#
            )),
            responses: Some(with_part!(
                "input",
                r#"{"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,iVBORw0KGgo="}"#
            )),
            messages: Some(with_part!(
                "messages",
                r#"{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}"#
            )),
        },
        mark: "",
        held: Held {
            chat: &[
                ("/messages/0/content/1/type", r#""image_url""#),
                (
                    "/messages/0/content/1/image_url/url",
                    r#""data:image/png;base64,iVBORw0KGgo=""#,
                ),
            ],
            responses: &[
                ("/input/0/content/1/type", r#""input_image""#),
                (
                    "/input/0/content/1/image_url",
                    r#""data:image/png;base64,iVBORw0KGgo=""#,
                ),
            ],
            messages: &[(
                "/messages/0/content/1",
                r#"{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}"#,
            )],
            gemini: &[(
                "/contents/0/parts/1",
                r#"{"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}"#,
            )],
            ollama: &[("/messages/0/images", r#"["iVBORw0KGgo="]"#)],
        },
    },
    Case {
        feature: Feature::ImageUrl,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(with_part!(
                "messages",
                r#"{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}"#
            )),
            responses: Some(with_part!(
                "input",
                r#"{"type": "input_image", "detail": "auto", "image_url": "https://example.com/a.png"}"#
            )),
            messages: Some(with_part!(
                "messages",
                r#"{"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}"#
            )),
        },
        mark: "",
        held: Held {
            chat: &[("/messages/0/content/1/image_url/url", r#""https://example.com/a.png""#)],
            responses: &[("/input/0/content/1/image_url", r#""https://example.com/a.png""#)],
            messages: &[(
                "/messages/0/content/1/source",
                r#"{"type": "url", "url": "https://example.com/a.png"}"#,
            )],
            gemini: &[(
                "/contents/0/parts/1/fileData",
                r#"{"mimeType": "image/png", "fileUri": "https://example.com/a.png"}"#,
            )],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::ImageDetail,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(with_part!(
                "messages",
                r#"{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}}"#
            )),
            responses: Some(with_part!(
                "input",
                r#"{"type": "input_image", "detail": "low", "image_url": "data:image/png;base64,iVBORw0KGgo="}"#
            )),
            messages: None,
        },
        mark: r#""low""#,
        held: Held {
            chat: &[("/messages/0/content/1/image_url/detail", r#""low""#)],
            responses: &[("/input/0/content/1/detail", r#""low""#)],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::Document,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(with_part!(
                "messages",
                r#"{"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0="}}"#
            )),
            responses: Some(with_part!(
                "input",
                r#"{"type": "input_file", "file_data": "data:application/pdf;base64,JVBERi0="}"#
            )),
            messages: Some(with_part!(
                "messages",
                r#"{"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}}"#
            )),
        },
        mark: "",
        held: Held {
            chat: &[
                ("/messages/0/content/1/type", r#""file""#),
                (
                    "/messages/0/content/1/file/file_data",
                    r#""data:application/pdf;base64,JVBERi0=""#,
                ),
            ],
            responses: &[
                ("/input/0/content/1/type", r#""input_file""#),
                (
                    "/input/0/content/1/file_data",
                    r#""data:application/pdf;base64,JVBERi0=""#,
                ),
            ],
            messages: &[(
                "/messages/0/content/1",
                r#"{"type": "document",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}}"#,
            )],
            gemini: &[(
                "/contents/0/parts/1",
                r#"{"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}}"#,
            )],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::Document,
        says: "plain text",
        models: Current,
        asked: Asked {
            chat: Some(with_part!(
                "messages",
                r#"{"type": "file", "file": {"file_data": "data:text/plain;base64,SGVsbG8="}}"#
            )),
            responses: Some(with_part!(
                "input",
                r#"{"type": "input_file", "file_data": "data:text/plain;base64,SGVsbG8="}"#
            )),
            messages: None,
        },
        mark: "",
        held: Held {
            chat: &[("/messages/0/content/1", r#"{"type": "text", "text": "Hello"}"#)],
            responses: &[("/input/0/content/1/file_data", r#""data:text/plain;base64,SGVsbG8=""#)],
            messages: &[(
                "/messages/0/content/1",
                r#"{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Hello"}}"#,
            )],
            gemini: &[(
                "/contents/0/parts/1",
                r#"{"inlineData": {"mimeType": "text/plain", "data": "SGVsbG8="}}"#,
            )],
            ollama: &[("/messages/0/content", r#""See\nHello""#)],
        },
    },
    // To others it is a text like any other.
    Case {
        feature: Feature::Document,
        says: "plain text",
        models: Current,
        asked: Asked {
            chat: None,
            responses: None,
            messages: Some(with_part!(
                "messages",
                r#"{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Hello"}}"#
            )),
        },
        mark: "",
        held: Held {
            chat: &[("/messages/0/content/1/text", r#""Hello""#)],
            responses: &[("/input/0/content/1/text", r#""Hello""#)],
            messages: &[],
            gemini: &[("/contents/0/parts/1/text", r#""Hello""#)],
            ollama: &[("/messages/0/content", r#""See\nHello""#)],
        },
    },
    Case {
        feature: Feature::Document,
        says: "at an address",
        models: Current,
        asked: Asked {
            chat: Some(with_part!(
                "messages",
                r#"{"type": "file", "file": {"file_data": "https://example.com/a.pdf"}}"#
            )),
            responses: Some(with_part!(
                "input",
                r#"{"type": "input_file", "file_url": "https://example.com/a.pdf"}"#
            )),
            messages: Some(with_part!(
                "messages",
                r#"{"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}"#
            )),
        },
        mark: "",
        held: Held {
            responses: &[(
                "/input/0/content/1",
                r#"{"type": "input_file", "file_url": "https://example.com/a.pdf"}"#,
            )],
            messages: &[(
                "/messages/0/content/1/source",
                r#"{"type": "url", "url": "https://example.com/a.pdf"}"#,
            )],
            gemini: &[(
                "/contents/0/parts/1/fileData",
                r#"{"mimeType": "application/pdf", "fileUri": "https://example.com/a.pdf"}"#,
            )],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::DocumentName,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(with_part!(
                "messages",
                r#"{"type": "file",
                    "file": {"filename": "bill.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}"#
            )),
            responses: Some(with_part!(
                "input",
                r#"{"type": "input_file", "filename": "bill.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}"#
            )),
            messages: Some(with_part!(
                "messages",
                r#"{"type": "document", "title": "bill.pdf",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}}"#
            )),
        },
        mark: "bill.pdf",
        held: Held {
            chat: &[("/messages/0/content/1/file/filename", r#""bill.pdf""#)],
            responses: &[("/input/0/content/1/filename", r#""bill.pdf""#)],
            messages: &[("/messages/0/content/1/title", r#""bill.pdf""#)],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::Audio,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(with_part!(
                "messages",
                r#"{"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}"#
            )),
            responses: Some(with_part!(
                "input",
                r#"{"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}"#
            )),
            messages: None,
        },
        mark: "",
        held: NOWHERE,
    },
    Case {
        feature: Feature::OtherContent,
        says: "a video",
        models: Current,
        asked: Asked {
            chat: Some(with_part!(
                "messages",
                r#"{"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}}"#
            )),
            responses: None,
            messages: None,
        },
        mark: "",
        held: NOWHERE,
    },
    Case {
        feature: Feature::OtherContent,
        says: "a search result",
        models: Current,
        asked: Asked {
            chat: None,
            responses: None,
            messages: Some(with_part!(
                "messages",
                r#"{"type": "search_result", "source": "https://example.com", "title": "A page",
                    "content": [{"type": "text", "text": "Found."}]}"#
            )),
        },
        mark: "",
        held: NOWHERE,
    },
    Case {
        feature: Feature::OtherContent,
        says: "an item of a kind that nobody knows",
        models: Current,
        asked: Asked {
            chat: None,
            responses: Some(r#""input": [{"role": "user", "content": "See"}, {"type": "hologram", "data": "x"}]"#),
            messages: None,
        },
        mark: "",
        held: NOWHERE,
    },
];
