#!/usr/bin/env python3
"""Static int8 of MobileNetV2 by pare and by ONNX Runtime, side by side: from start to the written file, then top-1 of it.

    quantize_peers.py [--model M] [--data sample1000.tar] [--rounds 3] [--quantizers pare,ort] [--pare build/release/pare] [--threads N]
                      [--pare-arguments '...'] [--preset imagenet] [--label-offset 0]

Both calibrate on 300 pictures: ONNX Runtime on the first three of each ten in order, pare on the 300 it draws. The rounds time
both from the start of the process until the file is written; what pare does after that (it is told to verify on a single picture)
counts for its memory alone. Then pare runs once more as a user would, and says what float and int8 reach on the 700 pictures that it did not calibrate on. The int8 files run in ONNX Runtime
and in OpenVINO on all 1,000; pare's own also in pare, exactly and as an engine whose 8-bit products saturate.
"""

import argparse
import datetime
import json
import os
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path

import machine

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ASSETS = ROOT.parent / 'shared' / 'assets'
RULE = '3/10'
PREPROCESSING = '--size 256 --crop 224 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --calibration 300'


def until_written(command, out, threads):
    """Seconds from a command's start until `out` was written, and its peak resident megabytes; `threads` 0: its own choice."""
    pin = (lambda: os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])) if threads else None
    start = time.time()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=pin)
    errors = child.stderr.read().decode(errors='replace')
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f'{shlex.join(map(str, command))} failed ({child.returncode}):\n{errors[-2000:]}')
    return Path(out).stat().st_mtime - start, usage.ru_maxrss / 1024


def command(quantizer, out, options):
    if quantizer == 'pare':
        return [options.pare, 'quantize', options.model, '--data', options.data, '-o', out, '--verification', '1', '--seconds', '0.05',
                *shlex.split(options.pare_arguments)]
    return [sys.executable, HERE / 'ort_quantize.py', options.model, out, '--data', options.data, '--take-every', RULE]


def top1(model, engine, options):
    done = subprocess.run([sys.executable, ROOT / 'tools' / 'oracle' / 'evaluate_onnx.py', model, '--data', options.data,
                           '--preset', options.preset, '--label-offset', str(options.label_offset), '--engine', engine, '--json'],
                          capture_output=True, text=True)
    return f'{json.loads(done.stdout)["top1"]:.2f}' if done.returncode == 0 else 'fails'


def pare_json(options, *arguments):
    done = subprocess.run([options.pare, *arguments, '--data', options.data, '--json'], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f'pare {shlex.join(map(str, arguments))} failed ({done.returncode}):\n{done.stderr[-2000:]}')
    return json.loads(done.stdout)


def as_user(out, options):
    """What `pare quantize` itself reports, and its file in pare, exactly and with saturating products, on all pictures."""
    report = pare_json(options, 'quantize', options.model, '-o', out, *shlex.split(options.pare_arguments))
    quality, size = report['quality'], report['bytes']
    exact = pare_json(options, 'evaluate', out)['top1']
    saturating = pare_json(options, 'evaluate', out, '--saturating')['top1']
    return (f'pare, {quality["count"]} pictures that it did not calibrate on: float {quality["top1_a"]:.2f} %, int8 '
            f'{quality["top1_b"]:.2f} %; {100 * size["b"] / size["a"]:.1f} % of the size; peak with verification '
            f'{report["peak_memory_bytes"] / 1e6:.0f} MB. All pictures in pare: {exact:.2f} %, saturating {saturating:.2f} %.')


def row(name, model, measured, options):
    cells = [name, f'{Path(model).stat().st_size:,}']
    if measured:
        seconds, megabytes = zip(*measured)
        cells += [f'{statistics.median(seconds):.1f}', f'{max(megabytes) * 1.048576:.0f}']
    else:
        cells += ['–', '–']
    cells += [top1(model, engine, options) for engine in ('ort', 'openvino')]
    return '| ' + ' | '.join(cells) + ' |'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--model', default=str(ASSETS / 'models/imagenet/mobilenetv2_1.0_torchvision_fcrecon_fp32.onnx'))
    parser.add_argument('--data', default=str(ASSETS / 'datasets/imagenet_sample1000_s256.tar'))
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--threads', type=int, default=0)
    parser.add_argument('--quantizers', type=lambda s: s.split(','), default='pare,ort')
    parser.add_argument('--pare', default=str(ROOT / 'build/release/pare'))
    parser.add_argument('--pare-arguments', default=PREPROCESSING)
    parser.add_argument('--preset', default='imagenet')
    parser.add_argument('--label-offset', type=int, default=0)
    options = parser.parse_args()
    folder = ROOT / 'build' / 'peers'
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: str(folder / f'{Path(options.model).stem}.{name}.int8.onnx') for name in options.quantizers}
    measured = {name: [] for name in options.quantizers}
    for i in range(options.rounds):
        for name in options.quantizers:
            Path(files[name]).unlink(missing_ok=True)
            measured[name].append(until_written(command(name, files[name], options), files[name], options.threads))
            print(f'round {i + 1}: {name}: {measured[name][-1][0]:.1f} s, {measured[name][-1][1]:.0f} MB', file=sys.stderr)
    text = as_user(files['pare'], options) if 'pare' in files else ''
    commit = json.loads(subprocess.run([options.pare, 'version', '--json'], check=True, capture_output=True, text=True).stdout).get('commit')
    print(f'{datetime.date.today()}, {machine.cpu()}, commit {commit or "unknown"}, {options.rounds} rounds: `quantize_peers.py`\n')
    print('| model | bytes | seconds | peak MB | top-1 in ONNX Runtime | in OpenVINO |')
    print('|---|---|---|---|---|---|')
    print(row('float', options.model, None, options))
    for name in options.quantizers:
        print(row(name, files[name], measured[name], options), flush=True)
    if {'pare', 'ort'} <= files.keys():
        ratios = [p[0] / o[0] for p, o in zip(measured['pare'], measured['ort'])]
        text += f' Time of pare / ONNX Runtime: {statistics.median(ratios):.2f} [{min(ratios):.2f}–{max(ratios):.2f}].'
    print('\n' + text.strip())


if __name__ == '__main__':
    main()
