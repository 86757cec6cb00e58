"""Regressions, and the minimum of a function."""
import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-np.clip(z, -30, 30)))


def logit(p, cap=5.0):
    p = np.clip(p, 1e-9, 1 - 1e-9)
    return np.clip(np.log(p / (1 - p)), -cap, cap)


def logistic(X, y, l2, steps=12):
    """ridge logistic regression by Newton's method; the last column is the constant"""
    b = np.zeros(X.shape[1])
    R = np.full(len(b), float(l2))
    R[-1] = 1e-3
    for _ in range(steps):
        p = sigmoid(X @ b)
        H = (X * (p * (1 - p))[:, None]).T @ X
        H[np.diag_indices(len(b))] += R
        s = np.linalg.solve(H, X.T @ (p - y) + R * b)
        b -= s
        if np.abs(s).max() < 1e-6:
            break
    return b


def ridge(X, y, l2):
    R = np.full(X.shape[1], float(l2))
    R[-1] = 1e-3
    return np.linalg.solve(X.T @ X + np.diag(R), X.T @ y)


def lbfgs(fun, x, steps, keep=8):
    f, g = fun(x)
    S, D = [], []
    for _ in range(steps):
        q = g.copy()
        al = []
        for s, d in zip(reversed(S), reversed(D)):
            a = (s @ q) / (s @ d)
            al.append(a)
            q -= a * d
        if S:
            q *= (S[-1] @ D[-1]) / (D[-1] @ D[-1])
        else:
            q /= max(np.abs(g).max(), 1e-9)
        for (s, d), a in zip(zip(S, D), reversed(al)):
            q += s * (a - (d @ q) / (s @ d))
        slope = -(g @ q)
        if slope > -1e-10:
            break
        t = 1.0
        for _ in range(20):
            f2, g2 = fun(x - t * q)
            if f2 <= f + 1e-4 * t * slope:
                break
            t /= 2
        else:
            break
        s, d = -t * q, g2 - g
        if s @ d > 1e-12:
            S.append(s)
            D.append(d)
            S, D = S[-keep:], D[-keep:]
        done = abs(f - f2) < 1e-6 * max(abs(f), 1)
        x, f, g = x - t * q, f2, g2
        if done:
            break
    return x


def fit_difficulty(H, G, Y, mask, l2h=3.0, l2g=1.0, steps=60):
    """rank one: logit P(model m is right) = b_m + c_m * d(q), d = wh . signals + wg . n-grams.
    Y and mask are questions x models; scores between 0 and 1 are taken as they are."""
    X = np.hstack([H, G]).astype(np.float32)
    n, D = X.shape
    m = Y.shape[1]
    R = np.concatenate([np.full(H.shape[1], l2h), np.full(G.shape[1], l2g)])
    tot = mask.sum()
    mean = (Y * mask).sum(0) / np.maximum(mask.sum(0), 1)
    x0 = np.concatenate([np.zeros(D), logit(mean), np.zeros(m)])

    def fun(x):
        w, b, lc = x[:D], x[D:D + m], x[D + m:]
        c = np.exp(lc)
        d = (X @ w.astype(np.float32)).astype(np.float64)
        z = b + d[:, None] * c
        p = sigmoid(z)
        f = (mask * (np.logaddexp(0, z) - Y * z)).sum() + 0.5 * (R * w * w).sum() \
            + 2.0 * (lc * lc).sum() + 0.05 * (b * b).sum()
        e = mask * (p - Y)
        gd = e @ c
        g = np.concatenate([(X.T @ gd.astype(np.float32)).astype(np.float64) + R * w,
                            e.sum(0) + 0.1 * b, (e * d[:, None]).sum(0) * c + 4.0 * lc])
        return f / tot, g / tot

    x0[0] = 1e-3
    x = lbfgs(fun, x0, steps)
    return {"wh": x[:H.shape[1]], "wg": x[H.shape[1]:D], "b": x[D:D + m], "c": np.exp(x[D + m:])}
