# SPDX-License-Identifier: Apache-2.0
"""What a client can do wrong by RFC 9113 and RFC 7541, and how the other side takes it."""

import contextlib
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Callable

from hpack import Decoder, Encoder

from api.h2 import (CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING,
                    PREFACE, PRIORITISED, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame,
                    grpc_headers, message)
from framework.settings import settings

PATH = "/dts.Echo/Unary"
PUSH_PROMISE, UNKNOWN = 5, 0xBB
ACK, WHOLE = 0x1, END_HEADERS | END_STREAM
PROBE = b"probing."
SECONDS = 20.0


@dataclass
class Reaction:
    """What the other side did. `kind`, from mild to severe: answer, alive, rst, ended."""

    kind: str
    code: int | None = None  # of the RST_STREAM or GOAWAY, where one was seen
    note: str = ""

    def like(self, other: "Reaction") -> bool:
        """The same; a code counts where both have arrived (one can get lost when the other side
        closes a connection with bytes unread)."""
        return self.kind == other.kind and (None in (self.code, other.code)
                                            or self.code == other.code)

    def __str__(self) -> str:
        return self.kind + (f"({self.code})" if self.code is not None else "") + self.note


@dataclass
class Case:
    """Frames to send after the preface and the SETTINGS; `watch` is the stream whose end is to be
    waited for, if any."""

    name: str
    frames: Callable[["Kit"], bytes]
    watch: int = 0
    hello: bytes = PREFACE + frame(SETTINGS, 0, 0)

    @property
    def stricter(self) -> str:
        """What wicket does itself where a server may be milder."""
        return "ended" if self.name in ENDED else "rst" if self.name in RESET else ""


@dataclass
class Kit:
    """What cases make their frames of; the encoder is that of one connection."""

    encoder: Encoder = field(default_factory=Encoder)

    def block(self, headers=None) -> bytes:
        return self.encoder.encode(grpc_headers(PATH) if headers is None else headers)

    def headers(self, stream: int = 1, flags: int = END_HEADERS, headers=None) -> bytes:
        return frame(HEADERS, flags, stream, self.block(headers))

    def raw(self, extra: bytes, stream: int = 1) -> bytes:
        """A good request whose block goes on with these bytes."""
        return frame(HEADERS, END_HEADERS, stream, self.block() + extra) + self.data(stream)

    def before(self, extra: bytes, stream: int = 1) -> bytes:
        """The same, with these bytes in front."""
        return frame(HEADERS, END_HEADERS, stream, extra + self.block()) + self.data(stream)

    def data(self, stream: int = 1, flags: int = END_STREAM) -> bytes:
        return frame(DATA, flags, stream, message(b"door"))

    def call(self, stream: int = 1) -> bytes:
        return self.headers(stream) + self.data(stream)

    def fields(self, change: Callable[[list], list]) -> bytes:
        """A request with other header fields."""
        return self.headers(headers=change(grpc_headers(PATH))) + self.data()


def connect(lab, netns: str, host: str, port: int) -> socket.socket:
    with lab.inside(netns):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.settimeout(SECONDS * settings.patience)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.connect((host, port))
    return sock


def react(sock: socket.socket, case: Case) -> Reaction:
    """Sends the case and a PING after it, and reads until it is clear what has become of it."""
    with contextlib.closing(sock):
        with contextlib.suppress(OSError):
            sock.sendall(case.hello + case.frames(Kit()) + frame(PING, 0, 0, PROBE))
        watch = Watch(case.watch)
        deadline = time.monotonic() + SECONDS * settings.patience
        while not watch.over:
            sock.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                data = sock.recv(65536)
            except TimeoutError:
                return Reaction("silent", note=f" {watch}")
            except OSError:
                data = b""
            watch.feed(data)
        return watch.reaction()


