# SPDX-License-Identifier: Apache-2.0
"""What the peers of a case say to each other: frames of HTTP/2, calls and answers."""

import struct

from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hyperframe.frame import DataFrame, HeadersFrame, RstStreamFrame, SettingsFrame
from hyperframe.frame import WindowUpdateFrame

# "%04x-%06x": of the secret in golden.c, and a count.
REF_TAG = 0xD107
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SERVICE = "/cloudcity.DoorManager/"


def literal(name, value):
    """A field that no table keeps; name is an index of the static table or a string."""
    out = bytearray()
    if isinstance(name, int):
        out += bytes([name]) if name < 15 else bytes([15, name - 15])
    else:
        out += bytes([0, len(name)]) + name.encode()
    return bytes(out) + bytes([len(value)]) + value.encode()


def request(path, method=b"\x83"):
    """POST (static 3) and http (static 6), the rest in literals."""
    return (
        method
        + b"\x86"
        + literal(4, path)
        + literal(1, "door:50051")
        + literal(31, "application/grpc")
        + literal("te", "trailers")
    )


def shortest(text):
    """A string literal, Huffman-coded where that is shorter (RFC 7541 section 5.2)."""
    plain = text.encode()
    coded = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH).encode(plain)
    if len(coded) < len(plain):
        return bytes([0x80 | len(coded)]) + coded
    return bytes([len(plain)]) + plain


def headers(stream, block, end=False):
    frame = HeadersFrame(stream, block, flags=["END_HEADERS"] + (["END_STREAM"] if end else []))
    return frame.serialize()


def data(stream, message, end=False):
    body = b"\x00" + struct.pack(">I", len(message)) + message
    return DataFrame(stream, body, flags=["END_STREAM"] if end else []).serialize()


def call(stream, method):
    return headers(stream, request(SERVICE + method)) + data(stream, b"\x08\x01", end=True)


def answer(stream, text):
    head = b"\x88" + literal(31, "application/grpc")
    tail = literal("grpc-status", "0")
    return headers(stream, head) + data(stream, text) + headers(stream, tail, end=True)


def denial(stream, count, rst=False):
    """The default reply, and RST_STREAM(NO_ERROR) if the request is not finished."""
    block = (
        b"\x08\x03403"
        + b"\x0f\x10\x10application/grpc"
        + b"\x00\x0bgrpc-status\x017"
        + b"\x00\x0cgrpc-message"
    )
    text = "call denied by policy (ref %04x-%06x)" % (REF_TAG, count)
    block += bytes([len(text)]) + text.encode()
    return headers(stream, block, end=True) + (
        RstStreamFrame(stream, error_code=0).serialize() if rst else b""
    )


SETTINGS = SettingsFrame(0, settings={3: 100}).serialize()
SETTINGS_ACK = SettingsFrame(0, flags=["ACK"]).serialize()
GREETING = PREFACE + SETTINGS + WindowUpdateFrame(0, window_increment=1 << 20).serialize()
