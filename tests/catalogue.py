#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every row of docs/attacks.md is there once, and every test that it names exists."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROWS = {"A": 45, "B": 13, "C": 24, "D": 18, "E": 20}
REFERENCE = re.compile(r"`(\w+): (\w+)`")


def known_tests():
    """Where a kind of name is looked up: kind -> text in which it must stand as a word."""
    tests = ROOT / "tests"
    known = {path.name.removesuffix("_test.c"): path.read_text()
             for path in (tests / "unit").glob("*_test.c")}
    known["golden"] = (tests / "golden" / "meson.build").read_text()
    known["sim"] = (tests / "sim" / "profile.c").read_text()
    suites = sorted((ROOT / "dts" / "tests").glob("TestSuite_*.py"))
    known["dts"] = "\n".join(path.stem + "\n" + path.read_text() for path in suites)
    return known


def is_known(known, kind, name):
    if kind == "dts":
        word = rf"^{name}$" if name.startswith("TestSuite_") else rf"def {name}\("
    elif kind == "golden":
        word = rf"'{name}'"
    elif kind == "sim":
        word = rf'"{name}"'
    else:
        # A function, or the name of a row of a table.
        word = rf'\b{name}\(void \*\*state\)|"{name}"'
    return re.search(word, known.get(kind, ""), re.MULTILINE) is not None


def main():
    known = known_tests()
    wrong = []
    seen = []
    for line in (ROOT / "docs" / "attacks.md").read_text().splitlines():
        cells = re.match(r"\| ([A-E]\d\d) \| ([^|]+) \| ([^|]+) \|$", line)
        if not cells:
            if re.match(r"\| [A-E]\d", line):
                wrong.append(f"not a row: {line}")
            continue
        row, _, shown = cells.groups()
        seen.append(row)
        names = REFERENCE.findall(shown)
        if not names and not shown.startswith("not yet"):
            wrong.append(f"{row} names no test and does not say why")
        wrong += [f"{row}: there is no {kind}: {name}" for kind, name in names
                  if not is_known(known, kind, name)]
    rows = [f"{part}{i:02}" for part, n in ROWS.items() for i in range(1, n + 1)]
    wrong += [f"{row} stands {seen.count(row)} times" for row in rows if seen.count(row) != 1]
    wrong += [f"{row} is no row" for row in seen if row not in rows]
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
