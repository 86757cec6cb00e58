"""The files of the Docker stack agree with one another and with the gateway. No container is run here."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import tomllib
import unittest
from pathlib import Path

import yaml

from docker_env import filled, write
from python_env import ROOT

DOCKER = ROOT / "docker"
COMPOSE = ["compose.yaml", "compose.dev.yaml"]
EXAMPLE = (ROOT / ".env.docker.example").read_text(encoding="utf-8")
# ${NAME}, ${NAME:-default} and ${NAME:?message}; `$$` is a dollar sign.
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::?[-?][^}]*)?\}")
# How long readiness says no before the gateway stops listening, where it listens beyond the machine.
READINESS_MS = 5_000
# Read by the stack itself, not by the gateway.
STACK_ONLY = {"OLLAMA_TAG", "GATEWAY_BIND", "GATEWAY_PORT", "POSTGRES_PASSWORD", "REDIS_PASSWORD"}


def compose(name: str) -> dict:
    return yaml.safe_load((DOCKER / name).read_text(encoding="utf-8"))


def example_names() -> set[str]:
    return set(re.findall(r"^([A-Z_]+)=", EXAMPLE, re.MULTILINE))


def dockerfile_steps() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, each with its arguments on one line."""
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in joined.splitlines() if line.strip()]


def arguments(instruction: str) -> list[str]:
    return [rest for name, rest in dockerfile_steps() if name == instruction]


class ComposeFiles(unittest.TestCase):
    def test_every_variable_is_in_the_example_or_has_a_default(self) -> None:
        for name in COMPOSE:
            text = (DOCKER / name).read_text(encoding="utf-8")
            with self.subTest(file=name):
                self.assertLessEqual(set(VARIABLE.findall(text)), example_names())

    def test_what_a_service_waits_for_has_a_health_check(self) -> None:
        for name in COMPOSE:
            services = compose(name)["services"]
            for service, settings in services.items():
                for other, wanted in settings.get("depends_on", {}).items():
                    with self.subTest(file=name, service=service, waits_for=other):
                        self.assertEqual(wanted, {"condition": "service_healthy"})
                        self.assertIn("healthcheck", services[other])

    def test_every_named_volume_is_declared_and_used(self) -> None:
        for name in COMPOSE:
            stack = compose(name)
            used = set()
            for settings in stack["services"].values():
                for volume in settings.get("volumes", []):
                    source = volume.split(":")[0]
                    if not source.startswith((".", "/")):
                        used.add(source)
            with self.subTest(file=name):
                self.assertEqual(used, set(stack.get("volumes", {})))

    def test_nothing_but_the_gateway_is_offered_beyond_the_machine(self) -> None:
        for name in COMPOSE:
            for service, settings in compose(name)["services"].items():
                for port in settings.get("ports", []):
                    with self.subTest(file=name, service=service):
                        own = port.startswith("127.0.0.1:")
                        chosen = service == "gateway" and port.startswith("${GATEWAY_BIND:-127.0.0.1}:")
                        self.assertTrue(own or chosen, port)

    def test_no_secret_has_a_value_or_is_part_of_a_command_line(self) -> None:
        stack = compose("compose.yaml")
        for secret in ["GATEWAY_ADMIN_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD"]:
            self.assertRegex(EXAMPLE, rf"(?m)^{secret}=$")
            for service, settings in stack["services"].items():
                told = f"{settings.get('command', '')}{settings.get('healthcheck', '')}"
                with self.subTest(secret=secret, service=service):
                    self.assertNotIn("${" + secret, told)

    def test_a_service_whose_start_script_is_passed_over_does_not_run_as_root(self) -> None:
        # The scripts of these images give up root only for their own server.
        for name in COMPOSE:
            for service, settings in compose(name)["services"].items():
                image = settings.get("image", "").split(":")[0]
                if image in ("redis", "postgres") and ("command" in settings or "entrypoint" in settings):
                    with self.subTest(file=name, service=service):
                        self.assertEqual(settings.get("user"), image)
                        self.assertNotIn("volumes", settings)

    def test_the_gateway_knows_every_setting_that_the_stack_gives_it(self) -> None:
        given = example_names() - STACK_ONLY
        for name in COMPOSE:
            given |= set(compose(name)["services"]["gateway"].get("environment", {}))
        known = (ROOT / ".env.example").read_text(encoding="utf-8")
        for setting in sorted(given):
            with self.subTest(setting=setting):
                self.assertRegex(known, rf"(?m)^(# )?{setting}=")

    def test_a_stopped_gateway_has_time_to_finish(self) -> None:
        grace = compose("compose.yaml")["services"]["gateway"]["stop_grace_period"]
        drain = tomllib.loads((ROOT / "config" / "gateway.toml").read_text(encoding="utf-8"))["drain"]
        longest_ms = READINESS_MS + drain["in_flight_ms"] + drain["streams_ms"]
        self.assertGreater(int(grace.removesuffix("s")) * 1000, longest_ms)


