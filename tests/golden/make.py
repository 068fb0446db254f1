#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the cases of this folder: what enters, and what has to come out.

What has to come out is worked out here from the RFCs and from the two views of a connection (the
client's numbers and the server's), never recorded from the program. The files are committed beside
this script; running it again must change nothing (`make.py --check` says so).

case.py has what every case is made of, talk.py a connection, http2.py what is said on it; the cases
are in cases_*.py.
"""

import argparse
import filecmp
import importlib.util
import sys
import tempfile
from pathlib import Path

for needed in ("hpack", "hyperframe", "scapy"):
    if not importlib.util.find_spec(needed):
        print(f"no module {needed}: scripts/install-deps test has it")
        sys.exit(77)  # skipped, as meson understands it

from case import Link
from cases_calls import allowed_call, cut_header, denied, denied_unfinished, passive
from cases_calls import second_version, table_shift, unlisted_source
from cases_fragments import fragments, fragments_audit
from cases_icmp import icmp_quote
from cases_wire import deep_tags, malformed, mid_stream, plain_rules, spoofed_server, unguarded

HERE = Path(__file__).resolve().parent


def cases():
    yield allowed_call()
    yield denied("denied_call", Link())
    yield denied("denied_call_vlan", Link(4, (100,)))
    yield denied("denied_call_qinq", Link(4, (100, 200)))
    yield denied("denied_call_ipv6", Link(6))
    yield denied_unfinished()
    yield unguarded()
    yield mid_stream()
    yield spoofed_server()
    yield malformed()
    yield deep_tags()
    yield table_shift()
    yield second_version()
    yield cut_header()
    yield passive("audit", "audit", {"allowed": 1, "denied_method": 1})
    yield passive("off", "off", {"unguarded": 2})
    yield unlisted_source()
    yield plain_rules()
    yield fragments("fragments", Link(), 8)
    yield fragments("fragments_vlan", Link(4, (100, 200)), 8)
    yield fragments("fragments_ipv6", Link(6), 40)
    yield fragments_audit()
    yield icmp_quote("icmp_quote", Link())
    yield icmp_quote("icmp_quote_vlan", Link(4, (100, 200)))
    yield icmp_quote("icmp_quote_ipv6", Link(6))


def differs(left, right):
    compared = filecmp.dircmp(left, right)
    bad = compared.left_only + compared.right_only + compared.diff_files
    files = [name for name in compared.common_files if name not in bad]
    bad += filecmp.cmpfiles(left, right, files, shallow=False)[1]
    return [f"{left}/{name}" for name in bad]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with what is there")
    if not parser.parse_args().check:
        for case in cases():
            case.write(HERE)
        return 0
    bad = []
    with tempfile.TemporaryDirectory() as root:
        for case in cases():
            case.write(Path(root))
            bad += differs(HERE / case.name, Path(root) / case.name)
    for name in bad:
        print(f"{name} is not what make.py writes")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
