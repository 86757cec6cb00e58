"""The table of faults says what the tests said, and the check fails whenever it should."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import fault_table
from fault_table import Problem

ROWS = """\
# A remark.
= A. First
A1 | | one | two
A2 | | three
= M. Later
M1-M3 | tools | files
"""
LOG = """\
     Running unittests src/lib.rs (target/debug/deps/lib-1)
test http::tests::a1_one_is_seen ... ok
test http::tests::nothing_of_a_row ... ok
     Running tests/api/main.rs (target/debug/deps/api-1)
test deep::down::a2_three - should panic ... ok
test a1_at_the_top ... ok
"""


class Table(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.rows, self.log, self.table = (Path(folder.name) / name for name in ("rows", "log", "table"))
        self.rows.write_text(ROWS)
        self.log.write_text(LOG)

    def run_it(self, check: bool) -> list[str]:
        return fault_table.run(check, self.log, self.rows, self.table)

    def assert_found(self, *words: str) -> None:
        found = "\n".join(self.run_it(check=True))
        for word in words:
            self.assertIn(word, found)

    def test_what_was_written_passes_the_check(self) -> None:
        self.assertEqual(self.run_it(check=False), [])
        self.assertEqual(self.run_it(check=True), [])
        page = self.table.read_text()
        self.assertIn("## A. First", page)
        self.assertIn("| A1 | one \\| two | `src/lib http::tests::a1_one_is_seen`<br>`tests/api a1_at_the_top` | passes |", page)
        self.assertIn("| A2 | three | `tests/api deep::down::a2_three` | passes |", page)
        self.assertIn("| M1-M3 | files |  | not due: tools |", page)

    def test_a_row_that_is_due_and_has_no_test_fails_the_check(self) -> None:
        self.log.write_text(LOG.replace("a2_three", "three"))
        self.run_it(check=False)
        self.assert_found("A2 has no test")
        self.assertIn("| A2 | three |  | **no test** |", self.table.read_text())

    def test_a_row_whose_tests_run_only_a_part_of_the_program_fails_the_check(self) -> None:
        self.log.write_text(LOG.replace("tests/api/main.rs", "tests/store/main.rs"))
        self.run_it(check=False)
        self.assert_found("A1 has no test of the whole program", "A2 has no test of the whole program")

    def test_a_failed_or_ignored_test_fails_the_check(self) -> None:
        for verdict in ("FAILED", "ignored"):
            with self.subTest(verdict=verdict):
                self.log.write_text(LOG.replace("a1_one_is_seen ... ok", f"a1_one_is_seen ... {verdict}"))
                self.run_it(check=False)
                self.assert_found("a1_one_is_seen did not pass")
                self.assertIn("**fails**", self.table.read_text())

    def test_a_failure_whose_line_was_torn_is_found_in_the_summary(self) -> None:
        torn = LOG + "test deep::a2_torn ... some noise\nok\nfailures:\n    deep::a2_torn\n"
        self.log.write_text(torn)
        self.assert_found("deep::a2_torn did not pass")

    def test_a_test_of_a_row_that_is_not_due_yet_counts(self) -> None:
        self.log.write_text(LOG + "test m2_early ... ok\n")
        self.run_it(check=False)
        self.assertEqual(self.run_it(check=True), [])
        self.assertIn("| M1-M3 | files | `tests/api m2_early` | passes |", self.table.read_text())

    def test_a_test_of_an_unknown_row_fails_the_check(self) -> None:
        self.log.write_text(LOG + "test m9_lost ... ok\n")
        self.run_it(check=False)
        self.assert_found("m9_lost: no row of this id")

    def test_a_page_that_says_something_else_fails_the_check(self) -> None:
        self.assert_found("is not what the tests say")
        self.run_it(check=False)
        self.table.write_text(self.table.read_text() + "x")
        self.assert_found("is not what the tests say")

    def test_rows_and_logs_that_cannot_be_are_refused(self) -> None:
        for rows in (ROWS + "A2 | | again\n", ROWS + "nonsense\n", ROWS + "A9 | |\n", "A1 | | no headline\n"):
            with self.subTest(rows=rows):
                self.rows.write_text(rows)
                with self.assertRaises(Problem):
                    self.run_it(check=True)
        self.rows.write_text(ROWS)
        self.log.write_text("")
        with self.assertRaises(Problem):
            self.run_it(check=True)

    def test_the_projects_own_rows_can_be_read(self) -> None:
        _, by_id = fault_table.read_rows(fault_table.ROWS.read_text())
        for row in ("A1", "B24", "D10", "G13", "H12", "J18", "K14", "L15", "M20"):
            self.assertIn(row, by_id)


if __name__ == "__main__":
    unittest.main()
