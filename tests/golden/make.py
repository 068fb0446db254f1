#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the cases of this folder: what enters, and what has to come out.

What has to come out is worked out here from the RFCs and from the two views of a connection (the
client's numbers and the server's), never recorded from the program. The files are committed beside
this script; running it again must change nothing (`make.py --check` says so).
"""

import argparse
import filecmp
import struct
import sys
import tempfile
from pathlib import Path

try:
    from hyperframe.frame import DataFrame, HeadersFrame, RstStreamFrame, SettingsFrame
    from hyperframe.frame import WindowUpdateFrame
    from hpack.huffman import HuffmanEncoder
    from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
    from scapy.layers.inet import ICMP, IP, TCP, UDP
    from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, IPv6, IPv6ExtHdrFragment
    from scapy.layers.l2 import ARP, GRE, Dot1AD, Dot1Q, Ether
    from scapy.packet import Raw
    from scapy.utils import RawPcapWriter
except ImportError as missing:
    print(f"{missing}: scripts/install-deps test has it")
    sys.exit(77)  # skipped, as meson understands it

HERE = Path(__file__).resolve().parent
MAC = {"c": "02:00:00:00:0c:01", "s": "02:00:00:00:05:01"}
ADDRESS = {4: {"c": "10.11.0.7", "s": "10.12.0.10"}, 6: {"c": "fd00:11::7", "s": "fd00:12::10"}}
PORT = 50051
SCALE = 7
WINDOW = {"c": 502, "s": 509}
# "%04x-%06x": of the inspector's name and secret in golden.c, and a count.
REF_TAG = 0xD107
TICK_US = 1000
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SERVICE = "/cloudcity.DoorManager/"

CONF = """\
version = 1;
ports = ( { name = "outside"; device = "net_ring0"; }, { name = "inside"; device = "net_ring1"; } );
wires = ( { client = "outside"; server = "inside"; } );
services = (
  {
    name = "door-manager";
    addresses = [ "10.12.0.10", "fd00:12::10" ];
    port = 50051;
    access = (
      {
        name = "terminals";
        from = [ "10.11.0.0/16", "fd00:11::/48" ];
        allow = [
          "/cloudcity.DoorManager/GetName",
          "/cloudcity.DoorManager/GetLocation",
          "/cloudcity.DoorManager/RequestMaintenance"
        ];
      }
    );
  }
);
"""


# ---- HTTP/2 -------------------------------------------------------------------------------------


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


# ---- frames -------------------------------------------------------------------------------------


def flip(side):
    return "s" if side == "c" else "c"


class Link:
    """Ethernet, tags and IP of one conversation."""

    def __init__(self, version=4, tags=()):
        self.version = version
        self.tags = tags

    def frame(self, side, payload, **ip):
        packet = Ether(src=MAC[side], dst=MAC[flip(side)])
        for i, vlan in enumerate(self.tags):
            outer = len(self.tags) == 2 and i == 0
            packet = packet / (Dot1AD(vlan=vlan) if outer else Dot1Q(vlan=vlan))
        source, target = ADDRESS[self.version][side], ADDRESS[self.version][flip(side)]
        if self.version == 4:
            fields = {"id": 0, "flags": "DF", "ttl": 64, **ip}
            packet = packet / IP(src=source, dst=target, **fields)
        else:
            packet = packet / IPv6(src=source, dst=target, **{"hlim": 64, **ip})
        return bytes(packet / payload)


class Case:
    """One folder: frames in, frames out on either side, and what is counted."""

    def __init__(self, name, link=None, conf=CONF):
        self.name = name
        self.link = link or Link()
        self.conf = conf
        self.time_us = 1000000
        self.frames = []
        self.sides = ""
        self.explicit = False
        self.out = {"c": [], "s": []}
        self.stats = {}

    def count(self, **keys):
        for key, n in keys.items():
            self.stats[key] = self.stats.get(key, 0) + n

    def enter(self, side, frame, reason=None):
        self.time_us += TICK_US
        self.frames.append((self.time_us, frame))
        self.sides += side
        if reason:
            self.count(**{reason: 1})

    def leave(self, side, frame):
        """A frame goes out towards the client (c) or the server (s)."""
        self.out[side].append((self.time_us, frame))

    def through(self, side, frame, reason="fwd_guarded"):
        """What enters on a side leaves on the other as it is."""
        self.enter(side, frame, reason)
        self.leave(flip(side), frame)

    def write(self, root):
        folder = root / self.name
        folder.mkdir(parents=True, exist_ok=True)
        files = {"in": self.frames, "expect.client": self.out["c"], "expect.server": self.out["s"]}
        for name, frames in files.items():
            write_capture(folder / f"{name}.pcap", frames)
        (folder / "wicket.conf").write_text(self.conf)
        (folder / "expect.stats").write_text(
            "".join(f"{key} {n}\n" for key, n in sorted(self.stats.items()))
        )
        if self.explicit:
            (folder / "in.sides").write_text(self.sides + "\n")


def write_capture(path, frames):
    with RawPcapWriter(str(path), linktype=1, endianness="<", sync=True) as writer:
        writer.write_header(None)
        for time_us, frame in frames:
            seconds, us = divmod(time_us, 1000000)
            writer.write_packet(frame, sec=seconds, usec=us)


class Talk:
    """One TCP connection in both views. `sent` counts what a side has sent (SYN included), `seen`
    what the other side has got of it: they differ by what was deleted or inserted."""

    def __init__(self, case, port=40001):
        self.case = case
        self.port = port
        self.isn = {"c": 0x10000000, "s": 0xFFFFFF00}
        self.sent = {"c": 0, "s": 0}
        self.seen = {"c": 0, "s": 0}
        self.ts = {"c": 1000, "s": 500000}
        self.ts_last = {"c": 0, "s": 0}

    def tcp(self, side, flags, seq, ack, payload=b"", options=None, window=None):
        ports = (self.port, PORT) if side == "c" else (PORT, self.port)
        if options is None:
            stamp = (self.ts_last[side], self.ts_last[flip(side)])
            options = [("NOP", None), ("NOP", None), ("Timestamp", stamp)]
        header = TCP(
            sport=ports[0],
            dport=ports[1],
            flags=flags,
            seq=(self.isn[side] + seq) & 0xFFFFFFFF,
            ack=(self.isn[flip(side)] + ack) & 0xFFFFFFFF if "A" in flags else 0,
            window=WINDOW[side] if window is None else window,
            options=options,
        )
        return self.case.link.frame(side, header / Raw(payload) if payload else header)

    def tick(self, side):
        self.ts[side] += 1
        self.ts_last[side] = self.ts[side]

    def open(self):
        """The three packets of the handshake."""
        for side, flags in (("c", "S"), ("s", "SA")):
            self.tick(side)
            stamp = (self.ts_last[side], self.ts_last[flip(side)])
            options = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", stamp), ("NOP", None)]
            options.append(("WScale", SCALE))
            ack = 1 if side == "s" else 0
            frame = self.tcp(side, flags, 0, ack, options=options, window=64240)
            self.case.through(side, frame)
            self.sent[side] = self.seen[side] = 1
        self.send("c")

    def both(self, side, flags, payload, delivered):
        """One packet as its sender sends it and as its receiver has to get it."""
        other = flip(side)
        # What the sender acknowledges: all it has got. In the other's own numbers: all that one
        # has sent, since nothing is under way when this is called.
        sent = self.tcp(side, flags, self.sent[side], self.seen[other], payload)
        got = self.tcp(side, flags, self.seen[side], self.sent[other], delivered)
        return sent, got

    def send(self, side, payload=b"", flags=None, delivered=None):
        """A packet that goes on; unchanged until something has been deleted or inserted."""
        flags = flags or ("PA" if payload else "A")
        reason = "fwd_edited" if delivered is None else "absorb_rebuilt"
        delivered = payload if delivered is None else delivered
        self.tick(side)
        sent, got = self.both(side, flags, payload, delivered)
        self.case.enter(side, sent, "fwd_guarded" if sent == got else reason)
        self.case.leave(flip(side), got)
        self.sent[side] += len(payload) + ("F" in flags)
        self.seen[side] += len(delivered) + ("F" in flags)

    def denied(self, payload, reply):
        """The client's segment disappears, and a reply comes back."""
        self.tick("c")
        sent, _ = self.both("c", "PA", payload, b"")
        self.case.enter("c", sent, "absorb_deleted")
        self.sent["c"] += len(payload)
        self.case.leave("c", self.tcp("s", "PA", self.seen["s"], self.sent["c"], reply))
        self.seen["s"] += len(reply)

    def ack_of_reply(self):
        """Acknowledges nothing that the server knows of."""
        self.tick("c")
        self.case.enter("c", self.tcp("c", "A", self.sent["c"], self.seen["s"]), "absorb_ack")

    def held(self, payload):
        """The client's segment ends inside a frame and has PSH, so that its sender may wait: it is
        kept, and acknowledged in the server's name. What follows brings it along."""
        self.tick("c")
        sent, _ = self.both("c", "PA", payload, b"")
        self.case.enter("c", sent, "absorb_held")
        self.sent["c"] += len(payload)
        self.own(len(payload))
        self.case.time_us += 10 * TICK_US

    def own(self, owned, back=0):
        """An ACK for what the client has sent but its last `back` bytes. `owned` bytes of that the
        server has not acknowledged: the right edge of its window stays where it was."""
        window = ((WINDOW["s"] << SCALE) - owned) >> SCALE
        acked = self.sent["c"] - back
        self.case.leave("c", self.tcp("s", "A", self.seen["s"], acked, window=window))

    def greet(self):
        self.send("c", GREETING)
        self.send("s", SETTINGS + SETTINGS_ACK)
        self.send("c", SETTINGS_ACK)
        self.send("s")

    def allowed(self, stream, method, text):
        self.send("c", call(stream, method))
        self.send("s", answer(stream, text))
        self.send("c")
        self.case.count(allowed=1)

    def close(self):
        self.send("c", flags="FA")
        self.send("s", flags="FA")
        self.send("c")


