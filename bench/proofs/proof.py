#!/usr/bin/env python3
"""What the proofs share: which program they run, where its results are kept, what else the machine did meanwhile, and the stamp of a record.

    proof.py folder PARE WORK         makes and prints WORK/COMMIT-HASH, where results of this program alone are kept
    proof.py once FILE COMMAND …      what COMMAND prints goes into FILE, whole or not at all; where the same command made FILE, it stays
    proof.py minutes FILE             that took, in all runs of the command
    proof.py stamp PARE [FILE …]      the first line of a record; then how the runs that made these files went

A record names the program's own commit (`pare version`), not that of the tree around the script. A program that was built with
uncommitted changes, or scripts that have such, are refused; with PROOF_CHANGED=1 they run, and the record says so.
"""
import datetime
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "bench" / "peers"))
import machine  # noqa: E402

SOURCES = ("src", "include", "cmake", "CMakeLists.txt", "CMakePresets.json")  # those of cmake/commit.cmake
NOTED_SECONDS = 20  # a killed run's time is known to this
TOLD_SECONDS = 2    # of shorter runs /proc/stat knows too little
SCRIPTS = ("bench/peers", "bench/proofs", "tools/oracle", "tools/cifar10.py", "examples/chain.sh", ":(exclude)bench/proofs/RESULTS.md")


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
        return (f"{datetime.date.today()}, {machine.cpu_name()}, {os.cpu_count()} processors, commit {self.commit} (scripts: {self.scripts}; "
                f"program {self.hash})")


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
    elif task == "stamp" and arguments:
        print("\n\n".join(filter(None, [Program(arguments[0]).stamp(), told_of(arguments[1:])])))
    else:
        refuse(__doc__)


if __name__ == "__main__":
    main()
