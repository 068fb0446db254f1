# SPDX-License-Identifier: Apache-2.0
"""A client that is only denied: it costs the server nothing, wicket bounded memory, and those who
behave little time. How little is printed."""

import re
import threading
from pathlib import Path

import pytest

from api.conf import DOOR, PORT
from api.grpc import Load, h2load
from api.test import TestSuite, equal, func_test, verify
from framework.process import wait_for

SET = DOOR + "SetAccessCode"
REQUESTS, STREAMS = 30000, 50
CALLS = 200  # before the floods
LEFT_B = 65536  # what wicket may still hold for the connections of a flood that is over


class TestDeniedOnly(TestSuite):
    """One connection of denied calls, as many as fit, and one of allowed calls."""

    @func_test
    @pytest.mark.deadline(300)
    def denied_calls_cost_others_little_and_the_server_nothing(self) -> None:
        """Two floods of denied calls, each on a connection of its own.

        Verify:
            * Every denied call is answered by wicket, every allowed one by the server, which has
              seen nothing else and no other connection that asked for something.
            * After the second flood wicket holds as much as after the first.
        Prints:
            * The median of allowed calls alone and beside the flood; what wicket holds.
        """
        family, lab, firewall, doors = self.guarded(capture=False)
        channel = self.channel(lab, family)
        left = iter(range(CALLS))
        alone = self.calls(channel, lambda: next(left, None) is not None)
        held = []
        for number in (1, 2):
            loads: list[Load] = []
            flood = threading.Thread(daemon=True, target=lambda: loads.append(h2load(
                lab, family.target(PORT), [SET], REQUESTS, 1, STREAMS)))
            flood.start()
            beside = self.calls(channel, flood.is_alive)
            flood.join(240)
            verify(loads, "the flood has no result")
            equal((loads[0].status["4xx"], loads[0].errored, loads[0].timeout), (REQUESTS, 0, 0),
                  "denied calls answered")
            held.append(self.settled(firewall))
            before, during = median(alone), median(beside)
            self.figures.append(
                f"denied only, flood {number}: {REQUESTS} calls, allowed calls beside it: "
                f"{len(beside)}, median {during:.2f} ms, {before:.2f} ms alone, ratio "
                f"{during / before:.1f}; arena {self.arena(firewall)}, resident "
                f"{resident_mib(firewall.process.pid)} MiB")
        verify(held[1] <= held[0] + LEFT_B, f"held after each flood: {held}")
        equal(doors.record.seen(SET), [], "denied calls at the server")
        equal(set(doors.record.paths()), {DOOR + "GetName"}, "calls at the server")
        equal(len(doors.record.peers()), 1, "connections with a call at the server")
        equal(firewall.calls()["denied_method"], 2 * REQUESTS, "calls_denied_method")

    @staticmethod
    def calls(channel, more) -> list[float]:
        """Allowed calls, one after the other, as long as more() holds, one at least. Returns how
        many ms each has taken."""
        times: list[float] = []
        while not times or more():
            result = channel.door("GetName", timeout=60)
            equal(result.code, "OK", f"an allowed call ({result.details})")
            times.append(result.ms)
        return times

    @staticmethod
    def arena(firewall) -> str:
        row = firewall.telemetry("/wicket/tables")["held_bytes"]
        verify(max(row["used"], row["peak"]) <= row["capacity"], f"the arena overflows: {row}")
        return f"{row['used']} now, {row['peak']} at most, of {row['capacity']}"

    @staticmethod
    def settled(firewall) -> int:
        """What the arena holds once nothing is given back any more."""
        seen: list[int] = []

        def quiet() -> bool:
            seen.append(firewall.telemetry("/wicket/tables")["held_bytes"]["used"])
            return len(seen) > 10 and len(set(seen[-10:])) == 1

        wait_for(quiet, "connections to fall asleep", 20.0, 0.1)
        return seen[-1]


def median(times: list[float]) -> float:
    return sorted(times)[len(times) // 2]


def resident_mib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) >> 10
