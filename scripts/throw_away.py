"""Private, throw-away servers on loopback: the package of one that is missing on the machine, its process, and how a
script serves it until it is told to end. What scripts/postgres.py and scripts/redis.py have in common."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, ClassVar, Sequence

from processes import POLL_SECONDS, STOP_LIMIT
from python_env import RUN, SetupError, exclusively, say


@dataclass(frozen=True)
class Package:
    """A package of Debian's."""

    # As people call what is in it.
    product: str
    name: str
    # The programs that are wanted of it.
    programs: str
    # What is run before it is installed, if anything.
    before: Sequence[str] = ()

    def found(self, find: Callable[[], Path | None]) -> Path:
        """What `find` finds; installs the package if that is nothing."""
        found = find()
        if found is None:
            with exclusively(RUN / f"{self.name}-install"):
                found = find()
                if found is None:
                    self.install()
                    found = find()
        if found is None:
            raise SetupError(f"there is still no {self.programs}: install the package {self.name}")
        return found

    def install(self) -> None:
        """Installs it with apt-get, as root or by sudo if that asks no password."""
        missing = f"{self.product} is not installed"
        if shutil.which("apt-get") is None:
            raise SetupError(f"{missing}, and there is no apt-get: install {self.programs} yourself, then try again")
        prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
        if prefix and not _may_use_sudo():
            raise SetupError(
                f"{missing}, and installing it needs root, or sudo without a password: "
                f"run `apt-get install {self.name}` as root, then try again"
            )
        say(f"installing {self.product} with apt-get (once)")
        # By env, since sudo passes no environment on.
        apt_get = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=60"]
        install = ["--no-install-recommends", "-o", "Dpkg::Options::=--force-confold", "install", self.name]

        def works(*step: str) -> bool:
            return subprocess.run([*prefix, *step], stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode == 0

        # A source that cannot be reached need not be the one with the package: what counts is whether that can be had.
        works(*apt_get, "update")
        if not works(*apt_get, "--download-only", *install):
            raise SetupError(
                f"{missing}, and apt-get cannot download it (what it said is above): check the network and the package "
                f"sources, or install the package {self.name} yourself, then try again"
            )
        if (self.before and not works(*self.before)) or not works(*apt_get, *install):
            raise SetupError(
                f"{missing}, and apt-get cannot install it (what it said is above): mend that, or install the package "
                f"{self.name} yourself, then try again"
            )


def _may_use_sudo() -> bool:
    if shutil.which("sudo") is None:
        return False
    return subprocess.run(["sudo", "-n", "true"], stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode == 0


class PrivateServer(ABC):
    """A server in a folder of its own."""

    # Its program, for messages.
    PROGRAM: ClassVar[str]
    # Seconds until it must be ready.
    START_LIMIT: ClassVar[int]
    # What asks it to end, and what makes it.
    STOP: ClassVar[signal.Signals] = signal.SIGTERM
    FORCE: ClassVar[signal.Signals] = signal.SIGKILL

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port or _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def start(self) -> str:
        """Starts it. Returns its URL."""

    @abstractmethod
    def _is_ready(self) -> bool:
        """Whether the started process serves."""

    def wait(self) -> int:
        """Waits until it has ended."""
        assert self._process is not None
        return self._process.wait()

    def stop(self) -> None:
        """Stops it: its connections are cut."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(self.STOP)
        try:
            self._process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.send_signal(self.FORCE)
            self._process.wait()

    def _run(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Starts its process and waits until it is ready."""
        self._process = self._spawn(command)
        deadline = time.monotonic() + self.START_LIMIT
        while not self._is_ready():
            if self._process.poll() is not None:
                raise SetupError(f"{self.PROGRAM} ended with code {self._process.returncode}{self._last_words()}")
            if time.monotonic() > deadline:
                self.stop()
                raise SetupError(f"{self.PROGRAM} was not ready within {self.START_LIMIT} s{self._last_words()}")
            time.sleep(POLL_SECONDS)
        return self._process

    def _spawn(self, command: Sequence[str], **identity: object) -> subprocess.Popen[bytes]:
        """Starts a process in the folder, with what it says in the log there."""
        with open(self._folder / "log", "ab") as log:
            # A session of its own: a Ctrl-C at the terminal reaches this script, which then stops the server.
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}, start_new_session=True,
                **identity,  # type: ignore[call-overload]
            )

    def _last_words(self) -> str:
        lines = (self._folder / "log").read_text(errors="replace").strip().splitlines()[-8:]
        return "".join(f"\n    {line}" for line in lines)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def new_folder(name: str) -> Path:
    """A new folder below .run."""
    RUN.mkdir(exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=RUN))


def serve(made: Callable[[], tuple[PrivateServer, Path | None]], until_eof: bool) -> None:
    """Serves what is made here until SIGTERM, SIGINT or SIGHUP, or the end of stdin; then removes the folder that is
    named with it, if there is one."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    server, folder = made()
    try:
        print(f"listening on {server.start()}", flush=True)
        if until_eof:
            threading.Thread(target=_until_eof, args=[stopping], daemon=True).start()
        ended: list[int] = []
        threading.Thread(target=lambda: (ended.append(server.wait()), stopping.set()), daemon=True).start()
        while not stopping.wait(1):
            pass
        if ended:
            raise SetupError(f"{server.PROGRAM} ended by itself with code {ended[0]}")
    finally:
        server.stop()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _until_eof(stopping: threading.Event) -> None:
    # Not through sys.stdin: its lock, held here, would abort the end of the program.
    while os.read(0, 4096):
        pass
    stopping.set()


def parser_of(description: str) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """The arguments of a script that serves, and those of its command `serve`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="serve")
    command = commands.add_parser("serve", help="serve until stopped")
    command.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (0, the default: any free one)")
    command.add_argument("--until-eof", action="store_true", help="end when stdin closes")
    return parser, command


def run(main: Callable[[], None]) -> int:
    """The exit code of a script."""
    try:
        main()
    except SetupError as problem:
        say(f"error: {problem}")
        return 1
    return 0
