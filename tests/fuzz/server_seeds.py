#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seed corpus of server_fuzz: server_seeds.py FOLDER. Files are named by their SHA-256.
See server_input.h."""
import hashlib
import pathlib
import sys

(REQUEST, TRAILERS, DATA, SETTINGS, RESET, WINDOW, PING, PRIORITY, GOAWAY, OTHER, RAW, BLOCK,
 ANSWER, SERVER) = range(14)
END, TOGETHER, PADDED, PRIO = 1, 0x40, 8, 0x20
SMALL, GRPC, REENCODE, IPV6 = 1, 2, 4, 8
PING_PATH, STREAM_PATH, DENIED = 0, 2, 4


def record(what, flags=0, stream=0, *rest):
    return bytes((what, flags, stream) + rest + (0,) * (5 - len(rest)))


def request(path, flags=0, fields=0, mistake=0, seed=1, splits=0):
    return record(REQUEST, flags, 0, path, fields, mistake, seed, splits)


SEEDS = [
    (0, 0, 0, [request(PING_PATH, END), record(ANSWER), request(DENIED, END), request(PING_PATH)]),
    (0, 1, 4, [request(path, END, seed, 0, seed, seed * 5 % 256)
               for seed, path in enumerate([0, 4, 1, 2, 5, 3, 0, 6, 1, 7, 0] * 4)]),
    (0, 2, 0xe2, [request(PING_PATH, 0, 0x1f, 0, 9), record(DATA, END, 0, 7, 100),
                  record(SERVER, 0, 0, 0xa3, 0), request(STREAM_PATH, 0, 0x0f, 0, 8),
                  record(TRAILERS, 0, 0), record(SERVER, 0, 0, 0xc9, 0),
                  request(PING_PATH, END, 0xff, 0, 7), request(DENIED, END, 3, 0, 6),
                  request(PING_PATH, END, 3, 0, 5)]),
    (REENCODE, 3, 3, [request(i % 5, i % 2, 0x55 + i, 0, i, 0x8e) for i in range(12)]),
    (GRPC, 4, 1, [request(PING_PATH, PADDED | PRIO, 1, 0, 3, 0x41), record(RESET, 0, 0),
                  record(WINDOW, 0, 0, 0, 0, 1, 0), record(PING), record(PRIORITY, 0, 0, 0, 0, 0, 0, 9),
                  record(SETTINGS, 0, 0, 1, 0, 3, 2, 2), record(OTHER, 0, 0, 0x10, 8)]),
    (0, 5, 3, [request(PING_PATH, END | TOGETHER, 0, mistake) for mistake in range(5)]),
    (IPV6, 6, 3, [request(PING_PATH, END, 0, 0xf0 + mistake) for mistake in range(16)]),
    (SMALL, 7, 2, [request(PING_PATH, TOGETHER) for _ in range(6)] + [record(ANSWER, 0, 0, 0, 1)] * 6),
    (0, 8, 0, [request(PING_PATH), record(SERVER, 0, 0, 0x20, 0x70), record(TRAILERS),
               request(STREAM_PATH), record(GOAWAY, 0, 0), request(PING_PATH, END)]),
    (0, 9, 0, [record(BLOCK, END, 0, 2, 1), b'\x83\x86\x44\x07/attac', b'\x00\x01a\x01b\x82\x84\x00']),
    (0, 9, 0, [record(RAW, 0, 0, 2), b'\0\0\x01\x01\x05\0\0\0', b'\x01\x82\0\0\0\x01\0\0']),
    (0, 10, 0, [request(PING_PATH, 0, 0x80, 0xf9), record(DATA, 0, 0, 0, 0)]),
]


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for flags, cuts, cut, records in SEEDS:
        seed = bytes([flags, cuts, cut]) + b''.join(records)
        (folder / hashlib.sha256(seed).hexdigest()).write_bytes(seed)


if __name__ == '__main__':
    main()
