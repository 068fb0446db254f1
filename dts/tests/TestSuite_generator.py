# SPDX-License-Identifier: Apache-2.0
"""The traffic generator of the benchmarks through wicket: what it measures is right, too.

Both ends of net_memif ports in shared memory, no taps and no kernel: more packets in a second than
anything else here sends, each byte compared. How fast it went is printed, and means little on a
machine that does other things.
"""

import json
import os

import pytest

from api.conf import PORT, Conf, Service
from api.firewall import Firewall
from api.test import TestSuite, equal, func_test, verify
from framework.process import Failed, wait_for
from framework.settings import settings

METHODS = ("Unary64", "Unary1K", "Unary16K", "Stream", "Bulk")
MIX = "unary64=40,unary1k=20,unary16k=19,stream=20,bulk=1"
SECONDS = 150  # more than any case takes on a busy machine, with sanitizers


@pytest.mark.skipif(bool(settings.queues), reason="its ports have one queue, and are no taps")
class TestGenerator(TestSuite):
    """wicket-gen plays clients and servers; one worker, since a memif of it has one queue."""

    def play(self, *options: str):
        """One run through a new firewall. Returns it, and the generator's report."""
        lab = self.lab()
        sockets = [lab.folder / f"{i}.sock" for i in (0, 1)]
        ports = [[f"net_memif{i},role={role},id=0,socket={path},socket-abstract=no{more}"
                  for i, path in enumerate(sockets)]
                 for role, more in (("server", ""), ("client", ",rsize=11"))]
        gen = lab.start("gen", [
            str(self.build / "tests/bench/gen/wicket-gen"), "--json",
            "--client", ports[0][0], "--server", ports[0][1],
            "--file-prefix", f"{lab.name}-gen", "--lcore", str(min(os.sched_getaffinity(0))),
            "--warmup", "0", "--seconds", str(SECONDS), "--limit", str(SECONDS), "--stall", "60",
            "--flight", "512", *options])
        wait_for(lambda: all(path.exists() for path in sockets) or not gen.alive(), "sockets", 30.0)
        service = Service(name="bench", addresses=("10.12.0.10",), port=PORT,
                          sources=("10.11.0.0/16",),
                          allow=tuple(f"/wicket.gen.Bench/{method}" for method in METHODS))
        firewall = Firewall(lab, self.build,
                            Conf(services=(service,), workers=1, devices=tuple(ports[1])))
        self.boxes.append(firewall)
        firewall.start(capture=False, attach=False)
        wait_for(lambda: not gen.alive(), "the end of the generator", SECONDS)
        if gen.popen.returncode != 0:
            raise Failed(f"the generator says: {gen.text()[-2000:]}")
        report = json.loads(gen.text().splitlines()[-1])
        calls = firewall.calls()
        equal((calls["allowed"], calls["denied_method"]),
              (report["all_calls"], report["all_denied"]), "calls allowed and denied")
        self.figures.append(f"generator {' '.join(options)}: {report['packets_s']:.0f} packets/s, "
                            f"{report['calls_s']:.0f} calls/s, "
                            f"{report['opened_s']:.0f} connections/s")
        return firewall, report

    @func_test
    @pytest.mark.deadline(SECONDS + 60)
    def every_kind_of_call_arrives_whole_beside_denied_ones_and_datagrams(self) -> None:
        """Calls of every size, a tenth denied, UDP in between, four streams each.

        Verify:
            * Every byte that arrives is the one that was sent; each denied call has its 403 on its
              own stream, and nothing of it reached the server; its bytes are credited.
            * wicket has counted as many calls of each sort as the generator.
            * Nothing was dropped.
        """
        firewall, report = self.play("--mix", MIX, "--denied", "10", "--plain", "10", "--streams",
                                     "4", "--connections", "50", "--calls", "3000")
        verify(report["all_denied"] > 100, "hardly a call was denied")
        equal(firewall.reasons()["drop_tx_full"], 0, "packets dropped at a full port")

    @func_test
    @pytest.mark.deadline(SECONDS + 60)
    def tables_that_change_with_each_call_stay_in_step(self) -> None:
        """A traceparent or a grpc-timeout of its own in most calls, a twentieth denied.

        Verify:
            * On connections where a denied block has changed the table, every later request means
              what the client said.
        """
        _, report = self.play("--traced", "60", "--deadline", "30", "--denied", "5", "--mix",
                              "unary64=3,stream=1", "--streams", "3", "--connections", "40",
                              "--calls", "3000")
        verify(report["all_edited"] > 5, "hardly a connection was edited")

    @func_test
    @pytest.mark.deadline(SECONDS + 60)
    def connections_that_fall_silent_stay_open(self) -> None:
        """Two thousand make a call each and wait while others make theirs; then all close.

        Verify:
            * All of them end with FINs of both sides.
        """
        _, report = self.play("--idle", "2000", "--idle-calls", "1", "--connections", "20",
                              "--calls", "2000")
        equal((report["all_opened"], report["all_closed"]), (2020, 2020), "opened and closed")
