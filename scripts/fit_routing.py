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
import base64
import gzip
import hashlib
import json
import math
import re
import sys
import time

import numpy as np

HIDDEN = 500            # hidden reasoning tokens assumed per call of a model that hides them
BUCKETS = 2048
GRAMS = (2, 3, 4)
HEAD, TAIL = 2048, 2048  # bytes of a long question that are read for n-grams
PART = 3072             # bytes at each end of a long question that are read for signals
LAYERS = ("L0", "L1", "L2", "L3")

# ------------------------------------------------------------------ signals of the question

WORDS = {
    "cond": "if each every per unless when then after before while until",
    "cmp": "twice half times double triple third quarter fewer less more than",
    "constr": "distinct exactly least most only must without such integer integers positive real "
              "given denote satisfies satisfy let suppose",
    "search": "how many number ways probability possible sum product largest smallest greatest "
              "minimum maximum remainder divided",
    "geom": "triangle circle area radius square angle perpendicular parallel sphere plane point "
            "line segment cube polygon",
    "fun": "function polynomial matrix vector roots root complex sequence series base modulo log",
    "fact": "who when where which whose whom name called",
    "why": "why explain describe analyze compare evaluate prove show derive discuss",
    "neg": "not except never neither nor no cannot false incorrect",
    "make": "write create implement build generate design return make program",
    "told": "i me my we our you your he she his her they their",
}
WORDS = {k: frozenset(v.split()) for k, v in WORDS.items()}
WORD = re.compile(rb"[a-z']+")
NUMBER = re.compile(rb"[0-9]+(?:\.[0-9]+)?")
METHOD = re.compile(rb"\.[a-z_]+\(")
LOOP = re.compile(rb"(?m)^[ \t]*(?:for|while)[ (]")
BRANCH = re.compile(rb"(?m)^[ \t]*(?:if|elif|else)[ (:]")
INDENT = re.compile(rb"(?m)^(?:        |\t\t)")
STOP = re.compile(rb"[.?!](?:[ \t\r\n]|$)")


def lower(b):
    """ASCII letters only; every other byte stays"""
    return bytes(c + 32 if 65 <= c <= 90 else c for c in b)


def part(b):
    """what is read of a question: its ends where it is long, with a line's end between them"""
    return b if len(b) <= 2 * PART else b[:PART] + b"\n" + b[-PART:]


def is_code(b):
    """a definition and a call or a return: enough to take the question for one about code"""
    return (b"def " in b or b"function " in b or b"fn " in b or b"class " in b) and (
        b"return" in b or b"assert" in b) and b"(" in b


def log1(x):
    return math.log1p(x)


def question_signals(q):
    whole = q.encode("utf-8")
    b = part(whole)
    low = lower(b)
    words = [w.decode() for w in WORD.findall(low)]
    nums = NUMBER.findall(b)
    nw = len(words)
    distinct = len(set(words))
    tex = b.count(b"\\")
    f = {
        "bytes": log1(len(whole)), "words": log1(nw), "lines": log1(b.count(b"\n")),
        "word_length": sum(map(len, words)) / max(nw, 1),
        "sentences": log1(len(STOP.findall(b))),
        "numbers": log1(len(nums)), "distinct_numbers": log1(len(set(nums))),
        "largest_number": log1(max([min(float(x), 1e9) for x in nums], default=0.0)),
        "decimals": float(any(b"." in x for x in nums)),
        "percent": log1(b.count(b"%") + words.count("percent")),
        "money": log1(b.count(b"$")) if tex == 0 else 0.0,
        "tex": log1(tex), "scripts": log1(b.count(b"^") + b.count(b"_")),
        "braces": log1(b.count(b"{")), "equals": log1(b.count(b"=")),
        "operators": log1(sum(b.count(c) for c in (b"+", b"-", b"*", b"/", b"<", b">"))),
        "code": float(is_code(b)), "loops": log1(len(LOOP.findall(b))),
        "branches": log1(len(BRANCH.findall(b))), "methods": log1(len(METHOD.findall(low))),
        "calls": log1(b.count(b"(")), "indexing": log1(b.count(b"[")),
        "quotes": log1(b.count(b"'") + b.count(b'"')), "nesting": log1(len(INDENT.findall(b))),
        "repetition": 1 - distinct / max(nw, 1),
        "upper": sum(65 <= c <= 90 for c in b) / max(len(b), 1),
        "non_ascii": float(any(c > 127 for c in b)),
        "blank": float(b"___" in b), "commas": log1(b.count(b",")),
    }
    for k, v in WORDS.items():
        f["w_" + k] = log1(sum(w in v for w in words))
    return f


