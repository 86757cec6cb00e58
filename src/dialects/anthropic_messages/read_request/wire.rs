//! The members of a request that are read, as the wire has them.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::dialects::object::{AnyNumber, Count, Flag, List, Object, Present, Text, TextOr, object};

object! {
    /// The whole body. `model` is read elsewhere.
    Body {
        model = "model": Present,
        messages = "messages": List<Message<'a>>,
        system = "system": Content<'a>,
        tools = "tools": List<Tool<'a>>,
        tool_choice = "tool_choice": ToolChoice<'a>,
        max_tokens = "max_tokens": Count,
        temperature = "temperature": AnyNumber<'a>,
        top_p = "top_p": AnyNumber<'a>,
        top_k = "top_k": AnyNumber<'a>,
        stop_sequences = "stop_sequences": List<Text<'a>>,
        thinking = "thinking": Thinking<'a>,
        output_config = "output_config": OutputConfig<'a>,
        /// Its name in an older beta.
        output_format = "output_format": Format<'a>,
        metadata = "metadata": Metadata<'a>,
        service_tier = "service_tier": Text<'a>,
        cache_control = "cache_control": CacheControl<'a>,
        stream = "stream": Flag,
        mcp_servers = "mcp_servers": List<Present>,
        container = "container": Present,
        thread = "thread": Present,
        compaction = "compaction": Present,
    }
}

object! {
    /// A message of any role.
    Message {
        role = "role": Text<'a>,
        content = "content": Content<'a>,
    }
}

object! {
    /// A block of any type.
    Block {
        kind = "type": Text<'a>,
        text = "text": Text<'a>,
        citations = "citations": Present,
        thinking = "thinking": Text<'a>,
        signature = "signature": Text<'a>,
        data = "data": Text<'a>,
        source = "source": TextOr<'a, Source<'a>>,
        title = "title": Text<'a>,
        context = "context": Text<'a>,
        id = "id": Text<'a>,
        name = "name": Text<'a>,
        input = "input": Object<'a>,
        caller = "caller": Typed<'a>,
        toolset_name = "toolset_name": Present,
        tool_use_id = "tool_use_id": Text<'a>,
        content = "content": Content<'a>,
        is_error = "is_error": Flag,
        tool_name = "tool_name": Text<'a>,
        cache_control = "cache_control": CacheControl<'a>,
    }
}

object! {
    /// Where the bytes of an image or a document are.
    Source {
        kind = "type": Text<'a>,
        media_type = "media_type": Text<'a>,
        data = "data": Text<'a>,
        url = "url": Text<'a>,
    }
}

object! {
    /// Something of which only the type counts.
    Typed {
        kind = "type": Text<'a>,
    }
}

object! {
    /// A mark for the prompt cache.
    CacheControl {
        kind = "type": Text<'a>,
        ttl = "ttl": Text<'a>,
    }
}

object! {
    /// A tool of any type.
    Tool {
        kind = "type": Text<'a>,
        name = "name": Text<'a>,
        description = "description": Text<'a>,
        input_schema = "input_schema": Object<'a>,
        strict = "strict": Flag,
        cache_control = "cache_control": CacheControl<'a>,
    }
}

object! {
    /// Which tools are to be called.
    ToolChoice {
        kind = "type": Text<'a>,
        name = "name": Text<'a>,
        disable_parallel_tool_use = "disable_parallel_tool_use": Flag,
    }
}

object! {
    /// How the model is to think.
    Thinking {
        kind = "type": Text<'a>,
        budget_tokens = "budget_tokens": Count,
        display = "display": Text<'a>,
    }
}

object! {
    /// How much the model is to do, and in what form.
    OutputConfig {
        effort = "effort": Text<'a>,
        format = "format": Format<'a>,
    }
}

object! {
    /// What form the answer must have.
    Format {
        kind = "type": Text<'a>,
        schema = "schema": Object<'a>,
    }
}

object! {
    /// Who the end user is.
    Metadata {
        user_id = "user_id": Text<'a>,
    }
}

/// A text, or blocks; results of some of the provider's own tools are objects.
#[derive(Debug)]
pub(super) enum Content<'a> {
    Text(Cow<'a, str>),
    Blocks(Vec<Block<'a>>),
    Object,
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ContentVisitor<'a>(PhantomData<Content<'a>>);

        impl<'de: 'a, 'a> Visitor<'de> for ContentVisitor<'a> {
            type Value = Content<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of blocks")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Content<'a>, E> {
                Ok(Content::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Content<'a>, E> {
                Ok(Content::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Content<'a>, A::Error> {
                let List(blocks) = List::deserialize(SeqAccessDeserializer::new(seq))?;
                Ok(Content::Blocks(blocks))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content<'a>, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Content::Object)
            }
        }

        deserializer.deserialize_any(ContentVisitor(PhantomData))
    }
}
