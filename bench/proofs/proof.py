#!/usr/bin/env python3
"""What the proofs share: which program they run, where its results are kept, what else the machine did meanwhile, and the stamp of a record.

    proof.py folder PARE WORK         makes and prints WORK/COMMIT-HASH, where results of this program alone are kept
    proof.py once FILE COMMAND …      what COMMAND prints goes into FILE, whole or not at all; where the same command made FILE, it stays
    proof.py minutes FILE             that took, in all runs of the command
    proof.py verdict LINE WORDS CONDITION FIGURE     one verdict as JSON: whether a line of an issue ("4.3") holds; CONDITION is Python's
    proof.py record PARE FOLDER VERDICTS [FILE …]    standard input, under the stamp of the program and how the runs that made the files went, and
                                      with the verdicts (one a line) behind it, is shown and appended to the results; ends with 1 where one doesn't hold
    proof.py paired                   of lines "without with" (two or more): whether there is a gain (one-sided paired t test, 5 % level), the
                                      test's figures, and a row of the means
    proof.py cpu                      what records call this machine

RESULTS names another file than bench/proofs/RESULTS.md for records (-: shown alone). The verdicts of a record are kept in FOLDER/verdicts, too,
by PROOF_NAME, or the script's name; all.py makes its table of them.

A record names the program's own commit (`pare version`), not that of the tree around the script. A program that was built with
uncommitted changes, or scripts that have such, are refused; with PROOF_CHANGED=1 they run, and the record says so.
"""
import dataclasses
import datetime
import hashlib
import json
import math
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "bench" / "peers"))
import machine  # noqa: E402

SOURCES = ("src", "include", "cmake", "CMakeLists.txt", "CMakePresets.json")  # those of cmake/commit.cmake
NOTED_SECONDS = 20  # a killed run's time is known to this
LEVEL = 0.05        # of tests
TOLD_SECONDS = 2    # of shorter runs /proc/stat knows too little
RESULTS = ROOT / "bench" / "proofs" / "RESULTS.md"
SCRIPTS = ("bench/peers", "bench/proofs", "tools/oracle", "tools/cifar10.py", "tools/demo.sh", "examples/chain.sh", "examples/demo",
           ":(exclude)bench/proofs/RESULTS.md")


def git(*words):
    return subprocess.run(["git", "--no-optional-locks", "-C", ROOT, *words], check=True, capture_output=True, text=True).stdout.strip()


def last_commit(paths):
    return git("log", "-1", "--format=%h", "--", *paths) + ("-changed" if git("status", "--porcelain", "--", *paths) else "")


class Program:
    """The pare that a proof runs."""

    def __init__(self, path):
        self.path = Path(path).resolve()
        told = subprocess.run([self.path, "version", "--json"], check=True, capture_output=True, text=True).stdout
        self.commit, self.scripts = json.loads(told).get("commit"), last_commit(SCRIPTS)
        self.hash = hashlib.sha256(self.path.read_bytes()).hexdigest()[:8]
        if not self.commit:
            refuse(f"{path} doesn't tell its commit: build it in a clone of the repository")
        changed = [what for what, commit in ((f"{path} was built", self.commit), ("the scripts are", self.scripts)) if commit.endswith("-changed")]
        if changed and os.environ.get("PROOF_CHANGED") != "1":
            refuse(f"{' and '.join(changed)} with changes that are not committed: nobody could repeat this. PROOF_CHANGED=1 runs it all the same, "
                   "and the record says so.")
        if self.commit != last_commit(SOURCES):
            print(f"note: {path} is of commit {self.commit}, the sources here are of {last_commit(SOURCES)}", file=sys.stderr)

    def folder(self, work):
        """Where results of this very program are kept."""
        folder = Path(work).resolve() / f"{self.commit}-{self.hash}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def stamp(self):
        return f"{datetime.date.today()}, {machine.cpu()}, commit {self.commit} (scripts: {self.scripts}; program {self.hash})"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether a line of an issue's "Must show" does: `line` is issue.line ("4.3"), `figure` what was found."""
    line: str
    words: str
    figure: str
    holds: bool

    def __str__(self):
        return f"{self.line}: {self.words} ({self.figure}): {'holds' if self.holds else '**does not hold**'}."