def fnv1a(b):
    h = 2166136261
    for c in b:
        h = ((h ^ c) * 16777619) & 0xFFFFFFFF
    return h


def gram_text(q):
    """lower case, digits as 0, each run of white space as one space; long texts: both ends"""
    b = q.encode("utf-8")
    if len(b) > HEAD + TAIL:
        b = b[:HEAD] + b" " + b[-TAIL:]
    b = re.sub(rb"[ \t\r\n\x0b\x0c]+", b" ", lower(b))
    return re.sub(rb"[0-9]", b"0", b)


def gram_vector(q):
    """buckets of FNV-1a (32 bit) of every byte n-gram; 1 + ln(count), then length 1"""
    t = np.frombuffer(gram_text(q), np.uint8).astype(np.uint64)
    v = np.zeros(BUCKETS, np.float64)
    for n in GRAMS:
        if len(t) < n:
            continue
        h = np.full(len(t) - n + 1, 2166136261, np.uint64)
        for i in range(n):
            h = ((h ^ t[i:len(t) - n + 1 + i]) * np.uint64(16777619)) & np.uint64(0xFFFFFFFF)
        h = (h ^ (h >> np.uint64(16))) % np.uint64(BUCKETS)
        v += np.bincount(h.astype(np.int64), minlength=BUCKETS)
    v = np.where(v > 0, 1 + np.log(np.maximum(v, 1)), 0)
    return v / max(np.linalg.norm(v), 1e-9)


# ------------------------------------------------------------------ the final answer of a text


def extract(text):
    """-> (raw answer, how it was found): the last "answer" member, else \\boxed{}, else a phrase, else all of it"""
    best, pos = None, 0
    while True:
        i = text.find('"answer"', pos)
        if i < 0:
            break
        pos = j = i + 8
        n = len(text)
        while j < n and text[j] in " \t\r\n":
            j += 1
        if j >= n or text[j] != ":":
            continue
        j += 1
        while j < n and text[j] in " \t\r\n":
            j += 1
        if j >= n:
            continue
        if text[j] == '"':
            # up to a quote that is followed by the line's end, a brace, or a comma and a line's
            # end; failing that the last quote of the line
            k, last = j + 1, -1
            while k < n and text[k] != "\n":
                if text[k] == "\\":
                    k += 2
                    continue
                if text[k] == '"':
                    last = k
                    m = k + 1
                    while m < n and text[m] in " \t\r":
                        m += 1
                    if m >= n or text[m] in "\n}":
                        break
                    if text[m] == ",":
                        m += 1
                        while m < n and text[m] in " \t\r":
                            m += 1
                        if m >= n or text[m] == "\n":
                            break
                k += 1
            v = text[j + 1:last if last >= 0 else k]
        else:
            depth, k, q = 0, j, None
            while k < n and text[k] != "\n":
                c = text[k]
                if q:
                    if c == "\\":
                        k += 1
                    elif c == q:
                        q = None
                elif c in "\"'":
                    q = c
                elif c in "([{":
                    depth += 1
                elif c in ")]}":
                    if depth == 0:
                        break
                    depth -= 1
                elif c == "," and depth == 0:
                    break
                k += 1
            v = text[j:k]
        v = v.strip()
        if not v or v.strip("_"):
            best = v
    if best is not None:
        return best, "member"
    i = text.rfind("\\boxed")
    j = text.find("{", i) if i >= 0 else -1
    if j >= 0:
        d = 0
        for k in range(j, len(text)):
            d += (text[k] == "{") - (text[k] == "}")
            if d == 0:
                return text[j + 1:k].strip(), "boxed"
    low = text.lower() if text.isascii() else "".join(
        chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)
    at = max((i + len(p) for p in ("answer is", "answer:") for i in [low.rfind(p)] if i >= 0),
             default=-1)
    if at >= 0:
        v = text[at:].split("\n")[0].strip().strip("*").rstrip(".").strip()
        if v:
            return v, "phrase"
    v = bare(text)
    return ("", "none") if v is None else (v, "phrase")