class Watch:
    """Reads the frames that come back."""

    def __init__(self, stream: int) -> None:
        self._stream, self._bytes = stream, b""
        self._alive = self._closed = self._answered = False
        self._goaway: int | None = None
        self._reset: int | None = None
        self._decoder = Decoder()

    def __str__(self) -> str:
        return f"alive {self._alive}, GOAWAY {self._goaway}, RST {self._reset}"

    @property
    def over(self) -> bool:
        done = not self._stream or self._answered or self._reset is not None
        return self._closed or (self._alive and done)

    def feed(self, data: bytes) -> None:
        self._closed = not data
        self._bytes += data
        while len(self._bytes) >= 9:
            size = int.from_bytes(self._bytes[:3], "big")
            if len(self._bytes) < 9 + size:
                return
            kind, flags, stream = struct.unpack_from("!BBI", self._bytes, 3)
            self._frame(kind, flags, stream, self._bytes[9:9 + size])
            self._bytes = self._bytes[9 + size:]

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == GOAWAY and len(payload) >= 8:
            self._goaway = int.from_bytes(payload[4:8], "big")
        elif kind == PING and flags & ACK and payload == PROBE:
            self._alive = True
        elif kind == RST_STREAM and stream == (self._stream or stream) and not self._answered:
            self._reset = int.from_bytes(payload, "big")
        elif stream == self._stream and kind in (HEADERS, DATA) and flags & END_STREAM:
            self._answered = True

    def reaction(self) -> Reaction:
        if self._closed:
            return Reaction("ended", self._goaway or None)
        if self._reset is not None:
            return Reaction("rst", self._reset)
        return Reaction("answer" if self._answered else "alive")


def setting(key: int, value: int) -> bytes:
    return struct.pack("!HI", key, value)


def without(name: str) -> Callable[[list], list]:
    return lambda headers: [h for h in headers if h[0] != name]


def first(*pairs) -> Callable[[list], list]:
    return lambda headers: [*pairs, *headers]


def last(*pairs) -> Callable[[list], list]:
    return lambda headers: [*headers, *pairs]


def instead(name: str, value: str) -> Callable[[list], list]:
    return lambda headers: [(k, value if k == name else v) for k, v in headers]


def window(stream: int, step: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, struct.pack("!I", step))


def reset(stream: int, code: int = 8) -> bytes:
    return frame(RST_STREAM, 0, stream, struct.pack("!I", code))


FRAMES = [
    Case("3.4 something else than a preface", lambda k: b"", hello=b"INVALID PREFACE\r\n\r\n" * 4),
    Case("3.4 no SETTINGS after the preface", lambda k: k.call(), 1, hello=PREFACE),
    Case("4.1 a frame of unknown type on the connection", lambda k: frame(UNKNOWN, 0, 0, bytes(8))),
    Case("4.1 a frame of unknown type on an open stream",
         lambda k: k.headers() + frame(UNKNOWN, 0, 1, bytes(8)) + k.data(), 1),
    Case("4.1 undefined flags", lambda k: frame(PING, 0xFE, 0, bytes(8))),
    Case("4.1 the reserved bit of the stream", lambda k: k.headers(1 | 1 << 31) + k.data(), 1),
    Case("4.2 DATA above the maximal frame size",
         lambda k: k.headers() + frame(DATA, END_STREAM, 1, bytes(16385)), 1),
    Case("4.2 HEADERS above the maximal frame size",
         lambda k: frame(HEADERS, WHOLE, 1, k.block() + bytes(16385)), 1),
    Case("4.2 a SETTINGS frame of 5 bytes", lambda k: frame(SETTINGS, 0, 0, bytes(5))),
    Case("4.3 a block that is not HPACK", lambda k: frame(HEADERS, WHOLE, 1, b"\x80" * 9), 1),
    Case("4.3 PING inside a header block",
         lambda k: k.headers(flags=END_STREAM) + frame(PING, 0, 0, bytes(8))
         + frame(CONTINUATION, END_HEADERS, 1), 1),
    Case("4.3 PRIORITY inside a header block",
         lambda k: k.headers(flags=END_STREAM) + frame(PRIORITY, 0, 1, bytes(4) + b"\1"), 1),
    Case("4.3 an unknown frame inside a header block",
         lambda k: k.headers(flags=END_STREAM) + frame(UNKNOWN, 0, 1, bytes(4)), 1),
    Case("4.3 HEADERS of another stream inside a header block",
         lambda k: k.headers(flags=END_STREAM) + k.headers(3, WHOLE), 1),
]

