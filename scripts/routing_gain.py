#!/usr/bin/env python3
"""Writes the `gain` section of a routing model anew.

    routing_gain.py --data outcomes.jsonl.gz --model routing/data/routing-model.json

fit_routing.py does the same as a part of its fit. What the section says is told in routing_fit/gain.py. Needs numpy only.
"""
import argparse
import json
import os
import sys

from routing_fit.data import read_rows
from routing_fit.export import written
from routing_fit.gain import ease, make

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main():
    a = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    a.add_argument("--data", required=True)
    a.add_argument("--model", default=os.path.join(ROOT, "routing/data/routing-model.json"))
    a = a.parse_args()
    questions = [row["question"] for row in read_rows(a.data)]
    with open(a.model, encoding="utf-8") as f:
        model = json.load(f)
    d = ease(model)
    model["gain"] = make(questions, [d(q) for q in questions], model["layers"])
    with open(a.model, "w", encoding="utf-8") as f:
        f.write(written(model))
    print("%d questions; center %s; written: %s" % (len(questions), model["gain"]["center"], a.model))
    return 0


if __name__ == "__main__":
    sys.exit(main())
