#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""wicket-gen back to back: with nothing between its ports everything must arrive, and what does
not must be noticed.

    gen_test.py WICKET-GEN
"""

import json
import subprocess
import sys

ALL = "unary64=40,unary1k=20,unary16k=20,stream=19,bulk=1"
COMMON = ["--warmup", "0", "--seconds", "100", "--stall", "60", "--limit", "150", "--json"]

# name, arguments, exit status, what it says (or what the report must hold)
CASES = (
    ("plain unary calls", ["--calls", "20000"], 0, {"all_calls": 20000, "all_opened": 100,
                                                    "all_closed": 100}),
    ("all kinds, many streams", ["--calls", "3000", "--mix", ALL, "--streams", "10"], 0,
     {"all_calls": 3000}),
    ("one connection, one stream", ["--calls", "1000", "--connections", "1"], 0,
     {"all_opened": 1, "all_calls": 1000}),
    ("tables that shift", ["--calls", "5000", "--mix", ALL, "--traced", "50", "--deadline", "30"],
     0, {"all_calls": 5000, "all_edited": 0}),
    ("datagrams beside calls", ["--calls", "5000", "--plain", "40"], 0, {"all_calls": 5000}),
    ("silent connections", ["--calls", "2000", "--idle", "3000", "--idle-calls", "2"], 0,
     {"all_opened": 3100, "all_closed": 3100}),
    ("a denied call that nobody stops", ["--calls", "5000", "--denied", "10"], 1,
     "a denied call has reached the server"),
    ("a byte of a preface or SETTINGS", ["--spoil", "3"], 1, "connection"),
    ("a byte of a request", ["--spoil", "700"], 1, "connection"),
    ("a byte of a long message", ["--mix", "unary16k=1", "--spoil", "1500"], 1, "connection"),
    ("a kind that there is not", ["--mix", "unary65=1"], 2, "knows no such kind"),
    ("a number that is none", ["--streams", "many"], 2, "out of range"),
)


def main() -> int:
    bad = 0
    for name, arguments, status, wanted in CASES:
        done = subprocess.run([sys.argv[1], *COMMON, *arguments], capture_output=True, text=True,
                              timeout=200, check=False)
        good = done.returncode == status
        if isinstance(wanted, str):
            good = good and wanted in done.stderr
        elif good:
            report = json.loads(done.stdout)
            good = all(report[key] == value for key, value in wanted.items())
        if not good:
            bad += 1
            print(f"FAILED {name}: exit status {done.returncode}, not {status}; wanted {wanted}\n"
                  f"{done.stdout[-1500:]}{done.stderr[-1500:]}")
        else:
            print(f"ok     {name}: {done.stderr.strip()}")
    print(f"{len(CASES) - bad} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
