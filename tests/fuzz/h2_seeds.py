#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seed corpus of h2_fuzz: h2_seeds.py FOLDER. Files are named by their SHA-256."""
import hashlib
import pathlib
import struct
import sys

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIO = 1, 1, 4, 8, 0x20
PASSIVE, SMALL, STARTED, GRPC_REPLY, NO_ROOM = 1, 2, 4, 8, 16
C2S, S2C, TIME, ROOM, POLICY = 0, 0x80, 0x40, 0x20, 0x10
PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
ALLOWED, DENIED = b'/attack.Allowed/Ping', b'/attack.Secret/Drop'
ALLOWED2 = b'/attack.Allowed/Stream'


def frame(kind, flags, stream, payload=b''):
    return struct.pack('>I', len(payload))[1:] + struct.pack('>BBI', kind, flags, stream) + payload


def chunk(payload, what=C2S):
    return struct.pack('>BH', what, len(payload)) + payload


def literal(name, value, first=0x00):
    return bytes([first, len(name)]) + name + bytes([len(value)]) + value


def request(path, first=0x00):
    """first: 0 without indexing, 0x40 incremental, 0x10 never."""
    return (b'\x83\x86' + literal(b':path', path, first) +
            literal(b'content-type', b'application/grpc', first) +
            literal(b'te', b'trailers', first))


def call(stream, path, flags=END_HEADERS, first=0x00):
    return frame(HEADERS, flags, stream, request(path, first))


def settings(*pairs):
    return frame(SETTINGS, 0, 0, b''.join(struct.pack('>HI', *p) for p in pairs))


def again(index):
    """A request of three dynamic entries, the path at this index."""
    return b'\x83\x86' + bytes([0x80 | index, 0xbf, 0xbe])


HELLO = PREFACE + settings((4, 65535))
ANSWER = frame(HEADERS, END_HEADERS | END_STREAM, 1, b'\x88')
TRAILER = literal(b'x-t', b'v')
SPLIT = request(DENIED)

