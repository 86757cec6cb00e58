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
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Sequence

import throw_away
from python_env import RUN, SetupError

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


# Debian's package makes and starts a server unless this file says no. One that is there is left as it is.
_KEEP_QUIET = "test -e $0 || { mkdir -p ${0%/*} && echo 'create_main_cluster = false' >$0; }"
PACKAGE = throw_away.Package(
    "PostgreSQL", "postgresql", "initdb and postgres",
    before=("sh", "-c", _KEEP_QUIET, "/etc/postgresql-common/createcluster.conf"),
)


def binaries() -> Path:
    """The folder of initdb and postgres; installs them if there are none."""
    return PACKAGE.found(_find_binaries)


def _find_binaries() -> Path | None:
    candidates = []
    on_path = shutil.which("initdb")
    if on_path:
        candidates.append(Path(on_path).resolve().parent)
    debian = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parent.name.isdigit()]
    candidates += sorted(debian, key=lambda path: int(path.parent.name), reverse=True)
    return next((path for path in candidates if (path / "initdb").exists() and (path / "postgres").exists()), None)


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


class PostgresServer(throw_away.PrivateServer):
    """A server with data in one folder, by the programs in another. What was committed outlives it with the folder."""

    PROGRAM = "postgres"
    START_LIMIT = 60
    # A fast end, and an immediate one.
    STOP = signal.SIGINT
    FORCE = signal.SIGQUIT

    def __init__(self, programs: Path, folder: Path, port: int, certificate: Path | None, key: Path | None) -> None:
        super().__init__(folder, port)
        self._bin = programs
        self._owner = _owner()
        self._data = folder / "data"
        self._tls = (certificate, key) if certificate and key else None

    def start(self) -> str:
        """Makes its data first if there is none. Returns the superuser's URL."""
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
        self._run([str(self._bin / "postgres"), "-D", str(self._data), *options])
        return f"postgres://{USER}:{password}@127.0.0.1:{self._port}/postgres"

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
        log = self._folder / "log"
        log.touch()
        self._hand_over(log)
        if self._spawn(command).wait() != 0:
            raise SetupError(f"initdb failed{self._last_words()}")
        return password

    def _spawn(self, command: Sequence[str], **identity: object) -> subprocess.Popen[bytes]:
        if self._owner is not None:
            identity |= {"user": self._owner.pw_uid, "group": self._owner.pw_gid, "extra_groups": []}
        return super()._spawn(command, **identity)

    def _hand_over(self, path: Path) -> None:
        if self._owner is not None:
            os.chown(path, self._owner.pw_uid, self._owner.pw_gid)

    def _is_ready(self) -> bool:
        assert self._process is not None
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        # Its last line: ready to accept connections.
        return len(lines) >= 8 and lines[0] == str(self._process.pid) and lines[7].strip() == "ready"


def _throw_away_folder() -> Path:
    """A new folder below .run that the server's user can reach, else one among the machine's temporary files."""
    owner = _owner()
    RUN.mkdir(exist_ok=True)
    if owner is None or _can_reach(RUN, owner):
        return throw_away.new_folder("postgres")
    return Path(tempfile.mkdtemp(prefix="gateway-postgres-"))


def _can_reach(folder: Path, owner: pwd.struct_passwd) -> bool:
    probe = ["test", "-x", str(folder)]
    done = subprocess.run(probe, user=owner.pw_uid, group=owner.pw_gid, extra_groups=[], cwd="/")
    return done.returncode == 0


def made(options: argparse.Namespace) -> tuple[PostgresServer, Path | None]:
    """The server, and its folder if it is to be removed."""
    # First, since the package brings the user who is to reach the folder.
    programs = binaries()
    folder = options.data.resolve() if options.data else _throw_away_folder()
    server = PostgresServer(programs, folder, options.port, options.tls_certificate, options.tls_key)
    return server, None if options.data else folder


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser, command = throw_away.parser_of(__doc__)
    command.add_argument("--data", type=Path, help="keep the data in this folder (default: none is kept)")
    command.add_argument("--tls-certificate", type=Path, help="PEM file; with --tls-key the server offers TLS")
    command.add_argument("--tls-key", type=Path, help="PEM file")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    throw_away.serve(lambda: made(options), options.until_eof)


if __name__ == "__main__":
    sys.exit(throw_away.run(lambda: main(sys.argv[1:])))