def bare(text):
    """a text that is nothing but its answer: one short line with a number, a literal or a choice's letter; else None"""
    v = text.strip()
    if len(v.encode()) > 64 or "\n" in v:
        return None
    v = v.lstrip("#").strip().strip("*`$ ").rstrip(".").strip("*`$ ")
    letter = v[1:-1] if v[:1] == "(" and v[-1:] == ")" else v
    if len(letter) == 1 and letter in "ABCDEFGH" or numeric(v) is not None:
        return v
    try:
        Literal(v).whole()
    except ValueError:
        return None
    return v


def quoted(s):
    return '"' + s.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def number_form(x):
    if math.isinf(x) or math.isnan(x):
        return "nan"
    return str(int(x)) if abs(x) < 1e15 and x == int(x) else "%.6g" % x


PLAIN = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")
INTEGER = re.compile(r"[+-]?[0-9]+\Z")


class Literal:
    """a Python literal -> its normal form; ValueError for anything else"""

    def __init__(self, t):
        self.t, self.i = t, 0

    def blanks(self):
        while self.i < len(self.t) and self.t[self.i] in " \t\r\n":
            self.i += 1

    def at(self):
        return self.t[self.i] if self.i < len(self.t) else ""

    def whole(self):
        v = self.value(0)
        self.blanks()
        if self.i != len(self.t):
            raise ValueError
        return v

    def value(self, depth):
        self.blanks()
        c = self.at()
        if depth > 32 or not c:
            raise ValueError
        if c in "'\"":
            return quoted(self.string())
        if c in "bB" and self.t[self.i + 1:self.i + 2] in ("'", '"'):
            self.i += 1
            return "b" + quoted(self.string())
        if c == "[":
            return "[" + ",".join(self.items("]", depth)[0]) + "]"
        if c == "(":
            v, comma = self.items(")", depth)
            return v[0] if len(v) == 1 and not comma else "(" + ",".join(v) + ")"
        if c == "{":
            return self.braces(depth)
        for w in ("True", "False", "None", "set()"):
            if self.t.startswith(w, self.i):
                self.i += len(w)
                return w
        j = self.i
        while j < len(self.t) and (self.t[j] in "+-._" or self.t[j].isalnum()):
            j += 1
        w = self.t[self.i:j]
        if not PLAIN.match(w):
            raise ValueError
        self.i = j
        if INTEGER.match(w):
            return str(int(w)) if len(w) < 40 else w.lstrip("+")
        x = float(w)
        return number_form(x) + (".0" if x == x and abs(x) < 1e15 and x == int(x) else "")

    def items(self, end, depth):
        self.i += 1
        out, comma = [], False
        self.blanks()
        if self.at() == end:
            self.i += 1
            return out, True
        while True:
            out.append(self.value(depth + 1))
            self.blanks()
            comma = self.at() == ","
            if comma:
                self.i += 1
                self.blanks()
            if self.at() == end:
                self.i += 1
                return out, comma
            if not comma:
                raise ValueError

    def braces(self, depth):
        self.i += 1
        self.blanks()
        if self.at() == "}":
            self.i += 1
            return "{:}"
        d, kind = {}, None
        while True:
            k = self.value(depth + 1)
            self.blanks()
            pair = self.at() == ":"
            if kind is not None and kind != pair:
                raise ValueError
            kind = pair
            if pair:
                self.i += 1
                d[k] = self.value(depth + 1)
                self.blanks()
            else:
                d[k] = ""
            comma = self.at() == ","
            if comma:
                self.i += 1
                self.blanks()
            if self.at() == "}":
                self.i += 1
                break
            if not comma:
                raise ValueError
        return "{" + ",".join(k + ":" + d[k] if kind else k for k in sorted(d)) + "}"

    def string(self):
        """adjacent strings are joined"""
        out = []
        while self.at() and self.at() in "'\"":
            q = self.at()
            self.i += 1
            while self.at() != q:
                c = self.at()
                if not c:
                    raise ValueError
                if c == "\\" and self.i + 1 < len(self.t):
                    n = self.t[self.i + 1]
                    out.append({"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'",
                                '"': '"'}.get(n, "\\" + n))
                    self.i += 2
                else:
                    out.append(c)
                    self.i += 1
            self.i += 1
            save = self.i
            self.blanks()
            if not self.at() or self.at() not in "'\"":
                self.i = save
                break
        return "".join(out)