SEEDS = [
    (0, [chunk(HELLO), chunk(settings((1, 65536), (3, 100)), S2C), chunk(call(1, ALLOWED)),
         chunk(frame(SETTINGS, ACK, 0), S2C), chunk(frame(SETTINGS, ACK, 0)),
         chunk(frame(DATA, END_STREAM, 1, b'body')), chunk(ANSWER, S2C)]),
    (0, [chunk(b'POST / HTTP/1.1\r\n')]),
    (0, [chunk(b'\x16\x03\x01')]),
    (0, [chunk(PREFACE + frame(PING, 0, 0, b'12345678'))]),
    (STARTED, [chunk(call(1, DENIED)), chunk(frame(DATA, 0, 1, b'x' * 200)),
               chunk(frame(RST, 0, 1, bytes(4)))]),
    (STARTED | GRPC_REPLY, [chunk(call(1, DENIED, END_HEADERS | END_STREAM))]),
    (STARTED, [chunk(call(1, ALLOWED, END_HEADERS, 0x40)), chunk(call(3, DENIED, 5, 0x40)),
               chunk(frame(HEADERS, 5, 5, again(0x40 + 3))),
               chunk(frame(HEADERS, 5, 1, TRAILER))]),
    (STARTED, [chunk(call(1, ALLOWED, 5, 0x40)),
               chunk(frame(HEADERS, 5, 3, again(0x40)))]),
    (STARTED, [chunk(frame(HEADERS, 0, 1, SPLIT[:5]) + frame(CONTINUATION, 0, 1, SPLIT[5:9]) +
                     frame(CONTINUATION, END_HEADERS, 1, SPLIT[9:]))]),
    (STARTED, [chunk(frame(HEADERS, END_HEADERS | PADDED | PRIO, 1,
                           b'\x02\0\0\0\3\7' + request(ALLOWED) + b'\0\0')),
               chunk(frame(DATA, PADDED | END_STREAM, 1, b'\3ab\0\0\0'))]),
    (STARTED, [chunk(settings((1, 0))), chunk(frame(SETTINGS, ACK, 0), S2C),
               chunk(call(1, DENIED)), chunk(ANSWER, S2C)]),
    (STARTED, [chunk(settings((1, 0)), S2C), chunk(frame(SETTINGS, ACK, 0)),
               chunk(frame(HEADERS, 5, 1, b'\x20' + request(DENIED, 0x40))),
               chunk(call(3, ALLOWED, 5))]),
    (STARTED | NO_ROOM, [chunk(call(1, DENIED) + call(3, DENIED)),
                         chunk(frame(GOAWAY, 0, 0, b'\0\0\0\1' + bytes(4)), S2C),
                         chunk(frame(PING, 0, 0, bytes(8)), S2C | ROOM)]),
    (STARTED, [chunk(call(1, ALLOWED)), chunk(frame(HEADERS, 0, 1, b'\x88'), S2C),
               chunk(call(3, DENIED)), chunk(frame(CONTINUATION, END_HEADERS, 1, b''), S2C),
               chunk(frame(DATA, END_STREAM, 1, b'reply'), S2C)]),
    (STARTED, [chunk(call(1, ALLOWED)), chunk(frame(PUSH, END_HEADERS, 1, b'\0\0\0\2\x82'), S2C),
               chunk(frame(RST, 0, 2, bytes(4)))]),
    (STARTED | SMALL, [chunk(call(i, ALLOWED), TIME) for i in range(1, 13, 2)]),
    (STARTED | SMALL, [chunk(frame(PING, 0, 0, bytes(8)) * 20)]),
    (STARTED | SMALL, [chunk(frame(HEADERS, 0, 1) + frame(CONTINUATION, 0, 1) * 5)]),
    (STARTED | SMALL, [chunk(call(1, DENIED) + frame(DATA, 0, 1, bytes(99)) * 4)]),
    (STARTED | PASSIVE, [chunk(call(1, DENIED)), chunk(frame(HEADERS, 5, 3, b'\x82')),
                         chunk(settings((1, 65536)), S2C)]),
    (STARTED, [chunk(frame(0x10, 0, 0, b'\0\0\0\1u=1') + frame(PRIORITY, 0, 3, b'\0\0\0\0\1') +
                     frame(0xbe, 0, 0, b'x') + frame(WINDOW, 0, 0, b'\0\0\0\1'))]),
    (STARTED, [chunk(frame(HEADERS, 5, 1, request(ALLOWED) + literal(b':path', DENIED)))]),
    (STARTED, [chunk(frame(HEADERS, 5, 1, b'\x3f\xe1\x1f' + request(ALLOWED, 0x10)))]),
    # Requests seen before.
    (STARTED, [chunk(call(1, ALLOWED2, 5) + call(3, ALLOWED, 5) + call(5, ALLOWED2, 5)),
               chunk(call(7, ALLOWED2, 5) + call(9, ALLOWED, 5), POLICY),
               chunk(call(11, ALLOWED2, 5) + call(13, ALLOWED2, 5), POLICY)]),
    (STARTED, [chunk(call(1, ALLOWED, 5, 0x40)),
               chunk(frame(HEADERS, 5, 3, again(0x40)) + frame(HEADERS, 5, 5, again(0x40))),
               chunk(frame(HEADERS, 5, 7, literal(b'a', b'b', 0x40) + again(0x40))),
               chunk(frame(HEADERS, 5, 9, again(0x41)) + call(11, DENIED, 5, 0x40)),
               chunk(frame(HEADERS, 5, 13, again(0x40)))]),
    (STARTED | SMALL, [chunk(call(1, ALLOWED) + call(3, ALLOWED) + frame(HEADERS, 5, 1, TRAILER) +
                             call(5, ALLOWED) + call(7, ALLOWED) + call(3, ALLOWED, 5))]),
    (STARTED, [chunk(call(1, ALLOWED, 5) + call(3, ALLOWED, 5)), chunk(settings((1, 256)), S2C),
               chunk(frame(SETTINGS, ACK, 0)), chunk(call(5, ALLOWED, 5)),
               chunk(frame(HEADERS, 5, 7, b'\x3f\xe1\x01' + request(ALLOWED)))]),
]


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for flags, chunks in SEEDS:
        seed = bytes([flags]) + b''.join(chunks)
        (folder / hashlib.sha256(seed).hexdigest()).write_bytes(seed)


if __name__ == '__main__':
    main()
