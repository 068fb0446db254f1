# SPDX-License-Identifier: Apache-2.0
"""One TCP connection of a case, as its client and as its server see it."""

from scapy.layers.inet import TCP
from scapy.packet import Raw

from case import PORT, TICK_US, flip
from http2 import GREETING, SETTINGS, SETTINGS_ACK, answer, call

SCALE = 7
WINDOW = {"c": 502, "s": 509}


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
        self.replied(payload, reply)

    def replied(self, payload, reply):
        """What has just been sent is gone, and this is the answer to it."""
        self.sent["c"] += len(payload)
        self.case.leave("c", self.tcp("s", "PA", self.seen["s"], self.sent["c"], reply))
        self.seen["s"] += len(reply)
        self.case.count(denied_method=1)

    def ack_of_reply(self):
        """Acknowledges nothing that the server knows of."""
        self.tick("c")
        self.case.enter("c", self.tcp("c", "A", self.sent["c"], self.seen["s"]), "absorb_ack")

    def refused(self, payload, reply):
        """A denied call whose reply is acknowledged at once."""
        self.denied(payload, reply)
        self.ack_of_reply()

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

    def begin(self):
        """Connection and HTTP/2 session."""
        self.open()
        self.greet()

    def greet(self):
        self.send("c", GREETING)
        self.send("s", SETTINGS + SETTINGS_ACK)
        self.send("c", SETTINGS_ACK)
        self.send("s")

    def allowed(self, stream, method="GetName", text=b"\x0a\x04Door"):
        self.send("c", call(stream, method))
        self.answered(stream, text)

    def answered(self, stream, text=b"\x0a\x04Door"):
        """The answer to an allowed call, and its acknowledgement."""
        self.send("s", answer(stream, text))
        self.send("c")
        self.case.count(allowed=1)

    def close(self):
        self.send("c", flags="FA")
        self.send("s", flags="FA")
        self.send("c")
