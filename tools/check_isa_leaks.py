#!/usr/bin/env python3
"""check_isa_leaks.py BUILD: no object that is compiled for an ISA may define a weak symbol outside its own
namespace: the linker could take that copy for the whole program, and a lesser CPU would die of it."""
import pathlib
import re
import subprocess
import sys

ISAS = ("avx2", "avxvnni", "avx512", "avx512vnni", "avx512bf16", "neon", "neondot")


def main():
    objects = [o for isa in ISAS for o in pathlib.Path(sys.argv[1]).rglob(f"pare_kernels.dir/**/{isa}.cc.o")]
    if not objects:
        print("no kernel objects found: build first")
        return 1
    wrong = []
    for obj in objects:
        isa = obj.name.split(".")[0]
        out = subprocess.run(["nm", "-C", "--defined-only", obj], capture_output=True, text=True, check=True).stdout
        for line in out.splitlines():
            match = re.match(r"[0-9a-f]* ([WVu]) (.*)", line)
            if match and match[2].startswith("DW.ref."):
                continue  # a pointer, no code: position-independent exception tables refer to it
            if match and not re.search(rf"\b{isa}::|_{isa}\b", match[2]):
                wrong.append(f"{obj.parent.name}/{obj.name}: weak {match[2]}")
    print("\n".join(wrong) or f"no leaks in {len(objects)} kernel objects")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