class Sum:
    """a closed arithmetic expression (+ - * / ^ ! brackets, \\frac, \\sqrt, \\pi) -> float"""

    def __init__(self, t):
        self.t, self.i, self.depth = t, 0, 0

    def at(self):
        while self.i < len(self.t) and self.t[self.i] == " ":
            self.i += 1
        return self.t[self.i] if self.i < len(self.t) else ""

    def whole(self):
        v = self.sum()
        if self.at() or isinstance(v, complex):
            raise ValueError
        return v

    def sum(self):
        self.depth += 1
        if self.depth > 40:
            raise ValueError
        v = self.product()
        while self.at() and self.at() in "+-":
            c = self.at()
            self.i += 1
            w = self.product()
            v = v + w if c == "+" else v - w
        self.depth -= 1
        return v

    def product(self):
        v = self.signed()
        while True:
            c = self.at()
            if c == "*":
                self.i += 1
                v *= self.signed()
            elif c == "/":
                self.i += 1
                v /= self.signed()
            elif c and c in "(\\√π":
                v *= self.power()
            else:
                return v

    def signed(self):
        sign = 1.0
        while self.at() and self.at() in "+-":
            sign = -sign if self.at() == "-" else sign
            self.i += 1
        return sign * self.power()

    def power(self):
        v = self.atom()
        while self.at() == "!":
            self.i += 1
            if v != int(v) or not 0 <= v <= 25:
                raise ValueError
            v = float(math.factorial(int(v)))
        if self.at() == "^":
            self.i += 1
            e = self.group() if self.at() == "{" else self.signed()
            if abs(e) > 400:
                raise ValueError
            v = v ** e
            if isinstance(v, complex):
                raise ValueError
        return v

    def group(self):
        if self.at() == "{":
            self.i += 1
            v = self.sum()
            if self.at() != "}":
                raise ValueError
            self.i += 1
            return v
        c = self.at()
        if c and c in "0123456789":
            self.i += 1
            return float(c)
        raise ValueError

    def atom(self):
        c, t = self.at(), self.t
        if c and c in "({":
            self.i += 1
            v = self.sum()
            if self.at() != (")" if c == "(" else "}"):
                raise ValueError
            self.i += 1
            return v
        if c == "√":
            self.i += 1
            v = self.atom()
            if v < 0:
                raise ValueError
            return v ** 0.5
        if c == "π":
            self.i += 1
            return math.pi
        if c == "\\":
            for w in ("\\frac", "\\dfrac", "\\tfrac"):
                if t.startswith(w, self.i):
                    self.i += len(w)
                    a = self.group()
                    return a / self.group()
            if t.startswith("\\sqrt", self.i):
                self.i += 5
                v = self.group()
                if v < 0:
                    raise ValueError
                return v ** 0.5
            if t.startswith("\\pi", self.i):
                self.i += 3
                return math.pi
            raise ValueError
        j = self.i
        while j < len(t) and t[j] in "0123456789.":
            j += 1
        if j == self.i:
            raise ValueError
        v = float(t[self.i:j])
        self.i = j
        return v


