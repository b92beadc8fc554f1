#!/usr/bin/env python3
"""Training steps of pare and PyTorch on the same networks, side by side: samples a second and peak memory.

    train_peers.py [--nets mlp,mobilenetv2,resnet18,minilm] [--threads 1,2] [--rounds 3] [--pare build/release/pare]
                   [--work build/proofs] [--results bench/RESULTS.md | --results -]

SGD with momentum, cross-entropy, the same batch. Each measurement is a process of its own (--worker is one of PyTorch's), the export of a network, too;
the processes take turns, on 1 and 2 threads in the same round, and this one, which only waits, makes sure that it did. PyTorch takes the faster of what it has: pictures in plain memory or
channels last; attention by scaled_dot_product_attention or written out (as the file has it that pare trains). A round during which the
machine did other work doesn't count. pare's rate is that of `pare train`, data
loading and the first steps included, in which its memory is touched for the first time, over 36 steps or more; PyTorch's steps get a batch that
lies in memory, and are counted from the fourth on.

What must be shown stands in LIMITS, and that pare is no slower on two threads than on one: by the medians of the rounds' own ratios. It ends with 1
where that does not hold.
"""
import argparse
import dataclasses
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "bench" / "proofs"))
import proof  # noqa: E402

WAYS = {"mlp": ("plain",), "mobilenetv2": ("plain", "channels-last"), "resnet18": ("plain", "channels-last"), "minilm": ("plain", "fused-attention")}
NETS = {"mlp": 64, "mobilenetv2": 64, "resnet18": 64, "minilm": 8}  # and the batch
# By threads: how many times PyTorch's samples a second are asked for; and the part of its memory that is allowed.
LIMITS = {"mlp": {1: 1.0, 2: 1.5}, "mobilenetv2": {1: 1.0, 2: 1.6}, "resnet18": {1: 1.0, 2: 1.2}, "minilm": {1: 1.0, 2: 1.2}}
MEMORY_LIMIT = 0.5
SECONDS = 6.0