# ---- cases --------------------------------------------------------------------------------------


def allowed_call():
    case = Case("allowed_call")
    talk = Talk(case)
    talk.open()
    talk.greet()
    talk.allowed(1, "GetName", b"\x0a\x04Door")
    talk.allowed(3, "GetLocation", b"\x0d\x00\x00\x00\x00")
    talk.close()
    return case


def denied(name, link):
    """A denied call between two allowed ones; then all numbers are translated."""
    case = Case(name, link)
    talk = Talk(case)
    talk.open()
    talk.greet()
    talk.allowed(1, "GetName", b"\x0a\x04Door")
    talk.denied(call(3, "SetAccessCode"), denial(3, 0))
    talk.ack_of_reply()
    case.count(denied_method=1)
    talk.allowed(5, "GetLocation", b"\x0d\x00\x00\x00\x00")
    talk.denied(call(7, "GetStatus"), denial(7, 1))
    talk.ack_of_reply()
    case.count(denied_method=1)
    talk.close()
    return case


def denied_unfinished():
    """The denied request goes on after its header block: RST_STREAM(NO_ERROR) follows the reply."""
    case = Case("denied_unfinished")
    talk = Talk(case)
    talk.open()
    talk.greet()
    talk.denied(headers(1, request(SERVICE + "SetAccessCode")), denial(1, 0, rst=True))
    talk.ack_of_reply()
    case.count(denied_method=1)
    talk.allowed(3, "GetName", b"\x0a\x04Door")
    return case


