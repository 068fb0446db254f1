# SPDX-License-Identifier: Apache-2.0
"""Conformance: what a client does wrong meets the same reaction with wicket as without it, or a
stricter one that docs/h2.md tells of."""

from concurrent import futures
from pathlib import Path

import pytest

from api.conf import Conf, Service
from api.conformance import GROUPS, PATH, Case, Reaction, connect, react
from api.grpc import DoorManager, StaticServer
from api.test import TestSuite, equal, func_test, log, verify
from framework.lab import FAMILIES, Lab
from framework.peers import PeerServer

PORTS = {"grpc-core": 50051, "nghttp2": 50052, "grpc-go": 50053}
CONF = Conf(services=tuple(Service(name=name, port=port, allow=(PATH,))
                           for name, port in PORTS.items()))
SEVERITY = ("answer", "alive", "rst", "ended")
PAGE = Path(__file__).resolve().parent.parent.parent / "docs/h2.md"


class TestConformance(TestSuite):
    """Each case twice: from beside the server, and from the other side of wicket."""

    @func_test
    @pytest.mark.deadline(240)
    @pytest.mark.parametrize("group", GROUPS)
    def protocol_errors_meet_the_same_reaction(self, group: str) -> None:
        """Real servers of three families; every case on connections of its own.

        Verify:
            * The same RST_STREAM or GOAWAY, the same end, the same answer; or what the case says
              that wicket does itself, which is never milder and is in the table of the page.
        """
        family = FAMILIES["ipv4"]
        lab = self.lab()
        self.firewall(lab, CONF, capture=False)
        DoorManager(lab, PORTS["grpc-core"])
        StaticServer(lab, family, [PATH], port=PORTS["nghttp2"])
        PeerServer(lab, "go", family.target(PORTS["grpc-go"]), self.peers())
        work = [(case, server) for case in GROUPS[group] for server in PORTS]
        with futures.ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda item: self.both(lab, *item), work))
        wrong = []
        for (case, server), (plain, ours) in zip(work, results):
            log(f"{case.name}, {server}: {plain}, with wicket {ours}")
            if not fits(case, plain, ours):
                wrong.append(f"{case.name}, {server}: {plain}, with wicket {ours}")
        equal(wrong, [], "other reactions")
        page = PAGE.read_text()
        for case in GROUPS[group]:
            verify(not case.stricter or case.name in page, f"{case.name} is not in {PAGE}")

    @staticmethod
    def both(lab: Lab, case: Case, server: str) -> tuple[Reaction, Reaction]:
        host = FAMILIES["ipv4"].server
        plain, ours = (react(connect(lab, netns, host, PORTS[server]), case)
                       for netns in (lab.server_ns, lab.client_ns))
        return plain, ours


def fits(case: Case, plain: Reaction, ours: Reaction) -> bool:
    """Whether wicket has changed nothing, or only what it may."""
    if ours.like(plain):
        return True
    return (ours.kind == case.stricter and plain.kind in SEVERITY
            and SEVERITY.index(ours.kind) >= SEVERITY.index(plain.kind))