def make(name, way="plain"):
    """The network and the shape and range of its input; `way`: of those that PyTorch has to compute it."""
    import torch
    from torch import nn
    torch.manual_seed(1)

    def conv(i, o, k, s=1, g=1):
        return [nn.Conv2d(i, o, k, s, k // 2, groups=g, bias=False), nn.BatchNorm2d(o)]

    class Residual(nn.Module):
        def __init__(self, body, short=None, after=None):
            super().__init__()
            self.body, self.short, self.after = nn.Sequential(*body), short, after

        def forward(self, x):
            y = self.body(x) + (self.short(x) if self.short else x)
            return self.after(y) if self.after else y

    if name == "mlp":
        net = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
        return net, (784,), None
    if name == "resnet18":
        layers, width = conv(3, 64, 3) + [nn.ReLU()], 64
        for out, stride in [(64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)]:
            short = nn.Sequential(*conv(width, out, 1, stride)) if stride > 1 else None
            layers.append(Residual(conv(width, out, 3, stride) + [nn.ReLU()] + conv(out, out, 3), short, nn.ReLU()))
            width = out
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10)), (3, 32, 32), None
    if name == "mobilenetv2":
        layers, width = conv(3, 32, 3) + [nn.ReLU6()], 32
        for t, out, n, stride in [(1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
                                  (6, 320, 1, 1)]:
            for s in [stride] + [1] * (n - 1):
                inner = width * t
                body = (conv(width, inner, 1) + [nn.ReLU6()] if t > 1 else []) + conv(inner, inner, 3, s, inner) + \
                    [nn.ReLU6()] + conv(inner, out, 1)
                layers.append(Residual(body) if s == 1 and width == out else nn.Sequential(*body))
                width = out
        layers += conv(width, 1280, 1) + [nn.ReLU6()]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 10)), (3, 32, 32), None

    class Layer(nn.Module):
        def __init__(self, width, heads):
            super().__init__()
            self.heads = heads
            self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x):
            n, s, w = x.shape
            split = lambda t: t.view(n, s, self.heads, w // self.heads).transpose(1, 2)
            q, k, v = split(self.q(x)), split(self.k(x)), split(self.v(x))
            if way == "fused-attention":
                mixed = nn.functional.scaled_dot_product_attention(q, k, v)
            else:
                mixed = (q @ k.transpose(-1, -2) * (w // self.heads) ** -0.5).softmax(-1) @ v
            x = self.norm1(x + self.o(mixed.transpose(1, 2).reshape(n, s, w)))
            return self.norm2(x + self.down(nn.functional.gelu(self.up(x))))

    class MiniLm(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.places, self.norm = nn.Embedding(30522, 384), nn.Embedding(128, 384), nn.LayerNorm(384)
            self.layers = nn.Sequential(*(Layer(384, 12) for _ in range(6)))
            self.classes = nn.Linear(384, 10)

        def forward(self, ids):
            return self.classes(self.layers(self.norm(self.words(ids) + self.places.weight))[:, 0])

    return MiniLm(), (128,), 30522


def samples(shape, words, count):
    rng = np.random.default_rng(1)
    x = rng.integers(0, words, (count,) + shape) if words else rng.standard_normal((count,) + shape).astype(np.float32)
    return x, rng.integers(0, 10, count)


def export(name, folder):
    import torch
    net, shape, words = make(name)
    x, labels = samples(shape, words, 8 * NETS[name])
    batch = torch.from_numpy(x[:2])
    net.eval()
    torch.onnx.export(net, (batch,), folder / f"{name}.onnx", input_names=["x"], output_names=["y"], opset_version=17,
                      dynamic_axes={"x": {0: "N"}, "y": {0: "N"}}, training=torch.onnx.TrainingMode.PRESERVE,
                      do_constant_folding=False, dynamo=False)
    np.savez(folder / f"{name}.npz", x=x, labels=labels)


def worker(name, threads, way):
    import torch
    torch.set_num_threads(threads)
    net, shape, words = make(name, way)
    net.train()
    x, labels = (torch.from_numpy(a) for a in samples(shape, words, NETS[name]))
    if way == "channels-last":
        net, x = net.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.001, momentum=0.9)

    def step():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x), labels).backward()
        optimizer.step()

    for _ in range(3):
        step()
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        step()
        steps += 1
    print(json.dumps({"rate": steps * NETS[name] / (time.perf_counter() - start),
                      "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


def run_torch(name, threads, way):
    out = subprocess.run([sys.executable, __file__, "--worker", name, "--threads", str(threads), "--way", way],
                         check=True, capture_output=True, text=True).stdout
    return json.loads(out)


def run_pare(pare, folder, name, threads, steps):
    out = subprocess.run([pare, "train", folder / f"{name}.onnx", "--data", folder / f"{name}.npz", "-o", folder / "out.onnx",
                          "--steps", str(steps), "--batch", str(NETS[name]), "--optimizer", "sgd", "--rate", "0.001",
                          "--clip", "0", "--validation", "0",
                          "--threads", str(threads), "--json", "--quiet"], check=True, capture_output=True, text=True).stdout
    report = json.loads(out)
    return {"rate": report["samples_per_second"], "peak": report["peak_memory_bytes"]}


def quiet(args, measure):
    """measure(), or None where other work than it disturbed the machine. What this process itself computed meanwhile is other work."""
    own = time.process_time()
    with machine.OtherWork() as other:
        found = measure()
    busy = other.processors + (time.process_time() - own) / other.seconds
    if busy > args.disturbed:
        print(f"other work kept {busy:.2f} processors busy: this doesn't count", file=sys.stderr, flush=True)
        return None
    return found


def tried(args, count, measure):
    """What `count` undisturbed tries gave; ends the program where twice as many don't give them."""
    found = []
    for _ in range(2 * count):
        found += [one] if (one := quiet(args, measure)) else []
        if len(found) == count:
            return found
    sys.exit("other work disturbs the machine: measure again when it is quiet")


def prepare(args, folder, name, threads):
    """PyTorch's faster way, and how many steps pare makes in the time of a measurement."""
    ways = WAYS[name]
    rates = {way: tried(args, 1, lambda: run_torch(name, threads, way))[0]["rate"] for way in ways} if len(ways) > 1 else {ways[0]: 0}
    if len(rates) > 1:
        print(f"{name}, {threads} threads, PyTorch: " + ", ".join(f"{way} {rate:.1f}" for way, rate in rates.items()), file=sys.stderr, flush=True)
    return max(rates, key=rates.get), max(36, int(SECONDS * run_pare(args.pare, folder, name, threads, 4)["rate"] / NETS[name]))


@dataclasses.dataclass
class Ratio:
    """Median, least and greatest of the rounds' own."""
    rounds: list

    @property
    def median(self):
        return statistics.median(self.rounds)

    def __str__(self):
        return f"{self.median:.2f} [{min(self.rounds):.2f}–{max(self.rounds):.2f}]"


def median(runs, what):
    return statistics.median(run[what] for run in runs)


def rate(runs):
    return f"{median(runs, 'rate'):,.0f}" if median(runs, "rate") >= 100 else f"{median(runs, 'rate'):.1f}"


def compare(args, folder, name):
    """Rows of the table, and whether what must be shown of this network is. In a round all numbers of threads and both engines have their turn."""
    plans = {threads: prepare(args, folder, name, threads) for threads in args.threads}
    rounds = tried(args, args.rounds, lambda: {threads: (run_pare(args.pare, folder, name, threads, steps), run_torch(name, threads, way))
                                               for threads, (way, steps) in plans.items()})
    rows, verdicts = [], []
    for threads, (way, _) in plans.items():
        ours, theirs = zip(*(found[threads] for found in rounds))
        ratio = Ratio([a["rate"] / b["rate"] for a, b in zip(ours, theirs)])
        memory = Ratio([a["peak"] / b["peak"] for a, b in zip(ours, theirs)])
        rows.append(f"| {name} | {threads} | {args.rounds} | {rate(ours)} | {rate(theirs)} ({way}) | {ratio} | "
                    f"{median(ours, 'peak') / 1e6:,.0f} / {median(theirs, 'peak') / 1e6:,.0f} |")
        limit = LIMITS[name].get(threads)
        if limit:
            verdicts.append(proof.Verdict("4.5", f"{name}, {threads} thread{'s' if threads > 1 else ''}: at least {limit} times PyTorch's samples a second, at most "
                                          f"{MEMORY_LIMIT} of its memory", f"{ratio}; {memory.median:.2f}", ratio.median >= limit and memory.median <= MEMORY_LIMIT))
    if {1, 2} <= plans.keys():
        second = Ratio([found[2][0]["rate"] / found[1][0]["rate"] for found in rounds])
        verdicts.append(proof.Verdict("4.5", f"{name}: pare loses nothing from a second thread", f"{second} times one thread's", second.median >= 1))
    return rows, verdicts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", type=lambda words: words.split(","), default=list(NETS))
    parser.add_argument("--threads", type=lambda words: [int(word) for word in words.split(",")], default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pare", type=Path, default=ROOT / "build/release/pare")
    parser.add_argument("--work", type=Path, default=ROOT / "build/proofs")
    parser.add_argument("--results", default=str(ROOT / "bench/RESULTS.md"))
    parser.add_argument("--disturbed", type=float, default=machine.QUIET, metavar="PROCESSORS", help="that others may keep busy in a round that counts")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--export", help=argparse.SUPPRESS)
    parser.add_argument("--way", default="plain", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        return worker(args.worker, args.threads[0], args.way)
    if args.export:
        return export(Path(args.export).name, Path(args.export).parent)
    program = proof.Program(args.pare)
    args.pare = program.path
    lines = [f"Training steps: `train_peers.py --nets {','.join(args.nets)} --threads {','.join(map(str, args.threads))} --rounds {args.rounds}"
             + (f" --disturbed {args.disturbed}" if args.disturbed != machine.QUIET else "") + "`", "",
             "| network | threads | rounds | pare | PyTorch | ratio | MB, pare / PyTorch |", "|---|---|---|---|---|---|---|"]
    verdicts = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for net in args.nets:
            subprocess.run([sys.executable, __file__, "--export", folder / net], check=True, stdout=subprocess.DEVNULL)
            rows, found = compare(args, folder, net)
            lines, verdicts = lines + rows, verdicts + found
            print("\n".join(rows), file=sys.stderr, flush=True)
    return proof.record(program, program.folder(args.work), lines, verdicts, results=args.results)


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "ACTIVE")
    sys.exit(main())
