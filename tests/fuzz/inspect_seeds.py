#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seed corpus of inspect_fuzz: inspect_seeds.py FOLDER. Files are named by their SHA-256.
The conversations are those of h2_fuzz, each cut in several ways."""
import hashlib
import pathlib
import sys

import h2_seeds
from h2_seeds import END_HEADERS, END_STREAM, STARTED, call, chunk, frame

SETS = {h2_seeds.SMALL: 1, STARTED: 2, h2_seeds.GRPC_REPLY: 4, h2_seeds.PASSIVE: 0x10}
REENCODE, MESSY = 0x20, 0x40

BODY = b''.join(frame(h2_seeds.DATA, 0, 1, bytes(700)) for _ in range(5))
MORE = [
    (STARTED, [chunk(call(1, h2_seeds.ALLOWED) + BODY + frame(h2_seeds.DATA, END_STREAM, 1, b'x')),
               chunk(frame(h2_seeds.HEADERS, END_HEADERS, 1, b'\x88') + BODY, h2_seeds.S2C),
               chunk(call(3, h2_seeds.DENIED) + call(5, h2_seeds.ALLOWED)),
               chunk(BODY + frame(h2_seeds.HEADERS, END_HEADERS | END_STREAM, 1, b'\x88'),
                     h2_seeds.S2C)]),
    (STARTED, [chunk(call(1, h2_seeds.DENIED) + BODY * 6), chunk(call(3, h2_seeds.ALLOWED))]),
]


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for number, (flags, chunks) in enumerate(h2_seeds.SEEDS + MORE):
        sets = sum(new for old, new in SETS.items() if flags & old)
        for turn in range(2):
            if turn == 1:
                sets |= (REENCODE if number % 2 else 0) | (MESSY if number % 3 == 0 else 0) | 8
            cuts = [bytes([part[0] & 0x80 | (number + turn * 2 + i) % 4]) + part[1:]
                    for i, part in enumerate(chunks)]
            seed = bytes([sets, number + turn]) + b''.join(cuts)
            (folder / hashlib.sha256(seed).hexdigest()).write_bytes(seed)


if __name__ == '__main__':
    main()
