"""The table of faults: which rows of the fault matrix are tested, by what, and how that went.

    python3 scripts/fault_table.py [LOG]            writes docs/faults.md from the output of `cargo test`
    python3 scripts/fault_table.py --check [LOG]    fails when a row that is due has no test or a failed one, or when
                                                    docs/faults.md says something else

The rows are in scripts/fault_rows.txt. A test belongs to the row whose id, in lower case, begins the last part of its
name: `tests/…: answers::g11_what_is_no_answer_…` is a test of row G11. LOG is .run/test/cargo-test.log if not given.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from python_env import ROOT, RUN

ROWS = ROOT / "scripts" / "fault_rows.txt"
TABLE = ROOT / "docs" / "faults.md"
LOG = RUN / "test" / "cargo-test.log"

RANGE = re.compile(r"^([A-Z]{1,2})(\d+)(?:-\1(\d+))?$")
PROGRAM = re.compile(r"^\s*Running (?:unittests )?(\S+) \(")
TEST = re.compile(r"^test (\S+)(?: - should panic)? \.\.\. (ok|FAILED|ignored)")
# The test programs that run the whole gateway, each test a process of its own.
WHOLE = tuple(f"tests/{name} " for name in ("api", "cli", "faults", "faults_upstream", "mcp", "money", "soak"))
# A test that writes past the capture has its verdict at the end of a later line: cargo repeats failures, in any case.
FAILURE = re.compile(r"^    (\S+)$")
ROW_OF = re.compile(r"^([a-z]{1,2}\d+)_")

HEAD = """\
# Faults

What may go wrong, what has to come of it, and the tests that show it. Made by `scripts/fault_table.py` from the output
of the tests and from `scripts/fault_rows.txt`; `make test` fails when a row that is due has no test of the whole program
that passes, or when this page says something else.

Whatever a test of the whole program is about, it fails when an answer has no request id, when a refusal is not JSON or
tells a secret, when a provider was asked for a request that was refused, and when it ends before the process was seen to
live, to serve the next good request and to hold nothing (`tests/support`). Of a start that is refused no process is
left. What the HTTP parser refuses, before there is a request, has a status and nothing else.
"""


class Problem(Exception):
    """Something that makes the table impossible."""


@dataclass
class Row:
    """One line of the matrix."""

    name: str
    waits_for: str
    text: str
    # The tests, each with whether it passed.
    tests: dict[str, bool] = field(default_factory=dict)

    def result(self) -> str:
        if self.tests:
            return "passes" if all(self.tests.values()) else "**fails**"
        return f"not due: {self.waits_for}" if self.waits_for else "**no test**"


@dataclass
class Section:
    """A headline and its rows."""

    title: str
    rows: list[Row] = field(default_factory=list)


def read_rows(text: str) -> tuple[list[Section], dict[str, Row]]:
    """The sections in order, and the row of each id."""
    sections: list[Section] = []
    by_id: dict[str, Row] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("="):
            sections.append(Section(line.lstrip("= ")))
            continue
        parts = [part.strip() for part in line.split("|", 2)]
        found = RANGE.match(parts[0])
        if len(parts) != 3 or not parts[2] or not found or not sections:
            raise Problem(f"line {number} of the rows is no `id | reason | text` below a `= headline`: {line}")
        row = Row(*parts)
        letters, first, last = found[1], int(found[2]), int(found[3] or found[2])
        for place in range(first, last + 1):
            if by_id.setdefault(f"{letters}{place}", row) is not row:
                raise Problem(f"line {number} of the rows: {letters}{place} is there twice")
        sections[-1].rows.append(row)
    return sections, by_id


def read_log(text: str) -> dict[str, bool]:
    """Every test of the log by its program and name, and whether it passed. A test that was not run did not pass."""
    tests: dict[str, bool] = {}
    program = ""
    for line in text.splitlines():
        if found := PROGRAM.match(line):
            program = found[1].removesuffix("/main.rs").removesuffix(".rs")
        elif found := TEST.match(line):
            tests[f"{program} {found[1]}".strip()] = found[2] == "ok"
        elif found := FAILURE.match(line):
            name = f"{program} {found[1]}".strip()
            if "::" in found[1] and ROW_OF.match(found[1].rsplit("::", 1)[-1]):
                tests[name] = False
    return tests


def assign(tests: dict[str, bool], by_id: dict[str, Row]) -> list[str]:
    """Gives the rows their tests. Returns the tests whose row is not in the matrix."""
    strangers = []
    for name, passed in sorted(tests.items()):
        found = ROW_OF.match(name.split()[-1].rsplit("::", 1)[-1])
        if not found:
            continue
        row = by_id.get(found[1].upper())
        if row is None:
            strangers.append(name)
        else:
            row.tests[name] = passed
    return strangers


def render(sections: list[Section]) -> str:
    """The page."""
    lines = [HEAD]
    for section in sections:
        lines += [f"## {section.title}", "", "| row | what | tests | result |", "|---|---|---|---|"]
        for row in section.rows:
            tests = "<br>".join(f"`{name}`" for name in row.tests)
            text = row.text.replace("|", "\\|")
            lines.append(f"| {row.name} | {text} | {tests} | {row.result()} |")
        lines.append("")
    return "\n".join(lines)


def problems(sections: list[Section], strangers: list[str]) -> list[str]:
    """What keeps the matrix from being shown."""
    found = [f"{name}: no row of this id in {ROWS.name}" for name in strangers]
    for row in (row for section in sections for row in section.rows):
        if not row.tests and not row.waits_for:
            found.append(f"{row.name} has no test: {row.text}")
        if row.tests and not any(name.startswith(WHOLE) for name in row.tests):
            found.append(f"{row.name} has no test of the whole program: {row.text}")
        found += [f"{row.name}: {name} did not pass" for name, passed in row.tests.items() if not passed]
    return found


def run(check: bool, log: Path, rows: Path = ROWS, table: Path = TABLE) -> list[str]:
    """Writes the table, or says what is wrong with it and with the matrix."""
    sections, by_id = read_rows(rows.read_text())
    tests = read_log(log.read_text(errors="replace"))
    if not tests:
        raise Problem(f"{log} has no tests: run `make test`, or `cargo test 2>&1 | tee {log}`")
    strangers = assign(tests, by_id)
    page = render(sections)
    if not check:
        table.write_text(page)
        return []
    found = problems(sections, strangers)
    if not table.exists() or table.read_text() != page:
        found.append(f"{table.name} is not what the tests say: run `python3 scripts/fault_table.py`")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, and fail when something is missing")
    parser.add_argument("log", nargs="?", type=Path, default=LOG, help="the output of cargo test")
    arguments = parser.parse_args()
    try:
        found = run(arguments.check, arguments.log)
    except (Problem, OSError) as problem:
        found = [str(problem)]
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
