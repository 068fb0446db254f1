# SPDX-License-Identifier: Apache-2.0
"""One case: a folder of frames in, frames out on either side, and counts."""

from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.utils import RawPcapWriter

MAC = {"c": "02:00:00:00:0c:01", "s": "02:00:00:00:05:01"}
ADDRESS = {4: {"c": "10.11.0.7", "s": "10.12.0.10"}, 6: {"c": "fd00:11::7", "s": "fd00:12::10"}}
PORT = 50051
TICK_US = 1000

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
        ends = {"src": ADDRESS[self.version][side], "dst": ADDRESS[self.version][flip(side)]}
        if self.version == 4:
            packet = packet / IP(**{**ends, "id": 0, "flags": "DF", "ttl": 64, **ip})
        else:
            packet = packet / IPv6(**{**ends, "hlim": 64, **ip})
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
