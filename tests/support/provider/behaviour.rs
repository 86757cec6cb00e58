//! What the provider does with a request. What its answers consist of is apart from this: see
//! [`Content`](super::Content).

use std::sync::Arc;
use std::time::Duration;

use crate::support::Draw;

/// How the provider treats requests from now on. Those that are under way finish as they began.
#[derive(Debug, Clone, Default)]
pub(crate) enum Behaviour {
    /// Answers as a provider of the request's dialect does, with usage.
    #[default]
    Answer,
    /// Answers with this time between two pieces: before each event of a stream, before the head otherwise.
    Slow(Duration),
    /// Answers one byte at a time, with this time between two of them.
    Drip(Duration),
    /// Answers, but one byte in eight of what it says is another one; of a stream, of every third frame or so. The seed
    /// decides.
    Corrupt(u64),
    /// Says nothing until another behaviour is set, then does as that one.
    Held,
    /// Answers, but says nothing of usage.
    UsageMissing,
    /// Answers with this status, these headers and this body, and charges nothing.
    Status(u16, &'static [(&'static str, &'static str)], &'static str),
    /// Reads the request and then says nothing at all.
    StallBeforeHead,
    /// Sends the head of a stream, then nothing.
    StallBeforeFirstEvent,
    /// Sends the first piece of the answer, then nothing.
    StallMidStream,
    /// Says 200 and begins the stream with an error, as the dialect has it.
    ErrorFrameFirst,
    /// Sends this many pieces of the answer, then an error, as the dialect has it, and ends the stream. A whole answer is
    /// that error.
    ErrorAfterEvents(usize),
    /// Sends this many pieces of the answer and cuts the connection. Of a whole answer it sends half.
    DieAfterEvents(usize),
    /// Sends this many frames of the stream, of whatever sort, and cuts the connection: all of them when there are no
    /// more. Of a whole answer it sends half.
    DieAfterFrames(usize),
    /// Sends as many frames of the stream and ends the body as if it were whole. Of a whole answer it sends half and cuts the
    /// connection.
    EndAfterFrames(usize),
    /// Says 200 and ends the stream without an event.
    EmptyStream,
    /// Says 200, sends comments and nothing else.
    CommentsOnly,
    /// Says that the body is longer than what it sends before it closes.
    TruncatedBody,
    /// Reads the request and resets the connection.
    ResetAfterRequest,
    /// Answers, unless this is in the request's body: that it refuses with 400, and charges nothing.
    RefuseIfHolds(Arc<str>),
    /// Writes exactly these bytes, head and all, and closes the connection.
    Raw(&'static [u8]),
    /// Treats each request in one of these ways, each as often as its weight says. The seed and the number of the request
    /// decide.
    Drawn(u64, Arc<[(usize, Self)]>),
}

impl Behaviour {
    /// A web page instead of an answer.
    pub(crate) const HTML: Self = Self::Status(
        200,
        &[("content-type", "text/html")],
        "<html><body>Sign in to the network</body></html>",
    );

    /// An internal error, with a text that no client may see.
    pub(crate) const BROKEN: Self = Self::Status(
        500,
        &[("content-type", "application/json")],
        r#"{"error":{"message":"secret-upstream-detail","type":"server_error"}}"#,
    );

    /// How it treats a request with this body.
    pub(super) fn on(self, body: &str) -> Self {
        match self {
            Self::RefuseIfHolds(word) if body.contains(&*word) => Self::Status(
                400,
                &[("content-type", "application/json")],
                r#"{"error":{"message":"secret-upstream-detail","type":"invalid_request_error"}}"#,
            ),
            Self::RefuseIfHolds(_) => Self::Answer,
            other => other,
        }
    }

    /// How it treats the request of this number.
    pub(super) fn of(self, number: usize) -> Self {
        let Self::Drawn(seed, ways) = self else {
            return self;
        };
        let mut draw = Draw::new(seed.wrapping_add(u64::try_from(number).unwrap()));
        let mut place = draw.below(ways.iter().map(|(weight, _)| weight).sum());
        let mut ways = ways.iter();
        loop {
            let (weight, way) = ways.next().expect("the place is below the sum of all weights");
            match place.checked_sub(*weight) {
                Some(rest) => place = rest,
                None => return way.clone(),
            }
        }
    }

    /// Whether the provider puts such a request on its bill. A stall or a cut is charged: the answer may have been made.
    pub(super) fn is_charged(&self, streamed: bool) -> bool {
        match self {
            Self::ErrorAfterEvents(_) => streamed,
            Self::Answer
            | Self::Slow(_)
            | Self::Drip(_)
            | Self::Corrupt(_)
            | Self::UsageMissing
            | Self::StallBeforeHead
            | Self::StallBeforeFirstEvent
            | Self::StallMidStream
            | Self::DieAfterEvents(_)
            | Self::DieAfterFrames(_)
            | Self::EndAfterFrames(_)
            | Self::TruncatedBody
            | Self::ResetAfterRequest
            | Self::Raw(_) => true,
            // It is another behaviour that answers.
            Self::Held | Self::Drawn(..) | Self::RefuseIfHolds(_) => false,
            Self::Status(..) | Self::ErrorFrameFirst | Self::EmptyStream | Self::CommentsOnly => false,
        }
    }
}

/// What the provider says when it is asked for its models.
#[derive(Debug, Clone)]
pub(crate) enum ModelList {
    /// This, as JSON.
    Json(Arc<str>),
    /// This status, these headers and this body.
    Status(u16, &'static [(&'static str, &'static str)], &'static str),
    /// Nothing at all.
    Stall,
    /// The beginning of a list, and nothing more.
    StallInBody,
    /// A list without end.
    Endless,
}

impl Default for ModelList {
    fn default() -> Self {
        Self::Json(r#"{"object":"list","data":[]}"#.into())
    }
}
