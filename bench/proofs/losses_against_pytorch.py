#!/usr/bin/env python3
"""The losses of pare's steps on ResNet-20 (CIFAR-10) against PyTorch's, from the same weights and batches.

    losses_against_pytorch.py --cifar DIR [--steps 200] [--pare build/release/pare] [--assets ../shared/assets] [--work build/proofs]

pare trains from random weights (rate rising to 0.04) with --trace on 1 and on 2 threads; PyTorch then takes the same steps (SGD with Nesterov's
momentum) from the same weights on the same batches, on 1 and on 2 threads, with pictures in both of its memory layouts. Sums in another order
make runs drift apart, PyTorch's from itself, too: that drift is the measure. Losses are means over windows of ten steps.

What must be shown: the first ten losses differ by at most 1e-4 (relative); pare stays within the spread of PyTorch's four runs: it comes no further from the
nearest of them, in any window, than the one of them that strays most comes from the nearest other; and pare's two runs give the same losses and the same bytes of a
file. It ends with 1 where that does not hold. Beside it stand, and decide nothing, in how many windows runs lie between PyTorch's on 1 and 2 threads: of runs that
differ by chance alone a third one lies between two others one time in three. All is appended to bench/proofs/RESULTS.md. Needs torch and numpy.
"""
import argparse
import sys
from pathlib import Path

import numpy as np
import proof

ROOT = Path(__file__).resolve().parents[2]
RATE, MOMENTUM, DECAY, BATCH = 0.0398, 0.9, 5e-4, 128


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
    """The trace, the losses, and the bytes of the trained file."""
    stem = folder / f"losses_{args.steps}_{threads}"
    trace, model = stem.with_suffix(".trace"), stem.with_suffix(".onnx")
    proof.once(stem.with_suffix(".json"),
               [args.pare, "train", args.assets / "models/cifar10/resnet20_cifar10_fp32.onnx", "--from-scratch", "--data", args.cifar / "train",
                "--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225", "--steps", args.steps, "--batch", BATCH, "--rate", RATE,
                "--schedule", "constant", "--warmup", args.steps - 1, "--nesterov", "--weight-decay", DECAY, "--flip", "--crop-pad", "4",
                "--seed", "1", "--validation", "0", "--threads", threads, "--trace", trace, "-o", model, "--json"])
    return trace, [float(np.load(trace / f"step_{i:06d}.npz")["loss"]) for i in range(1, args.steps + 1)], model.read_bytes()


