#!/usr/bin/env python3
"""Ten networks pruned to half their multiplications, without training: are they valid, do ONNX Runtime and pare answer alike, and how
much faster are they, in both?

    prune_half_macs.py [NETWORK …] [--importance reconstruction] [--pare build/release/pare] [--assets ../shared/assets] [--work build/proofs]
                       [--rounds 5] [--results bench/proofs/RESULTS.md | --results -]

Each step leaves a file in WORK/PROGRAM/prune_half_macs/IMPORTANCE/NETWORK and is left out where that is there, so that a run goes on where one was
stopped: of the same program and the same state of this script. At the end a table of all that were asked for is appended to the results.

All are pruned first, then timed: processes take turns (pare, ONNX Runtime; before, after), one thread, batch 1; a round during which the machine
did other work doesn't count, and where too many are so a network is not timed. A time is the median run of a process, in the table the median of
the rounds (and the least of all runs); a ratio is the median [least–greatest] of the rounds' own, and before it that of the least runs. The
smaller of the two decides, so that a lucky run is not enough. A network passes where 0.45 to 0.5 of the multiplications are left,
onnx.checker (with its inference of shapes) takes the file, the outputs of the two engines differ by at most 1e-4 of their range on four samples, and the time falls
by the limits: in pare 1.6 for convolutional networks, in ONNX Runtime 1.4, or 1.3 where the whole network takes less than 0.5 ms there. Needs onnx,
onnxruntime and numpy.
"""
import argparse
import json
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "bench" / "peers"), str(ROOT / "tools" / "oracle")]
import bench_peers  # noqa: E402
import proof  # noqa: E402
from engines import ENGINES  # noqa: E402

LEAST_PART, MOST_PART = 0.45, 0.5  # more cut would be faster, and more lost
ERROR_LIMIT, PARE_LIMIT, ORT_LIMIT, SMALL_ORT_LIMIT, SMALL_MS = 1e-4, 1.6, 1.4, 1.3, 0.5
IMAGENET = ("--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225")
CIFAR_DATA, PHOTOS = "datasets/cifar10_test_first1000.bin", "datasets/imagenet_sample1000_s256.tar"
MADE_UP = 64  # samples, where there is no data
COMPARED = 4  # samples that both engines answer


@dataclass
class Network:
    model: str = ""             # of the assets; "" for one of tools/oracle/make_networks.py
    data: str = ""              # of the assets; "" for made-up numbers
    preprocess: tuple = ()
    inputs: tuple = (0.0, 1.0)  # mean and deviation of the numbers that it takes
    convolutional: bool = True


NETWORKS = {
    "resnet56": Network("models/cifar10/resnet56_cifar10_fp32.onnx", CIFAR_DATA, IMAGENET),
    "resnet20": Network("models/cifar10/resnet20_cifar10_fp32.onnx", CIFAR_DATA, IMAGENET),
    "resnet8": Network("models/mlperf_tiny/ic_resnet8_cifar10_fp32.onnx", CIFAR_DATA, ("--scale", "1"), (128, 64)),
    "mobilenetv2": Network("models/imagenet/mobilenetv2_1.0_torchvision_fcrecon_fp32.onnx", PHOTOS, IMAGENET),
    "squeezenet": Network("models/imagenet/squeezenet1.1_fp32.onnx", PHOTOS, IMAGENET),
    "vww": Network("models/mlperf_tiny/vww_mobilenetv1_0.25_96_fp32.onnx", inputs=(0.5, 0.25)),
    "kws": Network("models/mlperf_tiny/kws_dscnn_fp32.onnx"),
    "encoder": Network(convolutional=False),
    "detector": Network(),
    "unet": Network(),
}


