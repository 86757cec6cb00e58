//! Streams that break off.

use bytes::Bytes;

use super::reassemble;
use super::row::Row;
use super::run;
use super::sample::sample;
use crate::dialects::matrix::sides::{CLIENTS, PROVIDERS};
use crate::dialects::provider_side::framing;
use crate::dialects::replay;

#[test]
fn a_stream_that_breaks_off_is_never_told_as_a_whole_answer() {
    let mut cuts = 0;
    for provider in PROVIDERS {
        for client in CLIENTS.into_iter().filter(|client| *client != provider) {
            let translation = run::translation(client, &run::model(provider));
            for (row, sample) in Row::ALL
                .into_iter()
                .filter_map(|row| Some((row, sample(provider, row)?)))
            {
                let Ok(whole) = run::streamed(&*translation, provider, &sample.stream) else {
                    continue;
                };
                let whole = reassemble::stream(client, &whole);
                let events = replay::split(framing(provider), [sample.stream.as_bytes()]);
                for length in 0..events.len() {
                    let mut stream = translation.stream();
                    let mut out = stream.events(&Bytes::from(events[..length].concat())).unwrap().to_vec();
                    let about = format!(
                        "{provider:?} to {client:?}, {row:?}, {length} of {} events",
                        events.len()
                    );
                    match stream.end() {
                        Err(_broken) => {
                            cuts += 1;
                            let out = String::from_utf8(out).unwrap();
                            assert!(run::check_stream(client, &out).is_err(), "{about}: {out}");
                        }
                        // What is missing is no more than usage, or the mark of an end that was told before.
                        Ok(end) => {
                            out.extend_from_slice(&end);
                            let out = String::from_utf8(out).unwrap();
                            assert_eq!(run::check_stream(client, &out), Ok(()), "{about}: {out}");
                            let mut told = reassemble::stream(client, &out);
                            told["usage"] = whole["usage"].clone();
                            assert_eq!(told, whole, "{about}");
                        }
                    }
                }
            }
        }
    }
    assert!(cuts > 500, "{cuts}");
}
