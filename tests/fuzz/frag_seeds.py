#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of frag_fuzz: orders of fragments, and the frames of the golden captures."""

import hashlib
import struct
from pathlib import Path

from scapy.utils import RawPcapReader

HERE = Path(__file__).resolve().parent
CASES = ("fragments", "fragments_ipv6", "fragments_vlan", "fragments_audit")
MORE = 4
CHANGED = 0x38


def orders(*fragments):
    """(datagram, first unit, units, flags, odd bytes)"""
    return b"".join(bytes([ident | flags, at, units, odd])
                    for ident, at, units, flags, odd in fragments)


def seeds():
    whole = [(0, 0, 5, MORE, 0), (0, 5, 5, MORE, 0), (0, 10, 2, 0, 4)]
    other = [(1, at, 1, MORE, 0) for at in range(20)] + [(1, 20, 1, 0, 0)]
    lists = (
        whole, whole[::-1], other, other[::-1], whole[:2] + other + whole[2:],
        [whole[0], (0, 5, 5, MORE | CHANGED, 0), *whole[1:]],
        [whole[0], whole[0], *whole[1:]], [(0, 3, 5, MORE, 0), *whole],
        [(2, at, 1, MORE, 0) for at in range(70)], [(3, 8, 4, 0, 0), (3, 10, 4, 0, 0)],
    )
    for how in (0, 2, 4, 6):
        for fragments in lists:
            yield bytes([how]) + orders(*fragments)
    for case in CASES:
        path = HERE.parent / "golden" / case / "in.pcap"
        frames = [bytes(frame) for frame, _ in RawPcapReader(str(path))]
        for first in range(0, len(frames), 20):
            some = frames[first : first + 20]
            yield b"\x01" + b"".join(struct.pack(">H", len(frame)) + frame for frame in some)


def main():
    folder = HERE / "corpus" / "frag"
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds():
        (folder / hashlib.sha256(seed).hexdigest()).write_bytes(seed)


if __name__ == "__main__":
    main()
