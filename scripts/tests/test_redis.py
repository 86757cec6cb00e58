"""`scripts/redis.py` starts a server of its own and leaves nothing behind. Where Redis is missing it is installed (by
stand-ins here), or it is said what to do."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock
from urllib.parse import urlsplit

from python_env import ROOT, SetupError

import redis

LIMIT = 120
# A stand-in for every program of an installation: notes how it was called, and fails when the test says so.
STAND_IN = """#!/bin/sh
echo "${0##*/} $*" >>"$CALLS"
case "${0##*/} $*" in $FAILS) exit 1 ;; esac
"""


class Redis(unittest.TestCase):
    def start(self, *arguments: str) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "scripts" / "redis.py"), "serve", "--until-eof", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.kill)
        line = process.stdout.readline()
        self.assertTrue(line.startswith("listening on redis://:"), line)
        return process, line.removeprefix("listening on ").strip()

    def is_listening(self, url: str) -> bool:
        parts = urlsplit(url)
        self.assertEqual(parts.hostname, "127.0.0.1")
        try:
            socket.create_connection((parts.hostname, parts.port), timeout=5).close()
        except ConnectionRefusedError:
            return False
        return True

    def test_it_serves_until_it_is_told_to_end(self) -> None:
        process, url = self.start()
        self.assertTrue(self.is_listening(url))
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(LIMIT), 0)
        self.assertFalse(self.is_listening(url))

    def test_it_comes_back_at_the_same_address_and_ends_with_its_stdin(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            first, url = self.start("--folder", folder)
            first.stdin.close()
            self.assertEqual(first.wait(LIMIT), 0)
            parts = urlsplit(url)
            second, again = self.start("--folder", folder, "--port", str(parts.port), "--password", parts.password)
            self.assertEqual(again, url)
            second.stdin.close()
            self.assertEqual(second.wait(LIMIT), 0)


class Installation(unittest.TestCase):
    """No program of the machine is run: only stand-ins are in PATH."""

    def install(self, user: int, programs: list[str], fails: str = "nothing") -> list[str]:
        """What was run for this user; `self.ran` has it also when the installation is refused."""
        with tempfile.TemporaryDirectory() as folder:
            calls = Path(folder) / "calls"
            calls.touch()
            for name in programs:
                stand_in = Path(folder) / name
                stand_in.write_text(STAND_IN)
                stand_in.chmod(0o755)
            environment = {"PATH": folder, "CALLS": str(calls), "FAILS": fails}
            with mock.patch.dict(os.environ, environment), mock.patch("os.geteuid", return_value=user):
                try:
                    redis._install()
                finally:
                    self.ran = calls.read_text().splitlines()
        return self.ran

    def refusal(self, user: int, programs: list[str], fails: str = "nothing") -> str:
        with self.assertRaises(SetupError) as refused:
            self.install(user, programs, fails)
        return str(refused.exception)

    def test_root_installs_the_package_with_the_program(self) -> None:
        update, download, install = self.install(0, ["apt-get", "env"])
        self.assertTrue(update.endswith(" update"), update)
        self.assertIn(" --download-only ", download)
        self.assertTrue(install.startswith("env DEBIAN_FRONTEND=noninteractive apt-get "), install)
        self.assertTrue(install.endswith(" install redis-tools"), install)

    def test_others_do_so_by_sudo_or_are_told_what_to_run_as_root(self) -> None:
        asked, *steps = self.install(1000, ["apt-get", "sudo"])
        self.assertEqual((asked, len(steps)), ("sudo -n true", 3))
        said = self.refusal(1000, ["apt-get", "sudo"], fails="sudo*true")
        self.assertIn("run `apt-get install redis-tools` as root", said)

    def test_what_stands_in_the_way_is_told(self) -> None:
        said = self.refusal(0, ["apt-get", "env"], fails="*--download-only*")
        self.assertIn("check the network and the package sources", said)
        self.assertIn("cannot install it", self.refusal(0, ["apt-get", "env"], fails="*=60 --no-install-recommends *"))
        self.assertIn("there is no apt-get", self.refusal(0, ["env"]))


if __name__ == "__main__":
    unittest.main()