DROP = (("\\\\", "\\"), ("\\$", ""), ("$", ""), ("\\left", ""), ("\\right", ""), ("\\!", ""),
        ("\\,", ""), ("\\;", ""), ("\\ ", " "), ("\\%", ""), ("%", ""), ("\\cdot", "*"),
        ("\\times", "*"), ("×", "*"), ("·", "*"), ("÷", "/"), ("−", "-"), ("**", "^"),
        ("\\(", ""), ("\\)", ""), ("\\[", ""), ("\\]", ""), ("^\\circ", ""), ("^{\\circ}", ""),
        ("°", ""), ("£", ""), ("€", ""))
TEXTUAL = re.compile(r"\\(?:text|mathrm|textbf|mathbf)\{([^{}]*)\}")
MIXED = re.compile(r"([0-9]+) ([0-9]+)/([0-9]+)\Z")


def ungroup(t):
    """thousands separators: a comma between a digit and exactly three digits"""
    out = []
    for i, c in enumerate(t):
        if c == "," and i and t[i - 1].isdigit() and t[i + 1:i + 4].isdigit() \
                and len(t[i + 1:i + 4]) == 3 and not t[i + 4:i + 5].isdigit():
            continue
        out.append(c)
    return "".join(out)


def numeric(raw):
    """the number that an answer states, or None"""
    t = raw.strip().strip("*").strip()
    if not t or len(t) > 400:
        return None
    for x, y in DROP:
        t = t.replace(x, y)
    t = ungroup(TEXTUAL.sub(r" \1", t))
    if "=" in t and "==" not in t:
        t = t.rsplit("=", 1)[1]
    w = t.strip().rstrip(".").strip().split()
    while len(w) > 1 and w[-1].strip(".,").isalpha():
        w.pop()
    while len(w) > 1 and w[0].strip(".,:").isalpha():
        w.pop(0)
    t = " ".join(w)
    if len(t) > 200:
        return None
    try:
        m = MIXED.match(t)
        return float(m[1]) + float(m[2]) / float(m[3]) if m else Sum(t).whole()
    except (ValueError, ZeroDivisionError, OverflowError):
        return None


def answer_key(raw, how, literal):
    """the normal form; "" for no answer. Two answers agree when their forms are equal."""
    if how == "none":
        return ""
    if literal:
        t = raw.strip().strip("`").strip()
        if t.startswith("assert") and "==" in t:
            t = t[t.rfind("==") + 2:].strip()
        v = None
        for u in (t, t.replace('\\"', '"').replace("\\\\", "\\")):
            try:
                v = Literal(u).whole()
                break
            except ValueError:
                pass
        if v is None:
            v = quoted(t)
        # a string may come with or without its own quotes
        return "=" + (v[1:-1] if v[:1] == '"' and v[-1:] == '"' and len(v) > 1 else v)
    v = numeric(raw)
    if v is not None:
        return "=" + number_form(v)
    t = " ".join(raw.lower().replace("\\\\", "\\").split()).rstrip(".").strip("*$ ")
    return "=" + t if t else ""


# ------------------------------------------------------------------ signals of an answer

HEDGES = ("however", "wait,", "actually", "re-evaluat", "reevaluat", "reconsider", "recheck",
          "mistake", "incorrect", "impossible", "not possible", "seems", "assum",
          "approximately", "ambigu", "cannot", "unclear", "apolog", "correction", "but ")
SUMS = re.compile(r"([0-9][0-9,]*(?:\.[0-9]+)?) *([-+*/×÷]) *\$?([0-9][0-9,]*(?:\.[0-9]+)?)"
                  r" *= *\$?(-?[0-9][0-9,]*(?:\.[0-9]+)?)")


def check_sums(text):
    """-> how many of the text's "a op b = c" are true, and how many are not"""
    good = bad = 0
    for m in SUMS.finditer(text):
        before = text[:m.start()].rstrip(" $")[-1:]
        after = text[m.end():m.end() + 8].lstrip(" ")[:1]
        if before and before in "+-*/^×÷(.,=" or after and after in "+-*/^×÷(":
            continue
        a, b, c = (float(m[i].replace(",", "")) for i in (1, 3, 4))
        op = m[2]
        if op in "/÷" and b == 0:
            continue
        v = a + b if op == "+" else a - b if op == "-" else a * b if op in "*×" else a / b
        loose = 0.5 if op in "/÷" else 0.0
        if abs(v - c) <= max(loose, 0.006 * max(1.0, abs(v))):
            good += 1
        else:
            bad += 1
    return good, bad


