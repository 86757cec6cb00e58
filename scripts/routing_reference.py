#!/usr/bin/env python3
"""A plain router to compare with: letter sequences of the question, and whether cheap models agree.

    routing_reference.py --data outcomes.jsonl.gz --models models.json

Logistic regression over hashed letter sequences foretells whether the cheap models' answer will be right; below a bound
the strongest is asked at once. Else one, two or three cheap models are asked, and a second regression over that chance
and over how many of them agree decides whether theirs is given or the strongest is asked as well. Which models and
which bounds go with which cost is chosen on the questions that are fitted, with chances that are out of fold.

The questions are cut in the two halves of `fit_routing.py --fit-half`; each is judged by what was fitted on the other.
Printed is the accuracy less the strongest's at shares of what always asking the strongest costs. Needs numpy only.
"""
import argparse

import numpy as np

from routing_fit.data import Data, read_prices, read_rows
from routing_fit.evaluate import SHARES, folds, show
from routing_fit.export import half_of
from routing_fit.numerics import lbfgs, sigmoid

L2 = 0.1                # ridge of the regression over letter sequences, whose vectors have length 1
FOLDS = 5
SETS = ((2,), (0, 2), (1, 2), (0, 1, 2))    # of the cheap models, by layer and price


def regression(X, y, l2):
    """weights of a ridge logistic regression; the last column is the constant. By gradients: Newton's method, as in
    fit_routing.py, would solve two thousand equations at each step"""
    keep = np.full(X.shape[1], float(l2))
    keep[-1] = 0

    def loss(w):
        z = X @ w
        return ((np.logaddexp(0, z) - y * z).sum() + 0.5 * (keep * w * w).sum(),
                X.T @ (sigmoid(z) - y) + keep * w)
    return lbfgs(loss, np.zeros(X.shape[1]), 200)


def chances(X, y, mine, others, l2, seed):
    """of `mine` by folds that leave the question out, of `others` by all of `mine`"""
    p = np.zeros(len(X))
    fold = folds(len(mine), seed, FOLDS)
    for f in range(FOLDS):
        out = mine[fold == f]
        p[out] = X[out] @ regression(X[mine[fold != f]], y[mine[fold != f]], l2)
    p[others] = X[others] @ regression(X[mine], y[mine], l2)
    return p


def answers(D, S):
    """how many of the models agree with the answer of most (the dearest one's among equals), and whether it is right"""
    c = D.cls[:, S]
    votes = np.array([[(row == x).sum() if x >= 0 else 0 for x in row] for row in c])
    chosen = len(S) - 1 - votes[:, ::-1].argmax(1)
    at = np.arange(len(c))
    return votes[at, chosen], D.y[at, np.array(S)[chosen]]


def states(D, mine, others):
    """for each set of models: chance before they are asked, chance after, whether their answer is right"""
    one = np.ones((len(D.t), 1))
    out = []
    for S in SETS:
        agree, right = answers(D, S)
        before = chances(np.hstack([D.G[D.t], one]), right, mine, others, L2, 0)
        seen = np.stack([agree == k for k in range(len(S) + 1)], 1) * 1.0
        X = np.hstack([before[:, None], seen, seen * before[:, None], one])
        out.append((before, chances(X, right, mine, others, 1, 1), right))
    return out


def outcome(D, k, S, state, bounds):
    """accuracy and cost of the questions k"""
    before, after, right = (v[k] for v in state)
    straight = before < bounds[0]
    up = ~straight & (after < bounds[1])
    top = D.cost[k, -1]
    cost = np.where(straight, top, D.cost[k][:, S].sum(1) + np.where(up, top, 0))
    return np.where(straight | up, D.y[k, -1], right).mean(), cost.mean()


def chosen(D, mine, state):
    """the settings on the upper hull of what they come to on the questions that are fitted"""
    points = []
    for s, S in zip(state, SETS):
        for low in np.concatenate([[-np.inf], np.quantile(s[0][mine], np.linspace(.02, .6, 15))]):
            for high in np.quantile(s[1][mine], np.linspace(0, .98, 50)):
                y, x = outcome(D, mine, S, s, (low, high))
                points.append((x, y, s, S, (low, high)))
    points.sort(key=lambda p: p[:2])
    hull = []
    for p in points:
        if hull and p[1] <= hull[-1][1]:
            continue
        while len(hull) > 1 and ((hull[-1][1] - hull[-2][1]) * (p[0] - hull[-2][0])
                                 <= (p[1] - hull[-2][1]) * (hull[-1][0] - hull[-2][0])):
            hull.pop()
        hull.append(p)
    return hull


def half(D, mine, others):
    """the fit on `mine`, judged on `others`"""
    points = [outcome(D, others, S, s, b) for _, _, s, S, b in chosen(D, mine, states(D, mine, others))]
    strongest = D.y[others, -1].mean(), D.cost[others, -1].mean()
    points.append(strongest)
    y, x = np.array(sorted(points, key=lambda p: p[1])).T
    return np.interp(SHARES, x / strongest[1], y) - strongest[0]


def main():
    a = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    a.add_argument("--data", required=True)
    a.add_argument("--models", required=True)
    a = a.parse_args()
    rows = [r for r in read_rows(a.data) if all("text" in o for o in r["outcomes"].values())]
    prices = read_prices(a.models)
    D = Data(rows, prices)
    side = np.array([half_of(r) for r in rows])
    show("share of the strongest's cost", SHARES, digits=2)
    halves = []
    for h in (0, 1):
        halves.append(half(D, np.where(side == h)[0], np.where(side != h)[0]))
        show("judged half %d" % (1 - h), halves[-1])
    show("both", np.average(halves, axis=0, weights=[np.mean(side != h) for h in (0, 1)]))


if __name__ == "__main__":
    main()
