#!/usr/bin/env python3
"""All proofs of the issues on training (4) and pruning (5), one after the other, with one program; then a table of what holds.

    all.py --cifar DIR [PROOF …] [--pare build/release/pare] [--assets ../shared/assets] [--work build/proofs] [--again] [--list | --table]

In a clone, at the commit that shall be proved:

    make build PRESET=release
    python3 bench/proofs/all.py --cifar DIR          with a Python that has torch, onnx, onnxruntime and numpy

Each proof is a script of its own, whose record goes to bench/proofs/RESULTS.md (training steps: bench/RESULTS.md), and what it says to
WORK/PROGRAM/logs/PROOF.log. A proof that fails doesn't stop the others. Started again, the queue goes on: what has verdicts of this program and this
state of the scripts is left out (--again: what does not hold, or not all, runs once more), a proof that was stopped goes on itself. Ctrl-C stops it,
and shows the table of what is known. The program must be of the commit that the sources here are of. It ends with 1 where a verdict is missing or
doesn't hold. --table: nothing runs.
"""
import argparse
import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import proof

HERE = Path(__file__).resolve().parent
PEERS = HERE.parent / "peers"


@dataclasses.dataclass(frozen=True)
class Step:
    """A proof: a script here with its options (Python ones are told where things are), or tests of a program beside pare."""
    name: str
    line: str           # of an issue; "": none, a comparison for the docs
    command: tuple
    environment: dict = dataclasses.field(default_factory=dict)
    words: str = ""     # of tests: what they prove


STEPS = (
    Step("gradients", "4.1", ("pare_tests", "All/*Gradients.*:GradientCases.*:All/Training.GradientsAndStatisticsAreTheOracles*"),
         words="gradients are slopes, over the operator table; those of a CNN and of an encoder are PyTorch's"),
    Step("same_bits", "4.6", ("train_test", "*SameBits*"), words="the same bits on 1 and 2 threads, and after a stop"),
    Step("killed", "4.6", ("pare_tests", "Resume.*"), words="the same bytes after kill -9 and resume"),
    Step("removal", "5.4", ("compress_test", "RandomRemoval.*"), words="1,000 random graphs compute what the whole does without the removed channels"),
    Step("demo", "4.7", ("demo.py",)),
    *(Step(f"train_{net}", "4.5", (PEERS / "train_peers.py", "--nets", net)) for net in ("mlp", "mobilenetv2", "resnet18", "minilm")),
    Step("losses", "4.2", ("losses_against_pytorch.py",)),
    Step("scratch", "4.2", ("resnet20_from_scratch.sh",), {"EPOCHS": "12"}),
    Step("distill", "4.3", ("distill_resnet56.sh",)),
    Step("recover", "4.3", ("recover_resnet56.sh",)),
    Step("qat", "4.4", ("qat_resnet20.sh",)),
    Step("folded", "", ("folded_batchnorm.sh",)),
    Step("half_macs", "5.1", ("prune_half_macs.py",)),
    Step("mobilenetv2", "5.3", ("prune_mobilenetv2.sh",)),
    Step("unlabelled", "5.2", ("prune_resnet56.sh",), {"FORMS": "unlabelled"}),
    Step("labelled", "5.2", ("prune_resnet56.sh",), {"FORMS": "labelled"}),
    Step("chain", "5.5", ("chain_resnet56.py",)),
)


