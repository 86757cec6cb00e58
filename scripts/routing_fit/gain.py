"""The `gain` section of the routing model: how much the stronger of two models is expected to do better at a question,
from the question alone.

    score = gap of arithmetic + slope * z                                           word problems
    score = topic gap + a * (100 (P_L2 - P_L0) - center) + b * z(length)            code, formulas, the rest

The topics, their words and their gaps are in routing_topics.ini; the weights below are chosen by hand. Of the recorded
questions only the texts are read, for means and deviations; nothing is fitted to outcomes.
"""
import base64
import configparser
import math
import os

import numpy as np

from .question import NUMBER, STOP, WORD, gram_vector, is_code, lower, part, question_signals

TOPICS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "routing_topics.ini")

STEM = 7                # letters kept of a word
NONE = 1.0              # evidence squared that speaks for no topic
CHANCE = 18.0           # words of ordinary text that collect one point of evidence squared by chance
MEAN_GAP = 10.0         # points gained where no topic is known
LEAST, MOST = 10, 220   # words of a word problem
EVIDENCE_BELOW = 4.0    # evidence for one of SCIENCE from which on it is no word problem
STRONG_BELOW = 2        # or this many strong entries of it
NAMES = ("words", "sentences", "parts", "means", "conditions", "steps")
WEIGHTS = (1.0, 0.3, 0.4, 0.2, 0.2, 0.2)
SLOPE = 5.0             # points per deviation of z
# weight of 100 (P_L2 - P_L0), more of it where no topic is known; the same for the length in deviations
KINDS = {
    "code": {"gain": .2, "unknown": 0., "length": 3., "length_unknown": 0.},
    "tex": {"gain": .3, "unknown": 0., "length": 0., "length_unknown": 0.},
    "other": {"gain": .05, "unknown": .25, "length": 1., "length_unknown": 3.},
}
SCIENCE = ("statistics physics chemistry engineering econometrics accounting law case genetics logic mathematics "
           "economics security computing life earth person virology thought").split()
FORMULA = ("->", "~", "\u2203", "\u2200", "\u2283", "\u2261", "\u2228", "\u2192", "\u2022")
PIECES = frozenset("half third thirds quarter quarters fourth fourths fifth fifths sixth eighth tenth".split())
PARTS = PIECES | {"fraction", "ratio", "percent", "percentage"}
MEANS = frozenset("average mean equal equally same split evenly divided shared share".split())
CONDITIONS = frozenset("if when then after before until while unless once instead not no only except without never but "
                       "however although also".split())
MULTIPLES = frozenset("twice double doubles doubled triple tripled times thrice quadruple".split())
DIFFERENCES = frozenset("more less fewer than older younger taller shorter longer larger heavier faster".split())
TOTALS = frozenset("total altogether all combined together sum overall entire".split())
NUMBERS = frozenset("two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
                    "seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand "
                    "million dozen dozens couple pair pairs".split())
ASKS = frozenset("how what what's find calculate determine".split())


def stem(w):
    w = w.strip("'")
    if w.endswith("'s"):
        w = w[:-2]
    if len(w) > 3 and w[-1] == "s" and w[-2] != "s":
        w = w[:-1]
    return w[:STEM]


def topics(path=TOPICS):
    """the member `topics`: gaps, and entries as stems"""
    ini = configparser.ConfigParser()
    with open(path, encoding="utf-8") as f:
        ini.read_file(f)

    def stems(entries):
        out = {"_".join(stem(w) for w in x.split()) for x in entries.split(",")} - {""}
        if any(x.count("_") > 2 for x in out):
            raise SystemExit("%s: an entry has at most three words" % path)
        return " ".join(sorted(out))
    return {t: {"gap": int(ini[t]["gap"]), "strong": stems(ini[t]["strong"]), "weak": stems(ini[t]["weak"])}
            for t in ini.sections()}


def index(named):
    """entry -> [(topic, points)]"""
    out = {}
    for t, x in named.items():
        for k, points in (("strong", 2), ("weak", 1)):
            for e in x[k].split():
                out.setdefault(tuple(e.split("_")), []).append((t, points))
    return out


def evidence(b, words, numbers, entries, named):
    """-> points per topic, strong entries per topic; an entry counts once, and of m topics gives 1/sqrt(m) to each"""
    points, strong = dict.fromkeys(named, 0.), dict.fromkeys(named, 0)
    stems = [stem(w) for w in words]
    for e in dict.fromkeys(tuple(stems[i:i + n]) for i in range(len(stems)) for n in (1, 2, 3) if i + n <= len(stems)):
        for t, p in entries.get(e, ()):
            points[t] += p / math.sqrt(len(entries[e]))
            strong[t] += p == 2
    if b"=" in b or b"^" in b or b"\\" in b:
        points["mathematics"] += 1
    if b"tatement 1" in b:
        points["computing"] += 1.5
    if b"ollowing information" in b:        # a source is quoted
        points["past"] += 6
    if any(x.encode() in b for x in FORMULA):
        points["logic"] += 2
    if numbers >= 3:
        for t in ("arithmetic", "physics", "statistics"):
            points[t] += .5
    return points, strong