STREAMS = [
    Case("5.1 idle: DATA", lambda k: k.data(1)),
    Case("5.1 idle: RST_STREAM", lambda k: reset(1)),
    Case("5.1 idle: WINDOW_UPDATE", lambda k: window(1, 100)),
    Case("5.1 idle: CONTINUATION", lambda k: frame(CONTINUATION, END_HEADERS, 1, k.block())),
    Case("5.1 half-closed: DATA", lambda k: k.call() + k.data()),
    Case("5.1 half-closed: HEADERS", lambda k: k.call() + k.headers(1, WHOLE)),
    Case("5.1 half-closed: CONTINUATION",
         lambda k: k.call() + frame(CONTINUATION, END_HEADERS, 1, k.block())),
    Case("5.1 half-closed: WINDOW_UPDATE", lambda k: k.call() + window(1, 100), 1),
    Case("5.1 half-closed: PRIORITY",
         lambda k: k.call() + frame(PRIORITY, 0, 1, bytes(4) + b"\1"), 1),
    Case("5.1 closed by RST_STREAM: DATA", lambda k: k.headers() + reset(1) + k.data()),
    Case("5.1 closed by RST_STREAM: HEADERS", lambda k: k.headers() + reset(1) + k.headers(1, WHOLE)),
    Case("5.1 closed by RST_STREAM: CONTINUATION",
         lambda k: k.headers() + reset(1) + frame(CONTINUATION, END_HEADERS, 1, k.block())),
    Case("5.1 closed by RST_STREAM: WINDOW_UPDATE", lambda k: k.headers() + reset(1) + window(1, 9)),
    Case("5.1 closed by RST_STREAM: RST_STREAM", lambda k: k.headers() + reset(1) + reset(1)),
    Case("5.1.1 an even stream", lambda k: k.call(2)),
    Case("5.1.1 a stream below the last one", lambda k: k.call(5) + k.call(3)),
    Case("5.3 PRIORITY of an idle stream",
         lambda k: frame(PRIORITY, 0, 1, bytes(4) + b"\1") + k.call(), 1),
    Case("5.3 a stream that depends on itself",
         lambda k: frame(HEADERS, END_HEADERS | PRIORITISED, 1, b"\0\0\0\1\xff" + k.block()) + k.data(), 1),
    Case("5.3 PRIORITY that depends on itself", lambda k: frame(PRIORITY, 0, 1, b"\0\0\0\1\1")),
]

DEFINITIONS = [
    Case("6.1 DATA on the connection", lambda k: frame(DATA, 0, 0, b"door")),
    Case("6.1 DATA with more padding than payload",
         lambda k: k.headers() + frame(DATA, END_STREAM | PADDED, 1, b"\5door"), 1),
    Case("6.1 DATA that has no pad length",
         lambda k: k.headers() + frame(DATA, END_STREAM | PADDED, 1), 1),
    Case("6.2 HEADERS on the connection", lambda k: frame(HEADERS, WHOLE, 0, k.block())),
    Case("6.2 HEADERS with more padding than payload",
         lambda k: frame(HEADERS, WHOLE | PADDED, 1, b"\xff" + k.block()), 1),
    Case("6.2 HEADERS too short for their priority",
         lambda k: frame(HEADERS, WHOLE | PRIORITISED, 1, bytes(4)), 1),
    Case("6.2 padded HEADERS", lambda k: frame(HEADERS, END_HEADERS | PADDED, 1, b"\4" + k.block()
                                               + bytes(4)) + k.data(), 1),
    Case("6.3 PRIORITY on the connection", lambda k: frame(PRIORITY, 0, 0, bytes(5))),
    Case("6.3 PRIORITY of 4 bytes", lambda k: k.headers() + frame(PRIORITY, 0, 1, bytes(4))),
    Case("6.4 RST_STREAM on the connection", lambda k: reset(0)),
    Case("6.4 RST_STREAM of 3 bytes", lambda k: k.headers() + frame(RST_STREAM, 0, 1, bytes(3))),
    Case("6.5 an ACK of SETTINGS with a payload",
         lambda k: frame(SETTINGS, ACK, 0, setting(3, 100))),
    Case("6.5 SETTINGS on a stream", lambda k: frame(SETTINGS, 0, 1, setting(3, 100))),
    Case("6.5 ENABLE_PUSH of 2", lambda k: frame(SETTINGS, 0, 0, setting(2, 2))),
    Case("6.5 INITIAL_WINDOW_SIZE of 2^31", lambda k: frame(SETTINGS, 0, 0, setting(4, 1 << 31))),
    Case("6.5 MAX_FRAME_SIZE of 16383", lambda k: frame(SETTINGS, 0, 0, setting(5, 16383))),
    Case("6.5 MAX_FRAME_SIZE of 2^24", lambda k: frame(SETTINGS, 0, 0, setting(5, 1 << 24))),
    Case("6.5 an unknown setting", lambda k: frame(SETTINGS, 0, 0, setting(0xFE, 1)) + k.call(), 1),
    Case("6.6 PUSH_PROMISE of a client",
         lambda k: k.headers() + frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + k.block())),
    Case("6.7 PING on a stream", lambda k: frame(PING, 0, 1, bytes(8))),
    Case("6.7 PING of 6 bytes", lambda k: frame(PING, 0, 0, bytes(6))),
    Case("6.7 an ACK of a PING that nobody sent", lambda k: frame(PING, ACK, 0, bytes(8))),
    Case("6.8 GOAWAY on a stream", lambda k: frame(GOAWAY, 0, 1, bytes(8))),
    Case("6.9 a step of 0 for the connection", lambda k: window(0, 0)),
    Case("6.9 a step of 0 for a stream", lambda k: k.headers() + window(1, 0), 1),
    Case("6.9 WINDOW_UPDATE of 3 bytes", lambda k: frame(WINDOW_UPDATE, 0, 0, bytes(3))),
    Case("6.9.1 a window of the connection beyond 2^31-1",
         lambda k: window(0, 0x7FFFFFFF) + window(0, 0x7FFFFFFF)),
    Case("6.9.1 a window of a stream beyond 2^31-1",
         lambda k: k.headers() + window(1, 0x7FFFFFFF) + window(1, 0x7FFFFFFF)),
    Case("6.10 CONTINUATION of nothing",
         lambda k: k.call() + frame(CONTINUATION, END_HEADERS, 1, k.block())),
    Case("6.10 CONTINUATION on the connection",
         lambda k: k.headers(flags=0) + frame(CONTINUATION, END_HEADERS, 0, k.block()), 1),
    Case("6.10 a block in three frames", lambda k: split(k), 1),
]

