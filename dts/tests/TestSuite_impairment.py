# SPDX-License-Identifier: Apache-2.0
"""Impairment: real TCP of Linux over wires that lose, repeat, disorder and spoil packets.

Each case has its own combination of what is lost on which side, congestion control, SACK,
timestamps and delay. By default a few that are soon over; with --long all. scripts/bench-impairment
takes its wires and transfers from here. The fate of each packet follows from a seed, which a failure shows; --seed N
takes the same again.
"""

import itertools
import random
import time
from collections import Counter
from dataclasses import dataclass

import pytest

from api.conf import DOOR, Conf, Service
from api.grpc import Channel
from api.test import TestSuite, equal, func_test, log, verify
from cloudcity import messages
from framework.impair import Impairment
from framework.lab import CLIENT_TAP, FAMILIES, SERVER_TAP, Lab
from framework.settings import settings

ECHO = Conf(services=(Service(allow=("/dts.Echo/*", DOOR + "GetName", DOOR + "GetLocation")),))
SET = "SetAccessCode"
TURN = ("GetName", "GetLocation", SET)
SIDES = {"client": (CLIENT_TAP,), "server": (SERVER_TAP,), "both": (CLIENT_TAP, SERVER_TAP)}
TRANSFER_B, PIECE_B = 4 << 20, 1 << 16
CALL_SECONDS, TRANSFER_SECONDS = 300.0, 600.0
MUST_BE_0 = ("flows_reset", "owned_timeout", "retrans_mismatch", "h2_errors", "hpack_errors",
             "h2_caps", "untracked", "invariant", "events_lost")


@dataclass(frozen=True)
class Weather:
    """One combination."""

    loss: float
    side: str
    control: str = "cubic"
    sack: bool = True
    timestamps: bool = True
    delay: float = 0.0
    family: str = "ipv4"

    def __str__(self) -> str:
        return "-".join((f"loss{self.loss:g}", self.side, self.control,
                         "sack" if self.sack else "nosack", "ts" if self.timestamps else "nots",
                         f"{self.delay:g}ms", self.family))

    @property
    def impairment(self) -> Impairment:
        return Impairment(loss=self.loss, reorder=10, duplicate=1, corrupt=1, delay=self.delay,
                          jitter=self.delay / 4)


CHOSEN = (
    Weather(0, "both", "cubic"),
    Weather(0, "client", "bbr", sack=False, timestamps=False, family="ipv6"),
    Weather(2, "client", "cubic", family="ipv6"),
    Weather(2, "server", "bbr", timestamps=False, delay=5, family="ipv6"),
    Weather(2, "server", "cubic", sack=False, timestamps=False),
    Weather(8, "client", "bbr"),
    Weather(8, "both", "bbr", timestamps=False),
)
# With 8 % on both sides cubic lives by its timer: not even a plain wire carries 4 MiB in minutes.
BEYOND = (8, "both", "cubic")
ALL = tuple(
    Weather(loss, side, control, sack, timestamps, delay, family)
    for (loss, side, control, sack, timestamps, delay), family in zip(
        itertools.product((0, 2, 8), SIDES, ("cubic", "bbr"), (True, False), (True, False),
                          (0, 5)), itertools.cycle(("ipv4", "ipv6", "ipv6", "ipv4")))
    if (loss, side, control) != BEYOND)
# What scripts/bench-impairment compares.
BENCH = tuple(Weather(*kind) for kind in itertools.product((0, 2, 8), SIDES, ("cubic", "bbr"))
              if kind != BEYOND)
PACE_SECONDS = 0.02  # between denied calls beside a transfer


