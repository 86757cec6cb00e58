//! The members of a request that are read, as the wire has them.

use super::super::details::Detail;
use crate::dialects::object::{AnyNumber, Count, Flag, List, Object, Present, Text, TextOr, object};

object! {
    /// The whole body. `model` and whether usage is wanted are read elsewhere.
    Body {
        model = "model": Present,
        messages = "messages": List<Message<'a>>,
        tools = "tools": List<Tool<'a>>,
        functions = "functions": List<Function<'a>>,
        tool_choice = "tool_choice": TextOr<'a, ToolChoice<'a>>,
        function_call = "function_call": TextOr<'a, Name<'a>>,
        parallel_tool_calls = "parallel_tool_calls": Flag,
        response_format = "response_format": ResponseFormat<'a>,
        max_tokens = "max_tokens": Count,
        max_completion_tokens = "max_completion_tokens": Count,
        temperature = "temperature": AnyNumber<'a>,
        top_p = "top_p": AnyNumber<'a>,
        top_k = "top_k": AnyNumber<'a>,
        min_p = "min_p": AnyNumber<'a>,
        seed = "seed": AnyNumber<'a>,
        frequency_penalty = "frequency_penalty": AnyNumber<'a>,
        presence_penalty = "presence_penalty": AnyNumber<'a>,
        stop = "stop": TextOr<'a, List<Text<'a>>>,
        reasoning_effort = "reasoning_effort": Text<'a>,
        reasoning = "reasoning": Reasoning<'a>,
        include_reasoning = "include_reasoning": Flag,
        verbosity = "verbosity": Text<'a>,
        n = "n": Count,
        logprobs = "logprobs": Flag,
        top_logprobs = "top_logprobs": Count,
        logit_bias = "logit_bias": Object<'a>,
        user = "user": Text<'a>,
        safety_identifier = "safety_identifier": Text<'a>,
        metadata = "metadata": Object<'a>,
        prompt_cache_key = "prompt_cache_key": Text<'a>,
        prompt_cache_options = "prompt_cache_options": CacheOptions<'a>,
        service_tier = "service_tier": Text<'a>,
        stream = "stream": Flag,
        stream_options = "stream_options": StreamOptions<'a>,
        store = "store": Flag,
        prediction = "prediction": Present,
        modalities = "modalities": List<Text<'a>>,
        audio = "audio": Present,
        web_search_options = "web_search_options": Present,
    }
}

object! {
    /// What a stream has besides.
    StreamOptions {
        include_usage = "include_usage": Present,
        include_obfuscation = "include_obfuscation": Flag,
    }
}

object! {
    /// OpenAI's `prompt_cache_options`, of which the rest says how its cache is to be used.
    CacheOptions {
        prewarm = "prewarm": Flag,
    }
}

object! {
    /// A message of any role.
    Message {
        role = "role": Text<'a>,
        content = "content": TextOr<'a, List<Part<'a>>>,
        name = "name": Text<'a>,
        refusal = "refusal": Text<'a>,
        reasoning = "reasoning": Text<'a>,
        reasoning_content = "reasoning_content": Text<'a>,
        reasoning_details = "reasoning_details": List<Detail<'a>>,
        tool_calls = "tool_calls": List<ToolCall<'a>>,
        function_call = "function_call": Called<'a>,
        tool_call_id = "tool_call_id": Text<'a>,
        audio = "audio": Present,
        cache_control = "cache_control": CacheControl<'a>,
    }
}

object! {
    /// A part of a message's content.
    Part {
        kind = "type": Text<'a>,
        text = "text": Text<'a>,
        refusal = "refusal": Text<'a>,
        image_url = "image_url": ImageUrl<'a>,
        file = "file": File<'a>,
        input_audio = "input_audio": Present,
        cache_control = "cache_control": CacheControl<'a>,
        /// OpenAI's own mark for its cache.
        prompt_cache_breakpoint = "prompt_cache_breakpoint": CacheControl<'a>,
    }
}

object! {
    /// Anthropic's mark (`type`, `ttl`), or OpenAI's (`mode`, `ttl`).
    CacheControl {
        kind = "type": Text<'a>,
        mode = "mode": Text<'a>,
        ttl = "ttl": Text<'a>,
    }
}

object! {
    /// Where an image is.
    ImageUrl {
        url = "url": Text<'a>,
        detail = "detail": Text<'a>,
    }
}

object! {
    /// A file: its bytes, or what the provider calls it.
    File {
        file_data = "file_data": Text<'a>,
        file_id = "file_id": Text<'a>,
        filename = "filename": Text<'a>,
    }
}

object! {
    /// A call that a model made.
    ToolCall {
        id = "id": Text<'a>,
        kind = "type": Text<'a>,
        function = "function": Called<'a>,
        custom = "custom": CalledCustom<'a>,
        /// Which a client that puts streams together leaves in it.
        index = "index": Present,
    }
}

object! {
    /// Which function was called with what.
    Called {
        name = "name": Text<'a>,
        arguments = "arguments": Text<'a>,
    }
}

object! {
    /// Which tool of plain text was called with what.
    CalledCustom {
        name = "name": Text<'a>,
        input = "input": Text<'a>,
    }
}

object! {
    /// A tool.
    Tool {
        kind = "type": Text<'a>,
        function = "function": Function<'a>,
        custom = "custom": Custom<'a>,
        cache_control = "cache_control": CacheControl<'a>,
    }
}

object! {
    /// A function.
    Function {
        name = "name": Text<'a>,
        description = "description": Text<'a>,
        parameters = "parameters": Object<'a>,
        strict = "strict": Flag,
        cache_control = "cache_control": CacheControl<'a>,
    }
}

object! {
    /// A tool of plain text.
    Custom {
        name = "name": Text<'a>,
        description = "description": Text<'a>,
        format = "format": Object<'a>,
    }
}

object! {
    /// Which tools are to be called.
    ToolChoice {
        kind = "type": Text<'a>,
        function = "function": Name<'a>,
        custom = "custom": Name<'a>,
        allowed_tools = "allowed_tools": AllowedTools<'a>,
    }
}

object! {
    /// The tools to which a model must keep.
    AllowedTools {
        mode = "mode": Text<'a>,
        tools = "tools": List<ToolChoice<'a>>,
    }
}

object! {
    /// A name alone.
    Name {
        name = "name": Text<'a>,
    }
}

object! {
    /// What form the answer must have.
    ResponseFormat {
        kind = "type": Text<'a>,
        json_schema = "json_schema": JsonSchema<'a>,
    }
}

object! {
    /// A schema for the answer.
    JsonSchema {
        name = "name": Text<'a>,
        description = "description": Text<'a>,
        schema = "schema": Object<'a>,
        strict = "strict": Flag,
    }
}

object! {
    /// OpenRouter's `reasoning`.
    Reasoning {
        effort = "effort": Text<'a>,
        max_tokens = "max_tokens": Count,
        exclude = "exclude": Flag,
        enabled = "enabled": Flag,
    }
}
