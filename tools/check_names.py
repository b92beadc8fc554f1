#!/usr/bin/env python3
"""No two types of one name stand in one namespace.

Where two files define such types the linker takes the functions of either for both, without a word (the one
definition rule). Types in unnamed namespaces, in other types and in functions may share their names.
"""
import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
NO_CODE = re.compile(r"""//[^\n]*|/\*[\s\S]*?\*/|R"\([\s\S]*?\)"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'|^[ \t]*\#(?:.*\\\n)*.*$""",
                     re.MULTILINE)
NAMESPACE = re.compile(r"(?:inline\s+)?namespace\b\s*([\w:]*)\s*$")
TYPE = re.compile(r"(?:class|struct|union|enum(?:\s+class)?)\s+(?:\[\[\w+\]\]\s*)?(?:alignas\([^)]*\)\s*)?(\w+(?:::\w+)*)\s*"
                  r"(?:final\s*)?(?::[^;{}]*)?$")


def types_of(text):
    """Qualified names of the types that the text defines at the level of namespaces with names."""
    scopes = []  # of each open brace: a namespace's name, or None for all others
    begin = 0
    text = NO_CODE.sub(" ", text)
    for brace in re.finditer(r"[{};]", text):
        head, begin = text[begin:brace.start()].strip(), brace.end()
        if brace[0] == "}":
            if scopes:
                scopes.pop()
        elif brace[0] == "{":
            namespace, defined = NAMESPACE.search(head), TYPE.search(head)
            if defined and all(scopes):
                yield "::".join([*scopes, defined[1]])
            scopes.append(namespace[1] if namespace else None)


def main():
    places = collections.defaultdict(set)
    for folder in ("include", "src", "tests", "examples"):
        for path in sorted((ROOT / folder).rglob("*")):
            emulated = "emulated" in path.parts  # stands in place of the ISAs' own headers
            if path.suffix in {".h", ".cc"} and not emulated:
                for name in types_of(path.read_text()):
                    places[name].add(str(path.relative_to(ROOT)))
    wrong = [f"{name}: {', '.join(sorted(files))}" for name, files in sorted(places.items()) if len(files) > 1]
    print("\n".join(["types of one name in one namespace:", *wrong]) if wrong else f"{len(places)} types, each by one name")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
