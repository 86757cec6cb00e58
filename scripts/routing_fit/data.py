"""The recorded outcomes as tables of numbers."""
import gzip
import json

import numpy as np

from .answers import answer_key, answer_signals, extract
from .question import gram_vector, question_signals

HIDDEN = 500            # hidden reasoning tokens assumed per call of a model that hides them


def read_rows(path):
    """the recorded outcomes, a question a line"""
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def read_prices(path):
    """what the recorded models cost, by name"""
    with open(path, encoding="utf-8") as f:
        return json.load(f)["models"]


class Data:
    """everything that is computed once"""

    def __init__(self, rows, prices):
        self.rows, self.prices = rows, prices
        n = len(rows)
        sig = [question_signals(r["question"]) for r in rows]
        self.names = list(sig[0])
        self.X = np.array([[s[k] for k in self.names] for s in sig])
        self.G = np.array([gram_vector(r["question"]) for r in rows], np.float32)
        self.source = np.array([r["source"] for r in rows])
        self.models = sorted({m for r in rows for m in r["outcomes"]},
                             key=lambda m: (prices[m]["tier"], prices[m]["output_usd_per_mtok"], m))
        self.col = {m: i for i, m in enumerate(self.models)}
        self.Y = np.zeros((n, len(self.models)))
        self.mask = np.zeros_like(self.Y)
        for i, r in enumerate(rows):
            for m, o in r["outcomes"].items():
                self.Y[i, self.col[m]] = float(o["correct"])
                self.mask[i, self.col[m]] = 1
        # the questions whose outcomes have texts; the models that have one on each of them
        self.t = np.array([i for i, r in enumerate(rows)
                           if all("text" in o for o in r["outcomes"].values())])
        full = [m for m in self.models if all(m in rows[i]["outcomes"] for i in self.t)]
        self.known = sorted(full, key=lambda m: (prices[m]["tier"],
                                                 prices[m]["output_usd_per_mtok"]))
        K, N = len(self.known), len(self.t)
        self.y = np.array([[float(rows[i]["outcomes"][m]["correct"]) for m in self.known]
                           for i in self.t]).reshape(N, K)
        self.cost = np.array([[self.price(m, rows[i]["outcomes"][m]) for m in self.known]
                              for i in self.t]).reshape(N, K)
        self.code = self.X[self.t, self.names.index("code")]
        self.tex = (self.X[self.t, self.names.index("tex")] > 0) * 1.0
        self.cls = np.full((N, K), -1)
        sigs = []
        self.raw = []
        for a, i in enumerate(self.t):
            r, first, row, raws = rows[i], {}, [], []
            for j, m in enumerate(self.known):
                o = r["outcomes"][m]
                raw, how = extract(o["text"])
                raws.append(raw)
                key = answer_key(raw, how, bool(self.code[a]))
                if key:
                    self.cls[a, j] = first.setdefault(key, j)
                row.append(answer_signals(o["text"], raw, how, r["question"], bool(self.code[a]),
                                          o["output_tokens"]))
            sigs.append(row)
            self.raw.append(raws)
        self.tnames = list(sigs[0][0])
        self.T = np.array([[[s[k] for k in self.tnames] for s in row] for row in sigs])
        self.src = self.source[self.t]

    def price(self, m, o, tokens=200):
        p = self.prices[m]
        out = o.get("output_tokens", tokens) + (HIDDEN if m.startswith("o1") else 0)
        return (o["input_tokens"] * p["input_usd_per_mtok"] + out * p["output_usd_per_mtok"]) / 1e6


def scale(train, X):
    mu, sd = train.mean(0), train.std(0) + 1e-6
    return mu, sd, np.clip((X - mu) / sd, -3, 3)


def rank_of(models, prices):
    """order among answers with equal votes: the layer, then (within it) the cheaper first"""
    return {j: (prices[m]["tier"], -prices[m]["output_usd_per_mtok"])
            for j, m in enumerate(models)}
