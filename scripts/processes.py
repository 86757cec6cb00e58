"""Servers that a script starts on loopback: waiting for them with a limit, and stopping them, and nothing else, later.

A state file remembers them, one a line: name, process id, and when that process began, so that a process id that the
system has given to another program meanwhile is never signalled.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Mapping, Sequence

from python_env import SetupError, shown

LISTENING = re.compile(r"^listening on (http://\S+?)/?$", re.MULTILINE)
POLL_SECONDS = 0.05
# Seconds that a process gets between the request to end and its end by force.
STOP_LIMIT = 15

# Loopback only: a proxy from the environment must not see these requests.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def http(url: str, body: bytes | None = None, timeout: float = 5) -> tuple[int, str]:
    """Gets, or posts JSON. Returns status and body, whatever the status. Raises OSError when nobody answers."""
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    try:
        with _OPENER.open(request, timeout=timeout) as response:
            return response.status, response.read().decode(errors="replace")
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode(errors="replace")


class Server:
    """One started process."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], out: Path, log: Path) -> None:
        self.name = name
        self.process = process
        self._out = out
        self._log = log

    def announced_url(self, limit: float) -> str:
        """Waits for the line `listening on http://…` on its stdout. Returns the URL, with no slash at its end."""
        deadline = time.monotonic() + limit
        while True:
            found = LISTENING.search(self._out.read_text(errors="replace"))
            if found:
                return found[1]
            self._wait_a_little(deadline, limit, "said where it listens")

    def wait_until_ok(self, url: str, limit: float) -> None:
        """Waits until this URL answers 200."""
        deadline = time.monotonic() + limit
        while True:
            try:
                if http(url)[0] == 200:
                    return
            except OSError:
                pass  # not listening yet
            self._wait_a_little(deadline, limit, f"answered 200 at {url}")

    def _wait_a_little(self, deadline: float, limit: float, what: str) -> None:
        if self.process.poll() is not None:
            raise SetupError(f"the {self.name} ended with code {self.process.returncode}{self._last_words()}")
        if time.monotonic() > deadline:
            raise SetupError(f"the {self.name} has not {what} within {limit:.0f} s{self._last_words()}")
        time.sleep(POLL_SECONDS)

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()[-8:]
        return "".join(f"\n    {line}" for line in lines) + f"\n    (all of it: {shown(self._log)})"


class ProcessSet:
    """Starts processes and remembers them in a state file. As a context it stops them all at its end, unless
    `leave_running` was called."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._servers: list[Server] = []
        self._leave = False

    def __enter__(self) -> ProcessSet:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._leave:
            self.stop_all()

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str], out: Path, log: Path) -> Server:
        """Starts a process of its own session, with stdout and stderr in these files."""
        with open(out, "wb") as stdout, open(log, "wb") as stderr:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=dict(environment),
                cwd=self._state.parent, start_new_session=True,
            )
        with open(self._state, "a") as state:
            state.write(f"{name} {process.pid} {birth(process.pid)}\n")
        server = Server(name, process, out, log)
        self._servers.append(server)
        return server

    def stop_all(self) -> None:
        """Stops everything started so far and forgets it."""
        stop_recorded(self._state)
        for server in self._servers:
            server.process.wait()
        self._servers.clear()

    def names(self) -> list[str]:
        """The names of the processes started."""
        return [server.name for server in self._servers]

    def leave_running(self) -> None:
        """From now on the processes stay when the context ends."""
        self._leave = True


def birth(pid: int) -> str | None:
    """When a process began, as one word that only serves to tell it from another of the same id; None when it has
    ended."""
    if Path("/proc/self/stat").exists():
        try:
            # The program's name, in brackets, may hold anything: count from its end.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] == "Z" else fields[19]
    told = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], stdout=subprocess.PIPE, text=True).stdout
    return "_".join(told.split()) or None


def stop_recorded(state: Path) -> list[str]:
    """Stops what the state file names and is still running, the last first. Returns the names of what it stopped."""
    if not state.exists():
        return []
    stopped = []
    for line in reversed(state.read_text().splitlines()):
        name, pid, born = line.split()
        if birth(int(pid)) == born:
            _stop(int(pid), born)
            stopped.append(name)
    state.unlink()
    return stopped


def _stop(pid: int, born: str) -> None:
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_LIMIT
    while birth(pid) == born:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            deadline = float("inf")
        time.sleep(POLL_SECONDS)
