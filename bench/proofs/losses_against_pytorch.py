#!/usr/bin/env python3
"""The losses of pare's steps on ResNet-20 (CIFAR-10) against PyTorch's, from the same weights and batches.

    losses_against_pytorch.py --cifar DIR [--steps 200] [--pare build/release/pare] [--assets ../shared/assets] [--work build/proofs]

pare trains from random weights (rate rising to 0.04) with --trace on 1 and on 2 threads; PyTorch then takes the same steps (SGD with Nesterov's momentum) from the same
weights on the same batches, on 1 and on 2 threads, each with pictures in both of its memory layouts. Sums in another order make runs drift apart,
PyTorch's from itself, too: that drift is the measure. Ends with 1 where the first ten losses differ by more than 1e-4 (relative), or pare is further
from the nearest of PyTorch's runs than these are from each other (means over ten steps, at most), and appends what it found to
bench/proofs/RESULTS.md. Needs torch and numpy.
"""
import argparse
import datetime
import subprocess
import sys
from pathlib import Path

import numpy as np

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


def pare_run(args, threads):
    """The folder of the trace, and the losses."""
    folder = args.work / f"losses_{threads}"
    pictures = sorted((args.cifar / "train").glob("*.bin")) and args.cifar / "train"
    model = args.work / f"losses_{threads}.onnx"
    run = [args.pare, "train", args.assets / "models/cifar10/resnet20_cifar10_fp32.onnx", "--from-scratch", "--data", pictures,
                    "--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225", "--steps", str(args.steps), "--batch", str(BATCH), "--rate", str(RATE),
                    "--schedule", "constant", "--warmup", str(args.steps - 1), "--nesterov", "--weight-decay", str(DECAY), "--flip", "--crop-pad", "4", "--seed", "1", "--validation", "0",
                    "--threads", str(threads), "--trace", folder, "-o", model]
    if not model.exists():
        subprocess.run(run, check=True)
    return folder, [float(np.load(folder / f"step_{i:06d}.npz")["loss"]) for i in range(1, args.steps + 1)]


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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=200, help="a multiple of 10")
    parser.add_argument("--pare", type=Path, default=ROOT / "build/release/pare")
    parser.add_argument("--assets", type=Path, default=ROOT / "../shared/assets")
    parser.add_argument("--work", type=Path, default=ROOT / "build/proofs")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)

    folder, one = pare_run(args, 1)
    _, two = pare_run(args, 2)
    same_bits = one == two
    runs = [torch_run(folder, args.steps, threads, last) for last in (False, True) for threads in (1, 2)]
    first = max(abs(a - b) / abs(b) for a, b in zip(one[:10], runs[0][:10]))
    curves = np.stack([by_tens(run) for run in runs])
    spread = curves.max(0) - curves.min(0)
    apart = np.abs(curves - by_tens(one)).min(0)
    plain = np.abs(curves[0] - curves[1]).max()
    within = bool(apart.max() <= spread.max())
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    lines = ["", f"{datetime.date.today()}, {cpu}, commit {commit}", "",
             f"Losses of {args.steps} steps of ResNet-20 against PyTorch's, same weights and batches: `losses_against_pytorch.py`", "",
             "| first 10, largest relative difference | means of ten steps: PyTorch's four runs apart, at most | its runs on 1 and 2 threads apart, one layout | "
             "pare and the nearest of the four, at most | pare on 1 and 2 threads: the same bits | last ten, pare / PyTorch |", "|---|---|---|---|---|---|",
             f"| {first:.1e} | {spread.max():.4f} | {plain:.4f} | {apart.max():.4f} | {'yes' if same_bits else 'no'} | "
             f"{by_tens(one)[-1]:.4f} / {by_tens(runs[0])[-1]:.4f} |"]
    with open(ROOT / "bench/proofs/RESULTS.md", "a") as results:
        results.write("\n".join(lines) + "\n")
    print("\n".join(lines))
    return 0 if first <= 1e-4 and within and same_bits else 1


if __name__ == "__main__":
    sys.exit(main())
