#!/usr/bin/env python3
"""A private, throw-away Redis for tests and trials: its own password, loopback only, nothing on disk unless it is told to.
No server of the machine is touched.

    python3 scripts/redis.py serve    # starts one, prints its URL, stops it at the end

`serve` prints `listening on redis://…` when it answers. It ends at SIGTERM or Ctrl-C, and with `--until-eof` also when
its stdin closes. Without Redis on the machine, Debian's package `redis-tools` is installed with apt-get (as root, or by sudo
if that asks no password): it has the server's program, and starts no server of its own.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Sequence

from python_env import RUN, SetupError, exclusively, say

START_LIMIT = 30
STOP_LIMIT = 15
POLL_SECONDS = 0.05


def program() -> Path:
    """The server's program; installs it if there is none."""
    found = _find_program()
    if found is None:
        with exclusively(RUN / "redis-install"):
            found = _find_program()
            if found is None:
                _install()
                found = _find_program()
    if found is None:
        raise SetupError("no redis-server in PATH: install Redis")
    return found


def _find_program() -> Path | None:
    found = shutil.which("redis-server")
    if found:
        return Path(found)
    # One program under several names: it does as it is called.
    found = shutil.which("redis-check-rdb")
    if found is None:
        return None
    RUN.mkdir(exist_ok=True)
    name = RUN / "redis-server"
    if not name.is_symlink():
        name.symlink_to(found)
    return name


def _install() -> None:
    """Installs Debian's package with the program, which starts nothing."""
    missing = "Redis is not installed"
    if shutil.which("apt-get") is None:
        raise SetupError(f"{missing}, and there is no apt-get: install redis-server yourself, then try again")
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if prefix and not _may_use_sudo():
        raise SetupError(
            f"{missing}, and installing it needs root, or sudo without a password: "
            "run `apt-get install redis-tools` as root, then try again"
        )
    say("installing Redis with apt-get (once)")
    # By env, since sudo passes no environment on.
    apt_get = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=60"]
    install = ["--no-install-recommends", "-o", "Dpkg::Options::=--force-confold", "install", "redis-tools"]

    def works(*step: str) -> bool:
        return subprocess.run([*prefix, *step], stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode == 0

    # A source that cannot be reached need not be the one with the package: what counts is whether that can be had.
    works(*apt_get, "update")
    if not works(*apt_get, "--download-only", *install):
        raise SetupError(
            f"{missing}, and apt-get cannot download it (what it said is above): check the network and the package "
            "sources, or install Redis yourself, then try again"
        )
    if not works(*apt_get, *install):
        raise SetupError(
            f"{missing}, and apt-get cannot install it (what it said is above): mend that, or install Redis "
            "yourself, then try again"
        )


def _may_use_sudo() -> bool:
    if shutil.which("sudo") is None:
        return False
    return subprocess.run(["sudo", "-n", "true"], stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode == 0


class RedisServer:
    """A server in a folder of its own."""

    def __init__(self, redis_server: Path, folder: Path, port: int, password: str) -> None:
        self._program = redis_server
        self._folder = folder
        self._port = port or _free_port()
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Starts it. Returns its URL."""
        self._folder.mkdir(parents=True, exist_ok=True)
        settings = self._folder / "redis.conf"
        settings.write_text(
            f"bind 127.0.0.1\nport {self._port}\nrequirepass {self._password}\ndir {self._folder}\n"
            'save ""\nappendonly no\ndaemonize no\ndatabases 16\n'
        )
        settings.chmod(0o600)
        with open(self._folder / "log", "ab") as log:
            # A session of its own: a Ctrl-C at the terminal reaches this script, which then stops the server.
            self._process = subprocess.Popen(
                [str(self._program), str(settings)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}, start_new_session=True,
            )
        (self._folder / "pid").write_text(str(self._process.pid))
        self._wait_until_ready()
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def wait(self) -> int:
        """Waits until it has ended."""
        assert self._process is not None
        return self._process.wait()

    def stop(self) -> None:
        """Stops it: what was in it is gone."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_LIMIT
        while not self._answers():
            if self._process.poll() is not None:
                raise SetupError(f"redis-server ended with code {self._process.returncode}{self._last_words()}")
            if time.monotonic() > deadline:
                self.stop()
                raise SetupError(f"redis-server was not ready within {START_LIMIT} s{self._last_words()}")
            time.sleep(POLL_SECONDS)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                heard = b""
                while b"PONG" not in heard:
                    piece = connection.recv(1024)
                    if not piece:
                        return False
                    heard += piece
                return True
        except OSError:
            return False

    def _last_words(self) -> str:
        lines = (self._folder / "log").read_text(errors="replace").strip().splitlines()[-8:]
        return "".join(f"\n    {line}" for line in lines)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serve(options: argparse.Namespace) -> None:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    redis_server = program()
    RUN.mkdir(exist_ok=True)
    folder = options.folder.resolve() if options.folder else Path(tempfile.mkdtemp(prefix="redis-", dir=RUN))
    password = options.password or secrets.token_hex(16)
    server = RedisServer(redis_server, folder, options.port, password)
    try:
        print(f"listening on {server.start()}", flush=True)
        if options.until_eof:
            threading.Thread(target=_until_eof, args=[stopping], daemon=True).start()
        ended: list[int] = []
        threading.Thread(target=lambda: (ended.append(server.wait()), stopping.set()), daemon=True).start()
        while not stopping.wait(1):
            pass
        if ended:
            raise SetupError(f"redis-server ended by itself with code {ended[0]}")
    finally:
        server.stop()
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)


def _until_eof(stopping: threading.Event) -> None:
    # Not through sys.stdin: its lock, held here, would abort the end of the program.
    while os.read(0, 4096):
        pass
    stopping.set()


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="serve")
    command = commands.add_parser("serve", help="serve until stopped")
    command.add_argument("--folder", type=Path, help="keep its settings, log and process id in this folder")
    command.add_argument("--password", help="its password (default: a random one)")
    command.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (0, the default: any free one)")
    command.add_argument("--until-eof", action="store_true", help="end when stdin closes")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    try:
        serve(parse(arguments))
    except SetupError as problem:
        say(f"error: {problem}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
