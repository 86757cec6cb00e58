//! Bodies that are read in one pass into types of their own: what is read of an object, and errors that say where in the
//! body something is not what it must be.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use gateway_actors::protocol::{ErrorKind, GatewayError};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};
use serde_json::value::RawValue;

use super::json::is_object;
use super::neutral::Number;

/// Defines what is read of an object: its members by name, each at most once, absent where they are `null`. The names of
/// all others that are not `null` are kept, and nothing else of them.
macro_rules! object {
    ($(#[$doc:meta])* $name:ident { $($(#[$member_doc:meta])* $member:ident = $key:literal: $kind:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(super) struct $name<'a> {
            $($(#[$member_doc])* pub(super) $member: Option<$kind>,)+
            /// Members that are not read, by name.
            pub(super) others: Vec<std::borrow::Cow<'a, str>>,
        }

        impl $crate::dialects::object::Shape for $name<'_> {
            const SHAPE: &'static str = "an object";
        }

        impl<'de: 'a, 'a> serde::Deserialize<'de> for $name<'a> {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Members<'a>(std::marker::PhantomData<$name<'a>>);

                impl<'de: 'a, 'a> serde::de::Visitor<'de> for Members<'a> {
                    type Value = $name<'a>;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$name<'a>, A::Error> {
                        let mut object = $name::default();
                        while let Some($crate::dialects::object::Text(name)) = map.next_key()? {
                            match &*name {
                                $($key if object.$member.is_none() => object.$member = map.next_value()?,)+
                                $($key)|+ => map.next_value::<$crate::dialects::object::Twice>().map(drop)?,
                                _ => {
                                    if map.next_value::<Option<serde::de::IgnoredAny>>()?.is_some() {
                                        object.others.push(name);
                                    }
                                }
                            }
                        }
                        Ok(object)
                    }
                }

                deserializer.deserialize_map(Members(std::marker::PhantomData))
            }
        }
    };
}

pub(super) use object;

/// Reads a body.
///
/// # Errors
/// `malformed_json` if it is not JSON; `invalid_request` naming the field that is not what it must be.
pub(super) fn read_body<'a, T: Deserialize<'a>>(body: &'a str) -> Result<T, GatewayError> {
    serde_json::from_str(body).map_err(|error| {
        // What does not fit may stand before what is no JSON.
        let syntax = if error.is_data() {
            serde_json::from_str::<IgnoredAny>(body).err()
        } else {
            Some(error)
        };
        match syntax {
            Some(error) => {
                let (line, column) = (error.line(), error.column());
                let message = format!("the body is not valid JSON: see line {line}, column {column}");
                GatewayError::new(ErrorKind::MalformedJson, message)
            }
            // Once more, this time noting where the reader is.
            None => misfit::<T>(body),
        }
    })
}

fn misfit<'a, T: Deserialize<'a>>(body: &'a str) -> GatewayError {
    let mut deserializer = serde_json::Deserializer::from_str(body);
    let Err(error) = serde_path_to_error::deserialize::<_, T>(&mut deserializer) else {
        return GatewayError::new(ErrorKind::InvalidRequest, "the body is not a request");
    };
    let path = error.path().to_string();
    let words = error.inner().to_string();
    let expected = words
        .rsplit_once(EXPECTED)
        .and_then(|(_, rest)| rest.rsplit_once(" at line "))
        .map_or("of another kind", |(expected, _)| expected);
    if path == "." {
        return GatewayError::new(ErrorKind::InvalidRequest, format!("the body must be {expected}"));
    }
    let message = format!("`{path}` must be {expected}");
    GatewayError::invalid(path, message)
}

/// What stands in an error's words before what a value must be.
const EXPECTED: &str = ", expected ";

fn is_not<E: Error>(expected: &str) -> E {
    E::invalid_type(Unexpected::Other("something else"), &expected)
}

/// A string, borrowed where it has no escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

/// An array.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T>(Vec<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
                let Self(mut list) = self;
                while let Some(element) = seq.next_element()? {
                    list.push(element);
                }
                Ok(List(list))
            }
        }

        deserializer.deserialize_seq(ListVisitor(Vec::new()))
    }
}

/// What a type is in an error's words.
pub(super) trait Shape {
    /// `an object`, `an array`.
    const SHAPE: &'static str;
}

impl<T> Shape for List<T> {
    const SHAPE: &'static str = "an array";
}

/// A string or something else: an array or an object.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TextOr<'a, T> {
    /// A string.
    Text(Cow<'a, str>),
    /// Something else.
    Other(T),
}

