"""Test models of several operators: tests/models/<name>.onnx and <name>/<case>/{input,output}_<i>.npy."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx

import case_kit

ROOT = Path(__file__).resolve().parents[2] / 'tests' / 'models'


def run(model, feeds):
    """Where the file fixes a batch of 1 and there are more samples: one run a sample, joined."""
    dims = model.graph.input[0].type.tensor_type.shape.dim
    if dims and dims[0].dim_value == 1 and len(feeds[0]) > 1:
        runs = [case_kit.run(model, [f[i:i + 1] for f in feeds]) for i in range(len(feeds[0]))]
        return [np.concatenate(parts) for parts in zip(*runs)]
    return [np.asarray(r) for r in case_kit.run(model, feeds)]


def write(name, model, cases, **save):
    """`cases` maps a case's name to the values of the graph's inputs, in order. Returns ONNX Runtime's results."""
    ROOT.mkdir(parents=True, exist_ok=True)
    onnx.checker.check_model(model)
    results = {case: run(model, feeds) for case, feeds in cases.items()}
    onnx.save(model, ROOT / f'{name}.onnx', **save)
    for case, feeds in cases.items():
        folder = ROOT / name / case
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for kind, values in (('input', feeds), ('output', results[case])):
            for i, value in enumerate(values):
                case_kit.save_npy(folder / f'{kind}_{i}.npy', value)
    return results


def describe(name, model):
    ops = ', '.join(f'{op} {n}' for op, n in Counter(n.op_type for n in model.graph.node).most_common())
    return f'{name}: {(ROOT / f"{name}.onnx").stat().st_size:,} bytes: {ops}'