def unguarded():
    """Whatever is not the guarded service goes on bit for bit."""
    case = Case("unguarded")
    ether = {side: Ether(src=MAC[side], dst=MAC[flip(side)]) for side in "cs"}
    who = ARP(op=1, hwsrc=MAC["c"], psrc="10.11.0.7", pdst="10.12.0.10")
    link = Link()
    six = Link(6)

    def both_ways(make):
        for side in "cs":
            case.through(side, make(side), "fwd_plain")

    broadcast = Ether(src=MAC["c"], dst="ff:ff:ff:ff:ff:ff")
    case.through("c", bytes(broadcast / who), "fwd_plain")
    is_at = ARP(op=2, hwsrc=MAC["s"], psrc="10.12.0.10", hwdst=MAC["c"], pdst="10.11.0.7")
    case.through("s", bytes(ether["s"] / is_at), "fwd_plain")
    case.through("c", six.frame("c", ICMPv6ND_NS(tgt="fd00:12::10")), "fwd_plain")
    case.through("s", six.frame("s", ICMPv6ND_NA(tgt="fd00:12::10")), "fwd_plain")
    both_ways(lambda side: link.frame(side, ICMP(type=8 if side == "c" else 0) / Raw(b"ping")))
    both_ways(lambda side: link.frame(side, UDP(sport=PORT, dport=PORT) / Raw(b"datagram")))
    both_ways(lambda side: six.frame(side, UDP(sport=53, dport=5353) / Raw(b"datagram")))
    both_ways(lambda side: link.frame(side, UDP(sport=1, dport=2) / Raw(b"x" * 24), flags="MF"))
    both_ways(lambda side: link.frame(side, Raw(b"y" * 16), frag=4, proto=17, flags=0))
    for tags in ((), (5,), (100, 200)):
        tagged = Link(4, tags)
        both_ways(lambda side, at=tagged: at.frame(side, TCP(sport=22, dport=22, flags="PA")))
    # TCP as no stack sends it, on a port that nobody guards, of a host that nobody guards.
    odd = Ether(src=MAC["c"], dst=MAC["s"]) / IP(src="10.11.0.7", dst="10.12.0.11", ttl=1, tos=3)
    case.through("c", bytes(odd / TCP(dport=PORT, flags=0, dataofs=3, chksum=1)), "fwd_plain")
    case.through("c", bytes(odd / TCP(dport=PORT, flags="FSRPAU")), "fwd_plain")
    for ethertype in (0x88CC, 0x9000, 0x8847):
        body = struct.pack(">H", ethertype) + b"z" * 46
        both_ways(lambda side, end=body: bytes(ether[side])[:12] + end)
    llc = bytes(ether["c"])[:12] + struct.pack(">H", 38) + b"\x42\x42\x03" + bytes(43)
    case.through("c", llc, "fwd_plain")
    three_tags = bytes.fromhex("8100000181000002810000030800") + bytes(40)
    case.through("c", bytes(ether["c"])[:12] + three_tags, "fwd_plain")
    return case


