#!/usr/bin/env python3
"""ResNet-56 for CIFAR-10 pruned, then quantized, by examples/chain.sh: what each step gives in pare and in ONNX Runtime.

    chain_resnet56.py --cifar FOLDER [--target 0.45x] [--epochs 8] [--pare build/release/pare] [--assets ../shared/assets] [--work build/proofs]
                      [--rounds 5] [--results bench/proofs/RESULTS.md | --results -]

The example is run first; it goes on where it was stopped, with the same program and the same state of the script. It chooses the best weights on
pictures that it keeps back of the training ones, and nothing by the test pictures, which are scored at the end. Then the times: processes take
turns (pare, ONNX Runtime; each step), one thread, batch 1; a round during which the machine did other work doesn't count. A time is the median over the rounds of the median run of a process (and the least of all runs); a ratio is of the
float original's time in ONNX Runtime in the same round, median [least–greatest]. What must be
shown: at most 2.0 points lost, in both engines; by the median ratios the end is 4 times as fast in pare, and 2.5 times in ONNX Runtime; it ends
with 1 where that does not hold. Needs onnxruntime and numpy.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "bench" / "peers"), str(ROOT / "tools" / "oracle")]
import bench_peers  # noqa: E402
import proof  # noqa: E402

POINTS, PARE_LIMIT, ORT_LIMIT = 2.0, 4.0, 2.5
CIFAR = ("--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225", "--batch", "32", "--json", "--quiet")


def output(*command):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout


def top1(args, model):
    """Percent of the 10,000 test pictures in pare and in ONNX Runtime."""
    test = args.cifar / "test" / "test_batch.bin"
    ours = json.loads(output(args.pare, "evaluate", model, "--data", test, *CIFAR))["top1"]
    return ours, float(output(sys.executable, ROOT / "tools/oracle/cifar_top1.py", model, test))


def times(args, models):
    """By engine and model the (median, least) milliseconds of each round, and the processors that others kept busy, at most."""
    options = argparse.Namespace(threads=1, batch=1, pare=str(args.pare), openvino_precision="f32")
    one = lambda: [{engine: bench_peers.measure(engine, str(model), options) for engine in ("pare", "ort")} for model in models]
    rounds, others = proof.quiet_rounds(args.rounds, one)
    return {engine: [[r[i][engine] for r in rounds] for i in range(len(models))] for engine in ("pare", "ort")}, others


def ratios(runs, reference):
    return [whole[0] / now[0] for whole, now in zip(reference, runs)]


def cell(runs, reference):
    found = ratios(runs, reference)
    return (f"{statistics.median(r[0] for r in runs):.3f} ({min(r[1] for r in runs):.3f}) | "
            f"{statistics.median(found):.2f} [{min(found):.2f}–{max(found):.2f}]")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", type=Path, required=True)
    parser.add_argument("--target", default="0.45x")
    parser.add_argument("--epochs", default="8")
    parser.add_argument("--pare", type=Path, default=ROOT / "build/release/pare")
    parser.add_argument("--assets", type=Path, default=ROOT.parent / "shared/assets")
    parser.add_argument("--work", type=Path, default=ROOT / "build/proofs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", help="-: shown alone")
    args = parser.parse_args()
    whole = args.assets / "models/cifar10/resnet56_cifar10_fp32.onnx"
    program, chain = proof.Program(args.pare), ROOT / "examples/chain.sh"
    args.pare = program.path
    kept = program.folder(args.work)
    folder = kept / f"chain_resnet56_{args.target}_{args.epochs}"
    proof.made_by(folder, chain, whole.resolve(), args.cifar.resolve())
    subprocess.run([chain, whole, args.cifar / "train", args.cifar / "test/test_batch.bin", folder], check=True, stdout=sys.stderr,
                   env=os.environ | {"PARE": str(args.pare), "TARGET": args.target, "EPOCHS": args.epochs})
    models = {"float": whole, "pruned": folder / "pruned.onnx", "quantized": folder / "int8.onnx"}
    scores = [top1(args, model) for model in models.values()]
    found, others = times(args, list(models.values()))
    reference = found["ort"][0]
    lines = [f"ResNet-56 made small by `examples/chain.sh`: `chain_resnet56.py --target {args.target} --epochs {args.epochs}`; ratios "
             "are to the float original in ONNX Runtime, one thread", "",
             "| | bytes | top-1, pare | top-1, ONNX Runtime | pare, ms | ratio | ONNX Runtime, ms | ratio |", "|---|---|---|---|---|---|---|---|"]
    for i, (name, model) in enumerate(models.items()):
        lines.append(f"| {name} | {model.stat().st_size:,} | {scores[i][0]:.2f} | {scores[i][1]:.2f} | {cell(found['pare'][i], reference)} | "
                     f"{cell(found['ort'][i], reference)} |")
    lost = max(before - after for before, after in zip(scores[0], scores[-1]))
    ours, theirs = (statistics.median(ratios(found[engine][-1], reference)) for engine in ("pare", "ort"))
    lines += ["", f"Other work kept at most {others:.2f} processors busy during a round that counts."]
    verdict = proof.Verdict("5.5", f"ResNet-56 pruned, then quantized: at most {POINTS} points lost, {PARE_LIMIT} times as fast in pare and {ORT_LIMIT} times in "
                            "ONNX Runtime", f"{lost:.2f} points, {ours:.2f} and {theirs:.2f} times", lost <= POINTS and ours >= PARE_LIMIT and theirs >= ORT_LIMIT)
    return proof.record(program, kept, lines, [verdict], results=args.results)


if __name__ == "__main__":
    sys.exit(main())
