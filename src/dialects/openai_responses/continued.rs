//! The answer of a provider of this dialect to a request that goes on from an earlier answer.
//!
//! The gateway puts what came before in front of the request's input, and its provider is not told of an earlier answer. So
//! it names none in its own: the name is put back in the response object, of a whole answer and of every event that has
//! one, and all else stays to the byte.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use gateway_actors::protocol::{AnswerTranslation, StreamTranslation, TranslationError};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::echo::on_one_line;
use crate::dialects::json::{is_object, push_string, range_in};
use crate::dialects::splice::{Splice, spliced};
use crate::dialects::sse::{EventText, Framing, Splitter, push_event};

/// Names the answer that was gone on from.
#[derive(Debug, Clone)]
pub(super) struct Continued {
    /// Its id, as a JSON string.
    id: Bytes,
}

impl Continued {
    pub(super) fn new(id: &Arc<str>) -> Self {
        let mut quoted = Vec::with_capacity(id.len() + 2);
        push_string(&mut quoted, id);
        Self { id: quoted.into() }
    }

    /// What is exchanged in a response object that stands in this text; nothing if it cannot be read.
    fn splice(&self, json: &str, response: &RawValue) -> Option<Splice> {
        let named: Named<'_> = serde_json::from_str(response.get()).ok()?;
        if let Some(value) = named.previous_response_id {
            return Some(Splice::new(range_in(json, value), self.id.clone()));
        }
        let rest = response.get().strip_prefix('{')?;
        let comma: &[u8] = if rest.trim_ascii_start() == "}" { b"" } else { b"," };
        let start = range_in(json, response).start + 1;
        let member = [b"\"previous_response_id\":", &*self.id, comma].concat();
        Some(Splice::new(start..start, member))
    }

    /// One whole event; nothing if it stays as it is.
    fn event(&self, event: &Bytes) -> Option<Bytes> {
        // Nearly every event has no response object, which this tells without reading it.
        memchr::memmem::find(event, b"\"response\"")?;
        let text = EventText::read(Framing::Events, event);
        let json = std::str::from_utf8(&text.data).ok()?;
        let told: Told<'_> = serde_json::from_str(json).ok()?;
        let splice = self.splice(json, told.response.filter(|response| is_object(response))?)?;
        if let Cow::Borrowed(data) = text.data {
            let at = data.as_ptr().addr().saturating_sub(event.as_ptr().addr());
            let splice = Splice::new(at + splice.at.start..at + splice.at.end, splice.with);
            return Some(spliced(event, std::iter::once(&splice)).to_bytes());
        }
        // Data of several lines is no one place in the event.
        let data = Bytes::copy_from_slice(&text.data);
        let mut data = spliced(&data, std::iter::once(&splice)).to_bytes().to_vec();
        on_one_line(&mut data);
        let mut out = Vec::with_capacity(event.len() + splice.with.len());
        let name = text.name.and_then(|name| std::str::from_utf8(name).ok());
        push_event(&mut out, name, &data);
        Some(out.into())
    }
}

impl AnswerTranslation for Continued {
    fn whole(&self, body: &Bytes) -> Result<Bytes, TranslationError> {
        let named = std::str::from_utf8(body).ok().and_then(|json| {
            let response: &RawValue = serde_json::from_str(json).ok()?;
            self.splice(json, response)
        });
        Ok(match named {
            Some(splice) => spliced(body, std::iter::once(&splice)).to_bytes(),
            None => body.clone(),
        })
    }

    fn stream(&self) -> Box<dyn StreamTranslation> {
        Box::new(self.clone())
    }
}

impl StreamTranslation for Continued {
    fn events(&mut self, events: &Bytes) -> Result<Bytes, TranslationError> {
        let mut pieces: Vec<Bytes> = Vec::new();
        let mut splitter = Splitter::new(Framing::Events);
        let (mut kept, mut at) = (0, 0);
        while at < events.len() {
            let rest = events.get(at..).unwrap_or_default();
            // The last event of a stream may come without what ends it.
            let end = at + splitter.event_end(rest).unwrap_or(rest.len());
            splitter.taken(end - at);
            if let Some(event) = self.event(&events.slice(at..end)) {
                pieces.extend([events.slice(kept..at), event]);
                kept = end;
            }
            at = end;
        }
        if pieces.is_empty() {
            return Ok(events.clone());
        }
        pieces.push(events.slice(kept..));
        Ok(pieces.concat().into())
    }