def answer_signals(text, raw, how, question, literal, tokens):
    low = text.lower()
    good, bad = check_sums(text)
    v = None if literal else numeric(raw)
    i = text.rfind('"answer"')
    body = text[:i] if i > 0 else text
    r = raw.strip().strip("$")
    lines = [x.strip() for x in re.split(r"\n|\\n|\. ", text)]
    lines = [x for x in lines if len(x) > 20]
    return {
        "tokens": log1(tokens), "none": float(how == "none"), "cut": float(tokens >= 4000),
        "hedges": log1(sum(low.count(h) for h in HEDGES)),
        "sums_true": log1(good), "sums_false": log1(bad),
        "number": float(v is not None), "integer": float(v is not None and v == math.floor(v)),
        "negative": float(v is not None and v < 0),
        "magnitude": log1(min(abs(v), 1e9)) if v is not None else 0.0,
        "in_question": float(r != "" and r in question), "in_body": float(r != "" and r in body),
        "in_body_end": float(r != "" and r in body[-250:]), "length": log1(len(raw)),
        "lines": log1(text.count("\n") + text.count("\\n")),
        "preface": float(not text.lstrip().startswith(("{", "```"))),
        "repeats": 1 - len(set(lines)) / len(lines) if lines else 0.0,
        "several": log1(text.count('"answer"')),
    }


# ------------------------------------------------------------------ fitting


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
        self.A = np.clip(A, -5, 5)
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


# ------------------------------------------------------------------ layers for unknown models


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


def apgr(weak, strong, order):
    """area under the recovered share of the gap, over the share of strong calls; random: 0.5"""
    n = len(order)
    acc = (weak.sum() + np.concatenate([[0], np.cumsum((strong - weak)[order])])) / n
    gap = strong.mean() - weak.mean()
    return float(np.mean((acc - weak.mean())[1:] / gap)) if gap > 0 else float("nan")


# ------------------------------------------------------------------ task type and complexity

NOUNS = frozenset("code function class method script api regex sql query component endpoint module "
                  "compiler algorithm variable loop array test tests unit list string python javascript typescript rust java "
                  "golang kotlin swift react django flask node css html json yaml dockerfile "
                  "unittest refactor bug".split())
MAKE = frozenset("write create build implement generate add make refactor fix complete optimize "
                 "optimise convert port rewrite return".split())
LOOK = frozenset("explain analyze analyse review debug why compare summarize summarise evaluate "
                 "assess diagnose investigate audit understand interpret critique trace".split())
START = frozenset("create build scaffold generate setup set bootstrap initialize make new "
                  "init".split())
PROJECT = frozenset("project app application website site service repository repo boilerplate "
                    "starter monorepo backend frontend microservice dashboard webapp".split())
GREET = frozenset("hi hello hey thanks thank morning evening bye goodbye welcome please "
                  "okay ok cool sorry".split())
ASK = frozenset("who when where which what whose whom how much many".split())
FILE = re.compile(rb"[a-z0-9_]\.(?:py|js|ts|tsx|jsx|rs|go|java|kt|rb|php|cpp|cs|sql|sh|css|html|"
                  rb"json|yaml|yml|toml|vue)(?:[^a-z0-9]|$)")
TASKS = ("chat", "code", "analyze", "create-project", "general")