def mid_stream():
    """A call on a connection whose SYN was never seen: nothing goes on, its sender gets an RST."""
    case = Case("mid_stream")
    talk = Talk(case)
    talk.tick("c")
    talk.tick("s")
    rst_options = []
    for side, payload in (("c", call(1, "GetName")), ("s", answer(1, b"\x0a\x04Door"))):
        frame = talk.tcp(side, "PA", 1000, 2000, payload)
        case.enter(side, frame, "drop_mid_stream")
        # RFC 9293 3.10.7.1: the number that the segment acknowledges, no ACK.
        rst = talk.tcp(flip(side), "R", 2000, 0, options=rst_options, window=0)
        case.leave(side, rst)
    return case


def spoofed_server():
    """A packet that says it is the server's, from the client's side, within a connection."""
    case = Case("spoofed_server")
    case.explicit = True
    talk = Talk(case)
    talk.open()
    talk.greet()
    forged = talk.tcp("s", "PA", talk.sent["s"], talk.sent["c"], answer(1, b"\x0a\x04Fake"))
    case.enter("c", forged, "drop_spoof_port")
    case.enter("c", talk.tcp("s", "R", talk.sent["s"], 0), "drop_spoof_port")
    forged = talk.tcp("c", "PA", talk.sent["c"], talk.sent["s"], call(1, "GetName"))
    case.enter("s", forged, "drop_spoof_port")
    talk.allowed(1, "GetName", b"\x0a\x04Door")
    return case


def malformed():
    """Lengths that do not fit are dropped; a trailer is never read as data."""
    case = Case("malformed")
    talk = Talk(case)
    talk.open()
    talk.greet()
    bad = call(1, "SetAccessCode")
    good = talk.tcp("c", "PA", talk.sent["c"], talk.sent["s"], bad)

    def spoil(off, value, reason="drop_malformed"):
        frame = bytearray(good)
        frame[off : off + len(value)] = value
        case.enter("c", bytes(frame), reason)

    spoil(14, b"\x44")  # IHL 4
    spoil(14, b"\x65")  # IPv6 in a frame of IPv4
    spoil(16, struct.pack(">H", len(good) - 14 + 1))  # longer than the frame
    spoil(16, b"\x00\x13")  # shorter than its own header
    spoil(46, b"\x40")  # TCP data offset 4
    spoil(46, b"\xf0", "drop_csum")  # more options than there are, and the sum of another header
    spoil(24, b"\x00\x00", "drop_csum")  # IPv4 header
    spoil(50, b"\x00\x00", "drop_csum")  # TCP
    case.enter("c", good[:40], "drop_malformed")
    case.enter("c", good[:13], "drop_malformed")
    short = bytearray(talk.tcp("c", "A", talk.sent["c"], talk.sent["s"]))
    short[46] = 0xF0  # a header beyond the packet
    case.enter("c", bytes(short), "drop_malformed")
    # A pure ACK with the denied call behind its end.
    talk.tick("c")
    ack = talk.tcp("c", "A", talk.sent["c"], talk.sent["s"])
    case.through("c", ack + bad)
    talk.allowed(1, "GetName", b"\x0a\x04Door")
    return case


