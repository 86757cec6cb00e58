"""Asks a gateway with the unchanged `openai` and `anthropic` clients, which here refuse every answer that is not exactly
of their dialect's types, and prints what they saw, as JSON: for each part, in a list, what the part saw.

Usage: dialect_clients.py GATEWAY PART=MODEL…      (GATEWAY without /v1; the parts are at the end of this file)

A part with a `~` before it takes answers that are not exactly of the types: those that the gateway hands on as they come,
from a provider that is not exact.
"""

import json
import sys
import traceback

import anthropic
import openai

QUESTION = "What is the capital of France?"
MESSAGES = [{"role": "user", "content": QUESTION}]
KEY = "sk-test"
# Of each answer.
TOKENS = 24
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


def openai_client(gateway, strict=True):
    return openai.OpenAI(base_url=f"{gateway}/v1", api_key=KEY, max_retries=0, _strict_response_validation=strict)


def anthropic_clients(gateway):
    """The client as it comes, which shows a bearer's key, and one as it was before, with `x-api-key`."""
    common = {"base_url": gateway, "max_retries": 0, "_strict_response_validation": True}
    bearer = anthropic.Anthropic(auth_token=KEY, **common)
    older = anthropic.Anthropic(
        api_key=KEY, default_headers={"x-api-key": KEY, "anthropic-version": "2023-06-01"}, **common
    )
    return {"bearer": bearer, "x-api-key": older}


def seen(text, usage, **more):
    """What there is to say of any answer. `usage` is the input's tokens and the output's."""
    return {"text": text, "input_tokens": usage[0], "output_tokens": usage[1], **more}


def chat_usage(usage):
    return usage.prompt_tokens, usage.completion_tokens


def response_usage(usage):
    return usage.input_tokens, usage.output_tokens


def message_usage(usage):
    """What was read from the provider's cache and written to it is told beside the other tokens of the input."""
    cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    return usage.input_tokens + cached, usage.output_tokens


def chat(gateway, model):
    create = openai_client(gateway).chat.completions.create
    asked = {"model": model, "messages": MESSAGES, "max_tokens": TOKENS, "temperature": 0}
    answer = create(**asked)
    events, text, usage, end = 0, "", None, None
    for chunk in create(**asked, stream=True, stream_options={"include_usage": True}):
        events += 1
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            end = choice.finish_reason or end
    choice = answer.choices[0]
    return {
        "whole": seen(choice.message.content, chat_usage(answer.usage), end=choice.finish_reason),
        "streamed": seen(text, chat_usage(usage), end=end, events=events),
    }


def chat_tools(gateway, model):
    create = openai_client(gateway).chat.completions.create
    tool = {"type": "function", "function": {"name": "weather", "description": "The weather.", "parameters": WEATHER}}
    asked = {"model": model, "messages": MESSAGES, "tools": [tool], "max_tokens": TOKENS}
    answer = create(**asked)
    name, arguments = "", ""
    for chunk in create(**asked, stream=True):
        for call in [call for choice in chunk.choices for call in choice.delta.tool_calls or []]:
            name += call.function.name or ""
            arguments += call.function.arguments or ""
    message = answer.choices[0].message
    call = message.tool_calls[0]
    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    after = create(**{**asked, "messages": [*MESSAGES, message.to_dict(), result]})
    return {
        "whole": [call.function.name, json.loads(call.function.arguments)],
        "streamed": [name, json.loads(arguments)],
        "after": after.choices[0].message.content,
    }


def responses(gateway, model, strict=True):
    client = openai_client(gateway, strict)
    asked = {"model": model, "max_output_tokens": TOKENS, "temperature": 0}
    first = client.responses.create(input=QUESTION, **asked)
    events, text, last = 0, "", None
    for event in client.responses.create(input=QUESTION, stream=True, **asked):
        events += 1
        if event.type == "response.output_text.delta":
            text += event.delta
        last = event
    second = client.responses.create(input="And of Spain?", previous_response_id=first.id, **asked)
    got = client.responses.retrieve(first.id)
    items = client.responses.input_items.list(second.id)
    inputs = [part.text for item in items for part in item.content if part.type == "input_text"]
    client.responses.delete(first.id)
    try:
        client.responses.retrieve(first.id)
        gone = False
    except openai.NotFoundError:
        gone = True
    return {
        "whole": seen(first.output_text, response_usage(first.usage), end=first.status),
        "streamed": seen(text, response_usage(last.response.usage), end=last.type, events=events),
        "second": seen(second.output_text, response_usage(second.usage), goes_on=second.previous_response_id == first.id),
        "retrieved": got.id == first.id and got.output_text == first.output_text,
        "inputs": inputs,
        "deleted": gone,
    }


