"""How well routers do, on questions that they were not fitted on."""
import numpy as np

from .router import Router


def apgr(weak, strong, order):
    """area under the recovered share of the gap, over the share of strong calls; random: 0.5"""
    n = len(order)
    acc = (weak.sum() + np.concatenate([[0], np.cumsum((strong - weak)[order])])) / n
    gap = strong.mean() - weak.mean()
    return float(np.mean((acc - weak.mean())[1:] / gap)) if gap > 0 else float("nan")


SHARES = (0.20, 0.27, 0.32, 0.37, 0.42, 0.47, 0.51, 0.59)
LAMBDAS = (.01, .02, .03, .04, .05, .06, .07, .08, .09, .1, .11, .13, .15, .17, .19, .22, .25, .28,
           .31, .35, .4, .5, .6)


def folds(n, seed, k=5):
    return np.random.RandomState(seed).permutation(n) % k


def cross_validate(D, seeds, **kw):
    """-> per seed a list of (questions told apart, router that has not seen them)"""
    at = {q: a for a, q in enumerate(D.t)}
    out = []
    for s in seeds:
        fo = folds(len(D.rows), s)
        out.append([(np.array([at[q] for q in D.t if fo[q] == f]),
                     Router(D, np.where(fo != f)[0], s, **kw)) for f in range(5)])
    return out


def sweep(D, runs, **kw):
    """-> per seed: right and cost of every question for each lambda"""
    out = []
    for parts in runs:
        r, c = np.zeros((len(LAMBDAS), len(D.t))), np.zeros((len(LAMBDAS), len(D.t)))
        for te, R in parts:
            for i, lam in enumerate(LAMBDAS):
                r[i, te], c[i, te], _ = R.run(te, lam, **kw)
        out.append((r, c))
    return out


def at_shares(D, r, c, k=None, shares=SHARES):
    """accuracy at shares of the always-strongest's cost, over the questions k"""
    k = np.arange(r.shape[1]) if k is None else k
    x = c[:, k].mean(1) / D.cost[k, -1].mean()
    o = np.argsort(x)
    return np.interp(shares, x[o], r[:, k].mean(1)[o])


def show(label, v, width=30, digits=3):
    print(label.ljust(width), " ".join(("%.*f" % (digits, x)).rjust(7) for x in v), flush=True)


def interval(D, out, shares=SHARES, draws=400):
    """over questions drawn anew (paired with the strongest) and over the seeds"""
    rng = np.random.RandomState(7)
    g = []
    for i in range(draws):
        r, c = out[i % len(out)]
        k = rng.randint(0, len(D.t), len(D.t))
        g.append(at_shares(D, r, c, k, shares) - D.y[k, -1].mean())
    return np.percentile(g, (2.5, 97.5), axis=0)