class Queue:
    def __init__(self, args):
        self.args, self.program = args, proof.Program(args.pare)
        if self.program.commit != proof.last_commit(proof.SOURCES) and os.environ.get("PROOF_CHANGED") != "1":
            proof.refuse(f"{args.pare} is of commit {self.program.commit}, the sources here are of {proof.last_commit(proof.SOURCES)}: build it anew")
        self.folder = self.program.folder(args.work)
        (self.folder / "logs").mkdir(exist_ok=True)

    def verdicts(self, step):
        """Of this program and this state of the scripts; None where there are none yet."""
        file = proof.verdicts_file(self.folder, step.name)
        kept = json.loads(file.read_text()) if file.exists() else {}
        return [proof.Verdict(**verdict) for verdict in kept["verdicts"]] if kept.get("scripts") == self.program.scripts else None

    def is_done(self, step):
        found = self.verdicts(step)
        return found is not None and not (self.args.again and not all(verdict.holds for verdict in found))

    def command(self, step):
        first, *more = step.command
        script = HERE / first
        if script.suffix == ".sh":
            return [script, *more]
        places = {"--cifar": self.args.cifar, "--pare": self.program.path, "--assets": self.args.assets, "--work": self.args.work}
        taken = {"train_peers.py": ("--pare", "--work"), "demo.py": ("--pare", "--work"), "prune_half_macs.py": ("--pare", "--assets", "--work")}
        return [sys.executable, script, *more, *(word for name in taken.get(script.name, places) for word in (name, places[name]))]

    def run(self, step):
        """The exit code of the proof."""
        log = self.folder / "logs" / f"{step.name}.log"
        print(f"{step.name}: {log}", file=sys.stderr, flush=True)
        start = time.monotonic()
        environment = os.environ | {"PROOF_NAME": step.name, "PARE": str(self.program.path), "CIFAR": str(self.args.cifar), "WORK": str(self.args.work),
                                    "ASSETS": str(self.args.assets), "PYTHON": sys.executable} | step.environment
        with open(log, "a", encoding="utf-8") as output:
            if step.words:
                code = self.test(step, output)
            else:
                child = subprocess.Popen([str(word) for word in self.command(step)], env=environment, stdout=output, stderr=subprocess.STDOUT)
                code = finish(child)
        print(f"{step.name}: {'ends' if code == 0 else f'ends with {code}'} after {(time.monotonic() - start) / 60:.1f} minutes", file=sys.stderr, flush=True)
        return code

    def test(self, step, output):
        """Some tests of a program that lies beside pare; none that is chosen, or one that is skipped, proves nothing."""
        program, chosen = step.command
        done = subprocess.run([self.program.path.parent / program, f"--gtest_filter={chosen}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace")
        output.write(done.stdout)
        count = lambda word: int((re.findall(rf"^\[  {word} +\] (\d+) test", done.stdout, re.M) or ["0"])[0])
        passed, skipped, failed = count("PASSED"), count("SKIPPED"), count("FAILED")
        verdict = proof.Verdict(step.line, step.words, f"{passed} tests pass, {skipped} are skipped, {failed} fail",
                                done.returncode == 0 and passed > 0 and skipped == 0)
        return proof.record(self.program, self.folder, [f"Tests: `{program} --gtest_filter='{chosen}'`"], [verdict], results="-", name=step.name)

    def table(self, codes):
        """By line of an issue; and whether all is shown."""
        rows, shown = ["| line | proof | what | figure | verdict |", "|---|---|---|---|---|"], True
        for step in sorted(STEPS, key=lambda step: step.line or "9"):
            found = self.verdicts(step)
            if found is None:
                shown = shown and not step.line
                state = "did not finish" if step.name in codes else "not run"
                rows.append(f"| {step.line or '–'} | {step.name} | {step.words} | – | {state} |")
            elif not found:
                rows.append(f"| {step.line or '–'} | {step.name} | a comparison | see its record | – |")
            for verdict in found or []:
                shown = shown and verdict.holds
                rows.append(f"| {verdict.line} | {step.name} | {verdict.words} | {verdict.figure} | {'holds' if verdict.holds else '**does not hold**'} |")
        return rows, shown


def finish(child):
    """Its exit code. Ctrl-C reaches it, too: it gets the time to write its checkpoint."""
    try:
        return child.wait()
    except KeyboardInterrupt:
        child.wait()
        raise


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("proofs", nargs="*", metavar="PROOF", help=", ".join(step.name for step in STEPS))
    parser.add_argument("--cifar", type=Path, required=True)
    parser.add_argument("--pare", type=Path, default=proof.ROOT / "build/release/pare")
    parser.add_argument("--assets", type=Path, default=proof.ROOT / "../shared/assets")
    parser.add_argument("--work", type=Path, default=proof.ROOT / "build/proofs")
    parser.add_argument("--again", action="store_true", help="what does not hold runs once more; what a proof kept it takes as it is")
    parser.add_argument("--list", action="store_true", help="what would run")
    parser.add_argument("--table", action="store_true", help="what is known")
    args = parser.parse_args()
    for place in ("cifar", "assets", "work"):
        setattr(args, place, getattr(args, place).resolve())
    if unknown := set(args.proofs) - {step.name for step in STEPS}:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    queue, codes = Queue(args), {}
    todo = [step for step in STEPS if (not args.proofs or step.name in args.proofs) and not queue.is_done(step)]
    if args.list:
        print("\n".join(step.name for step in todo))
        return 0
    try:
        for step in [] if args.table else todo:
            codes[step.name] = 0  # begun
            try:
                codes[step.name] = queue.run(step)
            except OSError as fault:  # a program that is not there
                print(f"{step.name}: {fault}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
    rows, shown = queue.table(codes)
    text = "\n".join([queue.program.stamp(), "", *rows])
    print(text)
    proof.written(queue.folder / "verdicts.md", text + "\n")
    return 0 if shown else 1


if __name__ == "__main__":
    sys.exit(main())
