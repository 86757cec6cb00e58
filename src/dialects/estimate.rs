//! How many tokens a request has, where no provider can be asked.

use super::neutral::{Document, Image, PartKind, Request, Source};

/// Visual tokens of an image that is scaled down to what most models look at (Anthropic's guide "Vision": 1,568 at most).
const IMAGE_TOKENS: u64 = 1_568;
/// Bytes of base64 of a document for each of its tokens: a page has 1,500 to 3,000 tokens (Anthropic's guide "PDF support")
/// and, as files go, 50 to 100 KB.
const DOCUMENT_BYTES_PER_TOKEN: u64 = 32;

/// About how many tokens a request has: its bytes divided by 3.5, rounded up, and what its images and documents have
/// instead of their bytes. English text and code have between three and four bytes for each token, and the JSON around them
/// makes up for what is more.
pub(super) fn tokens(body: &str, request: &Request<'_>) -> u64 {
    let mut media = Media::default();
    for message in &request.messages {
        for part in &message.parts {
            media.add(&part.kind);
        }
    }
    let text = (body.len() as u64).saturating_sub(media.bytes);
    (text * 2).div_ceil(7) + media.tokens
}

/// What the images and documents of a request come to.
#[derive(Default)]
struct Media {
    /// Of the body, which are not text.
    bytes: u64,
    tokens: u64,
}

impl Media {
    fn add(&mut self, part: &PartKind<'_>) {
        match part {
            PartKind::Image(Image { source, .. }) => {
                self.bytes += bytes_of(source);
                self.tokens += IMAGE_TOKENS;
            }
            PartKind::Document(document) => self.add_document(document),
            PartKind::ToolResult(result) => result.content.iter().for_each(|part| self.add(part)),
            PartKind::Text(_) | PartKind::Refusal(_) | PartKind::Reasoning { .. } | PartKind::ToolCall(_) => {}
        }
    }

    /// One that is text has the tokens of its bytes, as any text.
    fn add_document(&mut self, document: &Document<'_>) {
        if document.text().is_none() {
            let bytes = bytes_of(&document.source);
            self.bytes += bytes;
            self.tokens += bytes.div_ceil(DOCUMENT_BYTES_PER_TOKEN);
        }
    }
}

/// How many bytes of the body an image or document takes.
fn bytes_of(source: &Source<'_>) -> u64 {
    match source {
        Source::Url(_) => 0,
        Source::Data { base64, .. } => base64.len() as u64,
    }
}
