#!/usr/bin/env python3
"""The losses of pare's steps on ResNet-20 (CIFAR-10) against PyTorch's, from the same weights and batches.

    losses_against_pytorch.py --cifar DIR [--steps 200] [--pare build/release/pare] [--assets ../shared/assets] [--work build/proofs]
                              [--results bench/proofs/RESULTS.md | --results -]

pare trains from random weights (rate rising to 0.04) with --trace on 1 and on 2 threads; PyTorch then takes the same steps (SGD with Nesterov's
momentum) from the same weights on the same batches, in eight runs of its default memory layout. These differ by rounding alone, as two right
implementations do: computed on 1 or 2 threads, whose sums have another order, and all but one on each begun from weights of which every one
is moved by one unit in its last place, up or down by a seed of the run. Training makes such differences grow, until they depend on where they
began no more: how far runs then lie apart is the spread. (oneDNN off would be a third way, and takes a hundred times as long.)

A run's curve is its losses' means over windows of ten steps. Its distance from others is the root mean square, over the windows, of its curve
less the mean of theirs. What must be shown, and decides:

* the first ten losses of pare differ from those of PyTorch (the same weights, 1 thread) by at most 1e-4, relative;
* pare's distance from PyTorch's eight runs is at most the largest that one of these has from the other seven. (One more run of PyTorch would be
  refused one time in nine, by chance.) So that this is seen to say something, a ninth run of PyTorch with plain momentum in Nesterov's place, as
  small a mistake as there is in an optimizer, must be refused;
* pare's two runs give the same losses and the same bytes of a file.

It ends with 1 where that does not hold. Each run is kept, so that the script goes on where it was stopped. Needs torch and numpy.
"""
import argparse
import json
import sys
from pathlib import Path

import numpy as np
import proof

ROOT = Path(__file__).resolve().parents[2]
RATE, MOMENTUM, DECAY, BATCH = 0.0398, 0.9, 5e-4, 128
FIRST_LIMIT, WINDOW = 1e-4, 10
RUNS = ((1, 0), (2, 0), (1, 1), (2, 2), (2, 3), (2, 4), (2, 5), (2, 6))  # of PyTorch: threads, and the seed of what moves the weights (0: nothing)


