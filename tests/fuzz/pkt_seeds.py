#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of pkt_fuzz: frames of the golden captures, each kind once."""

import hashlib
from pathlib import Path

from scapy.utils import RawPcapReader

HERE = Path(__file__).resolve().parent
CASES = ("unguarded", "malformed", "plain_rules", "denied_call_ipv6", "denied_call_qinq",
         "icmp_quote", "icmp_quote_ipv6")
PER_CASE = 16


def main():
    folder = HERE / "corpus" / "pkt"
    folder.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        path = HERE.parent / "golden" / case / "in.pcap"
        frames = {bytes(frame) for frame, _ in RawPcapReader(str(path))}
        for frame in sorted(frames)[:: max(1, len(frames) // PER_CASE)]:
            (folder / hashlib.sha256(frame).hexdigest()).write_bytes(frame)


if __name__ == "__main__":
    main()