def verdicts_file(folder, name):
    return folder / "verdicts" / f"{name}.json"


def record(program, folder, lines, verdicts, made=(), results=None, name=None):
    """Shows and keeps what was found: see above. `folder`: the program's; `name`: of the proof. Returns the exit code."""
    results = results or os.environ.get("RESULTS") or RESULTS
    told = told_of(made)
    text = "\n".join([program.stamp(), "", *([told, ""] if told else []), *lines, *([""] if verdicts else []), *(f"* {v}" for v in verdicts)])
    print(text)
    if str(results) != "-":
        with open(results, "a", encoding="utf-8") as file:
            file.write(f"\n{text}\n")
    kept = verdicts_file(Path(folder), name or os.environ.get("PROOF_NAME") or Path(sys.argv[0]).stem)
    kept.parent.mkdir(exist_ok=True)
    written(kept, json.dumps({"scripts": program.scripts, "verdicts": [dataclasses.asdict(v) for v in verdicts]}, indent=1))
    return 0 if all(verdict.holds for verdict in verdicts) else 1


def beyond(t, freedom):
    """The chance that Student's t with so many degrees of freedom is greater: half of all less the integral from 0, by Simpson's rule."""
    log_scale = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - math.log(freedom * math.pi) / 2
    density = lambda x: math.exp(log_scale - (freedom + 1) / 2 * math.log1p(x * x / freedom))
    # In the angle x = √freedom · tan(a) the integrand is bounded, and the interval, too.
    at = lambda a: density(math.sqrt(freedom) * math.tan(a)) * math.sqrt(freedom) / math.cos(a) ** 2
    steps, end = 2000, math.atan(t / math.sqrt(freedom))
    weights = [1] + [4, 2] * (steps // 2 - 1) + [4, 1]
    return 0.5 - end / steps / 3 * sum(w * at(end * i / steps) for i, w in enumerate(weights))


def paired(pairs):
    """Of (without, with): the mean of the gains, t = mean / (deviation / √count), and the chance of so great a t where nothing is gained."""
    gains = [after - before for before, after in pairs]
    mean, deviation = statistics.mean(gains), statistics.stdev(gains)
    t = mean / (max(deviation, 1e-12) / math.sqrt(len(gains)))
    return {"count": len(gains), "gained": sum(gain > 0 for gain in gains), "without": statistics.mean(a for a, _ in pairs),
            "with": statistics.mean(b for _, b in pairs), "mean": mean, "t": t, "p": beyond(t, len(gains) - 1)}


def refuse(text):
    """Not with an exit code that a command under proof has."""
    print(text, file=sys.stderr)
    sys.exit(125)


def written(path, text):
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)


def runs_file(file):
    return file.with_name(file.name + ".runs")


def once(file, command):
    """Runs the command, whose standard output becomes `file`, where that is not there yet. Beside it: the command, and of each of its
    runs the seconds and what else the machine did (null for a run that was killed). Fails where another command was here."""
    file, command = Path(file), [str(word) for word in command]
    notes = runs_file(file)
    known = json.loads(notes.read_text()) if notes.exists() else {"command": command, "runs": []}
    if known["command"] != command or (file.exists() and not notes.exists()):
        was = f"was made by another command ({' '.join(known['command'])})" if notes.exists() else "was made by nobody knows what"
        refuse(f"{file} {was}: remove it, what lies beside it, and its checkpoint")
    if file.exists():
        return
    run = {"seconds": 0, "others": None, "ended": False}
    known["runs"].append(run)
    written(notes, json.dumps(known, indent=1))
    part = file.with_name(file.name + ".part")
    with machine.OtherWork() as other, open(part, "wb") as output:
        child = subprocess.Popen(command, stdout=output)
        while child.returncode is None:
            try:
                child.wait(timeout=NOTED_SECONDS)
            except subprocess.TimeoutExpired:
                run["seconds"] = other.so_far()
                written(notes, json.dumps(known, indent=1))
            except KeyboardInterrupt:  # the command got it, too, and writes its checkpoint
                child.wait()
    status = child.returncode if child.returncode >= 0 else 128 - child.returncode
    run |= {"seconds": other.seconds, "others": other.processors, "ended": status == 0}
    written(notes, json.dumps(known, indent=1))
    if status != 0:
        sys.exit(status)
    part.replace(file)


