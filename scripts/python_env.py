#!/usr/bin/env python3
"""Python environments of the checkout: made once from a requirements file, kept under `.run/`, made anew when the
file changes. Nothing is installed outside the folder given.

    python3 scripts/python_env.py FOLDER REQUIREMENTS    # prints the environment's Python
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
RUN = ROOT / ".run"

# Seconds that one run of pip may take: about 100 MB over a slow line.
PIP_LIMIT = 900


class SetupError(Exception):
    """Something that the scripts need cannot be had. The message says what to do."""


def say(text: str) -> None:
    """Tells what is going on, on stderr: stdout carries results."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def exclusively(folder: Path) -> Iterator[None]:
    """Holds the folder for this process, so that two scripts at once do not fill it at the same time."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def ensure_environment(folder: Path, requirements: Path, pip_options: Sequence[str] = ()) -> Path:
    """Returns the Python of an environment that holds exactly these requirements; makes it unless it is there."""
    python = folder / "bin" / "python"
    complete = folder / "complete"
    fingerprint = _fingerprint(requirements, pip_options)
    if complete.is_file() and complete.read_text() == fingerprint and python.exists():
        return python

    say(f"installing {requirements.name} into {shown(folder)} (once)")
    shutil.rmtree(folder, ignore_errors=True)
    _make_venv(folder)
    run_pip(python, "install", "--only-binary", ":all:", *pip_options, "-r", str(requirements))
    # Last, so that an interrupted run is not taken for a finished one.
    complete.write_text(fingerprint)
    return python


def run_pip(python: Path, *arguments: str) -> None:
    """Runs the pip of an environment. Raises SetupError with pip's own last words when it fails."""
    command = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", "--retries", "2"]
    if "PIP_DEFAULT_TIMEOUT" not in os.environ:
        command += ["--timeout", "20"]
    command += arguments
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=PIP_LIMIT,
        )
    except subprocess.TimeoutExpired:
        raise SetupError(f"pip did not finish in {PIP_LIMIT} s: check the connection to the package index") from None
    if done.returncode != 0:
        said = [line for line in done.stdout.strip().splitlines() if not line.startswith("WARNING: Retrying")]
        last_words = "\n".join("    " + line for line in said[-6:])
        raise SetupError(
            "pip failed: check that the package index can be reached (PIP_INDEX_URL names another one)\n" + last_words
        )


def shown(path: Path) -> str:
    """A path as people want to read it: from the checkout on."""
    return os.path.relpath(path, ROOT) if path.is_relative_to(ROOT) else str(path)


def _make_venv(folder: Path) -> None:
    if sys.version_info < (3, 9):
        raise SetupError(f"Python 3.9 or newer is needed, this is {sys.version.split()[0]}")
    done = subprocess.run(
        [sys.executable, "-m", "venv", str(folder)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    if done.returncode == 0:
        return
    shutil.rmtree(folder, ignore_errors=True)
    raise SetupError(
        "Python cannot make virtual environments here; on Debian and Ubuntu: apt-get install python3-venv\n    "
        + (done.stdout.strip().splitlines() or ["(it said nothing)"])[-1]
    )


def _fingerprint(requirements: Path, pip_options: Sequence[str]) -> str:
    wanted = requirements.read_text() + "\0".join(pip_options) + sys.version
    return hashlib.sha256(wanted.encode()).hexdigest()


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 2:
        say(__doc__ or "")
        return 2
    folder, requirements = Path(arguments[0]).resolve(), Path(arguments[1]).resolve()
    try:
        with exclusively(folder.parent):
            print(ensure_environment(folder, requirements))
    except SetupError as problem:
        say(f"error: {problem}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
