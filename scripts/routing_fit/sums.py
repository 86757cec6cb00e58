"""The value of an expression."""
import math


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
