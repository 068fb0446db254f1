# SPDX-License-Identifier: Apache-2.0
"""Floods: what the packet player sends must cost those who behave nothing but a little time.

A real gRPC client calls a real server on the same wires all along, every fourth call denied. What
a flood has cost is printed: the slowest call, the daemon's memory, the peaks of its tables. By
default the floods are small; with --long there are 10^6 SYNs and 10^5 connections.
"""

import json
import re
import subprocess
import threading
import time
from pathlib import Path

import pytest

from api.conf import DOOR, PORT, Conf
from api.grpc import Channel
from api.test import TestSuite, equal, func_test, verify
from framework.lab import CLIENT_TAP, FAMILIES, SERVER_TAP
from framework.player import SOURCES, Player
from framework.process import wait_for
from framework.settings import settings

SET = "SetAccessCode"
STRANGERS = "10.64.0.0/14"  # sources that no rule lists
PAUSE_S = 0.005
FRESH = 15
FEW_FLOWS = 200  # those of the client beside, closed ones included
MIB = 1 << 20
SYNS, FRAMES, CONNECTIONS = (1000000, 500000, 100000) if settings.long else (50000, 30000, 5000)
BOUNDED = pytest.mark.deadline(300 if settings.long else 60)
PHASES = ("opened", "greeted", "called", "called_again", "denied", "called_at_last")
# Which reasons the frames of a flood may end with; each of the first list must be seen.
REFUSALS = {
    "fragments": (("drop_frag_full", "drop_frag_overlap"), ("drop_frag_timeout",)),
    "blind": (("drop_rst_badseq", "drop_mid_stream", "drop_window"),
              ("drop_srv_syn", "drop_syn_in_est", "drop_badack", "drop_paws", "drop_hs",
               "drop_badflags", "absorb_old")),
    "strangers": (("drop_unlisted",), ()),
    "syn": ((), ("drop_table_full", "drop_hs", "drop_source_full")),
}


class Beside(threading.Thread):
    """Calls of a client that has nothing to do with the flood, one after the other. Most on one
    connection, some on a new one."""

    def __init__(self, channel: Channel, target: str) -> None:
        super().__init__(daemon=True)
        self.channel, self.target = channel, target
        self.times: list[float] = []
        self.firsts: list[float] = []  # of those, the first call of a connection
        self.bad: list[str] = []
        self.denied = 0
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.is_set():
            denied = len(self.times) % 4 == 3
            fresh = len(self.times) % FRESH == FRESH - 1
            channel = self.channel.client.open("fresh", self.target) if fresh else self.channel
            result = channel.door(SET, 1, "999") if denied else channel.door("GetName")
            if fresh:
                channel.close()
            if result.code != ("PERMISSION_DENIED" if denied else "OK"):
                self.bad.append(f"{result.code}: {result.details}")
            self.denied += denied
            self.times.append(result.ms)
            if fresh:
                self.firsts.append(result.ms)
            time.sleep(PAUSE_S)

    def end(self) -> None:
        self._over.set()
        self.join(60)

    def __str__(self) -> str:
        old = sorted(set(self.times) - set(self.firsts))
        return (f"{len(self.times)} calls beside it, median {old[len(old) // 2]:.1f} ms, slowest "
                f"{old[-1]:.1f} ms; on a new connection {max(self.firsts, default=0):.1f} ms")


