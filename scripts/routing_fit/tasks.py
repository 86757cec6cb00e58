"""What kind of a task a question is, and how hard."""
import re

import numpy as np

from .question import NUMBER, WORD, fnv1a, is_code, lower, part

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
