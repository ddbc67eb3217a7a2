"""Known programs in pure Python, written anew: each defines ``work()``, the same for every interpreter."""

TIMED = """
import time
work()
took = []
for _ in range(%d):
    began = time.perf_counter()
    work()
    took.append(time.perf_counter() - began)
print(min(took))
"""
"""Follows a program; prints the seconds of its quickest turn, after one to warm up."""

PROGRAMS = {
    "n-body": """
def work(steps=4000, dt=0.01):
    bodies = [[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 39.47]]
    for n in range(1, 5):
        bodies.append([n * 1.3, 0.4 * n, 0.1 * n, 0.3 / n, 2.1 / n, 0.05 * n, 0.001 * n])
    pairs = [(a, b) for i, a in enumerate(bodies) for b in bodies[i + 1:]]
    for _ in range(steps):
        for a, b in pairs:
            x, y, z = a[0] - b[0], a[1] - b[1], a[2] - b[2]
            f = dt / ((x * x + y * y + z * z) ** 1.5 + 1e-9)
            fa, fb = a[6] * f, b[6] * f
            a[3] -= x * fb; a[4] -= y * fb; a[5] -= z * fb
            b[3] += x * fa; b[4] += y * fa; b[5] += z * fa
        for body in bodies:
            body[0] += dt * body[3]; body[1] += dt * body[4]; body[2] += dt * body[5]
""",
    "fannkuch": """
from itertools import permutations
def work(n=7):
    most = 0
    for order in permutations(range(n)):
        flips, turned = 0, list(order)
        while first := turned[0]:
            turned[: first + 1] = turned[first::-1]
            flips += 1
        if flips > most: most = flips
    assert most == 16
""",
    "scheduler (objects, in the manner of Richards)": """
class Packet:
    __slots__ = ("following", "kind", "data")
    def __init__(self, kind): self.following, self.kind, self.data = None, kind, [0] * 4
class Task:
    def __init__(self, name, priority):
        self.name, self.priority, self.queue, self.held, self.runs = name, priority, [], 0, 0
    def give(self, packet): self.queue.append(packet)
    def ready(self): return bool(self.queue) and not self.held
class Worker(Task):
    def run(self, tasks):
        packet = self.queue.pop()
        for i in range(4): packet.data[i] = (packet.data[i] * 31 + self.runs) & 255
        self.runs += 1
        tasks[(self.priority + packet.kind) % len(tasks)].give(packet)
class Device(Task):
    def run(self, tasks):
        packet = self.queue.pop()
        packet.kind = (packet.kind + sum(packet.data)) % 7
        self.runs += 1
        self.held = packet.kind == 3
        tasks[self.runs % len(tasks)].give(packet)
def work(rounds=30000):
    tasks = [Worker(f"w{i}", i) if i % 2 else Device(f"d{i}", i) for i in range(6)]
    for i in range(24): tasks[i % 6].give(Packet(i % 5))
    for turn in range(rounds):
        task = tasks[turn % 6]
        if task.ready(): task.run(tasks)
        else: task.held = 0
""",
    "spectral norm": """
def work(n=60):
    def a(i, j): return 1.0 / ((i + j) * (i + j + 1) // 2 + i + 1)
    def times(v): return [sum(a(i, j) * x for j, x in enumerate(v)) for i in range(n)]
    def times_t(v): return [sum(a(j, i) * x for j, x in enumerate(v)) for i in range(n)]
    v = [1.0] * n
    for _ in range(4): u = times_t(times(v)); v = times_t(times(u))
""",
    "JSON": """
import json
DATA = [
    {"id": i, "name": "item %d" % i, "tags": ["a", "b", "c"], "price": i * 1.25, "more": {"x": None, "y": True}}
    for i in range(1500)
]
def work():
    for _ in range(3): assert json.loads(json.dumps(DATA))[7]["id"] == 7
""",
    "regular expressions": r"""
import re
TEXT = " ".join(
    "user%d@example%d.org wrote 20%02d-%02d-%02d: call +49 %d" % (i, i % 7, i % 30, i % 12 + 1, i % 28 + 1, i * 7919)
    for i in range(600)
)
def work():
    for pattern in (r"[a-z0-9.]+@[a-z0-9]+\.org", r"(\d{4})-(\d\d)-(\d\d)", r"(?i)\bcall\s+\+(\d+)"):
        assert re.findall(pattern, TEXT)
    re.sub(r"\d+", lambda m: str(len(m[0])), TEXT)
""",
    "words (strings, dictionaries, sorting)": """
import random
random.seed(7)
WORDS = ["".join(random.choice("abcdefgh") for _ in range(3)) for _ in range(20000)]
def work():
    counts = {}
    for word in WORDS: counts[word] = counts.get(word, 0) + 1
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return "\\n".join(f"{word}: {count}" for word, count in ranked).upper().split("\\n")
""",
}
"""By name."""
