"""Asks a gateway with the unchanged `openai` and `anthropic` clients and their own patience, and prints as JSON what each
saw: its status in the end, and how many requests it sent for it.

Usage: clients.py GATEWAY KEY CLIENT TIMES
(GATEWAY without /v1; CLIENT is `openai` or `anthropic`; it asks so many TIMES, one after the other)
"""

import json
import sys

import anthropic
import openai

MESSAGES = [{"role": "user", "content": "hello"}]
TOKENS = 5


def main():
    gateway, key, name, times = sys.argv[1:]
    sent = []
    counting = {"event_hooks": {"request": [sent.append]}}
    try:
        if name == "openai":
            client = openai.OpenAI(base_url=f"{gateway}/v1", api_key=key, http_client=openai.DefaultHttpxClient(**counting))
            ask = client.chat.completions.create
        else:
            client = anthropic.Anthropic(base_url=gateway, api_key=key, http_client=anthropic.DefaultHttpxClient(**counting))
            ask = client.messages.create
        for _ in range(int(times)):
            ask(model="paid", messages=MESSAGES, max_tokens=TOKENS)
        status = 200
    except (openai.APIStatusError, anthropic.APIStatusError) as error:
        status = error.status_code
    json.dump({"status": status, "sent": len(sent)}, sys.stdout)


if __name__ == "__main__":
    main()
