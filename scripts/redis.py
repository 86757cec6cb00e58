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
import secrets
import shutil
import socket
import sys
from pathlib import Path
from typing import Sequence

import throw_away
from python_env import RUN

PACKAGE = throw_away.Package("Redis", "redis-tools", "redis-server")


def program() -> Path:
    """The server's program; installs it if there is none."""
    return PACKAGE.found(_find_program)


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


class RedisServer(throw_away.PrivateServer):
    """A server whose content does not outlive it."""

    PROGRAM = "redis-server"
    START_LIMIT = 30

    def __init__(self, redis_server: Path, folder: Path, port: int, password: str) -> None:
        super().__init__(folder, port)
        self._program = redis_server
        self._password = password

    def start(self) -> str:
        self._folder.mkdir(parents=True, exist_ok=True)
        settings = self._folder / "redis.conf"
        settings.write_text(
            f"bind 127.0.0.1\nport {self._port}\nrequirepass {self._password}\ndir {self._folder}\n"
            'save ""\nappendonly no\ndaemonize no\ndatabases 16\n'
        )
        settings.chmod(0o600)
        process = self._run([str(self._program), str(settings)])
        (self._folder / "pid").write_text(str(process.pid))
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def _is_ready(self) -> bool:
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


def made(options: argparse.Namespace) -> tuple[RedisServer, Path | None]:
    """The server, and its folder if it is to be removed."""
    redis_server = program()
    folder = options.folder.resolve() if options.folder else throw_away.new_folder("redis")
    password = options.password or secrets.token_hex(16)
    server = RedisServer(redis_server, folder, options.port, password)
    return server, None if options.folder else folder


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser, command = throw_away.parser_of(__doc__)
    command.add_argument("--folder", type=Path, help="keep its settings, log and process id in this folder")
    command.add_argument("--password", help="its password (default: a random one)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    throw_away.serve(lambda: made(options), options.until_eof)


if __name__ == "__main__":
    sys.exit(throw_away.run(lambda: main(sys.argv[1:])))
