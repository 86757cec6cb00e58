#!/usr/bin/env python3
"""Starts the gateway with a model behind it, asks one question, and leaves both running.

    python3 scripts/demo.py start [--gateway BINARY] [--question TEXT] [--simulator]
    python3 scripts/demo.py stop

Which model answers, the first that can be had:

1. OpenRouter or OpenAI, when OPENROUTER_API_KEY or OPENAI_API_KEY is in the environment;
2. a small real model that runs here (scripts/real_model.py), with no key and no account;
3. the gateway's built-in simulator, whose answers are scripted. The demo says so, loudly.

Everything it writes is in .run/ of the checkout: .run/demo holds the configuration, the database and the logs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping, Sequence

import processes
import real_model
from processes import ProcessSet
from python_env import ROOT, RUN, SetupError, say, shown

FOLDER = RUN / "demo"
STATE = FOLDER / "processes"
CONFIG = FOLDER / "gateway.toml"
DATABASE = FOLDER / "gateway.sqlite"
GATEWAY_OUT = FOLDER / "gateway.out"
GATEWAY_LOG = FOLDER / "gateway.log"
MODEL_OUT = FOLDER / "model.out"
MODEL_LOG = FOLDER / "model.log"

QUESTION = "In one sentence: what is an API gateway?"
MAX_ANSWER_TOKENS = 200
PREFERRED_PORT = 3000

# Seconds to wait for each step before giving up.
MODEL_START_LIMIT = 60
GATEWAY_START_LIMIT = 30
ANSWER_LIMIT = 120

# What the gateway inherits. Nothing else, so that settings in the caller's shell do not change the demo; those in the
# checkout's `.env` do not either, because it runs in FOLDER.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LOG_LEVEL", "RUST_BACKTRACE", "SSL_CERT_FILE", "SSL_CERT_DIR")

# A key in the environment: its variable, the provider's name, and the lowest layer where it has models in the shipped
# catalogue.
KEYS = (("OPENROUTER_API_KEY", "OpenRouter", "L0"), ("OPENAI_API_KEY", "OpenAI", "L1"))

LOCAL_MODEL_CONFIG = """\
# Written by `make demo`: one real model on this machine, as the free layer.
[[providers]]
name = "local"
kind = "openai-compatible"
base_url = "{base_url}"
# The first byte of a whole answer comes when the model is done with it.
timeouts = {{ first_byte_ms = 300_000 }}

[[models]]
id = "smollm2-135m"
provider = "local"
api_model = "{alias}"
layer = "L0"
capabilities = ["chat", "code", "json"]
context_window = {context_window}
max_output_tokens = 1024
input_usd_per_mtok = 0
output_usd_per_mtok = 0
"""

# The same file serves where there is no Python (scripts/demo.sh).
SIMULATOR_CONFIG = ROOT / "scripts" / "demo-simulator.toml"

SCRIPTED_WARNING = """\
***********************************************************************
  THE ANSWERS BELOW ARE SCRIPTED. No model is running: the gateway's
  built-in simulator answers. {why}
***********************************************************************"""


@dataclass
class Backend:
    """Who answers, and what the gateway must be told for it."""

    description: str
    config: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    # Why the answers are scripted; None when a model gives them.
    scripted_because: str | None = None


def start(gateway: Path, question: str, simulator: bool) -> None:
    """Starts everything, asks, and leaves it running; when something fails, stops it all again."""
    if not gateway.is_file():
        raise SetupError(f"there is no {shown(gateway)}: build it with `cargo build --release --locked`")
    processes.stop_recorded(STATE)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with ProcessSet(STATE) as running:
        backend = choose_backend(os.environ, simulator, running)
        if backend.scripted_because is not None:
            say(SCRIPTED_WARNING.format(why=backend.scripted_because))
        say(f"starting the gateway with {backend.description}")
        url = start_gateway(gateway, backend, running)
        answer = ask(url, question)
        print(report(question, answer, backend))
        print(farewell(url, running.names()))
        running.leave_running()


def choose_backend(environment: Mapping[str, str], simulator: bool, running: ProcessSet) -> Backend:
    """Picks who answers: see the top of this file."""
    if simulator:
        return simulator_backend("You asked for it (--simulator).")
    hosted = hosted_backend(environment)
    if hosted is not None:
        return hosted
    try:
        return local_backend(running)
    except SetupError as problem:
        say(f"the small real model cannot be had: {problem}")
        running.stop_all()
        return simulator_backend("The reason is above.")


def hosted_backend(environment: Mapping[str, str]) -> Backend | None:
    """The provider whose key is in the environment, with the shipped catalogue; None without a key."""
    for variable, provider, layer in KEYS:
        if environment.get(variable):
            # Its base URL and the like may be set too.
            prefix = variable.removesuffix("API_KEY")
            told = {name: value for name, value in environment.items() if name.startswith(prefix)}
            told["DEFAULT_LAYER"] = environment.get("DEFAULT_LAYER", layer)
            return Backend(f"{provider} ({variable} is set)", environment=told)
    return None


def local_backend(running: ProcessSet) -> Backend:
    """The small real model, fetched if need be and started on a free port."""
    real_model.fetch()
    say("starting the small real model")
    command = [sys.executable, str(ROOT / "scripts" / "real_model.py"), "serve", "--port", "0"]
    server = running.start("model", command, dict(os.environ), MODEL_OUT, MODEL_LOG)
    url = server.announced_url(MODEL_START_LIMIT)
    server.wait_until_ok(url + "/health", MODEL_START_LIMIT)
    config = LOCAL_MODEL_CONFIG.format(
        base_url=url + "/v1", alias=real_model.DEFAULT_ALIAS, context_window=real_model.CONTEXT_TOKENS
    )
    return Backend(f"a small real model on this machine ({url})", config, {"DEFAULT_LAYER": "L0"})


def simulator_backend(why: str) -> Backend:
    """The gateway's own scripted answers, on all four layers."""
    return Backend(
        "its built-in simulator", SIMULATOR_CONFIG.read_text(), {"DEFAULT_LAYER": "L0"}, scripted_because=why
    )