def resnet20():
    """He et al. 2016, §4.2, with the shortcuts of option A; parameters are named as in the file."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.stride, self.pad = stride, (outputs - inputs) // 2

        def forward(self, x):
            y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
            short = x[:, :, ::self.stride, ::self.stride]
            return F.relu(y + F.pad(short, (0, 0, 0, 0, self.pad, self.pad)))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
            widths = [(16, 16, 1), (16, 32, 2), (32, 64, 2)]
            for i, (inputs, outputs, stride) in enumerate(widths, 1):
                blocks = [Block(inputs, outputs, stride)] + [Block(outputs, outputs, 1) for _ in range(2)]
                setattr(self, f"layer{i}", nn.Sequential(*blocks))
            self.linear = nn.Linear(64, 10)

        def forward(self, x):
            x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
            return self.linear(x.mean((2, 3)))

    del torch
    return Net()


def pare_run(args, folder, threads):
    """The folder of the trace, the losses, and the bytes of the trained file."""
    stem = folder / f"pare_{threads}"
    trace, model = stem.with_suffix(".trace"), stem.with_suffix(".onnx")
    proof.once(stem.with_suffix(".json"),
               [args.pare, "train", args.assets / "models/cifar10/resnet20_cifar10_fp32.onnx", "--from-scratch", "--data", args.cifar / "train",
                "--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225", "--steps", args.steps, "--batch", BATCH, "--rate", RATE,
                "--schedule", "constant", "--warmup", args.steps - 1, "--nesterov", "--weight-decay", DECAY, "--flip", "--crop-pad", "4",
                "--seed", "1", "--validation", "0", "--threads", threads, "--trace", trace, "-o", model, "--json"])
    return trace, [float(np.load(trace / f"step_{i:06d}.npz")["loss"]) for i in range(1, args.steps + 1)], model.read_bytes()


def moved(array, rng):
    """Every number but 0 one unit in its last place up or down."""
    ways = np.where(rng.random(array.shape) < 0.5, -np.inf, np.inf).astype(array.dtype)
    return np.where(array == 0, array, np.nextafter(array, ways))


def torch_losses(trace, steps, threads, seed, nesterov):
    import torch
    torch.set_num_threads(threads)
    net, rng = resnet20(), np.random.default_rng(seed)
    start = {name[4:]: array for name, array in np.load(trace / "start.npz").items() if name.startswith("now/")}
    own = net.state_dict()
    taken = {name: torch.from_numpy(start[name].reshape(tensor.shape)) for name, tensor in own.items() if name in start}
    missing = [name for name, _ in net.named_parameters() if name not in taken]
    if missing:
        sys.exit(f"the trace has no {missing}")
    if seed:
        taken = {name: torch.from_numpy(moved(tensor.numpy(), rng)) for name, tensor in taken.items()}
    net.load_state_dict({**own, **taken})
    decay = [p for p in net.parameters() if p.ndim > 1]
    rest = [p for p in net.parameters() if p.ndim <= 1]
    optimizer = torch.optim.SGD([{"params": decay, "weight_decay": DECAY}, {"params": rest, "weight_decay": 0}], lr=RATE,
                                momentum=MOMENTUM, nesterov=nesterov)
    losses = []
    for i in range(1, steps + 1):
        batch = np.load(trace / f"step_{i:06d}.npz")
        loss = torch.nn.functional.cross_entropy(net(torch.from_numpy(batch["input/input"])), torch.from_numpy(batch["labels"]))
        for group in optimizer.param_groups:
            group["lr"] = float(batch["rate"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def torch_run(args, folder, trace, threads, seed, nesterov=True):
    """The losses of a run that is another process, or was. Returns them and the file."""
    file = folder / f"torch_{threads}_{seed}{'' if nesterov else '_plain'}.json"
    proof.once(file, [sys.executable, __file__, "--cifar", args.cifar, "--steps", args.steps, "--torch-run", trace, threads, seed, int(nesterov)])
    return json.loads(file.read_text()), file


def curve(losses):
    return np.asarray(losses).reshape(-1, WINDOW).mean(1)


def distance(one, others):
    """Of a curve from the mean of others."""
    return float(np.sqrt(np.mean((one - np.mean(others, 0)) ** 2)))


def compare(one, two, runs, plain):
    """The table, and the verdict. `one`, `two`: losses and bytes of pare's runs; `runs`: PyTorch's losses, in the order of RUNS; `plain`: those of
    the run that must be refused."""
    first = max(abs(a - b) / abs(b) for a, b in zip(one[0][:10], runs[0][:10]))
    same = one == two
    curves = np.stack([curve(run) for run in runs])
    own = [distance(run, np.delete(curves, i, 0)) for i, run in enumerate(curves)]
    ours, wrong = distance(curve(one[0]), curves), distance(curve(plain), curves)
    word = lambda good: "yes" if good else "**no**"
    names = ", ".join(f"{threads} thread{'s' if threads > 1 else ''}{', moved' if seed else ''}: {x:.4f}" for (threads, seed), x in zip(RUNS, own))
    rows = [(f"first ten losses: largest relative difference, at most {FIRST_LIMIT:g}", f"{first:.1e}", word(first <= FIRST_LIMIT)),
            ("distance of pare from PyTorch's runs, at most the largest of these", f"{ours:.4f}; {max(own):.4f}", word(ours <= max(own))),
            ("distance of each of PyTorch's runs from the others", names, "–"),
            ("distance of PyTorch with plain momentum, above the largest", f"{wrong:.4f}", word(wrong > max(own))),
            ("pare on 1 and 2 threads: the same losses, the same file", f"{word(one[0] == two[0])}, {word(one[1] == two[1])}", word(same)),
            ("last ten: pare; mean of PyTorch's runs, the least, the greatest",
             f"{curve(one[0])[-1]:.4f}; {curves[:, -1].mean():.4f}, {curves[:, -1].min():.4f}, {curves[:, -1].max():.4f}", "–")]
    verdict = proof.Verdict("4.2", f"losses of ResNet-20: the first ten within {FIRST_LIMIT:g} of PyTorch's, all within the spread of its {len(runs)} runs, "
                            "the same on 1 and 2 threads", f"first ten {first:.1e}; distance {ours:.4f}, PyTorch's own up to {max(own):.4f}, "
                            f"with plain momentum {wrong:.4f}", first <= FIRST_LIMIT and ours <= max(own) < wrong and same)
    return rows, verdict


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=200, help="a multiple of 10")
    parser.add_argument("--pare", type=Path, default=ROOT / "build/release/pare")
    parser.add_argument("--assets", type=Path, default=ROOT / "../shared/assets")
    parser.add_argument("--work", type=Path, default=ROOT / "build/proofs")
    parser.add_argument("--results", help="-: shown alone")
    parser.add_argument("--torch-run", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.steps < 10 or args.steps % 10:
        parser.error("--steps must be a multiple of 10")
    if args.torch_run:
        print(json.dumps(torch_losses(Path(args.torch_run[0]), args.steps, *map(int, args.torch_run[1:]))))
        return 0
    import torch
    program = proof.Program(args.pare)
    kept = program.folder(args.work)
    folder = proof.made_by(kept / f"losses_{args.steps}", __file__, args.assets.resolve(), args.cifar.resolve(), torch.__version__)
    trace, *one = pare_run(args, folder, 1)
    _, *two = pare_run(args, folder, 2)
    found = [torch_run(args, folder, trace, *run) for run in RUNS]
    plain = torch_run(args, folder, trace, 2, 0, nesterov=False)
    rows, verdict = compare(one, two, [losses for losses, _ in found], plain[0])
    made = [folder / f"pare_{threads}.json" for threads in (1, 2)] + [file for _, file in (*found, plain)]
    return proof.record(program, kept, [f"Losses of {args.steps} steps of ResNet-20 against those of PyTorch {torch.__version__}, same weights and batches: "
                                        f"`losses_against_pytorch.py --steps {args.steps}`", "", "| | | holds |", "|---|---|---|",
                                        *("| " + " | ".join(row) + " |" for row in rows)], [verdict], made, args.results)


if __name__ == "__main__":
    sys.exit(main())
