"""The machine that is measured on: its name, and what else it does meanwhile."""
import os
import time
from pathlib import Path

QUIET = 0.15  # processors that others may keep busy beside a measurement: what an idle system does


def cpu_name():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def busy_seconds():
    """Of all processors since the start of the machine, with those that a hypervisor took away."""
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def own_seconds():
    """Of this process and of its children that have ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


class OtherWork:
    """Around something that runs in this process and in children that it waits for: how many `seconds` it took, and how many `processors`
    others kept busy meanwhile."""

    def __enter__(self):
        self.start = time.monotonic(), busy_seconds() - own_seconds()
        return self

    def so_far(self):
        return time.monotonic() - self.start[0]

    def __exit__(self, *_):
        self.seconds = self.so_far()
        self.processors = max(0.0, busy_seconds() - own_seconds() - self.start[1]) / max(self.seconds, 0.01)
