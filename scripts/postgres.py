#!/usr/bin/env python3
"""A private, throw-away PostgreSQL for tests and trials: its own data, its own password, loopback only. No server of the
machine is touched, nor its data.

    python3 scripts/postgres.py serve                # starts one, prints its URL, stops and removes it at the end
    python3 scripts/postgres.py serve --data FOLDER  # keeps its data in this folder, for the next time

`serve` prints `listening on postgres://…` when it answers: the URL of its superuser. It ends at SIGTERM or Ctrl-C, and
with `--until-eof` also when its stdin closes. Without PostgreSQL on the machine, its package is installed with apt-get
(as root, or by sudo if that asks no password); the package's own server is not started.
"""

from __future__ import annotations

import argparse
import os
import pwd
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

START_LIMIT = 60
STOP_LIMIT = 15
POLL_SECONDS = 0.05
USER = "postgres"
# What tests need: many databases and connections; survives the death of the server, not of the machine.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "fsync": "off",
    "full_page_writes": "off",
    "logging_collector": "off",
    "timezone": "UTC",
    "lc_messages": "C",
}


def binaries() -> Path:
    """The folder of initdb and postgres; installs them if there are none."""
    found = _find_binaries()
    if found is None:
        with exclusively(RUN / "postgres-install"):
            found = _find_binaries()
            if found is None:
                _install()
                found = _find_binaries()
    if found is None:
        raise SetupError("no initdb and postgres in PATH or /usr/lib/postgresql: install the package postgresql")
    return found


def _find_binaries() -> Path | None:
    candidates = []
    on_path = shutil.which("initdb")
    if on_path:
        candidates.append(Path(on_path).resolve().parent)
    debian = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parent.name.isdigit()]
    candidates += sorted(debian, key=lambda path: int(path.parent.name), reverse=True)
    return next((path for path in candidates if (path / "initdb").exists() and (path / "postgres").exists()), None)


