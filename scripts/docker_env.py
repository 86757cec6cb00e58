#!/usr/bin/env python3
"""Writes `.env.docker` from `.env.docker.example`, with fresh secrets. An existing file is left as it is.

    python3 scripts/docker_env.py
"""

from __future__ import annotations

import os
import re
import secrets
import sys
from pathlib import Path

from python_env import ROOT

# Random bytes of a secret; written as twice as many hex digits, which need no quoting anywhere.
SECRET_BYTES = 32
SECRET = re.compile(r"^(GATEWAY_ADMIN_KEY|POSTGRES_PASSWORD|REDIS_PASSWORD)=$", re.MULTILINE)


def filled(example: str) -> str:
    """The example with each empty secret filled in."""
    return SECRET.sub(lambda match: f"{match[1]}={secrets.token_hex(SECRET_BYTES)}", example)


def write(example: Path, target: Path) -> bool:
    """Writes the file for its owner only; False when there is one already."""
    text = filled(example.read_text(encoding="utf-8"))
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return True


def main() -> int:
    target = ROOT / ".env.docker"
    if write(ROOT / ".env.docker.example", target):
        print(f"wrote {target.name} with fresh secrets: add your providers' keys, then `make prod`")
    else:
        print(f"{target.name} is there already and stays as it is")
    return 0


if __name__ == "__main__":
    sys.exit(main())
