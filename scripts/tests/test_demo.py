"""The demo picks the right backend, never passes scripted answers off as a model's, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import unittest
import warnings
from pathlib import Path
from unittest import mock

import demo
from processes import ProcessSet, http, stop_recorded
from python_env import SetupError

# Speaks just enough of the gateway's contract: says where it listens, is ready, and answers `POST /v1/route` with
# its own settings as the answer, or with 402 when it is asked to refuse.
STAND_IN = f"""#!{sys.executable}
import http.server, json, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self): self.answer(200 if self.path == "/health/ready" else 404, {{}})
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "refuse" in asked["message"]:
            return self.answer(402, {{"error": {{"type": "budget_exceeded"}}}})
        settings = json.dumps({{"arguments": sys.argv[1:], "environment": dict(os.environ)}})
        self.answer(200, {{
            "result": {{"response": settings, "model": "m", "provider": "p", "layer": "L0"}},
            "performance": {{"durationMs": 7, "tokens": {{"input": 3, "output": 4}}, "costNanoUsd": 0}},
            "requestId": "r-1"}})
    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", int(os.environ["API_PORT"])), Handler)
print(f"listening on http://127.0.0.1:{{server.server_port}}", flush=True)
server.serve_forever()
"""

ANSWER = {
    "result": {"response": "Hi.", "model": "small", "provider": "local", "layer": "L0"},
    "performance": {"durationMs": 12, "tokens": {"input": 5, "output": 6}, "costNanoUsd": 1_234_000_005},
    "requestId": "r-1",
}


class Demo(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "demo"
        self.state = self.folder / "processes"
        names = ("CONFIG", "DATABASE", "GATEWAY_OUT", "GATEWAY_LOG", "MODEL_OUT", "MODEL_LOG")
        moved = {name: self.folder / getattr(demo, name).name for name in names}
        moving = mock.patch.multiple(demo, FOLDER=self.folder, STATE=self.state, **moved)
        moving.start()
        self.addCleanup(moving.stop)
        self.addCleanup(stop_recorded, self.state)
        self.gateway = Path(folder.name) / "stand-in"
        self.gateway.write_text(STAND_IN)
        self.gateway.chmod(0o755)

    def choose(self, environment: dict[str, str], simulator: bool = False) -> demo.Backend:
        self.folder.mkdir()
        with ProcessSet(self.state) as running:
            return demo.choose_backend(environment, simulator, running)

    def test_a_key_in_the_environment_is_used_with_the_shipped_catalogue(self) -> None:
        backend = self.choose({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://x/v1", "REDIS_URL": "redis://y"})
        self.assertIsNone(backend.config)
        self.assertIsNone(backend.scripted_because)
        expected = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://x/v1", "DEFAULT_LAYER": "L1"}
        self.assertEqual(backend.environment, expected)

    def test_openrouter_comes_first_because_its_lowest_layer_is_free(self) -> None:
        backend = self.choose({"OPENAI_API_KEY": "k", "OPENROUTER_API_KEY": "r"})
        self.assertEqual(backend.environment, {"OPENROUTER_API_KEY": "r", "DEFAULT_LAYER": "L0"})

    def test_without_the_real_model_the_simulator_answers_and_it_is_said_why(self) -> None:
        with mock.patch.object(demo.real_model, "fetch", side_effect=SetupError("no index")), self.stderr() as said:
            backend = self.choose({"OPENAI_API_KEY": ""})
        self.assertIn("no index", said())
        self.assertIsNotNone(backend.scripted_because)
        self.assertIn('kind = "simulator"', backend.config or "")
        for layer in ("L0", "L1", "L2", "L3"):
            self.assertIn(f'layer = "{layer}"', backend.config or "")

    def test_scripted_answers_are_marked_beside_the_answer_and_real_ones_are_not(self) -> None:
        scripted = demo.report("Q?", ANSWER, demo.simulator_backend("because"))
        self.assertIn("That answer is scripted", scripted)
        self.assertNotIn("scripted", demo.report("Q?", ANSWER, demo.Backend("a model")))

    def test_the_report_shows_who_answered_and_what_it_took(self) -> None:
        report = demo.report("Q?", ANSWER, demo.Backend("a model"))
        for part in ("Q?", "Hi.", "small, of provider local", "L0", "5 in, 6 out", "$1.234000005", "12 ms", "r-1"):
            self.assertIn(part, report)

    def test_costs_are_printed_to_the_last_nano_dollar(self) -> None:
        self.assertEqual(demo.usd(1), "$0.000000001")
        self.assertEqual(demo.usd(12_000_000_000), "$12.000000000")
        self.assertEqual(demo.usd(0), "$0 (free)")

    def test_the_gateway_is_left_running_with_settings_of_its_own(self) -> None:
        with mock.patch.dict(os.environ, {"GATEWAY_ADMIN_KEY": "mine", "DATABASE_URL": "postgres://mine"}):
            output = self.start("What are your settings?")
        url = output.split("url ")[1].split()[0]
        status, body = http(url + "/v1/route", b'{"message": "again"}')
        self.assertEqual(status, 200)
        told = json.loads(json.loads(body)["result"]["response"])
        self.assertEqual(told["arguments"], ["serve", "--config", str(self.folder / "gateway.toml")])
        self.assertEqual(told["environment"]["DATABASE_URL"], f"sqlite:{self.folder / 'gateway.sqlite'}")
        self.assertEqual(told["environment"]["API_HOST"], "127.0.0.1")
        self.assertNotIn("GATEWAY_ADMIN_KEY", told["environment"])
        self.assertEqual(stop_recorded(self.state), ["gateway"])
        with self.assertRaises(OSError):
            http(url + "/health/ready")

    def test_a_refused_question_fails_and_leaves_nothing_running(self) -> None:
        with self.assertRaisesRegex(SetupError, r"answered 402: .*budget_exceeded"):
            self.start("refuse this")
        self.assertFalse(self.state.exists())

    def test_a_missing_binary_is_named_with_the_command_that_builds_it(self) -> None:
        with self.assertRaisesRegex(SetupError, "cargo build --release --locked"):
            demo.start(self.folder / "nothing", "Q?", simulator=True)

    def test_without_python_the_shell_says_the_answers_are_scripted(self) -> None:
        # A PATH with everything that a bare machine has, but no Python.
        programs = self.gateway.parent / "bin"
        programs.mkdir()
        for name in ("bash", "cat", "cp", "cut", "dirname", "env", "grep", "mkdir", "realpath", "rm", "sed", "sleep"):
            (programs / name).symlink_to(f"/usr/bin/{name}" if Path(f"/usr/bin/{name}").exists() else f"/bin/{name}")
        checkout = self.gateway.parent / "checkout"
        (checkout / "scripts").mkdir(parents=True)
        for name in ("demo.sh", "demo-simulator.toml"):
            (checkout / "scripts" / name).symlink_to(demo.ROOT / "scripts" / name)

        def run(*arguments: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [str(programs / "bash"), str(checkout / "scripts" / "demo.sh"), *arguments], env={"PATH": str(programs)},
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
            )

        done = run("start", "--gateway", str(self.gateway))
        self.addCleanup(stop_recorded, checkout / ".run" / "demo" / "processes")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("THE ANSWERS BELOW ARE SCRIPTED", done.stderr)
        self.assertIn('"requestId": "r-1"', done.stdout)
        url = done.stdout.split("url ")[1].split()[0]
        self.assertEqual(http(url + "/health/ready")[0], 200)
        self.assertIn("stopped: gateway", run("stop").stderr)

    def start(self, question: str) -> str:
        """Runs the demo with the simulator. Returns what it printed."""
        with self.stderr(), mock.patch("builtins.print") as printed, warnings.catch_warnings():
            # That the process goes on is the point.
            warnings.simplefilter("ignore", ResourceWarning)
            demo.start(self.gateway, question, simulator=True)
        return "\n".join(str(call.args[0]) for call in printed.call_args_list)

    def stderr(self) -> "_Said":
        return _Said()


class _Said:
    """Catches what the demo tells, instead of showing it."""

    def __enter__(self):
        self._patch = mock.patch.object(demo, "say")
        say = self._patch.start()
        return lambda: "\n".join(str(call.args[0]) for call in say.call_args_list)

    def __exit__(self, *_: object) -> None:
        self._patch.stop()


if __name__ == "__main__":
    unittest.main()
