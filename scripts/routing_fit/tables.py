"""What a fit prints: the curve, the router without some of its parts, and models that it does not know."""
import numpy as np

from .data import scale
from .evaluate import LAMBDAS, SHARES, apgr, at_shares, cross_validate, folds, interval, show, sweep
from .numerics import fit_difficulty, sigmoid
from .question import WORDS
from .router import Router, layer_lines
from .tasks import CHECKS, complexity, task_of


def curve(D, seeds):
    """accuracy at shares of the strongest's cost, by source and lambda, and how well chances are foretold"""
    runs = cross_validate(D, seeds)
    out = sweep(D, runs)
    one = D.y[:, -1].mean()
    acc = np.array([at_shares(D, r, c) for r, c in out])
    lo, hi = interval(D, out)
    print("\nFive folds, %d seeds: never a question that was fitted on" % len(seeds))
    show("share of the strongest's cost", SHARES)
    show("accuracy", acc.mean(0))
    show("accuracy - strongest", acc.mean(0) - one, digits=4)
    show("  deviation between seeds", acc.std(0), digits=4)
    show("  95 % from", lo, digits=4)
    show("  95 % to", hi, digits=4)
    for s in sorted(set(D.src)):
        k = np.where(D.src == s)[0]
        show("%s (%.3f)" % (s, D.y[k, -1].mean()), np.mean(
            [at_shares(D, r, c, k) for r, c in out], 0))
    print("\nlambda: accuracy, share of cost")
    for i, lam in enumerate(LAMBDAS):
        print("  %.2f  %.4f  %.3f" % (lam, np.mean([r[i].mean() for r, c in out]), np.mean(
            [c[i].mean() for r, c in out]) / D.cost[:, -1].mean()))
    e = []
    for parts in runs:
        for te, R in parts:
            e += list(zip(R.P["p"][te], R.R["p"][te]))
    e = np.array(e)
    print("\nCalibration of the panel's verdict: foretold, true, questions")
    for x, y in ((0, .2), (.2, .4), (.4, .6), (.6, .8), (.8, .9), (.9, .95), (.95, 1.01)):
        k = (e[:, 0] >= x) & (e[:, 0] < y)
        print("  %.3f  %.3f  %d" % (e[k, 0].mean(), e[k, 1].mean(), k.sum() / len(seeds)))
    half = []
    for s in seeds:
        k = np.random.RandomState(50 + s).permutation(len(D.rows))
        R = Router(D, np.sort(k[:len(k) // 2]), s)
        te = np.setdiff1d(np.arange(len(D.t)), R.tf)
        r, c = np.zeros((len(LAMBDAS), len(D.t))), np.zeros((len(LAMBDAS), len(D.t)))
        for i, lam in enumerate(LAMBDAS):
            r[i, te], c[i, te], _ = R.run(te, lam)
        half.append(at_shares(D, r, c, te) - D.y[te, -1].mean())
    print("\nHalf to fit, half to report (%d seeds)" % len(seeds))
    show("accuracy - strongest", np.mean(half, 0), digits=4)
    show("  deviation between seeds", np.std(half, 0), digits=4)


PAIRS = (("mistral-7b-instruct-v0.3", "llama-3.1-nemotron-51b-instruct"),
         ("gemma-2-9b-it", "llama-3.1-nemotron-51b-instruct"),
         ("llama-3.1-8b-instruct", "llama-3.1-nemotron-51b-instruct"),
         ("Meta-Llama-3.1-8B-Instruct", "o1-mini-2024-09-12"),
         ("gemma-2-9b-it", "gpt-4o-2024-08-06"))
GROUPS = {"mmlu": ("mmlu",), "science choice": ("arc_challenge", "openbook_qa", "gpqa"),
          "common sense": ("commonsense_qa",), "math": ("math", "zeroeval/math-l5"),
          "gsm": ("gsm8k", "agentverse-mgsm", "zeroeval/gsm"), "code": ("mbpp", "human_eval"),
          "trivia": ("natural_qa", "trivia_qa")}


def difficulty_of(D, fit, H, G, cols):
    m = fit_difficulty(H[fit], G[fit], D.Y[np.ix_(fit, cols)], D.mask[np.ix_(fit, cols)])
    return H @ m["wh"] + G @ m["wg"]


def transfer(D):
    """two models that the fit has not seen; on questions it has not seen (five folds), and on a
    kind of question of which it has seen none"""
    print("\nTwo unknown models: APGR by hardest first / by largest expected gain (random 0.50)")
    print("columns: " + "; ".join("%s < %s" % (a[:12], b[:12]) for a, b in PAIRS))
    task = np.array([r.get("task") or r["source"] for r in D.rows])
    n = len(D.rows)
    use = [j for j in range(len(D.models))
           if (D.Y * D.mask).sum(0)[j] / D.mask.sum(0)[j] >= .35]
    fo = folds(n, 0)
    sums = {}

    def score(label, ds):
        """ds: pair -> difficulty of every question"""
        for g, ts in GROUPS.items():
            k = np.isin(task, ts)
            row = []
            for (a, b), d in zip(PAIRS, ds[g] if isinstance(ds, dict) else ds):
                q = np.where(k & (D.mask[:, D.col[a]] > 0) & (D.mask[:, D.col[b]] > 0))[0]
                wk, st = D.Y[q, D.col[a]], D.Y[q, D.col[b]]
                if len(q) < 50 or st.mean() - wk.mean() < 0.03:
                    row += [np.nan, np.nan]
                    continue
                gap = sigmoid(2.5 + 2.2 * d[q]) - sigmoid(-0.1 + 2.2 * d[q])
                row += [apgr(wk, st, np.argsort(d[q], kind="stable")),
                        apgr(wk, st, np.argsort(-gap, kind="stable"))]
            show("%s: %s" % (label, g), row)
            sums.setdefault(label, []).append(row)

    for only in ("all", "signals", "n-grams"):
        ds = []
        for a, b in PAIRS:
            cols = [j for j in use if D.models[j] not in (a, b)]
            d = np.zeros(n)
            for f in range(5):
                fit = np.where(fo != f)[0]
                H = scale(D.X[fit], D.X)[2] * (only != "n-grams")
                x = difficulty_of(D, fit, H, D.G * (only != "signals"), cols)
                d[fo == f] = x[fo == f]
            ds.append(d)
        score("other questions, " + only, ds)
    ds = {}
    for g, ts in GROUPS.items():
        fit = np.where(~np.isin(task, ts))[0]
        H = scale(D.X[fit], D.X)[2]
        d = difficulty_of(D, fit, H, D.G, use)
        ds[g] = [d] * len(PAIRS)
    score("other kinds, all", ds)
    length = -D.X[:, D.names.index("bytes")]
    score("longest first", [length] * len(PAIRS))
    for k, v in sums.items():
        v = np.array(v)
        print(k.ljust(30), "mean over all cells: hardest first %.3f, expected gain %.3f" % (
            np.nanmean(v[:, 0::2]), np.nanmean(v[:, 1::2])))


def ablation(D, seeds):
    print("\nWhat each part contributes (difference of accuracy to the strongest)")
    show("share of the strongest's cost", SHARES)
    groups = {
        "length": ("bytes", "words", "lines", "word_length", "sentences", "commas"),
        "numbers": ("numbers", "distinct_numbers", "largest_number", "decimals", "percent",
                    "money"),
        "notation": ("tex", "scripts", "braces", "equals", "operators"),
        "code": ("code", "loops", "branches", "methods", "calls", "indexing", "quotes", "nesting"),
        "words": tuple("w_" + k for k in WORDS),
        "rest": ("repetition", "upper", "non_ascii", "blank"),
    }
    base = cross_validate(D, seeds)
    one = D.y[:, -1].mean()

    def line(label, out):
        show(label, np.mean([at_shares(D, r, c) for r, c in out], 0) - one, digits=4)
    line("everything", sweep(D, base))
    line("- models between (haiku, 4o)", sweep(D, base, mids=[]))
    line("- the straight way up", sweep(D, base, first=False))
    line("- panel's answer if top is empty", sweep(D, base, fallback=False))
    line("- texts' signals", sweep(D, cross_validate(D, seeds, text=False)))
    line("- priors and difficulty", sweep(D, cross_validate(D, seeds, prior=False)))
    G = D.G
    D.G = G * 0
    line("- n-grams", sweep(D, cross_validate(D, seeds)))
    D.G = G
    for g, names in groups.items():
        keep = set(D.names) - set(names)
        line("- signals: " + g, sweep(D, cross_validate(D, seeds, signals=keep)))


def leave_source_out(D):
    print("\nEach source with a fit on the others (accuracy at shares of its strongest's cost)")
    show("share", SHARES)
    for s in sorted(set(D.src)):
        te = np.where(D.src == s)[0]
        R = Router(D, np.where(D.source != s)[0])
        r, c = np.zeros((len(LAMBDAS), len(D.t))), np.zeros((len(LAMBDAS), len(D.t)))
        for i, lam in enumerate(LAMBDAS):
            r[i, te], c[i, te], _ = R.run(te, lam)
        show("%s (strongest %.3f)" % (s, D.y[te, -1].mean()), at_shares(D, r, c, te), 34)


def task_table(rows):
    """the kinds of task: checks made by hand, and the recorded questions"""
    bad = [(q, t, task_of(q)) for q, t in CHECKS if task_of(q) != t]
    print("\nTask type: %d of %d checks right" % (len(CHECKS) - len(bad), len(CHECKS)))
    for x in bad:
        print("  ", x)
    kinds = {}
    for r in rows:
        k = kinds.setdefault(r.get("task") or r["source"], {})
        t = task_of(r["question"])
        k[t] = k.get(t, 0) + 1
    for k in sorted(kinds):
        print("  %-22s %s" % (k, ", ".join("%s %.2f" % (t, v / sum(kinds[k].values()))
                                          for t, v in sorted(kinds[k].items()))))


def complexity_table(D, R, bits):
    """what is right at the lower layers for each class of complexity"""
    full = R.H @ R.g["wh"] + D.G @ R.g["wg"]
    pl = {L: sigmoid(b + c * full) for L, (b, c) in layer_lines(R).items()}
    print("Complexity: questions, right at L0, right at L1 (means of the layer's models)")
    cx = np.array([complexity(r["question"], pl["L0"][i], pl["L1"][i], bits)[0]
                   for i, r in enumerate(D.rows)])
    lay = {L: [j for j in R.used if D.prices[D.models[j]]["tier"] == L] for L in ("L0", "L1")}
    for c in ("simple", "medium", "complex"):
        k = cx == c
        v = [(D.Y[k][:, j] * D.mask[k][:, j]).sum() / D.mask[k][:, j].sum()
             for L in ("L0", "L1") for j in [lay[L]]]
        print("  %-8s %5d  %.3f  %.3f" % (c, k.sum(), v[0], v[1]))