def table_shift():
    """A denied block that changes the table: from there on the client's indices mean nothing to
    the server, and blocks are encoded anew (first a table of size 0, then literals only)."""
    case = Case("table_shift")
    talk = Talk(case)
    talk.open()
    talk.greet()
    fields = ((4, SERVICE + "GetName"), (1, "door:50051"), (31, "application/grpc"))
    first = b"\x83\x86"
    for index, value in fields:
        first += bytes([0x40 | index, len(value)]) + value.encode()
    first += b"\x40\x02te\x08trailers"
    body = data(1, b"\x08\x01", end=True)[9:]

    def request_of(stream, block):
        return headers(stream, block) + DataFrame(stream, body, flags=["END_STREAM"]).serialize()

    def answered(stream):
        talk.send("s", answer(stream, b"\x0a\x04Door"))
        talk.send("c")
        case.count(allowed=1)

    talk.send("c", request_of(1, first))
    answered(1)
    # The denied path goes in first: then 63 te, 64 content-type, 65 authority, 66 the first path.
    path = (SERVICE + "SetAccessCode").encode()
    talk.denied(request_of(3, b"\x83\x86\x44" + bytes([len(path)]) + path + b"\xc1\xc0\xbf"),
                denial(3, 0))
    talk.ack_of_reply()
    case.count(denied_method=1)
    literals = b"\x83\x86"
    for index, value in fields:
        literals += (bytes([index]) if index < 15 else bytes([15, index - 15])) + shortest(value)
    literals += b"\x00" + shortest("te") + shortest("trailers")
    for stream, update in ((5, b"\x20"), (7, b"")):
        talk.send("c", request_of(stream, b"\x83\x86\xc2\xc1\xc0\xbf"),
                  delivered=request_of(stream, update + literals))
        answered(stream)
    talk.close()
    return case


def second_version():
    """What has been judged is what is sent again, whatever the client now says it was."""
    case = Case("second_version")
    talk = Talk(case)
    talk.open()
    talk.greet()
    first = call(1, "GetLocation")
    second = call(1, "SetSecretss")
    assert len(first) == len(second)
    talk.tick("c")
    sent, _ = talk.both("c", "PA", first, first)
    case.through("c", sent)
    talk.tick("c")
    sent, _ = talk.both("c", "PA", second, second)
    _, got = talk.both("c", "PA", first, first)
    case.enter("c", sent, "absorb_rebuilt")
    case.leave("s", got)
    talk.sent["c"] += len(first)
    talk.seen["c"] += len(first)
    talk.send("s", answer(1, b"\x0a\x04Door"))
    talk.send("c")
    case.count(allowed=1)
    talk.close()
    return case


def cut_header():
    """A call cut inside a frame header: no byte of it goes on before it has been judged."""
    case = Case("cut_header")
    talk = Talk(case)
    talk.open()
    talk.greet()
    whole = call(1, "GetName")
    talk.held(whole[:5])
    talk.tick("c")
    sent, _ = talk.both("c", "PA", whole[5:], b"")
    _, got = talk.both("c", "PA", b"", whole)
    case.enter("c", sent, "absorb_rebuilt")
    case.leave("s", got)
    talk.sent["c"] += len(whole) - 5
    talk.seen["c"] += len(whole)
    # All of it but the message, which its sender alone can send again.
    message = 7
    talk.own(len(whole) - message, back=message)
    talk.send("s", answer(1, b"\x0a\x04Door"))
    talk.send("c")
    case.count(allowed=1)
    bad = call(3, "SetAccessCode")
    talk.held(bad[:60])
    talk.denied(bad[60:], denial(3, 0))
    talk.ack_of_reply()
    case.count(denied_method=1)
    talk.close()
    return case