MESSAGES = [
    Case("8.1 trailers that do not end the stream",
         lambda k: k.headers() + k.data(flags=0) + k.headers(headers=[("x-end", "1")]), 1),
    Case("8.1 trailers with a pseudo-header",
         lambda k: k.headers() + k.data(flags=0) + k.headers(1, WHOLE, [(":path", PATH)]), 1),
    Case("8.1.1 content-length above the body",
         lambda k: k.fields(last(("content-length", "100"))), 1),
    Case("8.2 a name in upper case", lambda k: k.fields(last(("X-Door", "1"))), 1),
    Case("8.2.1 a name with a space", lambda k: k.fields(last(("x door", "1"))), 1),
    Case("8.2.1 a value with a line feed", lambda k: k.fields(last(("x-door", "1\n2"))), 1),
    Case("8.2.1 a value with a NUL", lambda k: k.fields(last(("x-door", "1\0002"))), 1),
    Case("8.2.2 connection", lambda k: k.fields(last(("connection", "keep-alive"))), 1),
    Case("8.2.2 te other than trailers", lambda k: k.fields(instead("te", "gzip")), 1),
    Case("8.3 an unknown pseudo-header", lambda k: k.fields(first((":door", "1"))), 1),
    Case("8.3 a pseudo-header of responses", lambda k: k.fields(first((":status", "200"))), 1),
    Case("8.3 a pseudo-header behind a field",
         lambda k: k.fields(lambda headers: headers[1:] + headers[:1]), 1),
    Case("8.3.1 no :method", lambda k: k.fields(without(":method")), 1),
    Case("8.3.1 no :scheme", lambda k: k.fields(without(":scheme")), 1),
    Case("8.3.1 no :path", lambda k: k.fields(without(":path")), 1),
    Case("8.3.1 an empty :path", lambda k: k.fields(instead(":path", "")), 1),
    Case("8.3.1 :method twice", lambda k: k.fields(first((":method", "POST"))), 1),
    Case("8.3.1 :path twice", lambda k: k.fields(first((":path", PATH))), 1),
]