class TestFloods(TestSuite):
    """Established connections go on, memory is bounded, and what is refused is counted."""

    @func_test
    @BOUNDED
    @pytest.mark.parametrize("answer", [False, True], ids=["silence", "answered"])
    def syns_from_everywhere(self, answer: bool) -> None:
        """Spoofed SYNs of listed sources; the server says nothing, or answers all of them.

        Verify:
            * Every SYN arrives or has a reason; the calls beside go on.
        """
        before = self.flooded()
        options = {"answer": True} if answer else {}
        count = self.flood("syn", count=SYNS, **options)
        equal(count["arrived"] + self.refused("syn", before), SYNS, "SYNs accounted for")
        verify(self.tables()["flows"]["used"] < FEW_FLOWS, "SYNs alone are in the flow table")
        self.finish()

    @func_test
    @BOUNDED
    def syns_of_strangers(self) -> None:
        """Sources that no rule lists: nothing arrives, and no connection is remembered."""
        before = self.flooded()
        count = self.flood("syn", count=SYNS, sources=STRANGERS)
        equal(count["arrived"], 0, "SYNs at the server")
        equal(self.refused("strangers", before), SYNS, "SYNs refused")
        verify(self.tables()["flows"]["used"] < FEW_FLOWS, "strangers are in the flow table")
        self.finish()

    @func_test
    @BOUNDED
    def fragments_that_come_to_nothing(self) -> None:
        """First fragments, late ones, tiny ones, overlapping ones: none of them arrives."""
        before = self.flooded()
        count = self.flood("fragments", count=FRAMES)
        equal(count["arrived"], 0, "fragments at the server")
        refused, held = wait_for(lambda: self.at_rest("fragments", before), "a moment at rest")
        equal(refused + held, count["sent"], "fragments accounted for")
        verify(held <= 4096, f"{held} buffers are held")
        self.finish()

    @func_test
    @BOUNDED
    def blind_guesses_at_a_connection(self) -> None:
        """RSTs, ACKs, FINs, SYNs and data with random numbers, on the very ports of the client."""
        before = self.flooded()
        self.flood("blind", count=FRAMES, target=self.doors_.record.runs()[0]["peer"][5:],
                   macs=tuple(mac(lab_ns, tap) for lab_ns, tap in
                              ((self.lab_.client_ns, CLIENT_TAP),
                               (self.lab_.server_ns, SERVER_TAP))))
        refused = self.refused("blind", before)
        verify(FRAMES / 2 < refused <= FRAMES, f"{refused} of {FRAMES} refused")
        self.finish()

    @func_test
    @BOUNDED
    def nothing_but_denied_calls(self) -> None:
        """Denied calls on 16 connections: each gets its 403, none gets to the server."""
        self.flooded()
        before = self.firewall_.calls()["denied_method"]
        rounds = FRAMES // 40
        count = self.flood("denied", count=16 * rounds, connections=16)
        equal((count["denied"], count["allowed"], count["leaked"]), (16 * rounds, 32, 0),
              "403s, allowed calls, denied calls at the server")
        self.finish()
        equal(self.firewall_.calls()["denied_method"] - before,
              16 * rounds + self.beside.denied, "calls_denied_method")

    @func_test
    @BOUNDED
    @pytest.mark.parametrize("span", [65536, 2 * MIB], ids=["64k", "2M"])
    def single_bytes_out_of_order(self, span: int) -> None:
        """Bytes with a gap before each, all over the window of 16 connections; then all of it.

        Verify:
            * Every byte is kept or refused by its reason.
            * When the gaps are filled, the server has what the client said, and calls go on.
        """
        before = self.flooded()
        player = self.player("ooo", count=FRAMES, connections=16, span=span, pause=True)
        player.phase("prepared")
        player.phase("scattered", 200)
        self.note(f"ooo, {span >> 10} KiB: {FRAMES} bytes")
        after = self.reasons()
        kept, cap, late = (after.get(key, 0) - before.get(key, 0)
                           for key in ("absorb_ooo", "drop_ooo_cap", "drop_handover"))
        cap += late  # several workers: no room on the way from one to the other
        verify(FRAMES // 16 * 16 <= kept + cap <= FRAMES // 16 * 16 + 20,
               f"{kept} kept and {cap} refused of {FRAMES}")
        player.go_on()
        player.phase("filled", 200)
        count = player.end()
        self.right(count)
        equal(count["allowed"], 32, "allowed calls of the flooding connections")
        self.finish()

    @func_test
    @pytest.mark.deadline(600 if settings.long else 90)
    def connections_that_sleep(self) -> None:
        """As many connections as the file has room for, mostly idle.

        Verify:
            * Each can be opened and makes a call; later every one, or a sample, makes more of
              them, also denied ones, and gets the right answers.
            * The flow table and the arena stay below their bounds, with what a connection costs.
        """
        limits = (f"limits = {{ flows = {2 * CONNECTIONS}; }};")
        self.flooded(limits, sources=(SOURCES,))
        sample = 11 if settings.long else 3
        player = self.player("connections", count=CONNECTIONS, sample=sample, pause=True)
        base = self.tables()["held_bytes"]["used"]
        for phase in PHASES:
            seconds = player.phase(phase, 300)["seconds"]
            used = self.idle_bytes()
            self.note(f"{CONNECTIONS} connections {phase}: {seconds:.1f} s, "
                      f"{(used - base) / CONNECTIONS:.0f} B of the arena each")
            player.go_on()
        late = (CONNECTIONS + sample - 1) // sample
        count = player.end()
        self.right(count)
        equal((count["allowed"], count["denied"]), (CONNECTIONS + 2 * late, late),
              "right answers, allowed and denied")
        self.finish()

    # Parts

    def flooded(self, extra: str = "", sources: tuple[str, ...] = (SOURCES,)) -> dict[str, int]:
        """The usual lab without captures, and a client that calls all the time. Returns the
        reasons that were counted before it does."""
        self.family = FAMILIES["ipv4"]
        conf = Conf(extra=extra).with_service(sources=("@public-terminals", *sources))
        _, self.lab_, self.firewall_, self.doors_ = self.guarded("ipv4", conf, False)
        channel = self.channel(self.lab_, self.family)
        verify(channel.door("GetName").ok, "the first call")
        self.start_kib = self.resident_kib()
        before = self.reasons()
        self.beside = Beside(channel, self.family.target(PORT))
        self.beside.start()
        self.closers.append(self.beside.end)
        return before

    def player(self, mode: str, **options) -> Player:
        return Player(self.lab_, self.build, mode, to=self.family.target(PORT), **options)

    def flood(self, mode: str, **options) -> dict:
        """One whole flood. Returns the player's counts."""
        player = self.player(mode, **options)
        if mode == "denied":
            player.phase("prepared")
        count = player.end(250)
        self.right(count)
        self.note(f"{mode}: {count['sent']} frames in {count['seconds']:.1f} s")
        return count

    def right(self, count: dict) -> None:
        """Nothing of the player's own business went wrong."""
        names = ("wrong", "leaked", "resets", "failed", "unsound", "socket_drops")
        equal({name: count[name] for name in names}, dict.fromkeys(names, 0), "the player's")

    def finish(self) -> None:
        """The calls beside were all answered as they should be, at the server too."""
        self.beside.end()
        equal(self.beside.bad, [], "wrong answers beside the flood")
        verify(len(self.beside.times) >= 10, f"only {self.beside}")
        equal(self.doors_.record.seen(DOOR + SET), [], "denied calls at the server")
        self.firewall_.check()
        equal(self.firewall_.stats()["invariant"], 0, "broken invariants")
        self.figures.append(f"  {self.beside}")

    def reasons(self) -> dict[str, int]:
        return self.firewall_.reasons()

    def tables(self) -> dict:
        return self.firewall_.telemetry("/wicket/tables")

    def refused(self, flood: str, before: dict[str, int]) -> int:
        """How many frames ended with the reasons that fit the flood."""
        must, may = REFUSALS[flood]
        now = self.reasons()
        # With several workers, also on the way from one to the other.
        ended = {key: now.get(key, 0) - before.get(key, 0)
                 for key in (*must, *may, "drop_handover")}
        equal([key for key in must if not ended[key]], [], f"reasons not seen in {ended}")
        return sum(ended.values())

    def at_rest(self, flood: str, before: dict[str, int]) -> tuple[int, int] | None:
        """Frames refused and frames held, unless one that was held has just been refused: it
        would be counted twice."""
        held = self.firewall_.stats()["held"]
        refused = self.refused(flood, before)
        return (refused, held) if self.firewall_.stats()["held"] == held else None

    def idle_bytes(self) -> int:
        """What the arena holds once nothing is on its way any more."""
        seen: list[int] = []

        def settled() -> bool:
            seen.append(self.tables()["held_bytes"]["used"])
            return len(seen) > 5 and seen[-1] >= seen[-6]

        wait_for(settled, "connections to fall asleep", 10.0, 0.1)  # 0.2 s by the default
        return seen[-1]

    def resident_kib(self) -> int:
        status = Path(f"/proc/{self.firewall_.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))

    def note(self, text: str) -> None:
        """A figure, with what the daemon takes now and may take at most."""
        tables, resident = self.tables(), self.resident_kib()
        bound = int(re.search(r"memory: (\d+) MiB", self.firewall_.log()).group(1))
        parts = ", ".join(f"{name} {row['used']}/{row['capacity']}"
                          for name, row in tables.items())
        self.figures.append(f"{text}; {parts}; resident {self.start_kib >> 10} -> "
                            f"{resident >> 10} MiB, tables may take {bound}")
        for name, row in tables.items():
            verify(max(row["used"], row["peak"]) <= row["capacity"], f"{name} overflows: {row}")
        if "asan" not in str(self.build):
            verify(resident <= self.start_kib + bound * 1024, f"{resident} KiB resident")


def mac(netns: str, interface: str) -> str:
    """The address that the kernel of a side answers to."""
    shown = subprocess.run(["ip", "-j", "-n", netns, "link", "show", interface],
                           capture_output=True, text=True, check=True).stdout
    return json.loads(shown)[0]["address"]