def passive(name, mode, reason):
    """Nothing is changed in a mode that only looks, whatever it would have said."""
    case = Case(name, conf=CONF.replace("port = 50051;", f'port = 50051; mode = "{mode}";'))
    talk = Talk(case)
    talk.open()
    talk.greet()
    talk.allowed(1, "GetName", b"\x0a\x04Door")
    talk.send("c", call(3, "SetAccessCode"))
    talk.send("s", answer(3, b"\x0a\x02ok"))
    talk.send("c", call(5, "GetStatus")[:60])
    talk.close()
    case.stats.pop("allowed")
    case.count(**reason)
    return case


def unlisted_source():
    """A source that no rule lists: its SYN goes nowhere."""
    case = Case("unlisted_source", conf=CONF.replace("10.11.0.0/16", "10.99.0.0/16"))
    talk = Talk(case)
    talk.tick("c")
    options = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (talk.ts["c"], 0)), ("NOP", None)]
    syn = talk.tcp("c", "S", 0, 0, options=options + [("WScale", SCALE)], window=64240)
    case.enter("c", syn, "drop_unlisted")
    case.enter("c", syn, "drop_unlisted")
    return case


def plain_rules():
    """Rules of the acl, and what hides a guarded port: tunnels and TCP fragments."""
    rules = """\
acl = (
  { to = [ "10.12.0.0/16" ]; proto = "tcp"; port = 22; vlan = 7; action = "pass"; },
  { to = [ "10.12.0.0/16" ]; proto = "tcp"; port = 22; action = "drop"; },
  { from = [ "10.11.0.0/16" ]; proto = "udp"; port = 53; action = "pass"; }
);
default = "drop";
on = { fragment = "drop"; };
"""
    case = Case("plain_rules", conf=CONF + rules)
    link = Link()
    ssh = TCP(sport=4000, dport=22, flags="S")
    case.enter("c", link.frame("c", ssh), "drop_acl")
    case.through("c", Link(4, (7,)).frame("c", ssh), "fwd_plain")
    case.enter("c", Link(4, (8, 7)).frame("c", ssh), "drop_acl")
    case.through("c", link.frame("c", UDP(sport=4000, dport=53) / Raw(b"query")), "fwd_plain")
    case.enter("s", link.frame("s", UDP(sport=53, dport=4000) / Raw(b"answer")), "drop_default")
    case.enter("c", Link(6).frame("c", TCP(sport=4000, dport=80, flags="S")), "drop_default")
    lldp = bytes(Ether(src=MAC["c"], dst=MAC["s"], type=0x88CC)) + bytes(46)
    case.enter("c", lldp, "drop_default")
    who = ARP(op=1, hwsrc=MAC["c"], psrc="10.11.0.7", pdst="10.12.0.10")
    case.through("c", bytes(Ether(src=MAC["c"], dst="ff:ff:ff:ff:ff:ff") / who), "fwd_plain")
    case.through("c", Link(6).frame("c", ICMPv6ND_NS(tgt="fd00:12::10"), hlim=255), "fwd_plain")
    inner = IP(src="10.11.0.7", dst="10.12.0.10") / TCP(sport=4000, dport=PORT, flags="S")
    case.enter("c", link.frame("c", GRE() / inner), "drop_tunnel")
    case.enter("c", link.frame("c", inner), "drop_tunnel")
    vxlan = b"\x08" + bytes(7) + bytes(Ether(src=MAC["c"], dst=MAC["s"]) / inner)
    case.enter("c", link.frame("c", UDP(sport=4000, dport=4789) / Raw(vxlan)), "drop_tunnel")
    segment = bytes(TCP(sport=4000, dport=PORT, flags="PA") / Raw(bytes(28)))
    case.enter("c", link.frame("c", Raw(segment[:24]), proto=6, flags="MF"), "drop_frag")
    case.enter("c", link.frame("c", Raw(segment[24:]), proto=6, flags=0, frag=3), "drop_frag")
    talk = Talk(case)
    talk.open()
    talk.greet()
    talk.allowed(1, "GetName", b"\x0a\x04Door")
    return case


