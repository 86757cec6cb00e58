//! Writes the JSON of the entries that every request makes, byte for byte as serde would.
//!
//! serde looks through every key for what needs an escape, and prints ids and words piece by piece. Writing the same
//! text straight into the buffer costs a quarter of that, twice for each request.

use std::io;

use gateway_actors::protocol::DispatchRecord;
use serde::Serialize;

use super::end::AttemptEnd;
use super::frame::{EntryRef, EventRef};

/// Appends the entry's JSON.
pub(super) fn write(EntryRef(seq, event): &EntryRef<'_>, buffer: &mut Vec<u8>) -> io::Result<()> {
    let mut json = Json { buffer };
    json.put("[");
    json.value(seq)?;
    match event {
        EventRef::Dispatched(record) => {
            json.put(r#",{"dispatched":"#);
            json.dispatched(record)?;
        }
        EventRef::Ended(end) => {
            json.put(r#",{"ended":"#);
            json.ended(end)?;
        }
        EventRef::Finished(record) => {
            json.put(r#",{"finished":"#);
            json.value(record)?;
        }
    }
    json.put("}]");
    Ok(())
}

/// JSON under construction.
struct Json<'b> {
    buffer: &'b mut Vec<u8>,
}

impl Json<'_> {
    fn dispatched(&mut self, record: &DispatchRecord) -> io::Result<()> {
        // All of it by name, so that a member that is added later cannot be left out here.
        let DispatchRecord {
            attempt,
            instance,
            cell,
            conversation,
            key_id,
            user_id,
            project_id,
            endpoint,
            model,
            api_model,
            provider,
            layer,
            task,
            price,
            held,
            output_cap,
            charges,
            purpose,
            streamed,
            started_at,
        } = record;
        self.put(r#"{"attempt":""#);
        self.put(&attempt.text());
        self.put(r#"","instance":""#);
        self.put(&instance.text());
        self.put(r#"","cell":"#);
        self.value(cell)?;
        self.put(r#","conversation":"#);
        self.text_if_any(conversation.as_ref().map(|id| id.as_str()))?;
        if let Some(key) = key_id {
            self.put(r#","key_id":"#);
            self.text(key.as_str())?;
        }
        self.put(r#","user_id":"#);
        self.text_if_any(user_id.as_deref())?;
        self.put(r#","project_id":"#);
        self.text_if_any(project_id.as_deref())?;
        self.put(r#","endpoint":"#);
        self.text(endpoint)?;
        self.put(r#","model":"#);
        self.text(model.as_str())?;
        self.put(r#","api_model":"#);
        self.text(api_model)?;
        self.put(r#","provider":"#);
        self.text(provider.as_str())?;
        self.put(r#","layer":"#);
        self.text(layer.as_str())?;
        self.put(r#","task":"#);
        self.text(task.as_str())?;
        self.put(r#","price":"#);
        self.value(price)?;
        self.put(r#","held":"#);
        self.value(held)?;
        if let Some(cap) = output_cap {
            self.put(r#","output_cap":"#);
            self.value(cap)?;
        }
        if let Some(charges) = charges {
            self.put(r#","charges":"#);
            self.value(charges)?;
        }
        if !purpose.is_answer() {
            self.put(r#","purpose":"#);
            self.text(purpose.as_str())?;
        }
        self.put(r#","streamed":"#);
        self.value(streamed)?;
        self.put(r#","started_at":"#);
        self.value(started_at)?;
        self.put("}");
        Ok(())
    }

    fn ended(&mut self, end: &AttemptEnd) -> io::Result<()> {
        let AttemptEnd {
            attempt,
            outcome,
            status,
            usage,
            usage_source,
            cost,
            estimated,
            first_byte_us,
            duration_us,
        } = end;
        self.put(r#"{"attempt":""#);
        self.put(&attempt.text());
        self.put(r#"","outcome":"#);
        self.text(outcome.as_str())?;
        self.put(r#","status":"#);
        self.value(status)?;
        self.put(r#","usage":"#);
        self.value(usage)?;
        self.put(r#","usage_source":"#);
        self.text(usage_source.as_str())?;
        self.put(r#","cost":"#);
        self.value(cost)?;
        self.put(r#","estimated":"#);
        self.value(estimated)?;
        self.put(r#","first_byte_us":"#);
        self.value(first_byte_us)?;
        self.put(r#","duration_us":"#);
        self.value(duration_us)?;
        self.put("}");
        Ok(())
    }

    /// Puts text that is JSON already.
    fn put(&mut self, text: &str) {
        self.buffer.extend_from_slice(text.as_bytes());
    }

    /// Puts a string. Nearly none needs an escape.
    fn text(&mut self, text: &str) -> io::Result<()> {
        if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
            return self.value(text);
        }
        self.put("\"");
        self.put(text);
        self.put("\"");
        Ok(())
    }

    fn text_if_any(&mut self, text: Option<&str>) -> io::Result<()> {
        match text {
            Some(text) => self.text(text),
            None => {
                self.put("null");
                Ok(())
            }
        }
    }

    /// Puts what serde makes of a value.
    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> io::Result<()> {
        Ok(serde_json::to_writer(&mut *self.buffer, value)?)
    }
}

#[cfg(test)]
mod tests {
    use gateway_actors::protocol::{Layer, LegRole, Outcome, TaskType, UsageSource};
    use gateway_actors::testkit::samples::{dispatch, finished};

    use super::*;

    fn assert_as_serde_writes(event: EventRef<'_>) {
        let (entry, mut written) = (EntryRef(1_234_567, event), Vec::new());
        write(&entry, &mut written).unwrap();
        let by_serde = serde_json::to_string(&entry).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), by_serde);
    }

    #[test]
    fn an_entry_is_what_serde_would_write() {
        let full = dispatch();
        assert_as_serde_writes(EventRef::Dispatched(&full));
        assert_as_serde_writes(EventRef::Finished(&finished(&full)));
        assert_as_serde_writes(EventRef::Ended((&finished(&full)).into()));

        let mut bare = dispatch();
        (bare.conversation, bare.user_id, bare.project_id) = (None, None, None);
        (bare.price, bare.output_cap) = (None, None);
        assert_as_serde_writes(EventRef::Dispatched(&bare));
        let mut lost = finished(&bare);
        (lost.status, lost.first_byte_us) = (None, None);
        assert_as_serde_writes(EventRef::Ended((&lost).into()));
    }

    #[test]
    fn every_word_is_what_serde_would_write() {
        let mut record = dispatch();
        for layer in Layer::ALL {
            record.layer = *layer;
            assert_as_serde_writes(EventRef::Dispatched(&record));
        }
        for task in TaskType::ALL {
            record.task = *task;
            assert_as_serde_writes(EventRef::Dispatched(&record));
        }
        for purpose in LegRole::ALL {
            record.purpose = *purpose;
            assert_as_serde_writes(EventRef::Dispatched(&record));
        }
        let mut end = finished(&record);
        for outcome in [
            Outcome::Completed,
            Outcome::ConnectFailed,
            Outcome::TimedOut,
            Outcome::Broken,
            Outcome::Refused,
            Outcome::Malformed,
            Outcome::ClientLeft,
            Outcome::Superseded,
            Outcome::Cut,
            Outcome::Interrupted,
        ] {
            end.outcome = outcome;
            assert_as_serde_writes(EventRef::Ended((&end).into()));
        }
        for source in [UsageSource::Reported, UsageSource::Estimated, UsageSource::None] {
            end.usage_source = source;
            assert_as_serde_writes(EventRef::Ended((&end).into()));
        }
    }

    #[test]
    fn text_is_escaped_where_it_must_be() {
        let mut record = dispatch();
        for text in [
            "",
            "\"",
            "a\\b",
            "\u{0}\u{1f}",
            "line\nbreak",
            "tab\t",
            "\u{7f}",
            "größer 🚢",
            "/v1",
        ] {
            record.user_id = Some(text.into());
            record.api_model = text.into();
            assert_as_serde_writes(EventRef::Dispatched(&record));
        }
    }
}