# Blocks by hand. 0x40, 0x00: a literal with a new name; 0x82: static entry 2; 0x20: a size update.
HPACK = [
    Case("7541 2.3.3 an entry behind the tables", lambda k: k.raw(b"\xff\x80\x01"), 1),
    Case("7541 4.2 a size update behind a field", lambda k: k.raw(b"\x20"), 1),
    Case("7541 4.2 three size updates", lambda k: k.before(b"\x20\x20\x20"), 1),
    Case("7541 4.2 two size updates", lambda k: k.before(b"\x20\x3f\xe1\x1f"), 1),
    Case("7541 5.1 an integer without an end", lambda k: k.raw(b"\xff" + b"\xff" * 12), 1),
    Case("7541 5.1 an integer longer than need be", lambda k: k.raw(b"\x0f\x80\x80\x80\x80\x00\x00"),
         1),
    Case("7541 5.2 a string beyond its block", lambda k: k.raw(b"\x00\x05ab"), 1),
    Case("7541 5.2 Huffman padding of zeros", lambda k: k.raw(b"\x00\x81\x18\x811\x00"), 1),
    Case("7541 5.2 Huffman padding of a byte", lambda k: k.raw(b"\x00\x82\x1f\xff\x01a"), 1),
    Case("7541 5.2 Huffman EOS", lambda k: k.raw(b"\x00\x84\xff\xff\xff\xff\x01a"), 1),
    Case("7541 6.1 index 0", lambda k: k.raw(b"\x80"), 1),
    Case("7541 6.3 a size update above the limit", lambda k: k.before(b"\x3f\xe1\xff\x7f"), 1),
]

# What wicket does itself, where one server or another is milder or says another code: it ends the
# connection, or resets the stream.
ENDED = {
    "4.2 a SETTINGS frame of 5 bytes",
    "5.1 idle: DATA",
    "5.1 idle: WINDOW_UPDATE",
    "5.1 half-closed: DATA",
    "5.1 half-closed: HEADERS",
    "5.1 closed by RST_STREAM: HEADERS",
    "5.1.1 an even stream",
    "5.1.1 a stream below the last one",
    "5.3 a stream that depends on itself",
    "5.3 PRIORITY that depends on itself",
    "6.1 DATA on the connection",
    "6.1 DATA with more padding than payload",
    "6.1 DATA that has no pad length",
    "6.2 HEADERS on the connection",
    "6.2 HEADERS with more padding than payload",
    "6.3 PRIORITY on the connection",
    "6.3 PRIORITY of 4 bytes",
    "6.4 RST_STREAM on the connection",
    "6.5 an ACK of SETTINGS with a payload",
    "6.5 ENABLE_PUSH of 2",
    "6.5 INITIAL_WINDOW_SIZE of 2^31",
    "6.5 MAX_FRAME_SIZE of 16383",
    "6.5 MAX_FRAME_SIZE of 2^24",
    "6.6 PUSH_PROMISE of a client",
    "6.7 PING on a stream",
    "6.8 GOAWAY on a stream",
    "6.9 a step of 0 for a stream",
    "6.9.1 a window of the connection beyond 2^31-1",
    "6.9.1 a window of a stream beyond 2^31-1",
    "8.1 trailers that do not end the stream",
    "8.1 trailers with a pseudo-header",
    "8.1.1 content-length above the body",
    "7541 4.2 three size updates",
    "7541 5.1 an integer longer than need be",
    "7541 5.2 Huffman padding of a byte",
    "7541 5.2 Huffman EOS",
}
RESET = {
    "8.2 a name in upper case",
    "8.2.1 a name with a space",
    "8.2.1 a value with a line feed",
    "8.2.1 a value with a NUL",
    "8.2.2 connection",
    "8.2.2 te other than trailers",
    "8.3 an unknown pseudo-header",
    "8.3 a pseudo-header of responses",
    "8.3 a pseudo-header behind a field",
    "8.3.1 no :method",
    "8.3.1 no :scheme",
    "8.3.1 no :path",
    "8.3.1 an empty :path",
    "8.3.1 :method twice",
    "8.3.1 :path twice",
}

GROUPS = {"frames": FRAMES, "streams": STREAMS, "definitions": DEFINITIONS, "messages": MESSAGES,
          "hpack": HPACK}


def split(kit: Kit) -> bytes:
    """A good request whose block lies in three frames."""
    block = kit.block()
    return (frame(HEADERS, 0, 1, block[:10]) + frame(CONTINUATION, 0, 1, block[10:20])
            + frame(CONTINUATION, END_HEADERS, 1, block[20:]) + kit.data())
