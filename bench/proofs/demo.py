#!/usr/bin/env python3
"""The last part of the demo: a student that learns from the bundled pictures for at most 30 s, and what it gains.

    demo.py [--pare build/release/pare] [--work build/proofs] [--results bench/proofs/RESULTS.md | --results -]

Runs tools/demo.sh, and reads what it says: the whole of its distillation, the trial of a few steps included, takes at most 30 s, and the agreement
with the teacher rises by more than chance explains (the lower end of the gain's 95 % interval is above 0). It ends with 1 where that does not hold.
"""
import argparse
import re
import subprocess
import sys
from pathlib import Path

import proof

NUMBER = r"([+-][\d.]+)"  # signed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pare", type=Path, default=proof.ROOT / "build/release/pare")
    parser.add_argument("--work", type=Path, default=proof.ROOT / "build/proofs")
    parser.add_argument("--results", help="-: shown alone")
    args = parser.parse_args()
    program = proof.Program(args.pare)
    folder = program.folder(args.work)
    said = subprocess.run([proof.ROOT / "tools/demo.sh", program.path], check=True, stdout=subprocess.PIPE, text=True).stdout
    print(said, file=sys.stderr)
    took = re.search(r"^learned for (\d+) s", said, re.M)
    gain = re.search(rf"^agreement .*{NUMBER} points \({NUMBER} to {NUMBER}\)", said, re.M)
    if not took or not gain:
        raise SystemExit("the demo doesn't tell how long it learned, or what was gained")
    seconds, points, least = int(took[1]), float(gain[1]), float(gain[2])
    verdict = proof.Verdict("4.7", "the demo distils for at most 30 s and shows the gain", f"{seconds} s, {points:+.1f} points of agreement, at least "
                            f"{least:+.1f}", seconds <= 30 and least > 0)
    return proof.record(program, folder, ["The demo's distillation: `demo.py`"], [verdict], results=args.results)


if __name__ == "__main__":
    sys.exit(main())
