"""Signals of a question: hand-made ones, and hashed byte n-grams."""
import math
import re

import numpy as np

BUCKETS = 2048
GRAMS = (2, 3, 4)
HEAD, TAIL = 2048, 2048  # bytes of a long question that are read for n-grams
PART = 3072             # bytes at each end of a long question that are read for signals

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
