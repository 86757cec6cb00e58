"""`scripts/postgres.py` starts a server of its own, keeps its data where it is told to, and leaves nothing behind."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from urllib.parse import urlsplit

from python_env import ROOT

LIMIT = 120


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


if __name__ == "__main__":
    unittest.main()