def responses_tools(gateway, model):
    create = openai_client(gateway).responses.create
    tool = {"type": "function", "name": "weather", "description": "The weather.", "parameters": WEATHER, "strict": False}
    asked = {"model": model, "tools": [tool], "max_output_tokens": TOKENS}
    answer = create(input=QUESTION, **asked)
    streamed = [event.item for event in create(input=QUESTION, stream=True, **asked) if event.type == "response.output_item.done"]
    call = next(item for item in answer.output if item.type == "function_call")
    other = next(item for item in streamed if item.type == "function_call")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    after = create(input=[result], previous_response_id=answer.id, **asked)
    return {
        "whole": [call.name, json.loads(call.arguments)],
        "streamed": [other.name, json.loads(other.arguments)],
        "after": after.output_text,
    }


def messages(gateway, model):
    asked = {"model": model, "messages": MESSAGES, "max_tokens": TOKENS}
    told = {}
    for header, client in anthropic_clients(gateway).items():
        answer = client.messages.create(**asked)
        events = 0
        with client.messages.stream(**asked) as stream:
            for _ in stream:
                events += 1
            last = stream.get_final_message()
        told[header] = {
            "whole": seen(text_of(answer), message_usage(answer.usage), end=answer.stop_reason),
            "streamed": seen(text_of(last), message_usage(last.usage), end=last.stop_reason, events=events),
        }
    return told


def count_tokens(gateway, model):
    return {
        header: client.messages.count_tokens(model=model, messages=MESSAGES).input_tokens
        for header, client in anthropic_clients(gateway).items()
    }


def messages_tools(gateway, model):
    client = anthropic_clients(gateway)["bearer"]
    tool = {"name": "weather", "description": "The weather.", "input_schema": WEATHER}
    asked = {"model": model, "tools": [tool], "max_tokens": TOKENS}
    answer = client.messages.create(messages=MESSAGES, **asked)
    with client.messages.stream(messages=MESSAGES, **asked) as stream:
        streamed = stream.get_final_message()
    call = next(block for block in answer.content if block.type == "tool_use")
    other = next(block for block in streamed.content if block.type == "tool_use")
    content = [block.to_dict() for block in answer.content]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
    turns = [*MESSAGES, {"role": "assistant", "content": content}, {"role": "user", "content": [result]}]
    after = client.messages.create(messages=turns, **asked)
    return {"whole": [call.name, call.input], "streamed": [other.name, other.input], "after": text_of(after)}


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


def completions(gateway, model):
    create = openai_client(gateway).completions.create
    # Its types have no piece that does not end the answer, though OpenAI itself sends such pieces.
    stream = openai_client(gateway, strict=False).completions.create
    asked = {"model": model, "prompt": "Paris is", "max_tokens": TOKENS, "temperature": 0}
    answer = create(**asked)
    events, text, usage = 0, "", None
    for chunk in stream(**asked, stream=True, stream_options={"include_usage": True}):
        events += 1
        usage = chunk.usage or usage
        text += "".join(choice.text for choice in chunk.choices)
    return {
        "whole": seen(answer.choices[0].text, chat_usage(answer.usage)),
        "streamed": seen(text, chat_usage(usage), events=events),
    }


def embeddings(gateway, model):
    # In base64, which the client asks for unless told otherwise, its own types are not what is on the wire.
    loose = openai_client(gateway, strict=False)
    asked = {"model": model, "input": ["one", "and two"]}
    numbers = openai_client(gateway).embeddings.create(encoding_format="float", **asked)
    default = loose.embeddings.create(**asked)
    vectors = [entry.embedding for entry in numbers.data]
    others = [entry.embedding for entry in default.data]
    same = all(
        abs(one - other) < 1e-6 for vector, twin in zip(vectors, others) for one, other in zip(vector, twin, strict=True)
    )
    return {"lengths": [len(vector) for vector in vectors], "same": same, "input_tokens": numbers.usage.prompt_tokens}


def models(gateway, model):
    """`model` is one that must be in the lists."""
    client = openai_client(gateway)
    told = {"openai": [model in [entry.id for entry in client.models.list()], client.models.retrieve(model).id]}
    for header, client in anthropic_clients(gateway).items():
        told[header] = [model in [entry.id for entry in client.models.list()], client.models.retrieve(model).id]
    return told


PARTS = {
    "chat": chat,
    "chat_tools": chat_tools,
    "responses": responses,
    "responses_tools": responses_tools,
    "messages": messages,
    "messages_tools": messages_tools,
    "count_tokens": count_tokens,
    "completions": completions,
    "embeddings": embeddings,
    "models": models,
}


def main():
    gateway, *parts = sys.argv[1:]
    told, failed = [], False
    for part in parts:
        name, model = part.split("=")
        try:
            how = {"strict": False} if name.startswith("~") else {}
            told.append(PARTS[name.removeprefix("~")](gateway, model, **how))
        except Exception:  # noqa: BLE001: one part that fails does not hide what the others saw
            failed = True
            print(f"{part}:", file=sys.stderr)
            traceback.print_exc()
    json.dump(told, sys.stdout)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
