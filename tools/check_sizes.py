#!/usr/bin/env python3
"""Lengths of files and functions: file median at most 150 lines and none over 800; functions at most 100
lines (150 in kernels); lines at most 100 columns. A function is a definition at namespace or class level,
found by its braces."""
import pathlib
import re
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = ("src", "include", "tests", "examples")
STARTS = re.compile(r"^\s*(?:template|class|struct|enum|union|namespace|extern|using|typedef|#|//|\}|public|private)")


def functions(lines):
    """(first line, length) of each function: a block whose opening line ends a parameter list."""
    depth_of_open, found = [], []
    for number, line in enumerate(lines):
        code = re.sub(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])\'|//.*', "", line)
        for char in code:
            if char == "{":
                head = "".join(lines[max(0, number - 3) : number + 1])
                is_function = ")" in head and not STARTS.match(lines[number]) and not any(f for _, f in depth_of_open)
                depth_of_open.append((number, is_function))
            elif char == "}" and depth_of_open:
                start, is_function = depth_of_open.pop()
                if is_function:
                    found.append((start, number - start + 1))
    return found


def main():
    wrong, sizes, lengths = [], [], []
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix not in {".h", ".cc", ".inc"}:
                continue
            lines = path.read_text().splitlines()
            name = path.relative_to(ROOT)
            sizes.append(len(lines))
            if len(lines) > 800:
                wrong.append(f"{name}: {len(lines)} lines; at most 800")
            limit = 150 if "kernels" in path.parts else 100
            for start, length in functions(lines):
                lengths.append(length)
                if length > limit:
                    wrong.append(f"{name}:{start + 1}: a function of {length} lines; at most {limit}")
            for number, line in enumerate(lines, 1):
                if len(line) > 100 and not path.name.endswith("text_test.cc"):  # that holds a line of .pg
                    wrong.append(f"{name}:{number}: {len(line)} columns; at most 100")
    if sizes and statistics.median(sizes) > 150:
        wrong.append(f"the median file has {statistics.median(sizes)} lines; at most 150")
    if lengths and statistics.median(lengths) > 10:
        wrong.append(f"the median function has {statistics.median(lengths)} lines; at most 10")
    summary = f"{len(sizes)} files, median {statistics.median(sizes):.0f} lines, longest {max(sizes)}; "
    summary += f"{len(lengths)} functions, median {statistics.median(lengths):.0f}, longest {max(lengths)}"
    print("\n".join(wrong) or summary)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