def run(*command):
    """Standard output. Fails with what pare says first, others say last."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise RuntimeError(next((line for line in said if line.startswith("pare: ")), said[-1]))
    return done.stdout


def inputs_of(model):
    """(name, shape, kind) of each; an open dimension is None."""
    import onnx
    graph = onnx.load(model, load_external_data=False).graph
    stored = {tensor.name for tensor in graph.initializer}
    return [(i.name, [d.dim_value or None for d in i.type.tensor_type.shape.dim], i.type.tensor_type.elem_type)
            for i in graph.input if i.name not in stored]


def difference(ours, theirs):
    """The largest, of the range of theirs."""
    if ours.shape != theirs.shape or not np.isfinite(theirs).all() or not np.isfinite(ours).all():
        raise RuntimeError(f"outputs of {ours.shape} and {theirs.shape}, or some are not finite")
    return float(np.abs(ours.astype(np.float64) - theirs).max() / max(np.ptp(theirs.astype(np.float64)), 1e-12))


class Proof:
    def __init__(self, name, args):
        self.name, self.args, self.network = name, args, NETWORKS[name]
        self.folder = proof.made_by(args.folder / "prune_half_macs" / args.importance / name, __file__, args.assets.resolve())
        self.pruned = self.folder / "pruned.onnx"
        self.found, self.faults = {}, []

    def kept(self, step, make):
        """What a step gave, or gives now."""
        path = self.folder / f"{step}.json"
        if not path.exists():
            print(f"{self.name}: {step}", file=sys.stderr, flush=True)
            proof.written(path, json.dumps(make(), indent=1))
        return json.loads(path.read_text())

    def model(self):
        if self.network.model:
            return self.args.assets / self.network.model
        path, samples = self.folder / "model.onnx", self.folder / "samples.npz"
        if not path.exists() or not samples.exists():
            run(sys.executable, ROOT / "tools/oracle/make_networks.py", self.name, "-o", path, "--samples", samples, "--count", MADE_UP)
        return path

    def data(self):
        if self.network.data:
            return self.args.assets / self.network.data
        path = self.folder / "samples.npz"
        if not path.exists():
            self.model()
        if not path.exists():
            np.savez(path, **self.made_up(MADE_UP))
        return path

    def made_up(self, count):
        mean, deviation = self.network.inputs
        rng = np.random.default_rng(1)
        return {name: (mean + deviation * rng.standard_normal([count] + shape[1:])).astype(np.float32)
                for name, shape, _ in inputs_of(self.model())}

    def prune(self):
        self.pruned.unlink(missing_ok=True)
        command = [self.args.pare, "prune", self.model(), "--data", self.data(), *self.network.preprocess, "--target-macs", "0.5x",
                   "--importance", self.args.importance, "--no-recover", "-o", self.pruned, "--seed", "0", "--json", "--quiet"]
        report = json.loads(run(*command))
        return {"macs_before": report["before"]["macs"], "macs_after": report["after"]["macs"], "seconds": report["seconds"]["prune"],
                "cut": sum(g["after"] < g["size"] for g in report["groups"]), "groups": len(report["groups"])}

    def check(self):
        import onnx
        onnx.checker.check_model(onnx.load(self.pruned), full_check=True)
        return {"checker": "passes"}

    def samples(self):
        """COMPARED of each input, by name."""
        if self.network.data:
            return self.made_up(COMPARED)
        with np.load(self.data()) as samples:
            return {name: array[:COMPARED] for name, array in samples.items()}

    def compared(self):
        """The pruned network that also tells what its last Softmax or Sigmoid is given: 0 and 1 alone would tell little."""
        import onnx
        path, model = self.folder / "compared.onnx", onnx.load(self.pruned)
        ends = {output.name for output in model.graph.output}
        for node in model.graph.node:
            if node.op_type in ("Softmax", "Sigmoid") and node.output[0] in ends:
                model.graph.output.append(onnx.helper.make_tensor_value_info(node.input[0], onnx.TensorProto.FLOAT, None))
        onnx.save(model, path)
        return path

    def compare(self):
        """The largest difference of the engines' outputs, of their range."""
        model, samples = self.compared(), self.samples()
        infer, _, _ = ENGINES["ort"](model, 1)
        worst = 0.0
        for i in range(COMPARED):
            sample = {name: array[i:i + 1] for name, array in samples.items()}
            theirs = infer([sample[name] for name, _, _ in inputs_of(model)])
            worst = max([worst, *(difference(*pair) for pair in zip(self.answers(model, sample), theirs, strict=True))])
        return {"error": worst}

    def answers(self, model, sample):
        """pare's outputs."""
        np.savez(self.folder / "sample.npz", **sample)
        done = json.loads(run(self.args.pare, "run", model, "--input", self.folder / "sample.npz", "--output-dir", self.folder / "outputs", "--json"))
        return [np.load(output["file"]) for output in done["outputs"]]

    def time(self):
        """Milliseconds (median and least run of a process) by round, engine and side."""
        options = argparse.Namespace(threads=1, batch=1, pare=str(self.args.pare), openvino_precision="f32")
        measure = lambda: {engine: [bench_peers.measure(engine, str(model), options) for model in (self.model(), self.pruned)]
                           for engine in ("pare", "ort")}
        rounds, others = proof.quiet_rounds(self.args.rounds, measure)
        return {"rounds": rounds, "others": others}

    def take(self, *steps):
        for step in steps:
            if any(not fault.startswith(("check:", "compare:")) for fault in self.faults):
                return
            try:
                self.found |= self.kept(step.__name__, step)
            except (Exception, SystemExit) as fault:  # whatever it is, it is a result
                self.faults.append(f"{step.__name__}: {fault}")
                print(f"{self.name}: {self.faults[-1]}", file=sys.stderr, flush=True)

    def times_of(self, engine):
        """Two cells of the table, the ratio that decides, and the whole network's time."""
        rounds = [r[engine] for r in self.found["rounds"]]
        median = [statistics.median(r[side][0] for r in rounds) for side in (0, 1)]
        least = [min(r[side][1] for r in rounds) for side in (0, 1)]
        ratios = [before[0] / after[0] for before, after in rounds]
        cells = [" → ".join(f"{m:.3f} ({l:.3f})" for m, l in zip(median, least)),
                 f"{least[0] / least[1]:.2f}; {statistics.median(ratios):.2f} [{min(ratios):.2f}–{max(ratios):.2f}]"]
        return cells, min(least[0] / least[1], statistics.median(ratios)), least[0]

    def row(self):
        found, faults = self.found, list(self.faults)
        macs = error = "–"
        if "macs_after" in found:
            part = found["macs_after"] / found["macs_before"]
            macs = f"{found['macs_before'] / 1e6:.1f} M → {part:.3f}"
            if not LEAST_PART <= part <= MOST_PART:
                faults.append(f"{part:.3f} of the multiplications are not half")
        if "error" in found:
            error = f"{found['error']:.1e}"
            if found["error"] > ERROR_LIMIT:
                faults.append("the engines differ")
        cells = ["–", "–", "–", "–"]
        if "rounds" in found:
            ours, ratio, _ = self.times_of("pare")
            if self.network.convolutional and ratio < PARE_LIMIT:
                faults.append(f"pare {ratio:.2f} < {PARE_LIMIT}")
            theirs, ratio, whole = self.times_of("ort")
            limit = ORT_LIMIT if whole >= SMALL_MS else SMALL_ORT_LIMIT
            if ratio < limit:
                faults.append(f"ONNX Runtime {ratio:.2f} < {limit}")
            cells = ours + theirs
        elif not faults:
            faults.append("not timed")
        seconds = f"{found['seconds']:.0f}" if "seconds" in found else "–"
        return [self.name, macs, seconds, found.get("checker", "–"), error, *cells, "; ".join(faults) or "holds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=", ".join(NETWORKS))
    parser.add_argument("--importance", default="reconstruction")
    parser.add_argument("--pare", type=Path, default=ROOT / "build/release/pare")
    parser.add_argument("--assets", type=Path, default=ROOT / "../shared/assets")
    parser.add_argument("--work", type=Path, default=ROOT / "build/proofs")
    parser.add_argument("--rounds", type=int, default=5, help="of times that count; 0: none, for the time being")
    parser.add_argument("--results", help="-: shown alone")
    args = parser.parse_args()
    program = proof.Program(args.pare)
    args.pare, args.folder = program.path, program.folder(args.work)
    unknown = set(args.networks) - set(NETWORKS)
    if unknown:
        parser.error(f"there is no network {', '.join(unknown)}")
    proofs = [Proof(name, args) for name in args.networks or NETWORKS]
    for network in proofs:
        network.take(network.prune, network.check, network.compare)
    for network in proofs if args.rounds else ():
        network.take(network.time)
    rows = [network.row() for network in proofs]
    holding = sum(row[-1] == "holds" for row in rows)
    table = ["| network | MACs | pruned in s | checker | difference of the engines | pare, ms | ratio | ONNX Runtime, ms | ratio | verdict |",
             "|---|---|---|---|---|---|---|---|---|---|"] + ["| " + " | ".join(row) + " |" for row in rows]
    others = [network.found["others"] for network in proofs if "others" in network.found]
    note = ["", f"Other work kept at most {max(others):.2f} processors busy during a round that counts."] if others else []
    verdict = proof.Verdict("5.1", f"{len(NETWORKS)} networks at half the multiplications: valid, alike in both engines, and as much faster as asked",
                            f"{holding} of {len(rows)} hold", holding == len(rows) == len(NETWORKS))
    return proof.record(program, args.folder, [f"Half of the multiplications, no training: `prune_half_macs.py {' '.join(args.networks)}"
                                               f"{' ' if args.networks else ''}--importance {args.importance}`", "", *table, *note], [verdict], results=args.results)


if __name__ == "__main__":
    sys.exit(main())