def start_gateway(gateway: Path, backend: Backend, running: ProcessSet) -> str:
    """Starts the gateway and waits until it is ready. Returns its URL."""
    command = [str(gateway.resolve()), "serve"]
    if backend.config is not None:
        CONFIG.write_text(backend.config)
        command += ["--config", str(CONFIG)]
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    environment.update(backend.environment)
    environment["API_HOST"] = "127.0.0.1"
    environment["API_PORT"] = str(PREFERRED_PORT if is_free(PREFERRED_PORT) else 0)
    environment["DATABASE_URL"] = f"sqlite:{DATABASE}"
    server = running.start("gateway", command, environment, GATEWAY_OUT, GATEWAY_LOG)
    url = server.announced_url(GATEWAY_START_LIMIT)
    server.wait_until_ok(url + "/health/ready", GATEWAY_START_LIMIT)
    return url


def is_free(port: int) -> bool:
    """Whether nothing listens on this port of the loopback address."""
    with socket.socket() as probe:
        # As servers do it: a port that is only cooling down counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def ask(url: str, question: str) -> dict[str, Any]:
    """Asks through `POST /v1/route`. Returns its answer."""
    request = {"message": question, "maxTokens": MAX_ANSWER_TOKENS, "temperature": 0}
    try:
        status, body = processes.http(url + "/v1/route", json.dumps(request).encode(), timeout=ANSWER_LIMIT)
    except OSError as problem:
        raise SetupError(f"the gateway did not answer: {problem}\nits log: {shown(GATEWAY_LOG)}") from problem
    if status != 200:
        raise SetupError(f"the gateway answered {status}: {body}\nits log: {shown(GATEWAY_LOG)}")
    return json.loads(body)


def report(question: str, answer: Mapping[str, Any], backend: Backend) -> str:
    """The question and its answer, for people."""
    result, performance = answer["result"], answer["performance"]
    tokens = performance["tokens"]
    rows = [
        ("question", question),
        ("answer", result["response"].strip() or "(empty)"),
        ("model", f"{result['model']}, of provider {result['provider']}"),
        ("layer", result["layer"]),
        ("tokens", f"{tokens['input']} in, {tokens['output']} out"),
        ("cost", usd(performance["costNanoUsd"])),
        ("took", f"{performance['durationMs']} ms"),
        ("request", answer["requestId"]),
    ]
    lines = [""]
    for name, value in rows:
        lines += textwrap.wrap(
            value, 96, initial_indent=f"  {name:<10}", subsequent_indent=" " * 12, break_long_words=False
        )
    if backend.scripted_because is not None:
        lines += ["", "  (That answer is scripted: it is the simulator's, not a model's.)"]
    return "\n".join(lines)


def usd(nano: int) -> str:
    """A price in nano-USD as dollars, exactly."""
    whole, fraction = divmod(nano, 1_000_000_000)
    return f"${whole}.{fraction:09d}" if nano else "$0 (free)"


def farewell(url: str, names: Sequence[str]) -> str:
    """What is running now, and how to go on."""
    logs = {"gateway": GATEWAY_LOG, "model": MODEL_LOG}
    kept = ", ".join(shown(logs[name]) for name in names)
    config = f"\n  settings  {shown(CONFIG)}" if CONFIG.exists() else ""
    return f"""
The gateway is still running:
  url       {url}
  try       curl -s {url}/v1/chat -H 'Content-Type: application/json' -d '{{"message":"Hello"}}'
  logs      {kept}{config}
  stop      make demo-stop
"""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    starting = commands.add_parser("start", help="start everything, ask one question, leave it running")
    starting.add_argument("--gateway", type=Path, default=ROOT / "target/release/ai-mcp-gateway", metavar="BINARY")
    starting.add_argument("--question", default=QUESTION, metavar="TEXT")
    starting.add_argument("--simulator", action="store_true", help="scripted answers, no model")
    commands.add_parser("stop", help="stop what `start` left running")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    # An end from outside cleans up as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if options.command == "stop":
            stopped = processes.stop_recorded(STATE)
            say("stopped: " + ", ".join(stopped) if stopped else "nothing of the demo is running")
        else:
            start(options.gateway, options.question, options.simulator)
    except SetupError as problem:
        say(f"error: {problem}")
        return 1
    except KeyboardInterrupt:
        say("interrupted: everything that was started is stopped again")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