    fn end(&mut self) -> Result<Bytes, TranslationError> {
        Ok(Bytes::new())
    }
}

/// A response object.
#[derive(Deserialize)]
struct Named<'a> {
    /// Kept if it is `null`, so that its place is known.
    #[serde(borrow, default, deserialize_with = "present")]
    previous_response_id: Option<&'a RawValue>,
}

/// An event.
#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow)]
    response: Option<&'a RawValue>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn continued() -> Continued {
        Continued::new(&"resp_1".into())
    }

    fn whole(body: &str) -> String {
        let body = Bytes::copy_from_slice(body.as_bytes());
        String::from_utf8(continued().whole(&body).unwrap().to_vec()).unwrap()
    }

    fn events(events: &str) -> String {
        let events = Bytes::copy_from_slice(events.as_bytes());
        String::from_utf8(continued().stream().events(&events).unwrap().to_vec()).unwrap()
    }

    #[test]
    fn a_whole_answer_names_what_it_goes_on_from_and_all_else_stays_to_the_byte() {
        for (body, named) in [
            (
                " {\"x\" : 1.50e+3, \"previous_response_id\"\n: null ,\"output\":[{\"previous_response_id\":null}]} ",
                " {\"x\" : 1.50e+3, \"previous_response_id\"\n: \"resp_1\" ,\"output\":[{\"previous_response_id\":null}]} ",
            ),
            (
                r#"{"previous_response_id":"resp_of_the_provider","output":[]}"#,
                r#"{"previous_response_id":"resp_1","output":[]}"#,
            ),
            (r#"{ "output":[]}"#, r#"{"previous_response_id":"resp_1", "output":[]}"#),
            ("{ }", r#"{"previous_response_id":"resp_1" }"#),
        ] {
            assert_eq!(whole(body), named);
        }
        for body in [
            "",
            "[]",
            "{",
            "\"previous_response_id\"",
            r#"{"previous_response_id":1,"previous_response_id":2}"#,
        ] {
            assert_eq!(whole(body), body);
        }
    }

    #[test]
    fn so_does_every_event_with_a_response_object_and_no_other() {
        let created = "event: response.created\r\ndata:  {\"type\":\"response.created\",\"response\" : {\"id\":\"r\",\
                       \"previous_response_id\":null,\"n\":1.0}}\r\n\r\n";
        let delta = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\
                     \"delta\":\"\\\"response\\\":{\\\"previous_response_id\\\":null}\"}\n\n";
        let error = "data: {\"type\":\"error\",\"response\":null}\n\n: ping\n\ndata: [DONE]\n\n";
        let completed = "data: {\"response\":{\"id\":\"r\"},\"type\":\"response.completed\"}";
        let all = [delta, created, delta, error, created, completed].concat();
        let named = all.replace("_id\":null,\"n\"", "_id\":\"resp_1\",\"n\"");
        let named = named.replace("{\"id\":\"r\"}", "{\"previous_response_id\":\"resp_1\",\"id\":\"r\"}");
        assert_eq!(events(&all), named);
        assert_eq!(events(&[delta, error].concat()), [delta, error].concat());
        assert_eq!(continued().stream().end().unwrap(), Bytes::new());
    }

    #[test]
    fn an_event_of_several_lines_of_data_becomes_one_of_one() {
        let event = "event: response.created\ndata: {\"type\":\"response.created\",\ndata: \"response\":{\"previous_response_id\":null}}\n\n";
        assert_eq!(
            events(event),
            "event: response.created\ndata: {\"type\":\"response.created\", \"response\":{\"previous_response_id\":\"resp_1\"}}\n\n"
        );
    }
}
