#!/usr/bin/env python3
"""ResNet-56 for CIFAR-10 pruned, then quantized, by examples/chain.sh: what each step gives in pare and in ONNX Runtime.

    chain_resnet56.py --cifar FOLDER [--target 0.45x] [--epochs 8] [--pare build/release/pare] [--assets ../shared/assets] [--work build/proofs]
                      [--rounds 5] [--results bench/proofs/RESULTS.md | --results -]

The example is run first; it goes on where it was stopped. Then the times: processes take turns (pare, ONNX Runtime; each step), one
thread, batch 1. A time is the median over the rounds of the median run of a process (and the least of all runs); a ratio is of the
float original's time in ONNX Runtime in the same round, median [least–greatest]. Needs onnxruntime and numpy.
"""
import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "bench" / "peers"), str(ROOT / "tools" / "oracle")]
import bench_peers  # noqa: E402

CIFAR = ("--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225", "--batch", "32", "--json", "--quiet")


def output(*command):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout


def top1(args, model):
    """Percent of the 10,000 test pictures in pare and in ONNX Runtime."""
    test = args.cifar / "test" / "test_batch.bin"
    ours = json.loads(output(args.pare, "evaluate", model, "--data", test, *CIFAR))["top1"]
    return ours, float(output(sys.executable, ROOT / "tools/oracle/cifar_top1.py", model, test))


def times(args, models):
    """By engine and model: the (median, least) milliseconds of each round."""
    options = argparse.Namespace(threads=1, batch=1, pare=str(args.pare), openvino_precision="f32")
    found = {engine: [[] for _ in models] for engine in ("pare", "ort")}
    for _ in range(args.rounds):
        for i, model in enumerate(models):
            for engine, runs in found.items():
                runs[i].append(bench_peers.measure(engine, str(model), options))
    return found


def cell(runs, reference):
    ratios = [whole[0] / now[0] for whole, now in zip(reference, runs)]
    return (f"{statistics.median(r[0] for r in runs):.3f} ({min(r[1] for r in runs):.3f}) | "
            f"{statistics.median(ratios):.2f} [{min(ratios):.2f}–{max(ratios):.2f}]")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", type=Path, required=True)
    parser.add_argument("--target", default="0.45x")
    parser.add_argument("--epochs", default="8")
    parser.add_argument("--pare", type=Path, default=ROOT / "build/release/pare")
    parser.add_argument("--assets", type=Path, default=ROOT.parent / "shared/assets")
    parser.add_argument("--work", type=Path, default=ROOT / "build/proofs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", default=str(ROOT / "bench/proofs/RESULTS.md"))
    args = parser.parse_args()
    whole = args.assets / "models/cifar10/resnet56_cifar10_fp32.onnx"
    folder = args.work / f"chain_resnet56_{args.target}_{args.epochs}"
    subprocess.run([ROOT / "examples/chain.sh", whole, args.cifar / "train", args.cifar / "test/test_batch.bin", folder], check=True,
                   env=os.environ | {"PARE": str(args.pare), "TARGET": args.target, "EPOCHS": args.epochs})
    models = {"float": whole, "pruned": folder / "pruned.onnx", "quantized": folder / "int8.onnx"}
    found = times(args, list(models.values()))
    reference = found["ort"][0]
    lines = [f"{datetime.date.today()}, {bench_peers.cpu()[0]} ({bench_peers.cpu()[1]}), commit "
             f"{output('git', '-C', ROOT, 'rev-parse', '--short', 'HEAD').strip()}", "",
             f"ResNet-56 made small by `examples/chain.sh`: `chain_resnet56.py --target {args.target} --epochs {args.epochs}`; ratios are to the "
             "float original in ONNX Runtime, one thread", "",
             "| | bytes | top-1, pare | top-1, ONNX Runtime | pare, ms | ratio | ONNX Runtime, ms | ratio |", "|---|---|---|---|---|---|---|---|"]
    for i, (name, model) in enumerate(models.items()):
        ours, theirs = top1(args, model)
        lines.append(f"| {name} | {model.stat().st_size:,} | {ours:.2f} | {theirs:.2f} | {cell(found['pare'][i], reference)} | "
                     f"{cell(found['ort'][i], reference)} |")
    text = "\n".join(lines)
    print(text)
    if args.results != "-":
        with open(args.results, "a") as results:
            results.write(f"\n{text}\n")


if __name__ == "__main__":
    main()
