#!/usr/bin/env python3
"""pare against ONNX Runtime and OpenVINO: each engine in its own process, taking turns.

    bench_peers.py MODEL ... [--rounds 7] [--threads 1] [--batch 1] [--engines pare,ort,openvino] [--pare build/release/pare]
                   [--results bench/RESULTS.md | --results -]

For each model a row of a markdown table is appended to the results: medians over the rounds, and how many times as fast
pare is as the better peer (median and range of the rounds' own ratios; above 1 pare is faster).
"""

import argparse
import datetime
import json
import statistics
import subprocess
import sys
from pathlib import Path

import machine

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
HEADER = """# Results of `bench/peers/bench_peers.py`

Milliseconds: median over rounds of processes that take turns (and the least of all runs); *ratio* = time of the better peer / time of pare, median
[lowest–highest] of the rounds: above 1 pare is faster. How it is measured: `bench/peers/README.md`.

| date | CPU | ISA | model | threads | batch | rounds | pare | ONNX Runtime | OpenVINO | ratio |
|---|---|---|---|---|---|---|---|---|---|---|
"""


def command(engine, model, options):
    common = ['--threads', str(options.threads), '--batch', str(options.batch)]
    if engine == 'pare':
        return [options.pare, 'bench', model, *common, '--json']
    return [sys.executable, str(HERE / 'worker.py'), engine, model, *common, '--openvino-precision', options.openvino_precision]


def measure(engine, model, options):
    done = subprocess.run(command(engine, model, options), capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f'{engine} on {model} failed ({done.returncode}):\n{done.stderr[-2000:]}')
    result = json.loads(done.stdout)
    return result['median_ms'], result['min_ms']


def compare(model, options):
    """The rounds: a list of {engine: (median ms, least ms)}."""
    rounds = []
    for i in range(options.rounds):
        rounds.append({engine: measure(engine, model, options) for engine in options.engines})
        words = '  '.join(f'{engine} {median:.3f}' for engine, (median, _) in rounds[-1].items())
        print(f'{Path(model).name}: round {i + 1}/{options.rounds}: {words} ms', file=sys.stderr)
    return rounds


def row(model, rounds, options):
    medians = {e: statistics.median(r[e][0] for r in rounds) for e in options.engines}
    least = {e: min(r[e][1] for r in rounds) for e in options.engines}
    cell = lambda e: f'{medians[e]:.3f} ({least[e]:.3f})' if e in medians else '–'
    peers = [e for e in options.engines if e != 'pare']
    ratio = '–'
    if 'pare' in medians and peers:
        best = min(peers, key=medians.get)
        ratios = [r[best][0] / r['pare'][0] for r in rounds]
        ratio = f'{statistics.median(ratios):.2f} [{min(ratios):.2f}–{max(ratios):.2f}]'
    cells = [datetime.date.today().isoformat(), f'{machine.name()}, {machine.processors()}', machine.isa(), Path(model).stem, options.threads, options.batch, options.rounds,
             cell('pare'), cell('ort'), cell('openvino'), ratio]
    return '| ' + ' | '.join(map(str, cells)) + ' |'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('models', nargs='+')
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--engines', type=lambda s: s.split(','), default='pare,ort,openvino')
    parser.add_argument('--pare', default=str(ROOT / 'build/release/pare'))
    parser.add_argument('--openvino-precision', default='f32')
    parser.add_argument('--results', default=str(ROOT / 'bench' / 'RESULTS.md'))
    options = parser.parse_args()
    for model in options.models:
        line = row(model, compare(model, options), options)
        print(line)
        if options.results != '-':
            results = Path(options.results)
            text = results.read_text() if results.exists() else HEADER
            results.write_text(text + line + '\n')


if __name__ == '__main__':
    main()
