#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seed corpus of tcp_fuzz: tcp_seeds.py FOLDER [COUNT]. Files are named by their SHA-256."""
import hashlib
import pathlib
import random
import sys

(NEXT, AT, ANSWER, ACK, AGAIN, WAIT, POKE, SWITCH, QUOTE, SYN, RST, LAST, RAW, LOSE,
 BURST, DEAF) = range(16)
# As often as an honest peer, and now and then a liar, would do it.
WEIGHTS = {NEXT: 30, AT: 10, ANSWER: 14, ACK: 6, AGAIN: 10, WAIT: 5, POKE: 3, SWITCH: 3, QUOTE: 2,
           SYN: 2, RST: 2, LAST: 2, RAW: 2, LOSE: 5, BURST: 2, DEAF: 6}
SERVER = 0x10
PSH = 8
PASSIVE, BOUNDS = 0x04, 0x18
# What a packet may carry instead of its own: signatures, SACK with nothing or too much in it, a
# timestamp cut short, an option beyond the end.
OPTIONS = [b'\x13\x08\0\0\0\0\0\0', b'\x1d\x04\0\0\1\1\1\1', b'\x05\x02\1\1\x05\x04\0\0',
           b'\x08\x08\0\0\0\0\0\0', b'\1\1\1\1\1\1\x05\x0a']


def step(rng):
    what = rng.choices(list(WEIGHTS), WEIGHTS.values())[0]
    later = rng.choice([0, 0, 0, 1, 2, 3, 4, 5, 6])
    some = bytearray(rng.randbytes(8))
    some[0] = what | (some[0] & SERVER) | later << 5
    if rng.random() < .8:
        some[1] = rng.choice([0, PSH])
    for field in (3, 4):
        if rng.random() < .6:
            some[field] = rng.choice([0, 0, 1, 255, 5])
    if rng.random() < .7:
        some[6] = rng.choice([0, 0, 1, 15, 0x10, 0x30])
    if rng.random() < .7:
        some[7] = 0
    return bytes(some) + (rng.choice(OPTIONS) if what == RAW else b'')


def seed(number):
    rng = random.Random(number)
    cfg = bytearray(rng.randbytes(12))
    if rng.random() < .8:
        cfg[3] &= ~PASSIVE & 0xff
    if rng.random() < .7:
        cfg[3] &= ~BOUNDS & 0xff
    return bytes(cfg) + b''.join(step(rng) for _ in range(rng.choice([6, 12, 25, 60])))


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(int(sys.argv[2]) if len(sys.argv) > 2 else 40):
        data = seed(number)
        (folder / hashlib.sha256(data).hexdigest()).write_bytes(data)


if __name__ == '__main__':
    main()