def _install() -> None:
    """Installs Debian's package without the server that it would start."""
    missing = "PostgreSQL is not installed"
    if shutil.which("apt-get") is None:
        raise SetupError(f"{missing}, and there is no apt-get: install initdb and postgres yourself, then try again")
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if prefix and not _may_use_sudo():
        raise SetupError(
            f"{missing}, and installing it needs root, or sudo without a password: "
            "run `apt-get install postgresql` as root, then try again"
        )
    say("installing PostgreSQL with apt-get (once)")
    # By env, since sudo passes no environment on.
    apt_get = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=60"]
    install = ["--no-install-recommends", "-o", "Dpkg::Options::=--force-confold", "install", "postgresql"]

    def works(*step: str) -> bool:
        return subprocess.run([*prefix, *step], stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode == 0

    # A source that cannot be reached need not be the one with the package: what counts is whether that can be had.
    works(*apt_get, "update")
    if not works(*apt_get, "--download-only", *install):
        raise SetupError(
            f"{missing}, and apt-get cannot download it (what it said is above): check the network and the package "
            "sources, or install the package postgresql yourself, then try again"
        )
    # Debian's package makes and starts a server unless this file says no. One that is there is left as it is.
    keep_quiet = "test -e $0 || { mkdir -p ${0%/*} && echo 'create_main_cluster = false' >$0; }"
    if not works("sh", "-c", keep_quiet, "/etc/postgresql-common/createcluster.conf") or not works(*apt_get, *install):
        raise SetupError(
            f"{missing}, and apt-get cannot install it (what it said is above): mend that, or install the package "
            "postgresql yourself, then try again"
        )


def _may_use_sudo() -> bool:
    if shutil.which("sudo") is None:
        return False
    return subprocess.run(["sudo", "-n", "true"], stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode == 0


def _owner() -> pwd.struct_passwd | None:
    """Who runs the server: PostgreSQL refuses to run as root. None for whoever runs this script."""
    if os.geteuid() != 0:
        return None
    for name in (USER, "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise SetupError("PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as")


class PostgresServer:
    """A server with data in one folder, by the programs in another."""

    def __init__(self, programs: Path, folder: Path, port: int, certificate: Path | None, key: Path | None) -> None:
        self._bin = programs
        self._owner = _owner()
        self._folder = folder
        self._data = folder / "data"
        self._port = port or _free_port()
        self._tls = (certificate, key) if certificate and key else None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Starts it, making its data first if there is none. Returns the superuser's URL."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._hand_over(self._folder)
        password = self._initialise()
        settings = dict(SETTINGS, port=str(self._port))
        if self._tls:
            for source, name in zip(self._tls, ("server.pem", "server.key")):
                target = self._folder / name
                shutil.copyfile(source, target)
                target.chmod(0o600)
                self._hand_over(target)
            settings |= {"ssl": "on", "ssl_cert_file": str(self._folder / "server.pem")}
            settings["ssl_key_file"] = str(self._folder / "server.key")
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with open(self._folder / "log", "ab") as log:
            self._process = self._spawn([str(self._bin / "postgres"), "-D", str(self._data), *options], log)
        self._wait_until_ready()
        return f"postgres://{USER}:{password}@127.0.0.1:{self._port}/postgres"

    def wait(self) -> int:
        """Waits until it has ended."""
        assert self._process is not None
        return self._process.wait()

    def stop(self) -> None:
        """Stops it: connections are cut, what was committed is kept."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()

    def _initialise(self) -> str:
        secret = self._folder / "password"
        if (self._data / "PG_VERSION").exists():
            return secret.read_text().strip()
        password = secrets.token_hex(16)
        secret.write_text(password + "\n")
        secret.chmod(0o600)
        self._hand_over(secret)
        command = [
            str(self._bin / "initdb"), "-D", str(self._data), "-U", USER, "--auth=scram-sha-256", f"--pwfile={secret}",
            "--encoding=UTF8", "--no-locale", "--no-sync",
        ]
        with open(self._folder / "log", "ab") as log:
            self._hand_over(self._folder / "log")
            if self._spawn(command, log).wait() != 0:
                raise SetupError(f"initdb failed{self._last_words()}")
        return password

    def _spawn(self, command: Sequence[str], log: object) -> subprocess.Popen[bytes]:
        identity = {}
        if self._owner is not None:
            identity = {"user": self._owner.pw_uid, "group": self._owner.pw_gid, "extra_groups": []}
        # A session of its own: a Ctrl-C at the terminal reaches this script, which then stops the server.
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder,  # type: ignore[arg-type]
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}, start_new_session=True, **identity,
        )

    def _hand_over(self, path: Path) -> None:
        if self._owner is not None:
            os.chown(path, self._owner.pw_uid, self._owner.pw_gid)

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_LIMIT
        # Its last line: ready to accept connections.
        status = self._data / "postmaster.pid"
        while True:
            if self._process.poll() is not None:
                raise SetupError(f"postgres ended with code {self._process.returncode}{self._last_words()}")
            try:
                lines = status.read_text().splitlines()
            except OSError:
                lines = []
            if len(lines) >= 8 and lines[0] == str(self._process.pid) and lines[7].strip() == "ready":
                return
            if time.monotonic() > deadline:
                self.stop()
                raise SetupError(f"postgres was not ready within {START_LIMIT} s{self._last_words()}")
            time.sleep(POLL_SECONDS)

    def _last_words(self) -> str:
        lines = (self._folder / "log").read_text(errors="replace").strip().splitlines()[-8:]
        return "".join(f"\n    {line}" for line in lines)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _throw_away_folder() -> Path:
    """A new folder below .run that the server's user can reach, else one among the machine's temporary files."""
    owner = _owner()
    RUN.mkdir(exist_ok=True)
    if owner is None or _can_reach(RUN, owner):
        return Path(tempfile.mkdtemp(prefix="postgres-", dir=RUN))
    return Path(tempfile.mkdtemp(prefix="gateway-postgres-"))


def _can_reach(folder: Path, owner: pwd.struct_passwd) -> bool:
    probe = ["test", "-x", str(folder)]
    done = subprocess.run(probe, user=owner.pw_uid, group=owner.pw_gid, extra_groups=[], cwd="/")
    return done.returncode == 0


def serve(options: argparse.Namespace) -> None:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    # First, since the package brings the user who is to reach the folder.
    programs = binaries()
    folder = options.data.resolve() if options.data else _throw_away_folder()
    server = PostgresServer(programs, folder, options.port, options.tls_certificate, options.tls_key)
    try:
        print(f"listening on {server.start()}", flush=True)
        if options.until_eof:
            threading.Thread(target=_until_eof, args=[stopping], daemon=True).start()
        ended: list[int] = []
        threading.Thread(target=lambda: (ended.append(server.wait()), stopping.set()), daemon=True).start()
        while not stopping.wait(1):
            pass
        if ended:
            raise SetupError(f"postgres ended by itself with code {ended[0]}")
    finally:
        server.stop()
        if options.data is None:
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
    command.add_argument("--data", type=Path, help="keep the data in this folder (default: none is kept)")
    command.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (0, the default: any free one)")
    command.add_argument("--tls-certificate", type=Path, help="PEM file; with --tls-key the server offers TLS")
    command.add_argument("--tls-key", type=Path, help="PEM file")
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
