#!/usr/bin/env python3
"""Holds every #include "room/…" line of src/ against the order of the rooms.

The order is the CMake link lists' (CMakeLists.txt): a room may include itself and what it links, directly
or through others. Intrinsics headers may stand in src/kernels/simd alone (and CPU detection in platform).
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INTRINSICS = re.compile(r"#\s*include\s*<(\w*intrin|arm_neon)\.h>")


def allowed_rooms():
    """{room: rooms that it may include}, read from CMakeLists.txt."""
    direct = {}
    for line in (ROOT / "CMakeLists.txt").read_text().splitlines():
        match = re.match(r"\s*pare_(?:room|kernels)\((\w+)([^)]*)\)", line)
        if match:
            direct[match[1]] = match[2].split()
    closed = {}
    for room in direct:  # listed in order: what a room uses stands before it
        closed[room] = {room}.union(*(closed[other] for other in direct[room]))
    # Linking is transitive, rooms are not: these borders are the architecture's.
    for room, never in {"kernels": {"graph"}, "graph": {"ops"}, "passes": {"runtime"}, "runtime": {"passes"}}.items():
        if room in closed:
            closed[room] -= never
    return closed


def main():
    rooms = allowed_rooms()
    wrong = []
    for path in sorted((ROOT / "src").rglob("*")):
        if path.suffix not in {".h", ".cc", ".inc"}:
            continue
        relative = path.relative_to(ROOT)
        room = relative.parts[1]
        if room not in rooms:
            wrong.append(f"{relative}: the room {room} is not in CMakeLists.txt")
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            include = re.match(r'\s*#\s*include\s*"(\w+)/', line)
            if include and include[1] in rooms and include[1] not in rooms[room]:
                wrong.append(f"{relative}:{number}: {room} may not use {include[1]}")
            if INTRINSICS.search(line) and not str(relative).startswith("src/kernels/simd/"):
                wrong.append(f"{relative}:{number}: intrinsics belong in src/kernels/simd")
    print("\n".join(wrong) or f"layers hold for {len(rooms)} rooms")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