def task_scores(q):
    b = part(q.encode("utf-8"))
    low = lower(b)
    w = [x.decode() for x in WORD.findall(low)]
    s = set(w)
    code = is_code(b) or b"```" in b
    noun = min(len(s & NOUNS), 3)
    make, look, fresh = bool(s & MAKE), min(len(s & LOOK), 2), bool(set(w[:5]) & START)
    files = bool(FILE.search(low))
    trace = b"traceback" in low or b"stack trace" in low or b"error:" in low or b"exception" in low
    hole = code and (b"??" in b or b"output" in low)
    you = bool(s & {"you", "yourself"})
    return {
        "chat": 1.3 * bool(s & GREET) * (len(w) < 25) + 0.7 * you * (len(w) < 15)
        + 0.5 * (len(w) < 4 and not NUMBER.search(b)),
        "code": 1.3 * code + 0.5 * noun + 0.6 * (make and (noun > 0 or files))
        + 0.5 * files,
        "analyze": 0.9 * look + 0.5 * (look > 0 and (code or noun > 0 or files)) + 1.0 * trace
        + 2.2 * hole + 0.5 * (look > 0 and code),
        "create-project": (1.6 + 0.4 * noun) * (fresh and bool(s & PROJECT)),
        "general": 0.6 + 0.3 * bool(s & ASK) + 0.3 * (len(NUMBER.findall(b)) > 1) * (not code)
        + 0.4 * (b"\\" in b and not code),
    }


def task_of(q):
    s = task_scores(q)
    return max(TASKS, key=lambda t: (s[t], t == "general"))


CHECKS = [
    ("Hi there, how are you today?", "chat"), ("thanks!", "chat"), ("hello", "chat"),
    ("Can you tell me a joke?", "chat"), ("Good morning! What should we talk about?", "chat"),
    ("ok, thank you for your help", "chat"), ("Do you like jazz?", "chat"),
    ("Write a function that reverses a linked list in Rust", "code"),
    ("Fix the off-by-one in src/pager.ts", "code"),
    ("Implement an LRU cache in Python", "code"),
    ("Write a SQL query for the ten best customers by revenue", "code"),
    ("Add unit tests for utils/date.py", "code"),
    ("Convert this JavaScript class to TypeScript", "code"),
    ("Refactor this method so that it no longer allocates", "code"),
    ("write a regex that matches ISO dates", "code"),
    ("Explain why this function deadlocks: ```fn lock(a, b) { return a + b }```", "analyze"),
    ("Review src/main.rs for security problems", "analyze"),
    ("Why does my code raise Traceback (most recent call last): KeyError?", "analyze"),
    ("Compare PostgreSQL and MySQL for a write-heavy service", "analyze"),
    ("Analyze the complexity of this algorithm", "analyze"),
    ("Summarize the report and assess the risks", "analyze"),
    ("Diagnose the slow start of the service", "analyze"),
    ("def f(x):\n    return x[::-1]\nassert f('ab') == ??", "analyze"),
    ("Create a new React project with TypeScript and Vite", "create-project"),
    ("Scaffold a REST backend with Express and PostgreSQL", "create-project"),
    ("Build a todo app with React", "create-project"),
    ("Set up a monorepo with a frontend and two services", "create-project"),
    ("Generate a Django project for a blog", "create-project"),
    ("Bootstrap a microservice in Go with a Dockerfile", "create-project"),
    ("What is the capital of Mongolia?", "general"),
    ("A train goes 60 miles in 45 minutes. How fast is it?", "general"),
    ("Translate 'good evening' into Finnish", "general"),
    ("Let $x$ be a root of $x^2-5x+6$. Find the sum \\(x+1\\).", "general"),
    ("who wrote the novel Dracula", "general"),
    ("List three uses of baking soda", "general"),
    ("Which planet has the most moons?", "general"),
    ("How many grams are in two pounds?", "general"),
    ("Describe the water cycle", "general"),
]

BITS = 32768
SIMPLE, HARD, KNOWN = 0.72, 0.60, 0.55


def word_bit(w):
    h = fnv1a(w)
    return (h ^ (h >> 15)) % BITS


def word_table(questions):
    """one bit per word of three letters or more that stands in three questions or more"""
    df = {}
    for q in questions:
        for w in set(WORD.findall(lower(q.encode("utf-8")))):
            if len(w) > 2:
                df[w] = df.get(w, 0) + 1
    bits = np.zeros(BITS, np.uint8)
    for w, k in df.items():
        if k >= 3:
            bits[word_bit(w)] = 1
    return bits


