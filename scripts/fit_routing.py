#!/usr/bin/env python3
"""Fits the routing model from recorded outcomes and prints how well it does.

    fit_routing.py --data outcomes.jsonl.gz --models models.json --out routing/data/routing-model.json

What is read: the question, the models' answers as texts, their token counts, and whether each was
right. Whether it was right is the label, never a signal; the source, the task and the gold answer
are used for neither. Every random choice is drawn from a seed that is printed. Needs numpy only.

The parts, in the order in which a request meets them:

  signals(q)        hand-made signals and hashed byte n-grams of the question
  difficulty d(q)   one linear score over both, shared by all models (logit = b + c * d)
  priors            chance that a model is right, from d and the signals; one per layer for the
                    models that are not known
  answers           the final answer is taken out of a text and put in a normal form; equal forms
                    agree
  verdict           chance that the best answer so far is right, given who agrees and what the
                    texts look like
  lookahead         chance that one more model agrees, and the verdict if it does or does not
  policy            the step whose expected gain is worth its price: value = p(right) - lambda * cost
"""
import argparse
import sys
import time

import numpy as np

from routing_fit.baselines import baselines
from routing_fit.data import Data, read_prices, read_rows
from routing_fit.export import export, half_of, with_gain, written
from routing_fit.router import Router
from routing_fit.tables import ablation, complexity_table, curve, leave_source_out, task_table, transfer
from routing_fit.tasks import word_table


def fit_half(rows, prices, a, seed):
    """a model that has seen no question of the other half"""
    if not a.out or not a.other_ids:
        sys.exit("--fit-half needs --out and --other-ids")
    mine = [r for r in rows if half_of(r) == a.fit_half]
    D = Data(mine, prices)
    R = Router(D, np.arange(len(mine)), seed)
    m = with_gain(export(D, R, word_table([r["question"] for r in mine]), seed), mine)
    with open(a.out, "w", encoding="utf-8") as f:
        f.write(written(m))
    with open(a.other_ids, "w", encoding="utf-8") as f:
        f.writelines("%s\t%s\n" % (r["source"], r["id"]) for r in rows if half_of(r) != a.fit_half)
    print("seed %d; fitted on %d of %d questions" % (seed, len(mine), len(rows)))
    return 0


def main():
    a = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    a.add_argument("--data", required=True)
    a.add_argument("--models", required=True)
    a.add_argument("--out")
    a.add_argument("--seeds", default="0,1,2,3,4")
    a.add_argument("--tables", default="curve,baselines,sources,transfer,ablation,tasks")
    a.add_argument("--fit-half", type=int, choices=(0, 1),
                   help="fit on one half of the questions, told apart by a hash of source and id, and print no tables")
    a.add_argument("--other-ids", help="where the ids of the other half go, for `eval --ids`")
    a = a.parse_args()
    seeds = [int(x) for x in a.seeds.split(",")]
    tables = set(a.tables.split(",")) - {""}
    rows, prices = read_rows(a.data), read_prices(a.models)
    if a.fit_half is not None:
        return fit_half(rows, prices, a, seeds[0])
    t = time.time()
    D = Data(rows, prices)
    print("seeds %s; %d questions, %d of them with texts; signals in %.0f s" % (
        a.seeds, len(rows), len(D.t), time.time() - t))
    print("strongest: %s %.4f at $%.2f per 1,000" % (
        D.known[-1], D.y[:, -1].mean(), 1000 * D.cost[:, -1].mean()))
    if "baselines" in tables:
        baselines(D)
    if "curve" in tables:
        curve(D, seeds)
    if "sources" in tables:
        leave_source_out(D)
    if "transfer" in tables:
        transfer(D)
    if "ablation" in tables:
        ablation(D, seeds[:2])
    R = Router(D, np.arange(len(rows)), seeds[0])
    bits = word_table([r["question"] for r in rows])
    if "tasks" in tables:
        task_table(rows)
        complexity_table(D, R, bits)
    if a.out:
        m = export(D, R, bits, seeds[0])
        m = with_gain(m, rows)
        with open(a.out, "w", encoding="utf-8") as f:
            f.write(written(m))
        print("\nwritten: %s" % a.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
