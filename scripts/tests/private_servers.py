"""What the tests of scripts that serve a private server have in common."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock
from urllib.parse import urlsplit

from python_env import ROOT, SetupError
from throw_away import Package

LIMIT = 120
# A stand-in for every program of an installation: notes how it was called, and fails when the test says so.
STAND_IN = """#!/bin/sh
echo "${0##*/} $*" >>"$CALLS"
case "${0##*/} $*" in $FAILS) exit 1 ;; esac
"""


class Serving(unittest.TestCase):
    """Starts a script with its command `serve`."""

    SCRIPT: str
    URL: str

    def start(self, *arguments: str) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "scripts" / self.SCRIPT), "serve", "--until-eof", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.kill)
        line = process.stdout.readline()
        self.assertTrue(line.startswith(f"listening on {self.URL}"), line)
        return process, line.removeprefix("listening on ").strip()

    def is_listening(self, url: str) -> bool:
        parts = urlsplit(url)
        self.assertEqual(parts.hostname, "127.0.0.1")
        try:
            socket.create_connection((parts.hostname, parts.port), timeout=5).close()
        except ConnectionRefusedError:
            return False
        return True


class Installing(unittest.TestCase):
    """Installs a package. No program of the machine is run: only stand-ins are in PATH."""

    PACKAGE: Package

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
                    self.PACKAGE.install()
                finally:
                    self.ran = calls.read_text().splitlines()
        return self.ran

    def refusal(self, user: int, programs: list[str], fails: str = "nothing") -> str:
        with self.assertRaises(SetupError) as refused:
            self.install(user, programs, fails)
        return str(refused.exception)