impl<'de: 'a, 'a, T: Deserialize<'de> + Shape> Deserialize<'de> for TextOr<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EitherVisitor<'a, T>(PhantomData<TextOr<'a, T>>);

        impl<'de: 'a, 'a, T: Deserialize<'de> + Shape> Visitor<'de> for EitherVisitor<'a, T> {
            type Value = TextOr<'a, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a string or {}", T::SHAPE)
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(TextOr::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(TextOr::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                T::deserialize(SeqAccessDeserializer::new(seq)).map(TextOr::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(TextOr::Other)
            }
        }

        deserializer.deserialize_any(EitherVisitor(PhantomData))
    }
}

/// A whole number from 0 to 4294967295.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count(pub(super) u32);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value: &RawValue = Deserialize::deserialize(deserializer)?;
        let count = value.get().parse().ok();
        count
            .map(Self)
            .ok_or_else(|| is_not("a whole number from 0 to 4294967295"))
    }
}

/// A boolean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flag(pub(super) bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value: &RawValue = Deserialize::deserialize(deserializer)?;
        match value.get() {
            "true" => Ok(Self(true)),
            "false" => Ok(Self(false)),
            _ => Err(is_not("true or false")),
        }
    }
}

/// A number in its own spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AnyNumber<'a>(pub(super) Number<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for AnyNumber<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value: &'de RawValue = Deserialize::deserialize(deserializer)?;
        Number::read(value).map(Self).ok_or_else(|| is_not("a number"))
    }
}

/// An object as it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Object<'a>(pub(super) &'a RawValue);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value: &'de RawValue = Deserialize::deserialize(deserializer)?;
        if is_object(value) {
            Ok(Self(value))
        } else {
            Err(is_not("an object"))
        }
    }
}

/// A value that may be anything, and of which only that it is there counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Present;

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_anything| Self)
    }
}

/// The value of a member that has been given before: none can be read.
pub(super) enum Twice {}

impl<'de> Deserialize<'de> for Twice {
    fn deserialize<D: Deserializer<'de>>(_deserializer: D) -> Result<Self, D::Error> {
        Err(is_not("given once only"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    object! {
        /// An object to try it with.
        Thing {
            name = "name": Text<'a>,
            size = "size": Count,
            parts = "parts": TextOr<'a, List<Thing<'a>>>,
            choice = "choice": TextOr<'a, Inner<'a>>,
            list = "list": List<Thing<'a>>,
            any = "any": Object<'a>,
            rate = "rate": AnyNumber<'a>,
            on = "on": Flag,
        }
    }

    object! {
        /// An object within.
        Inner {
            name = "name": Text<'a>,
        }
    }

    fn error(body: &str) -> (Option<String>, String) {
        let error = read_body::<Thing<'_>>(body).unwrap_err();
        (error.param.map(Cow::into_owned), error.message.into_owned())
    }

    #[test]
    fn what_is_read_is_borrowed_and_the_names_of_all_else_are_kept() {
        let body =
            r#"{"name":"a","x":[1],"y":null,"list":[{"name":"b\n","y":0}],"parts":"one","rate":1.50,"size":null}"#;
        let thing: Thing<'_> = read_body(body).unwrap();
        assert!(matches!(thing.name, Some(Text(Cow::Borrowed("a")))));
        assert_eq!((thing.others, thing.size), (vec![Cow::Borrowed("x")], None));
        assert_eq!(thing.parts.map(|parts| matches!(parts, TextOr::Text(_))), Some(true));
        assert_eq!(thing.rate.unwrap().0.as_str(), "1.50");
        let List(list) = thing.list.unwrap();
        assert_eq!(
            (&list[0].name, &list[0].others),
            (&Some(Text("b\n".into())), &vec!["y".into()])
        );
    }

    #[test]
    fn an_error_says_where_and_what_must_be_there() {
        for (body, path, expected) in [
            (r#"{"list":[{},{"name":5}]}"#, "list[1].name", "a string"),
            (r#"{"list":{}}"#, "list", "an array"),
            (r#"{"list":[7]}"#, "list[0]", "an object"),
            (
                r#"{"parts":[{"size":1.5}]}"#,
                "parts[0].size",
                "a whole number from 0 to 4294967295",
            ),
            (r#"{"parts":7}"#, "parts", "a string or an array"),
            (r#"{"choice":true}"#, "choice", "a string or an object"),
            (r#"{"choice":[]}"#, "choice", "an object"),
            (r#"{"choice":{"name":[]}}"#, "choice.name", "a string"),
            (r#"{"any":[]}"#, "any", "an object"),
            (r#"{"rate":"x, expected y at line 1"}"#, "rate", "a number"),
            (r#"{"on":1}"#, "on", "true or false"),
            (r#"{"name":"a","name":"b"}"#, "name", "given once only"),
        ] {
            let wanted = (Some(path.to_owned()), format!("`{path}` must be {expected}"));
            assert_eq!(error(body), wanted, "{body}");
        }
        assert_eq!(error("[]"), (None, "the body must be an object".to_owned()));
        for malformed in ["{", "[", r#"{"name":5"#, r#"{"list":{},"#] {
            let error = read_body::<Thing<'_>>(malformed).unwrap_err();
            assert_eq!(error.kind, ErrorKind::MalformedJson, "{malformed}");
        }
    }
}
