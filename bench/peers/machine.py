#!/usr/bin/env python3
"""The machine that is measured on: what it is, and what else it does meanwhile.

    machine.py          prints what records call this CPU: name, vendor, family, model, the instructions that choose kernels, processors
"""
import os
import platform
import time
from pathlib import Path

QUIET = 0.15  # processors that others may keep busy beside a measurement: what an idle system does
# Of what /proc/cpuinfo lists, that which decides what kernels run. Names alone don't: "AMD EPYC" has AVX-512 or not.
ISA_FLAGS = ("avx2 fma avx_vnni avx512f avx512_vnni avx512_bf16 amx_int8 amx_bf16 "
             "asimd asimddp asimdhp i8mm bf16 sve").split()


def cpuinfo():
    """The first processor's fields."""
    fields = {}
    for line in Path("/proc/cpuinfo").read_text().split("\n\n", 1)[0].splitlines():
        key, _, value = line.partition(":")
        fields[key.strip()] = value.strip()
    return fields


def isa():
    """Of ISA_FLAGS those that this CPU has; what PARE_ISA forces pare to stands behind."""
    fields = cpuinfo()
    flags = set(fields.get("flags", fields.get("Features", "")).split())
    forced = os.environ.get("PARE_ISA")
    return (" ".join(flag for flag in ISA_FLAGS if flag in flags) or "none of the known ISA") + (f" (pare: {forced})" if forced else "")


def processors():
    """Those that this process may use, and the cores that they are of."""
    allowed = sorted(os.sched_getaffinity(0))
    topology = Path("/sys/devices/system/cpu")
    try:
        cores = {tuple((topology / f"cpu{i}/topology/{what}").read_text() for what in ("physical_package_id", "core_id")) for i in allowed}
    except OSError:
        cores = ()
    return f"{len(allowed)} processors" + (f" of {len(cores)} cores" if cores else "")


def name():
    """Name, vendor, family and model; of an Arm the implementer, the architecture and the part."""
    fields = cpuinfo()
    first = lambda *keys: next((fields[key] for key in keys if fields.get(key)), "unknown")
    return (f"{first('model name') if 'model name' in fields else platform.machine()} ({first('vendor_id', 'CPU implementer')}, "
            f"family {first('cpu family', 'CPU architecture')}, model {first('model', 'CPU part')})")


def cpu():
    """All that a record says of it."""
    return f"{name()}, {isa()}, {processors()}"


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


if __name__ == "__main__":
    print(cpu())
