#!/usr/bin/env python3
"""Write tests/cases/<Op>/<case>/ from the tables in cases/.

    make_cases.py [--check] [Op ...]

Expected outputs are ONNX Runtime's; `--check` also runs onnx's reference evaluator and lists where the two differ.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
from onnx.reference import ReferenceEvaluator

import case_kit
from cases import elementwise, linear, quantized, shapes, spatial  # noqa: F401  (each fills CASES)

ROOT = Path(__file__).resolve().parents[2] / 'tests' / 'cases'


def difference(model, feeds, expected):
    """What the reference evaluator says differently, in words; empty where it agrees."""
    try:
        got = ReferenceEvaluator(model).run(None, {i.name: f for i, f in zip(model.graph.input, feeds)})
    except Exception as error:  # the evaluator covers less than the runtime does
        return f'reference fails: {type(error).__name__}: {str(error)[:80]}'
    for i, (a, b) in enumerate(zip(expected, got)):
        a, b = np.asarray(a), np.asarray(b)
        if a.shape != b.shape:
            return f'output {i}: shape {a.shape}, reference {b.shape}'
        if a.dtype != b.dtype:
            return f'output {i}: type {a.dtype}, reference {b.dtype}'
        if not np.allclose(a.astype(np.float64), b.astype(np.float64), 1e-4, 1e-5, equal_nan=True):
            worst = np.nanmax(np.abs(a.astype(np.float64) - b.astype(np.float64)))
            return f'output {i}: largest difference {worst:.6g}'
    return ''


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('ops', nargs='*')
    parser.add_argument('--check', action='store_true')
    options = parser.parse_args()
    seen, failed, size = set(), 0, 0
    for c in case_kit.CASES:
        if options.ops and c.op not in options.ops:
            continue
        assert (c.op, c.name) not in seen, f'{c.op}/{c.name} twice'
        seen.add((c.op, c.name))
        try:
            model, feeds, expected = case_kit.write(ROOT, c)
        except Exception as error:
            failed += 1
            print(f'{c.op}/{c.name}: NOT WRITTEN: {str(error)[:200]}')
            continue
        if options.check and (words := difference(model, feeds, expected)):
            print(f'{c.op}/{c.name}: {words}')
    if not options.ops:
        for folder in ROOT.glob('*/*'):
            if folder.is_dir() and (folder.parent.name, folder.name) not in seen:
                shutil.rmtree(folder)
    size = sum(f.stat().st_size for f in ROOT.rglob('*') if f.is_file())
    print(f'{len(seen) - failed} cases of {len({op for op, _ in seen})} operators, {failed} failed, {size:,} bytes in all')


if __name__ == '__main__':
    main()
