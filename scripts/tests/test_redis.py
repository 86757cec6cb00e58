"""`scripts/redis.py` starts a server of its own and leaves nothing behind. Where Redis is missing it is installed (by
stand-ins here), or it is said what to do."""

from __future__ import annotations

import signal
import tempfile
import unittest
from urllib.parse import urlsplit

import redis
from tests.private_servers import LIMIT, Installing, Serving


class Redis(Serving):
    SCRIPT = "redis.py"
    URL = "redis://:"

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


class Installation(Installing):
    PACKAGE = redis.PACKAGE

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