class TestImpairment(TestSuite):
    """Whatever the wires do: right answers, the same bytes, one connection."""

    @func_test
    @pytest.mark.deadline(1500 if settings.long else 180)
    @pytest.mark.parametrize("weather", ALL if settings.long else CHOSEN, ids=str)
    def calls_and_transfers_survive(self, weather: Weather) -> None:
        """A door manager and its client, with a bad wire on one side of the firewall or both.

        Steps:
            * 30 calls, every third denied.
            * 4 MiB up and 4 MiB down, with denied calls while they run.
        Verify:
            * Every answer is right and every byte arrives; the server sees no denied call.
            * It is one TCP connection from the first to the last call, and the books balance.
        """
        lab = self.windy(weather)
        firewall = self.firewall(lab, ECHO)
        doors = self.doors(lab)
        family = FAMILIES[weather.family]
        channel = self.channel(lab, family)
        verify(channel.door("GetName", timeout=CALL_SECONDS).ok, "the first call")
        equal(self.stacks(lab), {weather.control: 2}, "congestion control of the two ends")
        denied = calls_in_turn(channel, "PERMISSION_DENIED")
        up, beside = self.transfer(channel, "upload", "Collect")
        denied += beside
        down, beside = self.transfer(channel, "download", "Repeat")
        denied += beside
        self.figures.append(f"{weather}: up {up:.2f}, down {down:.2f} MiB/s")
        equal(doors.record.seen(DOOR + SET), [], "SetAccessCode at the server")
        equal(len(doors.record.runs()), 23, "calls at the server")
        equal(len(doors.record.peers()), 1, "connections at the server")
        equal(len(firewall.wait_events(denied)), denied, "events")
        stats = firewall.stats()
        equal((stats["flows_opened"], stats["replies"]), (1, denied), "flows and replies")
        equal({key: stats[key] for key in MUST_BE_0}, dict.fromkeys(MUST_BE_0, 0), "counters")
        channel.close()
        firewall.check()
        for tap, relay in lab.relays.items():
            self.happened(weather, tap, relay.counts())

    # Parts

    outcome = "PERMISSION_DENIED"

    def measure(self, weather: Weather, name: str, capture: bool = False):
        """Both transfers with that box in the middle: ((MiB/s up, down), lab)."""
        lab = self.windy(weather)
        if name == "wicket":
            self.firewall(lab, ECHO, capture)
        else:
            self.wire(lab, capture)
        self.doors(lab)
        channel = self.channel(lab, FAMILIES[weather.family])
        self.outcome = "PERMISSION_DENIED" if name == "wicket" else "OK"
        up, _ = self.transfer(channel, "upload", "Collect")
        down, _ = self.transfer(channel, "download", "Repeat")
        return (up, down), lab

    def windy(self, weather: Weather) -> Lab:
        """A lab with such wires and such stacks."""
        seed = settings.seed or random.SystemRandom().randrange(1, 1 << 32)
        log(f"{weather}: --seed {seed}")
        lab = self.lab()
        lab.congestion = weather.control
        for netns in (lab.client_ns, lab.server_ns):
            lab.sysctl(netns, "ipv4/tcp_sack", str(int(weather.sack)))
            lab.sysctl(netns, "ipv4/tcp_timestamps", str(int(weather.timestamps)))
        for number, tap in enumerate(SIDES[weather.side]):
            lab.impair(tap, weather.impairment, self.build, seed + number)
        return lab

    @staticmethod
    def stacks(lab: Lab) -> Counter:
        """How many ends of connections use which congestion control."""
        return Counter(word for netns in (lab.client_ns, lab.server_ns)
                       for word in lab.run(["ss", "-Hti"], netns).stdout.split()
                       if word in ("reno", "cubic", "bbr"))

    def transfer(self, channel: Channel, op: str, method: str) -> tuple[float, int]:
        """Returns (MiB/s, denied calls beside it)."""
        pending = channel.submit(op, method=f"/dts.Echo/{method}", count=TRANSFER_B // PIECE_B,
                                 size=PIECE_B, seed=7, timeout=TRANSFER_SECONDS)
        beside = 0
        while beside < 5 or not pending.done():
            result = channel.door(SET, 1, "999", timeout=CALL_SECONDS)
            equal(result.code, self.outcome, f"{SET} during the {op} ({result.details})")
            beside += 1
            time.sleep(PACE_SECONDS)
        result = pending.result(TRANSFER_SECONDS)
        equal(result.code, "OK", f"the {op} ({result.details})")
        verify(result.more["same"], f"the {op} arrived with another hash")
        return TRANSFER_B / (1 << 20) / (result.ms / 1000), beside

    @staticmethod
    def happened(weather: Weather, tap: str, counts: dict[str, dict[str, int]]) -> None:
        """The wire was as bad as it was meant to be, and no worse."""
        log(f"relay of {tap}: {counts}")
        for way, count in counts.items():
            equal((count["refused"], count["no_slot"]), (0, 0), f"overruns {way}")
            for key, per_cent in (("lost", weather.loss), ("reordered", 10), ("corrupted", 1)):
                expected = count["tcp"] * per_cent / 100
                verify(abs(count[key] - expected) <= 10 + expected,
                       f"{count[key]} of {count['tcp']} {key} {way} {tap}")


def calls_in_turn(channel: Channel, outcome: str) -> int:
    """30 calls. Returns how many of them are to be denied."""
    for number in range(30):
        method = TURN[number % 3]
        result = channel.door(method, 1, "999", timeout=CALL_SECONDS)
        equal(result.code, outcome if method == SET else "OK", f"{method} ({result.details})")
        if method == "GetName":
            equal(messages.reply_class(method).FromString(result.reply).name,
                  "Spaceport Door #1", "the name")
    return 10
