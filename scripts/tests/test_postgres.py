"""`scripts/postgres.py` starts a server of its own, keeps its data where it is told to, and leaves nothing behind. Where
PostgreSQL is missing it is installed (by stand-ins here), or it is said what to do."""

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

import postgres
from python_env import ROOT, SetupError

LIMIT = 120
# A stand-in for every program of an installation: notes how it was called, and fails when the test says so.
STAND_IN = """#!/bin/sh
echo "${0##*/} $*" >>"$CALLS"
case "${0##*/} $*" in $FAILS) exit 1 ;; esac
"""


class Postgres(unittest.TestCase):
    def start(self, *arguments: str) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "scripts" / "postgres.py"), "serve", "--until-eof", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.kill)
        line = process.stdout.readline()
        self.assertTrue(line.startswith("listening on postgres://postgres:"), line)
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

    def test_data_in_a_folder_is_there_again_the_next_time(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            data = str(Path(folder) / "postgres")
            first, url = self.start("--data", data)
            first.stdin.close()
            self.assertEqual(first.wait(LIMIT), 0)
            second, again = self.start("--data", data, "--port", str(urlsplit(url).port))
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
                program = Path(folder) / name
                program.write_text(STAND_IN)
                program.chmod(0o755)
            environment = {"PATH": folder, "CALLS": str(calls), "FAILS": fails}
            with mock.patch.dict(os.environ, environment), mock.patch("os.geteuid", return_value=user):
                try:
                    postgres._install()
                finally:
                    self.ran = calls.read_text().splitlines()
        return self.ran

    def refusal(self, user: int, programs: list[str], fails: str = "nothing") -> str:
        with self.assertRaises(SetupError) as refused:
            self.install(user, programs, fails)
        return str(refused.exception)

    def test_root_installs_the_package_and_first_says_that_its_server_is_not_wanted(self) -> None:
        update, download, no_server, install = self.install(0, ["apt-get", "env", "sh"])
        self.assertTrue(update.endswith(" update"), update)
        self.assertIn(" --download-only ", download)
        self.assertTrue(no_server.startswith("sh -c ") and "create_main_cluster = false" in no_server, no_server)
        self.assertTrue(install.startswith("env DEBIAN_FRONTEND=noninteractive apt-get "), install)
        self.assertTrue(install.endswith(" install postgresql"), install)

    def test_others_do_so_by_sudo(self) -> None:
        asked, *steps = self.install(1000, ["apt-get", "sudo"])
        self.assertEqual(asked, "sudo -n true")
        self.assertEqual(len(steps), 4)
        self.assertTrue(all(step.startswith(("sudo -n env DEBIAN_FRONTEND=", "sudo -n sh -c ")) for step in steps), steps)

    def test_whoever_is_not_root_and_has_no_sudo_is_told_what_to_run_as_root(self) -> None:
        for programs in (["apt-get"], ["apt-get", "sudo"]):
            said = self.refusal(1000, programs, fails="sudo*true")
            self.assertIn("run `apt-get install postgresql` as root", said)
            self.assertEqual(self.ran, ["sudo -n true"] * ("sudo" in programs))

    def test_without_a_network_nothing_is_changed_and_it_is_said_where_to_look(self) -> None:
        said = self.refusal(0, ["apt-get", "env", "sh"], fails="*--download-only*")
        self.assertIn("check the network and the package sources", said)
        self.assertEqual(len(self.ran), 2, self.ran)

    def test_a_source_that_cannot_be_reached_does_not_matter_when_the_package_can_be_had(self) -> None:
        self.assertEqual(len(self.install(0, ["apt-get", "env", "sh"], fails="*update")), 4)

    def test_a_package_that_cannot_be_installed_and_a_machine_without_apt_get_are_told_apart(self) -> None:
        for step in ("sh -c *", "*=60 --no-install-recommends *"):
            self.assertIn("cannot install it", self.refusal(0, ["apt-get", "env", "sh"], fails=step))
        self.assertIn("there is no apt-get", self.refusal(0, ["env", "sh"]))
        self.assertEqual(self.ran, [])


if __name__ == "__main__":
    unittest.main()
