# SPDX-License-Identifier: Apache-2.0
"""A VLAN sub-interface of our own: a tap whose frames carry tags on the wire.

Not every kernel has 802.1Q devices, so the lab makes its tagged interfaces itself: what the kernel
sends on the tap leaves on the wire with the tags, and what arrives on the wire with just these
tags reaches the tap without them.

    tagger.py WIRE TAP TPID:ID [TPID:ID]     e.g.  wkc wkc.q 88a8:100 8100:7
"""

import fcntl
import os
import select
import socket
import struct
import sys

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
ETH_P_ALL = 3
SOL_PACKET, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING = 263, 8, 23
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 1 << 4, 1 << 6
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33
MACS = 12
FRAME_MAX = 65536


def open_tap(name: str) -> int:
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return tap


def open_wire(name: str) -> socket.socket:
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    wire.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    wire.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    wire.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 8 << 20)
    wire.bind((name, 0))
    wire.setblocking(False)
    return wire


def receive(wire: socket.socket) -> bytes:
    """A frame as it was on the wire: the kernel takes the outer tag off and tells of it."""
    frame, ancillary, _, _ = wire.recvmsg(FRAME_MAX, 256)
    for level, kind, data in ancillary:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", data[:20])
            if status & TP_STATUS_VLAN_VALID:
                if not status & TP_STATUS_VLAN_TPID_VALID:
                    tpid = 0x8100
                frame = frame[:MACS] + struct.pack("!HH", tpid, tci) + frame[MACS:]
    return frame


def main() -> None:
    wire, tap = open_wire(sys.argv[1]), open_tap(sys.argv[2])
    tags = b"".join(
        struct.pack("!HH", int(tpid, 16), int(vid))
        for tpid, vid in (tag.split(":") for tag in sys.argv[3:])
    )
    print("ready", flush=True)
    poll = select.epoll()
    poll.register(wire, select.EPOLLIN)
    poll.register(tap, select.EPOLLIN)
    while True:
        for fd, _ in poll.poll():
            try:
                if fd == tap:
                    frame = os.read(tap, FRAME_MAX)
                    wire.send(frame[:MACS] + tags + frame[MACS:])
                else:
                    frame = receive(wire)
                    if frame[MACS:].startswith(tags):
                        os.write(tap, frame[:MACS] + frame[MACS + len(tags):])
            except (BlockingIOError, OSError):
                continue  # lost on the wire, or the interface is not up yet


if __name__ == "__main__":
    main()