class Pieces:
    """The fragments of what a talk sends, and the datagram that they are put together to."""

    def __init__(self, talk):
        self.talk = talk
        self.case = talk.case
        self.link = talk.case.link
        self.ident = 0x700
        self.cut_ident = 0  # of what is cut from a datagram that is too large

    def segment(self, frame):
        head = 20 if self.link.version == 4 else 40
        return frame[14 + 4 * len(self.link.tags) + head :]

    def whole(self, side, segment, ident):
        """A packet without fragmentation, as the fragments' sender would have numbered it."""
        if self.link.version == 6:
            return self.link.frame(side, Raw(segment), nh=6)
        return self.link.frame(side, Raw(segment), proto=6, id=ident, flags=0)

    def part(self, side, segment, at, size, last=None):
        body = segment[at : at + size]
        more = at + size < len(segment) if last is None else not last
        if self.link.version == 6:
            head = IPv6ExtHdrFragment(nh=6, offset=at // 8, m=int(more), id=self.ident)
            return self.link.frame(side, head / Raw(body))
        flags = "MF" if more else 0
        return self.link.frame(side, Raw(body), proto=6, id=self.ident, flags=flags, frag=at // 8)

    def parts(self, side, segment, size):
        return [self.part(side, segment, at, size) for at in range(0, len(segment), size)]

    def enter(self, side, frame, size, backwards=False):
        """All fragments, none of which goes on."""
        self.ident += 1
        parts = self.parts(side, self.segment(frame), size)
        for part in parts[::-1] if backwards else parts:
            self.case.enter(side, part, "absorb_frag")

    def send(self, side, payload, size, backwards=False):
        self.talk.tick(side)
        sent, got = self.talk.both(side, "PA", payload, payload)
        self.enter(side, sent, size, backwards)
        self.case.count(**{"fwd_guarded" if sent == got else "fwd_edited": 1})
        self.case.leave(flip(side), self.whole(side, self.segment(got), self.ident))
        self.talk.sent[side] += len(payload)
        self.talk.seen[side] += len(payload)

    def send_large(self, side, payload, size, room):
        """More than one packet may carry: it is cut as its sender would have done."""
        talk = self.talk
        talk.tick(side)
        self.enter(side, talk.both(side, "PA", payload, payload)[0], size)
        for at in range(0, len(payload), room):
            last = at + room >= len(payload)
            frame = talk.both(side, "PA" if last else "A", payload[at : at + room], b"")[0]
            ident = self.ident
            if at > 0:
                ident, self.cut_ident = self.cut_ident, self.cut_ident + 1
            self.case.leave(flip(side), self.whole(side, self.segment(frame), ident))
            self.case.count(fwd_guarded=1)
            talk.sent[side] += len(payload[at : at + room])
            talk.seen[side] += len(payload[at : at + room])

    def denied(self, payload, reply, size, backwards=False):
        talk = self.talk
        talk.tick("c")
        self.enter("c", talk.both("c", "PA", payload, b"")[0], size, backwards)
        self.case.count(absorb_deleted=1, denied_method=1)
        talk.sent["c"] += len(payload)
        self.case.leave("c", talk.tcp("s", "PA", talk.seen["s"], talk.sent["c"], reply))
        talk.seen["s"] += len(reply)
        talk.ack_of_reply()


def fragments(name, link, size):
    """Calls in fragments: judged as if they had come whole. What no receiver reads in one way
    alone is dropped, what is not guarded goes on as it came."""
    case = Case(name, link)
    talk = Talk(case)
    pieces = Pieces(talk)
    talk.open()
    talk.greet()
    pieces.send("c", call(1, "GetName"), size)
    room = 1400 - 32 + (8 if link.version == 6 else 0)
    pieces.send_large("s", answer(1, b"\x0a\x04Door" * 500), 1400, room)
    talk.send("c")
    talk.send("s")  # with DF again, like the replies that are to come
    case.count(allowed=1)
    pieces.denied(call(3, "SetAccessCode"), denial(3, 0), size)
    pieces.denied(call(5, "SetAccessCode"), denial(5, 1), size, backwards=True)
    pieces.send("c", call(7, "GetLocation"), size, backwards=True)
    talk.send("s", answer(7, b"\x0d\x00\x00\x00\x00"))
    talk.send("c")
    case.count(allowed=1)

    # Two versions of a byte: neither goes on, nor does what comes of the datagram afterwards.
    segment = pieces.segment(talk.tcp("c", "PA", talk.sent["c"], talk.seen["s"], call(9, "GetName")))
    pieces.ident += 1
    case.enter("c", pieces.part("c", segment, 0, 48), "drop_frag_overlap")
    case.enter("c", pieces.part("c", segment, 48, 16), "drop_frag_overlap")
    case.enter("c", pieces.part("c", bytes(len(segment)), 48, 16), "drop_frag_overlap")
    case.enter("c", pieces.part("c", segment, 64, len(segment)), "drop_frag_overlap")

    # A SYN, too small for fragments in IPv6. What a packet may not say, fragments may not either.
    if link.version == 4:
        other = Talk(case, port=40002)
        options = [("MSS", 1460), ("SAckOK", b""), ("MD5", bytes(16)), ("NOP", None), ("NOP", None)]
        pieces.enter("c", other.tcp("c", "S", 0, 0, options=options), size)
        options = [*options[:2], *[("NOP", None)] * 20]
        syn = pieces.segment(other.tcp("c", "S", 0, 0, options=options))
        case.leave("s", pieces.whole("c", syn, pieces.ident))
        case.count(fwd_edited=1)

    # Of a segment that its receiver would not take nothing goes on, with whatever checksum.
    pieces.ident += 1
    segment = segment[:40] + bytes([segment[40] ^ 1]) + segment[41:]
    for part in pieces.parts("c", segment, 48):
        case.enter("c", part, "drop_csum")

    # A port that is not guarded: out as they came, in the order they came; a copy is one too many.
    pieces.ident += 1
    segment = bytes(TCP(sport=4000, dport=22, flags="PA") / Raw(bytes(range(100))))
    parts = pieces.parts("c", segment, 40)
    case.enter("c", parts[2], "fwd_plain")
    case.enter("c", parts[2], "drop_frag_dup")
    case.enter("c", parts[0], "fwd_plain")
    case.enter("c", parts[1], "fwd_plain")
    for part in (parts[2], parts[0], parts[1]):
        case.leave("s", part)
    # The rest does not come in time.
    pieces.ident += 1
    case.enter("c", parts[0], "drop_frag_timeout")
    if link.version == 6:
        case.enter("c", pieces.part("c", segment, 0, 16), "drop_v6_frag")
    case.time_us += 10_000_000
    talk.allowed(9, "GetName", b"\x0a\x04Door")
    talk.close()
    return case


def fragments_audit():
    """Nothing is held against the fragments of a service that is not enforced; its calls are
    judged all the same."""
    conf = CONF.replace("port = 50051;", 'port = 50051;\n    mode = "audit";')
    case = Case("fragments_audit", conf=conf)
    talk = Talk(case)
    pieces = Pieces(talk)
    talk.open()
    talk.greet()
    for stream, method, backwards in ((1, "GetName", False), (3, "SetAccessCode", True)):
        talk.tick("c")
        payload = call(stream, method)
        sent, _ = talk.both("c", "PA", payload, payload)
        pieces.ident += 1
        parts = pieces.parts("c", pieces.segment(sent), 8)
        parts = parts[::-1] if backwards else parts
        for part in parts:
            case.enter("c", part, "fwd_guarded")
        for part in parts:
            case.leave("s", part)
        talk.sent["c"] += len(payload)
        talk.seen["c"] += len(payload)
        talk.send("s", answer(stream, b"\x0a\x04Door"))
        talk.send("c")
    case.count(allowed=1, denied_method=1)
    # Contradictions and what comes too late go on as well.
    pieces.ident += 1
    segment = pieces.segment(talk.tcp("c", "PA", talk.sent["c"], talk.seen["s"], bytes(40)))
    for at, size in ((0, 32), (24, 16), (40, 40)):
        case.enter("c", pieces.part("c", segment, at, size), "fwd_plain")
    for at, size in ((0, 32), (24, 16), (40, 40)):
        case.leave("s", pieces.part("c", segment, at, size))
    pieces.ident += 1
    case.through("c", pieces.part("c", segment, 0, 32), "fwd_plain")
    case.time_us += 10_000_000
    talk.close()
    return case


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
