"""deny.toml refuses what it must: each test checks a made-up workspace of path crates with the project's own rules."""

from __future__ import annotations

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from python_env import ROOT, RUN

CARGO_DENY = os.environ.get("CARGO_DENY", str(RUN / "tools" / "cargo-deny" / "bin" / "cargo-deny"))


class Workspace:
    """A crate `root` in a folder of its own, and crates it depends on."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._dependencies: list[str] = []

    def depend_on(self, name: str, version: str = "1.0.0", licence: str | None = "MIT") -> None:
        """Adds a crate and makes `root` depend on it, also when another version of it is there already."""
        folder = f"{name}-{version}"
        self._crate(self._folder / folder, name, version, licence, [])
        alias = f"dependency_{len(self._dependencies)}"
        self._dependencies.append(f'{alias} = {{ package = "{name}", version = "{version}", path = "{folder}" }}')

    def depend_on_git(self, name: str) -> None:
        """Makes `root` depend on a crate of a git repository."""
        repository = self._folder / "repository"
        self._crate(repository, name, "1.0.0", "MIT", [])
        git = ["git", "-C", str(repository), "-c", "user.name=test", "-c", "user.email=test@localhost"]
        for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "A crate"]):
            subprocess.run([*git, *arguments], check=True, stdout=subprocess.DEVNULL)
        self._dependencies.append(f'{name} = {{ version = "1.0.0", git = "file://{repository}" }}')

    def check(self, what: str) -> subprocess.CompletedProcess[str]:
        """Runs one of cargo-deny's checks with the project's rules."""
        self._crate(self._folder, "root", "1.0.0", "MIT", self._dependencies)
        return subprocess.run(
            [CARGO_DENY, "--color", "never", "--config", str(ROOT / "deny.toml"),
             "--manifest-path", str(self._folder / "Cargo.toml"), "check", what],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
            # What cargo fetches goes into the folder too.
            env={**os.environ, "CARGO_HOME": str(self._folder / "cargo-home")},
        )

    @staticmethod
    def _crate(folder: Path, name: str, version: str, licence: str | None, dependencies: list[str]) -> None:
        (folder / "src").mkdir(parents=True, exist_ok=True)
        (folder / "src" / "lib.rs").touch()
        lines = ["[package]", f'name = "{name}"', f'version = "{version}"', 'edition = "2024"']
        if licence is not None:
            lines.append(f'license = "{licence}"')
        (folder / "Cargo.toml").write_text("\n".join([*lines, "[dependencies]", *dependencies, ""]))


class DependencyRules(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.workspace = Workspace(folder.name)

    def assert_passes(self, what: str) -> None:
        done = self.workspace.check(what)
        self.assertEqual(done.returncode, 0, done.stdout)

    def assert_refuses(self, what: str, *reasons: str) -> None:
        done = self.workspace.check(what)
        self.assertNotEqual(done.returncode, 0, f"{what} passed:\n{done.stdout}")
        for reason in reasons:
            self.assertIn(reason, done.stdout)

    def test_an_ordinary_dependency_passes_every_check(self) -> None:
        self.workspace.depend_on("ordinary")
        for what in ("licenses", "bans", "sources"):
            with self.subTest(check=what):
                self.assert_passes(what)

    def test_each_banned_crate_is_refused_by_name(self) -> None:
        banned = [
            "openssl", "openssl-sys", "native-tls", "reqwest", "hyper-tls", "isahc", "curl-sys", "sqlx",
            "sea-orm", "rusqlite", "async-std", "actix-broker", "actix-web-actors", "serde_yaml", "dotenv", "atty",
            "structopt", "failure",
        ]
        for name in banned:
            self.workspace.depend_on(name)
        self.assert_refuses("bans", *(f"crate '{name} = 1.0.0' is explicitly banned" for name in banned))

    def test_a_second_version_of_a_key_crate_is_refused(self) -> None:
        for name in ("actix", "actix-rt", "bytes", "rustls", "serde", "tokio", "tracing"):
            with self.subTest(crate=name), tempfile.TemporaryDirectory() as folder:
                self.workspace = Workspace(folder)
                self.workspace.depend_on(name, "1.0.0")
                self.assert_passes("bans")
                self.workspace.depend_on(name, "2.0.0")
                self.assert_refuses("bans", name)

    def test_a_second_version_of_any_other_crate_passes(self) -> None:
        self.workspace.depend_on("ordinary", "1.0.0")
        self.workspace.depend_on("ordinary", "2.0.0")
        self.assert_passes("bans")

    def test_a_licence_counts_as_its_whole_expression(self) -> None:
        verdicts = {
            "MIT": True,
            "MIT OR GPL-3.0-only": True,
            "(MIT OR Apache-2.0) AND Unicode-3.0": True,
            "Apache-2.0 WITH LLVM-exception": True,
            "GPL-3.0-only": False,
            "AGPL-3.0-or-later": False,
            "MIT AND GPL-3.0-only": False,
            "GPL-2.0-only WITH Classpath-exception-2.0": False,
            None: False,
        }
        for licence, allowed in verdicts.items():
            with self.subTest(licence=licence), tempfile.TemporaryDirectory() as folder:
                self.workspace = Workspace(folder)
                self.workspace.depend_on("licensed", licence=licence)
                if allowed:
                    self.assert_passes("licenses")
                else:
                    self.assert_refuses("licenses", "licensed")

    def test_a_crate_from_a_git_repository_is_refused(self) -> None:
        self.workspace.depend_on_git("elsewhere")
        self.assert_refuses("sources", "elsewhere")


if __name__ == "__main__":
    unittest.main()
