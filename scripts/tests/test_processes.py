"""Servers are waited for with a limit, and only what was started is stopped."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import processes
from processes import ProcessSet, Server
from python_env import SetupError

# Listens on a free port, says so, and answers 503 once, then 200 on every path.
SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    answers = [503]
    def do_GET(self):
        self.send_response(self.answers.pop() if self.answers else 200)
        self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print("starting", flush=True)
print(f"listening on http://127.0.0.1:{server.server_port}/", flush=True)
server.serve_forever()
"""
SILENT = "import signal; print('not what you wait for', flush=True); signal.pause()"
BROKEN = "import sys; print('no such setting', file=sys.stderr); sys.exit(3)"


class Processes(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.state = self.folder / "processes"
        self.addCleanup(processes.stop_recorded, self.state)

    def start(self, running: ProcessSet, program: str, name: str = "server") -> Server:
        server = running.start(
            name, [sys.executable, "-c", program], dict(os.environ), self.folder / f"{name}.out",
            self.folder / f"{name}.log",
        )
        self.addCleanup(server.process.wait)
        return server

    def test_a_server_is_waited_for_until_it_is_ready(self) -> None:
        with ProcessSet(self.state) as running:
            server = self.start(running, SERVER)
            url = server.announced_url(20)
            self.assertRegex(url, r"^http://127\.0\.0\.1:\d+$")
            server.wait_until_ok(url + "/health", 20)
            self.assertEqual(processes.http(url)[0], 200)
        self.assertIsNotNone(server.process.poll(), "it outlived its context")
        self.assertFalse(self.state.exists())

    def test_a_server_that_ends_is_reported_with_its_code_and_last_words(self) -> None:
        with ProcessSet(self.state) as running:
            server = self.start(running, BROKEN)
            with self.assertRaisesRegex(SetupError, r"(?s)ended with code 3.*no such setting"):
                server.announced_url(20)

    def test_a_server_that_says_nothing_is_given_up(self) -> None:
        with ProcessSet(self.state) as running:
            server = self.start(running, SILENT)
            with self.assertRaisesRegex(SetupError, "has not said where it listens within 0 s"):
                server.announced_url(0.2)

    def test_what_is_left_running_is_stopped_later_the_last_first(self) -> None:
        with ProcessSet(self.state) as running:
            left = [self.start(running, SILENT, name) for name in ("model", "gateway")]
            self.assertEqual(running.names(), ["model", "gateway"])
            running.leave_running()
        self.assertEqual([server.process.poll() for server in left], [None, None])
        self.assertEqual(processes.stop_recorded(self.state), ["gateway", "model"])
        self.assertEqual([server.process.wait() for server in left], [-15, -15])
        self.assertEqual(processes.stop_recorded(self.state), [])

    def test_another_process_that_was_given_the_same_id_is_left_alone(self) -> None:
        other = subprocess.Popen([sys.executable, "-c", SILENT], stdout=subprocess.PIPE)
        try:
            born = processes.birth(other.pid)
            self.assertIsNotNone(born)
            self.state.write_text(f"gateway {other.pid} {born}0\n")
            self.assertEqual(processes.stop_recorded(self.state), [])
            self.assertIsNone(other.poll())
        finally:
            other.kill()
            other.communicate()

    def test_an_ended_process_has_no_birth(self) -> None:
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        self.assertIsNone(processes.birth(ended.pid))


if __name__ == "__main__":
    unittest.main()
