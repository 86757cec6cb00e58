"""The routing model as a file."""
import base64
import hashlib
import json

import numpy as np

from . import gain
from .data import HIDDEN
from .question import BUCKETS, GRAMS, HEAD, TAIL
from .router import layer_lines
from .tasks import BITS, HARD, KNOWN, SIMPLE


def floats(a):
    return [float("%.5g" % x) for x in np.asarray(a, float).ravel()]


def packed(a):
    """int8 and one factor"""
    a = np.asarray(a, float)
    k = float(np.abs(a).max() / 127) or 1.0
    return {"scale": float("%.6g" % k),
            "int8": base64.b64encode(np.round(a / k).astype(np.int8).tobytes()).decode()}


def agreement(D, k):
    """P(best answer is right), and P(the strongest is right), by the votes of the best among three models, over all
    threes of models below the strongest: for models that the calibration does not know. Where the strongest has no
    answer, the best of the three counts as its."""
    kinds = {"code": D.code > 0, "tex": D.tex > 0, "other": (D.code == 0) & (D.tex == 0)}
    best = {g: [[0, 0] for _ in range(3)] for g in kinds}
    top = {g: [[0, 0] for _ in range(3)] for g in kinds}
    n = len(D.known) - 1
    for S in [(a, b, c) for a in range(n) for b in range(a + 1, n) for c in range(b + 1, n)]:
        for i in k:
            c = D.cls[i]
            v = {m: sum(c[j] == c[m] for j in S) if c[m] >= 0 else 0 for m in S}
            b = max(S, key=lambda m: (v[m], m))
            for g in kinds:
                if kinds[g][i]:
                    for t, y in ((best, D.y[i, b]), (top, D.y[i, n] if c[n] >= 0 else D.y[i, b])):
                        t[g][max(v[b], 1) - 1][0] += y
                        t[g][max(v[b], 1) - 1][1] += 1
    return tuple({g: [round((a + 1) / (b + 2), 4) for a, b in t[g]] for g in t} for t in (best, top))


def export(D, R, bits, seed):
    K = len(D.known)
    lines = layer_lines(R)
    of_three, after_three = agreement(D, R.tf)
    qn = [k for k in D.names] + ["difficulty", "1"]
    zn = ["verdict", "verdict^2/4", "top", "votes=2", "votes=3", "code", "tex", "code*verdict",
          "tex*verdict"] + D.names + ["1"]
    return {
        "format": 1, "seed": seed, "hidden_tokens": HIDDEN,
        "signals": {"names": D.names, "mean": floats(R.mu), "deviation": floats(R.sd), "clip": 3},
        "ngrams": {"sizes": list(GRAMS), "buckets": BUCKETS, "head": HEAD, "tail": TAIL,
                   "hash": "fnv1a-32, h ^ h>>16, mod buckets"},
        "difficulty": {"signals": floats(R.g["wh"]), "ngrams": packed(R.g["wg"])},
        "layers": {L: {"b": round(b, 4), "c": round(c, 4)} for L, (b, c) in lines.items()},
        "words": {"bits": BITS, "table": base64.b64encode(np.packbits(bits).tobytes()).decode(),
                  "hash": "fnv1a-32, h ^ h>>15, mod bits; bit 7 of byte 0 is word 0"},
        "complexity": {"simple": SIMPLE, "hard": HARD, "known": KNOWN},
        "text": {"names": D.tnames, "mean": [floats(x) for x in R.tmu],
                 "deviation": [floats(x) for x in R.tsd], "clip": 3},
        "models": [{"model": m, "layer": D.prices[m]["tier"], "prior": floats(R.head[j]),
                    "cost": floats(R.cost_head[j][0]), "cost_factor": float(R.cost_head[j][1]),
                    "usd_per_mtok": [D.prices[m][k + "_usd_per_mtok"] for k in ("input", "output")]}
                   for j, m in enumerate(D.known)],
        "unit_usd": float(R.unit), "question_columns": qn, "question_scale": 0.6,
        "panel": [D.known[j] for j in R.panel], "between": [D.known[m] for m in R.mids],
        "strongest": D.known[K - 1],
        "verdict": {"panel" if k == "p" else D.known[k]:
                    {"columns": R.names[k], "weights": floats(R.V[k])} for k in R.set},
        "state_columns": zn, "state_scale": 0.3,
        "top_first": floats(R.po_head), "top_after_panel": floats(R.L["top"]),
        "votes": [floats(R.L["votes", v]) for v in range(1, len(R.panel) + 1)],
        "verdict_at_votes": [floats(R.L["pv", v]) for v in range(1, len(R.panel) + 1)],
        "step": {D.known[m]: {"agrees": floats(R.L["agree", m]),
                              "verdict_if_agrees": floats(R.L["p", m, 1]),
                              "verdict_if_not": floats(R.L["p", m, 0]),
                              "top_after": floats(R.L["top", m])} for m in R.mids},
        "agreement_of_three": of_three, "strongest_after_three": after_three,
        # lambda: what a call of the strongest must add in accuracy to be worth it
        "quality": {"normal": 0.15, "high": 0.06, "critical": 0.02},
    }


def with_gain(m, rows):
    """the model with its `gain` section"""
    ease = gain.ease(m)
    m["gain"] = gain.make([r["question"] for r in rows], [ease(r["question"]) for r in rows], m["layers"])
    return m


def half_of(row):
    """0 or 1, by a hash of source and id: the same whatever stands beside it in the file"""
    return hashlib.sha256(("%s\n%s" % (row["source"], row["id"])).encode()).digest()[0] & 1


def written(m):
    """one member a line, so that a refit shows where it differs"""
    return "{\n" + ",\n".join("%s: %s" % (json.dumps(k), json.dumps(m[k])) for k in m) + "\n}\n"
