//! Vectors as numbers or as base64 of them.

use std::ops::Range;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose};
use bytes::Bytes;
use gateway_actors::protocol::TranslationError;
use serde_json::value::RawValue;

use super::inspect::Answer;
use crate::dialects::json::{push_string, range_in, text};
use crate::dialects::splice::{Splice, spliced};

/// How a client wants its vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Arrays of numbers.
    #[default]
    Float,
    /// Base64 of 32-bit floats, the least significant byte first.
    Base64,
}

impl Encoding {
    /// Reads `encoding_format`.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        match word {
            "float" => Some(Self::Float),
            "base64" => Some(Self::Base64),
            _ => None,
        }
    }

    /// Whether a vector is in this encoding.
    fn is_of(self, vector: &RawValue) -> bool {
        vector.get().starts_with(match self {
            Self::Float => '[',
            Self::Base64 => '"',
        })
    }
}

/// An answer of OpenAI's dialect in the encoding that is wanted: the same bytes where it already is.
///
/// # Errors
/// When it is no answer, or a vector in it is none.
pub(super) fn encode(body: &Bytes, wanted: Encoding) -> Result<Bytes, TranslationError> {
    let json = std::str::from_utf8(body).map_err(|_error| TranslationError("it is not UTF-8"))?;
    let answer: Answer<'_> = serde_json::from_str(json).map_err(|_error| NO_EMBEDDINGS)?;
    let mut splices = Vec::new();
    for embedding in answer.data.unwrap_or_default() {
        let vector = embedding.embedding.ok_or(NO_EMBEDDINGS)?;
        if !wanted.is_of(vector) {
            let at: Range<usize> = range_in(json, vector);
            splices.push(Splice::new(at, written(vector, wanted)?));
        }
    }
    if splices.is_empty() {
        return Ok(body.clone());
    }
    Ok(spliced(body, splices.iter()).to_bytes())
}

const NO_EMBEDDINGS: TranslationError = TranslationError("it is JSON, but no embeddings");
const NO_VECTOR: TranslationError = TranslationError("a vector in it cannot be read");

/// A vector in this encoding.
///
/// # Errors
/// When it is none, or one of its numbers cannot be a 32-bit float.
pub(super) fn written(vector: &RawValue, wanted: Encoding) -> Result<Vec<u8>, TranslationError> {
    if wanted.is_of(vector) {
        return Ok(vector.get().as_bytes().to_vec());
    }
    match wanted {
        Encoding::Base64 => to_base64(vector.get()),
        Encoding::Float => to_numbers(&text(vector).ok_or(NO_VECTOR)?),
    }
}

/// Reads an array of numbers.
///
/// # Errors
/// When it is none.
pub(super) fn numbers(array: &str) -> Result<Vec<f64>, TranslationError> {
    serde_json::from_str(array).map_err(|_error| NO_VECTOR)
}

fn to_base64(array: &str) -> Result<Vec<u8>, TranslationError> {
    let numbers = numbers(array)?;
    let mut bytes = Vec::with_capacity(numbers.len() * size_of::<f32>());
    for number in numbers {
        let single = number as f32;
        if !single.is_finite() {
            return Err(NO_VECTOR);
        }
        bytes.extend_from_slice(&single.to_le_bytes());
    }
    let mut out = Vec::with_capacity(bytes.len().div_ceil(3) * 4 + 2);
    push_string(&mut out, &general_purpose::STANDARD.encode(&bytes));
    Ok(out)
}