def torch_run(folder, steps, threads, channels_last):
    import torch
    torch.set_num_threads(threads)
    net = resnet20()
    start = {name[4:]: array for name, array in np.load(folder / "start.npz").items() if name.startswith("now/")}
    own = net.state_dict()
    taken = {name: torch.from_numpy(start[name].reshape(tensor.shape)) for name, tensor in own.items() if name in start}
    missing = [name for name, _ in net.named_parameters() if name not in taken]
    if missing:
        sys.exit(f"the trace has no {missing}")
    net.load_state_dict({**own, **taken})
    if channels_last:
        net = net.to(memory_format=torch.channels_last)
    decay = [p for p in net.parameters() if p.ndim > 1]
    rest = [p for p in net.parameters() if p.ndim <= 1]
    optimizer = torch.optim.SGD([{"params": decay, "weight_decay": DECAY}, {"params": rest, "weight_decay": 0}], lr=RATE,
                                momentum=MOMENTUM, nesterov=True)
    losses = []
    for i in range(1, steps + 1):
        batch = np.load(folder / f"step_{i:06d}.npz")
        pictures = torch.from_numpy(batch["input/input"])
        if channels_last:
            pictures = pictures.contiguous(memory_format=torch.channels_last)
        loss = torch.nn.functional.cross_entropy(net(pictures), torch.from_numpy(batch["labels"]))
        for group in optimizer.param_groups:
            group["lr"] = float(batch["rate"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def by_tens(losses):
    return np.asarray(losses).reshape(-1, 10).mean(1)


def envelope(curve, runs):
    """How many windows of a curve lie between the least and the greatest of the runs, how far outside it comes, and how far these are apart."""
    outside = np.maximum(np.min(runs, 0) - curve, curve - np.max(runs, 0))
    return int((outside <= 0).sum()), max(0.0, float(outside.max())), float(np.ptp(runs, 0).max())


def inside(curve, runs):
    count, outside, apart = envelope(curve, runs)
    return f"{count} of {len(curve)} windows; at most {outside:.4f} outside (those runs are at most {apart:.4f} apart)"


def stray(curve, runs):
    """How far the curve comes, in the window where it is furthest, from the nearest of the runs."""
    return float(np.abs(runs - curve).min(0).max())


def compare(one, two, runs):
    """Rows of the table, and whether what must be shown holds. `one`, `two`: losses and bytes of pare's runs; `runs`: PyTorch's losses by layout ("default",
    "channels-last"), on 1 and on 2 threads."""
    first = max(abs(a - b) / abs(b) for a, b in zip(one[0][:10], runs["default"][0][:10]))
    losses, files = one[0] == two[0], one[1] == two[1]
    curve = by_tens(one[0])
    curves = {layout: np.stack([by_tens(run) for run in pair]) for layout, pair in runs.items()}
    four = np.concatenate(list(curves.values()))
    own = [stray(run, np.delete(four, i, 0)) for i, run in enumerate(four)]
    apart = stray(curve, four)
    word = lambda good: "yes" if good else "**no**"
    rows = [("first ten losses: largest relative difference, at most 1e-4", f"{first:.1e}", word(first <= 1e-4)),
            ("furthest from the nearest of PyTorch's runs: pare; these from each other (default layout on 1, 2 threads; channels last)",
             f"{apart:.4f}; {', '.join(f'{x:.4f}' for x in own)}", word(apart <= max(own))),
            ("pare on 1 and 2 threads: the same losses, the same file", f"{'yes' if losses else 'no'}, {'yes' if files else 'no'}", word(losses and files)),
            ("*beside it:* pare between PyTorch's runs on 1 and 2 threads, default layout", inside(curve, curves["default"]), "–"),
            ("*beside it:* pare between those in the channels-last layout", inside(curve, curves["channels-last"]), "–"),
            ("*beside it:* PyTorch, channels-last, 1 thread, between its runs in the default layout", inside(curves["channels-last"][0], curves["default"]), "–"),
            ("last ten, pare / PyTorch", f"{curve[-1]:.4f} / {curves['default'][0][-1]:.4f}", "–")]
    return rows, first <= 1e-4 and apart <= max(own) and losses and files


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=200, help="a multiple of 10")
    parser.add_argument("--pare", type=Path, default=ROOT / "build/release/pare")
    parser.add_argument("--assets", type=Path, default=ROOT / "../shared/assets")
    parser.add_argument("--work", type=Path, default=ROOT / "build/proofs")
    parser.add_argument("--results", default=str(ROOT / "bench/proofs/RESULTS.md"), help="-: printed alone")
    args = parser.parse_args()
    if args.steps < 10 or args.steps % 10:
        parser.error("--steps must be a multiple of 10")
    import torch
    program = proof.Program(args.pare)
    folder = program.folder(args.work)
    trace, *one = pare_run(args, folder, 1)
    _, *two = pare_run(args, folder, 2)
    runs = {layout: [torch_run(trace, args.steps, threads, layout == "channels-last") for threads in (1, 2)]
            for layout in ("default", "channels-last")}
    rows, holds = compare(one, two, runs)
    text = "\n".join([program.stamp(), "", f"Losses of {args.steps} steps of ResNet-20 against those of PyTorch {torch.__version__}, same weights and "
                      "batches: `losses_against_pytorch.py`", "", "| | | holds |", "|---|---|---|", *("| " + " | ".join(row) + " |" for row in rows)])
    print(text)
    if args.results != "-":
        with open(args.results, "a", encoding="utf-8") as results:
            results.write(f"\n{text}\n")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
