"""The final answer of a text, in a form that is equal where answers agree, and signals of the text."""
import math
import re

from .literals import EXACT_BELOW, Literal, number_form, quoted
from .question import log1
from .sums import Sum


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


DROP = (("\\\\", "\\"), ("\\$", ""), ("$", ""), ("\\left", ""), ("\\right", ""), ("\\!", ""),
        ("\\,", ""), ("\\;", ""), ("\\ ", " "), ("\\%", ""), ("%", ""), ("\\cdot", "*"),
        ("\\times", "*"), ("×", "*"), ("·", "*"), ("÷", "/"), ("−", "-"), ("**", "^"),
        ("\\(", ""), ("\\)", ""), ("\\[", ""), ("\\]", ""), ("^\\circ", ""), ("^{\\circ}", ""),
        ("°", ""), ("£", ""), ("€", ""))
TEXTUAL = re.compile(r"\\(?:text|mathrm|textbf|mathbf)\{([^{}]*)\}")
WHOLE = re.compile(r"([+-]?)0*([0-9]+)\Z")
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


def expression(raw):
    """what is to be calculated: the answer without marks, units and what introduces it; None if that is too long"""
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
    return t if len(t) <= 200 else None


def numeric(raw):
    """the number that an answer states, or None"""
    t = expression(raw)
    if t is None:
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
        m = WHOLE.match(expression(raw))
        return "=" + (m[1].lstrip("+") + m[2] if m and abs(v) >= EXACT_BELOW else number_form(v))
    t = " ".join(raw.lower().replace("\\\\", "\\").split()).rstrip(".").strip("*$ ")
    return "=" + t if t else ""


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
