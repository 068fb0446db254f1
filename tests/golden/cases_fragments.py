# SPDX-License-Identifier: Apache-2.0
"""Calls in fragments."""

from scapy.layers.inet import TCP
from scapy.layers.inet6 import IPv6ExtHdrFragment
from scapy.packet import Raw

from case import CONF, Case, flip
from http2 import answer, call, denial
from talk import Talk


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
        self.case.count(absorb_deleted=1)
        talk.replied(payload, reply)
        talk.ack_of_reply()


def fragments(name, link, size):
    """Calls in fragments: judged as if they had come whole. What no receiver reads in one way
    alone is dropped, what is not guarded goes on as it came."""
    case = Case(name, link)
    talk = Talk(case)
    pieces = Pieces(talk)
    talk.begin()
    pieces.send("c", call(1, "GetName"), size)
    room = 1400 - 32 + (8 if link.version == 6 else 0)
    pieces.send_large("s", answer(1, b"\x0a\x04Door" * 500), 1400, room)
    talk.send("c")
    talk.send("s")  # with DF again, like the replies that are to come
    case.count(allowed=1)
    pieces.denied(call(3, "SetAccessCode"), denial(3, 0), size)
    pieces.denied(call(5, "SetAccessCode"), denial(5, 1), size, backwards=True)
    pieces.send("c", call(7, "GetLocation"), size, backwards=True)
    talk.answered(7, b"\x0d\x00\x00\x00\x00")

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
    talk.allowed(9)
    talk.close()
    return case


def fragments_audit():
    """Nothing is held against the fragments of a service that is not enforced; its calls are
    judged all the same."""
    conf = CONF.replace("port = 50051;", 'port = 50051;\n    mode = "audit";')
    case = Case("fragments_audit", conf=conf)
    talk = Talk(case)
    pieces = Pieces(talk)
    talk.begin()
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
