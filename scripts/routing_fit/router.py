"""Fits on some questions and decides on others, as the product does."""
import numpy as np

from .data import rank_of, scale
from .numerics import fit_difficulty, logistic, logit, ridge, sigmoid

LAYERS = ("L0", "L1", "L2", "L3")


class Router:
    """fits on the questions `fit` (indices into data.rows) and decides on others"""

    def __init__(self, data, fit, seed=0, signals=None, text=True, prior=True, l2=(15.0, 30.0)):
        D = self.D = data
        self.text, self.prior, self.l2 = text, prior, l2
        K = len(D.known)
        fit = np.asarray(fit)
        rng = np.random.RandomState(1000 + seed)
        self.mu, self.sd, H = scale(D.X[fit], D.X)
        if signals is not None:
            H = H * np.array([s in signals for s in D.names])
        self.H = H
        ok = (D.Y * D.mask).sum(0) / np.maximum(D.mask.sum(0), 1) >= 0.35
        self.used = np.where(ok)[0]
        inner = rng.randint(0, 4, len(fit))
        pos = {q: a for a, q in enumerate(D.t)}
        d = np.zeros(len(D.rows))
        ins = np.zeros(len(D.rows), bool)
        ins[fit] = True
        for f in range(4):
            g = self.difficulty(fit[inner != f])
            k = fit[inner == f]
            d[k] = H[k] @ g["wh"] + D.G[k] @ g["wg"]
        self.g = self.difficulty(fit)
        d[~ins] = H[~ins] @ self.g["wh"] + D.G[~ins] @ self.g["wg"]
        self.d = d
        # the layers' priors: the mean of their models' lines
        self.layer = {}
        for L in LAYERS:
            k = [a for a, j in enumerate(self.used) if D.prices[D.models[j]]["tier"] == L]
            if k:
                self.layer[L] = (float(np.mean(self.g["b"][k])), float(np.mean(self.g["c"][k])))
        # what follows needs texts
        tf = np.array([pos[q] for q in fit if q in pos])
        self.tf = tf
        in4 = {q: inner[a] for a, q in enumerate(fit)}
        fold = np.array([in4[D.t[a]] for a in tf])
        self.fold = fold
        Q = np.column_stack([H[D.t] * 0.6, d[D.t], np.ones(len(D.t))])
        self.Q = Q
        self.head = np.zeros((K, Q.shape[1]))
        A = np.zeros((len(D.t), K))
        out = np.setdiff1d(np.arange(len(D.t)), tf)
        for m in range(K):
            self.head[m] = logistic(Q[tf], D.y[tf, m], 60)
            A[out, m] = Q[out] @ self.head[m]
            for f in range(4):
                b = logistic(Q[tf[fold != f]], D.y[tf[fold != f], m], 60)
                A[tf[fold == f], m] = Q[tf[fold == f]] @ b
        self.A, self.head = self.stacked(np.clip(A, -5, 5))
        # prices: a line for the log of the cost, and a factor that makes the mean right
        self.top = K - 1
        self.unit = D.cost[tf, self.top].mean()
        self.ec = np.zeros((len(D.t), K))
        self.cost_head = []
        for m in range(K):
            b = ridge(Q[tf], np.log(D.cost[tf, m] / self.unit), 10)
            e = np.exp(Q @ b)
            k = (D.cost[tf, m] / self.unit).mean() / e[tf].mean()
            self.cost_head.append((b, k))
            self.ec[:, m] = e * k
        self.tmu, self.tsd = D.T[tf].mean(0), D.T[tf].std(0) + 1e-6
        self.T = np.clip((D.T - self.tmu) / self.tsd, -3, 3)
        self.rank = rank_of(D.known, D.prices)
        self.fit_policy()

    def stacked(self, A, l2=5):
        """Each model's line again, over the lines of all models and the signals that tell kinds of questions apart: what
        says that one model is right says something of every other, and a line of its own per model is noise where two
        are compared. It is a line over the question's columns still. -> logits, lines"""
        kinds = [self.D.names.index(k) for k in ("code", "tex")]
        X = np.column_stack([A / 2, self.Q[:, kinds], np.ones(len(A))])
        K = A.shape[1]
        W = np.array([logistic(X[self.tf], self.D.y[self.tf, m], l2) for m in range(K)])
        head = W[:, :K] / 2 @ self.head
        head[:, kinds] += W[:, K:-1]
        head[:, -1] += W[:, -1]
        return np.clip(X @ W.T, -5, 5), head

    def difficulty(self, k):
        D = self.D
        return fit_difficulty(self.H[k], D.G[k], D.Y[np.ix_(k, self.used)],
                              D.mask[np.ix_(k, self.used)])

    # -------------------------------------------------- verdict over a set of called models

    def best(self, S):
        """the answer with most votes; among equals that of the highest ranked model"""
        cls = self.D.cls
        out = np.zeros(len(cls), int)
        for i, c in enumerate(cls):
            votes = {m: sum(c[k] == c[m] for k in S) if c[m] >= 0 else -9 for m in S}
            out[i] = max(S, key=lambda m: (votes[m], self.rank[m]))
        return out

    def verdict_signals(self, S):
        D = self.D
        ch = self.best(S)
        n = len(ch)
        ar = np.arange(n)
        rep = D.cls[ar, ch]
        f, names = [], []
        ag = {m: (D.cls[:, m] == rep) & (rep >= 0) for m in S}
        for m in S:
            f += [ag[m], D.cls[:, m] < 0]
            names += ["for:%d" % m, "empty:%d" % m]
        for a in range(len(S)):
            for b in range(a):
                f.append((D.cls[:, S[a]] == D.cls[:, S[b]]) & (D.cls[:, S[a]] >= 0))
                names.append("pair:%d,%d" % (S[b], S[a]))
        sup = sum(ag[m].astype(int) for m in S)
        for k in range(1, len(S) + 1):
            f += [sup == k, (sup == k) * D.code, (sup == k) * D.tex]
            names += ["votes:%d" % k, "votes:%d*code" % k, "votes:%d*tex" % k]
        f.append(np.array([len(set(c[list(S)]) - {-1}) for c in D.cls]))
        names.append("answers")
        X = [np.array(f, float).T]
        if self.prior:
            X += [self.A[ar, ch][:, None], self.A[:, [self.top]], self.d[D.t][:, None]]
            names += ["prior", "prior:top", "difficulty"]
        if self.text:
            t = self.T[ar, ch]
            X += [t, t * D.code[:, None] * 0.7, t * D.tex[:, None] * 0.7]
            names += [p + k for p in ("text.", "code*text.", "tex*text.") for k in D.tnames]
            for m in S:
                X.append(self.T[:, m] * 0.6)
                names += ["text%d." % m + k for k in D.tnames]
        X.append(np.ones((n, 1)))
        names.append("1")
        return np.hstack(X), ch, sup, names

    def fit_policy(self):
        D, K, top = self.D, len(self.D.known), self.top
        tf, fold = self.tf, self.fold
        ar = np.arange(len(D.t))
        self.panel = tuple(range(min(3, K - 1)))
        self.mids = [m for m in range(K - 1) if m not in self.panel]
        self.set = {"p": self.panel}
        for m in self.mids:
            self.set[m] = self.panel + (m,)
        self.V, self.P, self.R, self.names = {}, {}, {}, {}
        self.choice = {}
        for k, S in self.set.items():
            X, ch, sup, names = self.verdict_signals(S)
            R = D.y[ar, ch]
            l2 = self.l2[0 if k == "p" else 1]
            self.V[k], self.names[k] = logistic(X[tf], R[tf], l2), names
            p = sigmoid(X @ self.V[k])
            for f in range(4):
                b = logistic(X[tf[fold != f]], R[tf[fold != f]], l2)
                p[tf[fold == f]] = sigmoid(X[tf[fold == f]] @ b)
            self.P[k], self.R[k], self.choice[k] = p, R, ch
            if k == "p":
                self.sup = sup
        # the strongest, with the panel's answer where it has none
        self.last = {k: np.where(D.cls[:, top] < 0, self.R[k], D.y[:, top]) for k in self.set}
        Q = self.Q
        self.po_head = logistic(Q[tf], self.last["p"][tf], 40)
        self.po = sigmoid(Q @ self.po_head)
        Z = self.Z = self.state_signals()
        self.L = {"top": logistic(Z[tf], self.last["p"][tf], 20)}
        self.pos = sigmoid(Z @ self.L["top"])
        self.ag = {}
        for m in self.mids:
            ag = (D.cls[:, m] == D.cls[ar, self.choice["p"]]) & (D.cls[:, m] >= 0)
            self.L["agree", m] = logistic(Z[tf], ag[tf] * 1.0, 10)
            for v in (0, 1):
                w = tf[ag[tf] == v]
                self.L["p", m, v] = ridge(Z[w], logit(self.P[m][w]), 10)
            # the strongest one's chance once this model has answered
            self.L["top", m] = logistic(self.state_signals(m)[tf], self.last[m][tf], 20)
        s = np.maximum(self.sup, 1)
        for v in range(1, len(self.panel) + 1):
            self.L["votes", v] = logistic(Q[tf], (s[tf] == v) * 1.0, 20)
            w = tf[s[tf] == v]
            self.L["pv", v] = ridge(Q[w], logit(self.P["p"][w]), 20)

    def state_signals(self, m=None):
        D = self.D
        l, lo = logit(self.P["p" if m is None else m]), logit(self.po)
        return np.column_stack([l, l * l / 4, lo, self.sup == 2, self.sup == 3, D.code, D.tex,
                                D.code * l, D.tex * l, self.H[D.t] * 0.3, np.ones(len(D.t))])

    # -------------------------------------------------- the policy

    def run(self, te, lam, mids=None, first=True, fallback=True):
        """te: indices into data.t -> right, cost (share of the strongest's mean), step taken"""
        D, top, panel = self.D, self.top, list(self.panel)
        mids = self.mids if mids is None else mids
        c = D.cost[te] / self.unit
        ec = self.ec[te]
        p = self.P["p"][te]
        Z = self.Z[te]
        vo = self.pos[te] - lam * ec[:, top]
        step = np.where(p >= vo, -1, top)
        best = np.maximum(p, vo)
        for m in mids:
            pi = sigmoid(Z @ self.L["agree", m])
            pa, pd = sigmoid(Z @ self.L["p", m, 1]), sigmoid(Z @ self.L["p", m, 0])
            v = pi * np.maximum(pa, vo) + (1 - pi) * np.maximum(pd, vo) - lam * ec[:, m]
            step = np.where(v > best, m, step)
            best = np.maximum(best, v)
        # before anything is asked: straight to the strongest where the panel would not help
        Q = self.Q[te]
        ps = np.stack([sigmoid(Q @ self.L["votes", v]) for v in range(1, len(panel) + 1)], 1)
        ps /= ps.sum(1, keepdims=True)
        pp = np.stack([sigmoid(Q @ self.L["pv", v]) for v in range(1, len(panel) + 1)], 1)
        v0 = self.po[te] - lam * ec[:, top]
        vp = (ps * np.maximum(pp, v0[:, None])).sum(1) - lam * ec[:, panel].sum(1)
        direct = (v0 > vp) & first
        cost = c[:, panel].sum(1)
        right = self.R["p"][te].copy()
        empty = D.cls[te, top] < 0
        k = step == top
        cost[k] += c[k, top]
        right[k] = self.last["p"][te][k] if fallback else D.y[te, top][k]
        for m in mids:
            k = step == m
            cost[k] += c[k, m]
            vo2 = sigmoid(self.state_signals(m)[te] @ self.L["top", m]) - lam * ec[:, top]
            up = k & (self.P[m][te] < vo2)
            right[k] = self.R[m][te][k]
            cost[up] += c[up, top]
            right[up] = self.last[m][te][up] if fallback else D.y[te, top][up]
        # straight to the strongest; the panel only where that one has no answer
        k = direct
        cost[k] = c[k, top] + np.where(empty[k] & fallback, c[k][:, panel].sum(1), 0)
        right[k] = self.last["p"][te][k] if fallback else D.y[te, top][k]
        step = np.where(direct, 100, step)
        return right, cost * self.unit, step


def layer_lines(R):
    """logit P = b + c * d per layer; one slope for all, since the upper layers have few models"""
    D = R.D
    c = float(np.mean(R.g["c"][[a for a, j in enumerate(R.used) if D.prices[D.models[j]]["tier"]
                                in ("L0", "L1")]]))
    out, least = {}, -9.0
    for L in LAYERS:
        k = [a for a, j in enumerate(R.used) if D.prices[D.models[j]]["tier"] == L]
        least = max(least, float(np.mean(R.g["b"][k])) if k else least + 0.8)
        out[L] = (least, c)
    return out
