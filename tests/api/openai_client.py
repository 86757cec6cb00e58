"""Asks a gateway with the unchanged `openai` client and prints what the client saw, as JSON.

Usage: openai_client.py BASE_URL MODEL
"""

import json
import sys

import openai

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


def whole(client, model):
    answer = client.chat.completions.create(model=model, messages=QUESTION, max_tokens=24, temperature=0)
    return {
        "text": answer.choices[0].message.content,
        "prompt_tokens": answer.usage.prompt_tokens,
        "completion_tokens": answer.usage.completion_tokens,
    }


def streamed(client, model):
    stream = client.chat.completions.create(
        model=model,
        messages=QUESTION,
        max_tokens=24,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    )
    text, events, usage = "", 0, None
    for chunk in stream:
        events += 1
        usage = chunk.usage or usage
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
    return {
        "text": text,
        "events": events,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
    }


def unknown_model(client):
    try:
        client.chat.completions.create(model="nobody", messages=QUESTION)
    except openai.NotFoundError as error:
        return error.code
    return None


def main():
    base_url, model = sys.argv[1:]
    client = openai.OpenAI(base_url=base_url, api_key="not-needed", max_retries=0)
    seen = {
        "whole": whole(client, model),
        "streamed": streamed(client, model),
        "unknown_model": unknown_model(client),
    }
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main()
