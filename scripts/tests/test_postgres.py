"""`scripts/postgres.py` starts a server of its own, keeps its data where it is told to, and leaves nothing behind. Where
PostgreSQL is missing it is installed (by stand-ins here), or it is said what to do."""

from __future__ import annotations

import signal
import tempfile
import unittest
from pathlib import Path
from urllib.parse import urlsplit

import postgres
from tests.private_servers import LIMIT, Installing, Serving


class Postgres(Serving):
    SCRIPT = "postgres.py"
    URL = "postgres://postgres:"

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


class Installation(Installing):
    PACKAGE = postgres.PACKAGE

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
