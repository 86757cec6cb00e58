"""Literals of a program in one spelling: what a call returns, as people and models write it."""
import math
import re


def quoted(s):
    return '"' + s.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


EXACT_BELOW = 1e15      # whole numbers below it are exact as they are calculated with
TWO_PLACES_FROM = 1e4   # from here on six digits are fewer than two places behind the point


def number_form(x):
    if math.isinf(x) or math.isnan(x):
        return "nan"
    if abs(x) >= EXACT_BELOW:
        return "%.6g" % x
    if x == int(x):
        return str(int(x))
    if abs(x) >= TWO_PLACES_FROM:
        return ("%.2f" % x).rstrip("0").rstrip(".")
    return "%.6g" % x


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