/// Base64 as OpenAI sends it, and without its padding.
const DECODER: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Numbers as short as they can be without becoming others.
fn to_numbers(base64: &str) -> Result<Vec<u8>, TranslationError> {
    let bytes = DECODER.decode(base64).map_err(|_error| NO_VECTOR)?;
    let (singles, rest) = bytes.as_chunks::<{ size_of::<f32>() }>();
    if !rest.is_empty() {
        return Err(NO_VECTOR);
    }
    let numbers: Vec<f32> = singles.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    if !numbers.iter().all(|number| number.is_finite()) {
        return Err(NO_VECTOR);
    }
    serde_json::to_vec(&numbers).map_err(|_error| NO_VECTOR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::{Rng, any_bytes, fuzz};

    const FLOATS: &str = r#"{ "object":"list", "data":[{"object":"embedding","embedding":[0.1, -2.5e-1 ,3],"index":0},
        {"index":1,"embedding":[1e-10]}], "model":"m", "usage":{"prompt_tokens":2,"total_tokens":2},"x":[1] }"#;

    fn encoded(body: &str, wanted: Encoding) -> Result<String, TranslationError> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let out = encode(&body, wanted)?;
        Ok(String::from_utf8(out.to_vec()).unwrap())
    }

    #[test]
    fn only_the_vectors_change_and_what_is_as_wanted_is_not_touched() {
        let body = Bytes::from_static(FLOATS.as_bytes());
        assert_eq!(encode(&body, Encoding::Float).unwrap().as_ptr(), body.as_ptr());
        let base64 = encoded(FLOATS, Encoding::Base64).unwrap();
        let expected = FLOATS
            .replace("[0.1, -2.5e-1 ,3]", r#""zczMPQAAgL4AAEBA""#)
            .replace("[1e-10]", r#""/+bbLg==""#);
        assert_eq!(base64, expected);
        let numbers = encoded(&base64, Encoding::Float).unwrap();
        let expected = FLOATS.replace("[0.1, -2.5e-1 ,3]", "[0.1,-0.25,3.0]");
        assert_eq!(numbers, expected);
        assert_eq!(encoded(&base64, Encoding::Base64).unwrap(), base64);
    }

    #[test]
    fn what_is_no_vector_is_an_error() {
        let body = |vector: &str| format!(r#"{{"data":[{{"embedding":{vector}}}]}}"#);
        for vector in ["[1,null]", "[1e39]", "[1e999]", "{}", "null", "7", "[[1]]", "[\"a\"]"] {
            assert!(encoded(&body(vector), Encoding::Base64).is_err(), "{vector}");
        }
        let not_a_number = format!("\"{}\"", general_purpose::STANDARD.encode(f32::NAN.to_le_bytes()));
        for vector in ["\"?\"", "\"AAA=\"", "7", &not_a_number] {
            assert!(encoded(&body(vector), Encoding::Float).is_err(), "{vector}");
        }
        assert!(encoded(r#"{"data":[{}]}"#, Encoding::Float).is_err());
        assert!(encoded("{", Encoding::Float).is_err());
        assert_eq!(
            encoded(&body("\"AACAPw\""), Encoding::Float).unwrap(),
            body("[1.0]"),
            "padding or none"
        );
    }

    fn any_single(rng: &mut Rng) -> f32 {
        loop {
            let single = f32::from_bits(rng.u32(..));
            if single.is_finite() {
                return single;
            }
        }
    }

    #[test]
    fn there_and_back_every_float_stays_what_it_is() {
        fuzz("embeddings", |rng| {
            let vectors: Vec<Vec<f32>> = (0..rng.usize(1..4))
                .map(|_| (0..rng.usize(..9)).map(|_| any_single(rng)).collect())
                .collect();
            let data: Vec<serde_json::Value> = vectors.iter().map(|v| serde_json::json!({ "embedding": v })).collect();
            let body = serde_json::json!({ "data": data }).to_string();
            let base64 = encoded(&body, Encoding::Base64).unwrap();
            let numbers = encoded(&base64, Encoding::Float).unwrap();
            let back: serde_json::Value = serde_json::from_str(&numbers).unwrap();
            for (place, vector) in vectors.iter().enumerate() {
                let read: Vec<f32> = serde_json::from_value(back["data"][place]["embedding"].clone()).unwrap();
                assert!(
                    read.iter()
                        .zip(vector)
                        .all(|(one, other)| one.to_bits() == other.to_bits()),
                    "{body}"
                );
                assert_eq!(read.len(), vector.len());
            }
            assert_eq!(encoded(&numbers, Encoding::Base64).unwrap(), base64);
        });
    }

    #[test]
    fn bytes_at_random_never_make_a_vector_of_what_is_none() {
        fuzz("base64 of vectors", |rng| {
            let bytes = any_bytes(rng, 24);
            let body = format!(
                r#"{{"data":[{{"embedding":"{}"}}]}}"#,
                general_purpose::STANDARD.encode(&bytes)
            );
            let singles = bytes
                .chunks(4)
                .map(|four| <[u8; 4]>::try_from(four).map(f32::from_le_bytes));
            let are_floats = singles.into_iter().all(|single| single.is_ok_and(f32::is_finite));
            assert_eq!(encoded(&body, Encoding::Float).is_ok(), are_floats, "{bytes:?}");
        });
    }
}
