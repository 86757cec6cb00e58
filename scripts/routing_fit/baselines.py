"""Plainer routers, on the same questions."""

import numpy as np

from .evaluate import SHARES, show
from .router import LAYERS


def mix(D, j):
    """a model asked for a share of the questions at random"""
    return D.y[:, j].mean(), D.cost[:, j].mean() / D.cost[:, -1].mean()


def seed_layer(q):
    """the first heuristic: words, code markers, "explain" and "analyze" -> layer 0..3"""
    low = q.lower()
    s = (len(q.split()) > 100) + ("```" in q or "def " in q or "function" in low) \
        + any(w in low for w in ("explain", "analyze", "architecture", "debug", "design"))
    return min(s, 3)


def keyword_score(q):
    """keyword weights: code .30, reasoning .25, technical .25, length .10, simple -.05, steps .03"""
    low = q.lower()

    def hit(ws):
        return min(sum(w in low for w in ws) / 3.0, 1.0)
    return (.30 * hit(("def ", "class ", "import ", "```", "function", "return ", "code"))
            + .25 * hit(("prove", "step by step", "reason", "derive", "why", "explain", "analyze"))
            + .25 * hit(("algorithm", "database", "architecture", "distributed", "optimiz",
                         "complexity", "api", "matrix", "polynomial"))
            + .10 * min(len(q.split()) / 200, 1)
            - .05 * hit(("what is", "who is", "define", "hello", "thanks"))
            + .03 * hit(("first", "then", "finally", "next")) + .02 * min(q.count("?") / 3, 1))


def baselines(D):
    print("\nBaselines (accuracy, share of the strongest's cost)")
    q = [D.rows[i]["question"] for i in D.t]
    K = len(D.known)
    n, s = len(D.t), D.cost[:, -1].mean()
    for j, m in enumerate(D.known):
        show("always " + m, mix(D, j))
    tier = [D.prices[m]["tier"] for m in D.known]
    first = [tier.index(L) for L in LAYERS]
    lay = np.array([first[seed_layer(x)] for x in q])
    show("seed's heuristic", (D.y[np.arange(n), lay].mean(), D.cost[np.arange(n), lay].mean() / s))
    v = np.array([keyword_score(x) for x in q])
    lay = np.array([first[0 if x < .15 else 1 if x < .35 else 2 if x < .6 else 3] for x in v])
    show("keyword weights, own bounds",
         (D.y[np.arange(n), lay].mean(), D.cost[np.arange(n), lay].mean() / s))
    o = np.argsort(-v, kind="stable")
    x = (D.cost[:, 2].sum() + np.concatenate([[0], np.cumsum((D.cost[:, -1] - D.cost[:, 2])[o])]))
    y = (D.y[:, 2].sum() + np.concatenate([[0], np.cumsum((D.y[:, -1] - D.y[:, 2])[o])]))
    show("keyword order, L1 or strongest", np.interp(SHARES, x / n / s, y / n))
    for S in ((0, 2), (1, 2), (0, 1, 2)):
        ag = (D.cls[:, S[0]] >= 0) & np.all([D.cls[:, a] == D.cls[:, S[0]] for a in S], 0)
        show("agree else strongest: " + ",".join(str(a) for a in S), (
            np.where(ag, D.y[:, S[-1]], D.y[:, -1]).mean(),
            (D.cost[:, S].sum(1) + np.where(ag, 0, D.cost[:, -1])).mean() / s))
    any_ = D.y.max(1)
    cheap = np.where(any_ > 0, np.where(D.y > 0, D.cost, np.inf).min(1), D.cost.min(1))
    show("oracle", (any_.mean(), cheap.mean() / s))
    return K