def minutes(file):
    """Of all runs of the command that made the file, also those that were stopped."""
    return sum(run["seconds"] for run in json.loads(runs_file(Path(file)).read_text())["runs"]) / 60


def told_of(files):
    """One sentence about the runs that made these files; nothing where there were none."""
    runs = [run for file in files for run in json.loads(runs_file(Path(file)).read_text())["runs"]]
    stopped = sum(not run["ended"] for run in runs)
    known = [run["others"] for run in runs if run["others"] is not None and run["seconds"] > TOLD_SECONDS]
    if not known:
        return ""
    return (f"Other work kept {max(known):.2f} processors busy beside a command, at most ({len(runs)} runs"
            + (f", of which {stopped} did not end" if stopped else "") + ").")


def quiet_rounds(count, measure):
    """`count` rounds of measure() during which the machine did next to nothing else; fails where twice as many tries don't give them.
    Returns them, and the most processors that others kept busy in one."""
    rounds, busiest = [], 0.0
    for _ in range(2 * count):
        with machine.OtherWork() as other:
            found = measure()
        if other.processors <= machine.QUIET:
            rounds.append(found)
            busiest = max(busiest, other.processors)
        else:
            print(f"other work kept {other.processors:.2f} processors busy: this round doesn't count", file=sys.stderr, flush=True)
        if len(rounds) == count:
            return rounds, busiest
    raise RuntimeError(f"other work disturbed {2 * count - len(rounds)} of {2 * count} rounds: measure again when the machine is quiet")


def made_by(folder, script, *words):
    """The folder is this script's, as it stands and with these words: results of another state of it are refused."""
    folder.mkdir(parents=True, exist_ok=True)
    mark, text = folder / "made_by", " ".join([hashlib.sha256(Path(script).read_bytes()).hexdigest()[:8], Path(script).name, *map(str, words)])
    if mark.exists() and mark.read_text() != text:
        refuse(f"{folder} holds results of another state of {Path(script).name}, or of other options: remove it")
    written(mark, text)
    return folder


def main():
    task, arguments = (sys.argv[1] if len(sys.argv) > 1 else ""), sys.argv[2:]
    if task == "folder" and len(arguments) == 2:
        print(Program(arguments[0]).folder(arguments[1]))
    elif task == "once" and len(arguments) > 1:
        once(arguments[0], arguments[1:])
    elif task == "minutes" and len(arguments) == 1:
        print(f"{minutes(arguments[0]):.2f}")
    elif task == "verdict" and len(arguments) == 4:
        line, words, condition, figure = arguments
        print(json.dumps(dataclasses.asdict(Verdict(line, words, figure, bool(eval(condition))))))
    elif task == "record" and len(arguments) > 2:
        verdicts = [Verdict(**json.loads(line)) for line in Path(arguments[2]).read_text().splitlines()]
        sys.exit(record(Program(arguments[0]), arguments[1], sys.stdin.read().splitlines(), verdicts, arguments[3:]))
    elif task == "paired" and not arguments:
        found = paired([tuple(map(float, line.split())) for line in sys.stdin])
        print(found["p"] <= LEVEL)
        print("{mean:+.2f} points, {gained} of {count} seeds gain, t = {t:.2f}, p = {p:.4f}".format(**found))
        print("| mean | {without:.2f} | {with:.2f} | {mean:+.2f} |".format(**found))
    elif task == "cpu" and not arguments:
        print(machine.cpu())
    else:
        refuse(__doc__)


if __name__ == "__main__":
    main()