def complexity(q, p0, p1, bits):
    """simple only where there is evidence for it: known words, and enough of them"""
    w = [x for x in WORD.findall(lower(part(q.encode("utf-8")))) if len(x) > 2]
    known = sum(int(bits[word_bit(x)]) for x in w) / max(len(w), 1)
    if p1 < HARD:
        return "complex", known
    if p0 >= SIMPLE and len(w) >= 3 and known >= KNOWN:
        return "simple", known
    return "medium", known


# ------------------------------------------------------------------ tables

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


def interval(D, out, shares=SHARES, draws=400):
    """over questions drawn anew (paired with the strongest) and over the seeds"""
    rng = np.random.RandomState(7)
    g = []
    for i in range(draws):
        r, c = out[i % len(out)]
        k = rng.randint(0, len(D.t), len(D.t))
        g.append(at_shares(D, r, c, k, shares) - D.y[k, -1].mean())
    return np.percentile(g, (2.5, 97.5), axis=0)


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


# ------------------------------------------------------------------ the file


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
    import routing_gain     # it reads this file's functions
    ease = routing_gain.ease(m)
    m["gain"] = routing_gain.make([r["question"] for r in rows], [ease(r["question"]) for r in rows], m["layers"])
    return m


def half_of(row):
    """0 or 1, by a hash of source and id: the same whatever stands beside it in the file"""
    return hashlib.sha256(("%s\n%s" % (row["source"], row["id"])).encode()).digest()[0] & 1


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


def written(m):
    """one member a line, so that a refit shows where it differs"""
    return "{\n" + ",\n".join("%s: %s" % (json.dumps(k), json.dumps(m[k])) for k in m) + "\n}\n"


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
    opener = gzip.open if a.data.endswith(".gz") else open
    with opener(a.data, "rt", encoding="utf-8") as f:
        rows = [json.loads(x) for x in f]
    with open(a.models, encoding="utf-8") as f:
        prices = json.load(f)["models"]
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
            k = np.random.RandomState(50 + s).permutation(len(rows))
            R = Router(D, np.sort(k[:len(k) // 2]), s)
            te = np.setdiff1d(np.arange(len(D.t)), R.tf)
            r, c = np.zeros((len(LAMBDAS), len(D.t))), np.zeros((len(LAMBDAS), len(D.t)))
            for i, lam in enumerate(LAMBDAS):
                r[i, te], c[i, te], _ = R.run(te, lam)
            half.append(at_shares(D, r, c, te) - D.y[te, -1].mean())
        print("\nHalf to fit, half to report (%d seeds)" % len(seeds))
        show("accuracy - strongest", np.mean(half, 0), digits=4)
        show("  deviation between seeds", np.std(half, 0), digits=4)
    if "sources" in tables:
        leave_source_out(D)
    if "transfer" in tables:
        transfer(D)
    if "ablation" in tables:
        ablation(D, seeds[:2])
    R = Router(D, np.arange(len(rows)), seeds[0])
    lines = layer_lines(R)
    bits = word_table([r["question"] for r in rows])
    full = R.H @ R.g["wh"] + D.G @ R.g["wg"]
    pl = {L: sigmoid(b + c * full) for L, (b, c) in lines.items()}
    if "tasks" in tables:
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
        print("Complexity: questions, right at L0, right at L1 (means of the layer's models)")
        cx = np.array([complexity(r["question"], pl["L0"][i], pl["L1"][i], bits)[0]
                       for i, r in enumerate(rows)])
        lay = {L: [j for j in R.used if prices[D.models[j]]["tier"] == L] for L in ("L0", "L1")}
        for c in ("simple", "medium", "complex"):
            k = cx == c
            v = [(D.Y[k][:, j] * D.mask[k][:, j]).sum() / D.mask[k][:, j].sum()
                 for L in ("L0", "L1") for j in [lay[L]]]
            print("  %-8s %5d  %.3f  %.3f" % (c, k.sum(), v[0], v[1]))
    if a.out:
        m = export(D, R, bits, seeds[0])
        m = with_gain(m, rows)
        with open(a.out, "w", encoding="utf-8") as f:
            f.write(written(m))
        print("\nwritten: %s" % a.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