def parts(q, named, entries):
    """all that the question alone says"""
    whole = q.encode("utf-8")
    b = part(whole)
    words = [w.decode() for w in WORD.findall(lower(b))]
    n, numbers, stops, percent = len(words), len(NUMBER.findall(b)), len(STOP.findall(b)), b.count(b"%")
    points, strong = evidence(b, words, numbers, entries, named)

    def c(s):
        return sum(w in s for w in words)
    none = NONE + (n / CHANCE) ** 2
    squares = sum(v * v for v in points.values())
    if is_code(b):
        kind = "code"
    elif b"\\" in b:
        kind = "tex"
    elif (numbers + c(NUMBERS) + c(PIECES) + c(MULTIPLES) >= 2 and ("how" in words or b"$" in b or stops >= 2)
          and LEAST <= n <= MOST and b"=" not in b and b"^" not in b and c(ASKS)
          and not any(points[t] >= EVIDENCE_BELOW or strong[t] >= STRONG_BELOW for t in SCIENCE)):
        kind = "words"
    else:
        kind = "other"
    log1 = math.log1p
    return {
        "kind": kind, "unknown": none / (squares + none), "length": log1(len(whole)),
        "gap": (sum(v * v * named[t]["gap"] for t, v in points.items()) + none * MEAN_GAP) / (squares + none),
        "counts": [log1(n), log1(stops), log1(c(PARTS) + percent), log1(c(MEANS)), log1(c(CONDITIONS)),
                   log1(max(numbers + c(NUMBERS) - 1, 0) + c(MULTIPLES) + c(PARTS) + percent
                        + .5 * c(DIFFERENCES) + .5 * c(TOTALS))],
    }


def of_layers(layers, d):
    """100 (P_L2 - P_L0) at this ease"""
    p = [1 / (1 + np.exp(-(layers[k]["b"] + layers[k]["c"] * d))) for k in ("L0", "L2")]
    return 100 * (p[1] - p[0])


def score(section, layers, p, d):
    """the score of a question of these parts and this ease, by the section alone"""
    def z(value, mean, deviation):
        return min(max((value - mean) / deviation, -3), 3)
    if p["kind"] == "words":
        w = section["words"]
        s = sum(k * z(v, m, e) for k, v, m, e in zip(w["weights"], p["counts"], w["mean"], w["deviation"]))
        return section["topics"]["arithmetic"]["gap"] + w["slope"] * s / w["spread"]
    k, u = section["kinds"][p["kind"]], p["unknown"] ** 2
    return (p["gap"] + (k["gain"] + k["unknown"] * u) * (of_layers(layers, d) - section["center"])
            + (k["length"] + k["length_unknown"] * u) * z(p["length"], k["mean"], k["deviation"]))


def rounded(x):
    return float("%.4g" % x)


def make(questions, d, layers):
    """the section, for recorded questions and their ease"""
    named = topics()
    entries = index(named)
    all_parts = [parts(q, named, entries) for q in questions]
    kind = np.array([p["kind"] for p in all_parts])
    counts = np.array([p["counts"] for p in all_parts])[kind == "words"]
    mean, deviation = counts.mean(0), counts.std(0)
    z = np.clip((counts - mean) / deviation, -3, 3) @ np.array(WEIGHTS)
    length = np.array([p["length"] for p in all_parts])
    center = of_layers(layers, np.asarray(d))[kind == "other"].mean()
    return {
        "stem": STEM, "none": NONE, "chance": CHANCE, "mean_gap": MEAN_GAP, "center": rounded(center), "topics": named,
        "kinds": {k: {**w, "mean": rounded(length[kind == k].mean()), "deviation": rounded(length[kind == k].std())}
                  for k, w in KINDS.items()},
        "words": {"names": list(NAMES), "weights": list(WEIGHTS), "mean": [rounded(x) for x in mean],
                  "deviation": [rounded(x) for x in deviation], "spread": rounded(z.std()), "slope": SLOPE,
                  "least": LEAST, "most": MOST, "evidence_below": EVIDENCE_BELOW, "strong_below": STRONG_BELOW,
                  "science": SCIENCE},
    }


def ease(model):
    """d(q) by a model's file"""
    packed = model["difficulty"]["ngrams"]
    grams = np.frombuffer(base64.b64decode(packed["int8"]), np.int8).astype(float) * packed["scale"]
    s, weights = model["signals"], np.array(model["difficulty"]["signals"])

    def d(q):
        x = question_signals(q)
        h = (np.array([x[k] for k in s["names"]]) - s["mean"]) / np.array(s["deviation"])
        return float(np.clip(h, -s["clip"], s["clip"]) @ weights + gram_vector(q) @ grams)
    return d
