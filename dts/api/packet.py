# SPDX-License-Identifier: Apache-2.0
"""Frames: read from captures, compared between the two sides, sent raw.

The reader knows just enough of Ethernet, VLAN, IPv4, IPv6 and TCP to follow a connection; it is
independent of the firewall's own parser on purpose.
"""

import ipaddress
import socket
import struct
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from framework.lab import Lab
from framework.process import Failed

FIN, SYN, RST, PSH, ACK, URG = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_VLAN_TYPES = (0x8100, 0x88A8)


@dataclass(frozen=True)
class Frame:
    """A captured frame; the parsed fields are None where it is no TCP."""

    time: float
    data: bytes

    @cached_property
    def _l3(self) -> tuple[int, int, tuple[int, ...]]:
        """EtherType, offset of what it announces, VLAN ids."""
        offset, vlans = 12, []
        kind = int.from_bytes(self.data[offset:offset + 2], "big")
        while kind in _VLAN_TYPES:
            vlans.append(int.from_bytes(self.data[offset + 2:offset + 4], "big") & 0xFFF)
            offset += 4
            kind = int.from_bytes(self.data[offset:offset + 2], "big")
        return kind, offset + 2, tuple(vlans)

    @property
    def vlans(self) -> tuple[int, ...]:
        return self._l3[2]

    @property
    def ethertype(self) -> int:
        return self._l3[0]

    @cached_property
    def tcp(self) -> "Segment | None":
        kind, at, _ = self._l3
        data = self.data
        if kind == 0x0800 and data[at + 9] == socket.IPPROTO_TCP:
            end = at + int.from_bytes(data[at + 2:at + 4], "big")
            l4 = at + (data[at] & 0xF) * 4
            addresses = data[at + 12:at + 16], data[at + 16:at + 20]
        elif kind == 0x86DD and data[at + 6] == socket.IPPROTO_TCP:
            end = at + 40 + int.from_bytes(data[at + 4:at + 6], "big")
            l4 = at + 40
            addresses = data[at + 8:at + 24], data[at + 24:at + 40]
        else:
            return None
        sport, dport, seq, ack, offset, flags, window = struct.unpack_from("!HHIIBBH", data, l4)
        src, dst = (str(ipaddress.ip_address(a)) for a in addresses)
        return Segment(src, sport, dst, dport, seq, ack, flags, window,
                       data[l4 + (offset >> 4) * 4:end])


@dataclass(frozen=True)
class Segment:
    src: str
    sport: int
    dst: str
    dport: int
    seq: int
    ack: int
    flags: int
    window: int
    payload: bytes


def read_pcap(path: Path) -> list[Frame]:
    """All frames of a capture file (classic format, either byte order, us or ns)."""
    blob = path.read_bytes()
    magic = blob[:4]
    order = "<" if magic in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    scale = 1e9 if magic in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d") else 1e6
    frames, at = [], 24
    while at + 16 <= len(blob):
        seconds, fraction, stored, _ = struct.unpack_from(order + "IIII", blob, at)
        frames.append(Frame(seconds + fraction / scale, blob[at + 16:at + 16 + stored]))
        at += 16 + stored
    return frames


def to_port(frames: list[Frame], port: int) -> list[Frame]:
    """The frames of TCP towards a port: the client-to-server direction."""
    return [f for f in frames if f.tcp and f.tcp.dport == port]


def from_port(frames: list[Frame], port: int) -> list[Frame]:
    return [f for f in frames if f.tcp and f.tcp.sport == port]


def connections(frames: list[Frame], port: int) -> set[tuple[str, int]]:
    """The clients (address, port) that sent a SYN to the port."""
    return {(f.tcp.src, f.tcp.sport) for f in to_port(frames, port)
            if f.tcp.flags & (SYN | ACK) == SYN}


def stream(frames: list[Frame]) -> bytes:
    """Puts the bytes of one direction of one connection together again. Bytes that were sent
    twice must have been the same both times."""
    start = next((f.tcp.seq for f in frames if f.tcp.flags & SYN), None)
    if start is None:
        raise Failed("no SYN in this direction of the capture")
    out, known = bytearray(), bytearray()
    for frame in frames:
        payload = frame.tcp.payload
        if not payload or frame.tcp.flags & SYN:
            continue
        at = (frame.tcp.seq - start - 1 + (1 << 31)) % (1 << 32) - (1 << 31)
        while at + (1 << 31) < len(out):  # past the first 2 GiB
            at += 1 << 32
        if at < 0:
            payload, at = payload[-at:], 0
        if at + len(payload) > len(out):
            grow = at + len(payload) - len(out)
            out += bytes(grow)
            known += bytes(grow)
        for i, have in enumerate(known[at:at + len(payload)]):
            if have and out[at + i] != payload[i]:
                raise Failed(f"byte {at + i} of the stream was sent with two values")
        out[at:at + len(payload)] = payload
        known[at:at + len(payload)] = b"\1" * len(payload)
    if 0 in known:
        raise Failed(f"byte {known.index(0)} of the stream is missing from the capture")
    return bytes(out)


def streams(frames: list[Frame], port: int) -> dict[tuple[str, int], tuple[bytes, bytes]]:
    """{client: (what the client sent, what the server sent)} of every connection to a port."""
    both = {}
    for client in connections(frames, port):
        sent = [f for f in to_port(frames, port) if (f.tcp.src, f.tcp.sport) == client]
        got = [f for f in from_port(frames, port) if (f.tcp.dst, f.tcp.dport) == client]
        both[client] = stream(sent), stream(got)
    return both


def difference(left: list[Frame], right: list[Frame]) -> str:
    """Empty if both lists hold the same frames in the same order, else the first difference."""
    for number, (one, other) in enumerate(zip(left, right)):
        if one.data != other.data:
            pairs = enumerate(zip(one.data, other.data))
            at = next((i for i, (left_b, right_b) in pairs if left_b != right_b), "the end")
            return (f"frame {number} differs from byte {at} on, {len(one.data)} and "
                    f"{len(other.data)} bytes:\n  {one.data[:80].hex()}\n  "
                    f"{other.data[:80].hex()}\n")
    if len(left) != len(right):
        return f"{len(left)} frames on one side, {len(right)} on the other"
    return ""


def flags_seen(frames: list[Frame]) -> Counter:
    """How often each TCP flag occurs: {"SYN": 2, ...}."""
    names = {FIN: "FIN", SYN: "SYN", RST: "RST", URG: "URG"}
    counts: Counter = Counter()
    for frame in frames:
        for bit, name in names.items():
            if frame.tcp and frame.tcp.flags & bit:
                counts[name] += 1
    return counts


def http2_frames(data: bytes, client: bool):
    """(type, flags, stream id, payload) of every HTTP/2 frame in a byte stream."""
    at = 24 if client else 0
    if client and not data.startswith(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
        raise Failed("the stream does not begin with the preface of HTTP/2")
    while at < len(data):
        length, kind, flags, number = struct.unpack_from("!IBBI", b"\0" + data[at:at + 9])
        yield kind, flags, number & 0x7FFFFFFF, data[at + 9:at + 9 + length]
        at += 9 + length


def send_raw(lab: Lab, netns: str, interface: str, frames: list[bytes]) -> None:
    """Puts frames on an interface as they are."""
    with lab.inside(netns):
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    with wire:
        wire.bind((interface, 0))
        for frame in frames:
            wire.send(frame)