class Image(unittest.TestCase):
    def test_it_is_built_with_the_version_of_rust_that_the_project_asks_for(self) -> None:
        manifest = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))
        wanted = manifest["workspace"]["package"]["rust-version"]
        self.assertEqual(arguments("FROM")[0], f"rust:{wanted}-bookworm AS toolchain")

    def test_it_runs_as_a_user_without_rights_that_owns_the_data_folder(self) -> None:
        user, = arguments("USER")
        self.assertNotIn(user.split(":")[0], ("0", "root"))
        data, = [copy for copy in arguments("COPY") if "/var/lib/ai-mcp-gateway/" in copy]
        self.assertIn(f"--chown={user}", data)
        self.assertEqual(arguments("VOLUME"), ["/var/lib/ai-mcp-gateway"])

    def test_the_builder_gets_everything_that_the_build_reads_and_nothing_else(self) -> None:
        rules = (DOCKER / "Dockerfile.dockerignore").read_text(encoding="utf-8").split("\n")
        sent = {rule.removeprefix("!/") for rule in rules if rule.startswith("!")}
        self.assertIn("*", rules)
        for path in sent:
            self.assertTrue((ROOT / path).exists(), path)
        read = {"Cargo.toml", "Cargo.lock", ".cargo", "actors", "config", "migrations", "src"}
        self.assertLessEqual(read, sent)

    def test_what_is_sent_to_the_builder_is_a_whole_workspace(self) -> None:
        rules = (DOCKER / "Dockerfile.dockerignore").read_text(encoding="utf-8").split("\n")
        with tempfile.TemporaryDirectory() as folder:
            for rule in rules:
                if not rule.startswith("!"):
                    continue
                source, target = ROOT / rule[2:], Path(folder) / rule[2:]
                if source.is_dir():
                    shutil.copytree(source, target)
                else:
                    shutil.copy(source, target)
            done = subprocess.run(
                ["cargo", "metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"],
                cwd=folder, capture_output=True, text=True, timeout=60,
            )
            self.assertEqual(done.returncode, 0, done.stderr)


class Secrets(unittest.TestCase):
    def test_each_is_fresh_and_long_enough_for_the_gateway(self) -> None:
        text = filled(EXAMPLE)
        values = re.findall(r"^(?:GATEWAY_ADMIN_KEY|POSTGRES_PASSWORD|REDIS_PASSWORD)=(.*)$", text, re.MULTILINE)
        self.assertEqual(len(values), 3)
        self.assertEqual(len(set(values)), 3)
        for value in values:
            self.assertRegex(value, r"^[0-9a-f]{64}$")

    def test_a_file_that_is_there_is_left_alone_and_a_new_one_is_its_owners(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "env"
            self.assertTrue(write(ROOT / ".env.docker.example", target))
            self.assertEqual(target.stat().st_mode & 0o777, 0o600)
            target.write_text("mine")
            self.assertFalse(write(ROOT / ".env.docker.example", target))
            self.assertEqual(target.read_text(), "mine")


if __name__ == "__main__":
    unittest.main()
