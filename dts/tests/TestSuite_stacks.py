# SPDX-License-Identifier: Apache-2.0
"""The matrix of stacks: real gRPC clients against real gRPC servers, each in its own language.

By default each stack is a client once and a server once; with --long all pairs are played.
"""

from collections import Counter

import pytest

from api.conf import PORT, Conf, Service
from api.test import TestSuite, equal, func_test, verify
from framework.lab import FAMILIES
from framework.peers import STACKS, End, PeerClient, PeerServer
from framework.process import wait_for
from framework.settings import settings

OK, CANCELLED, DEADLINE_EXCEEDED, PERMISSION_DENIED = 0, 1, 4, 7
ECHO, VAULT = "/dts.Echo/", "/dts.Vault/"
# A handler of ruby-grpc hears nothing of a cancelled call, only its deadline.
DEAF = ("ruby",)
KINDS = {"unary": "Unary", "collect": "Collect", "repeat": "Repeat", "chat": "Chat"}
CONF = Conf(services=(Service(allow=(ECHO + "*",)),))
COUNT, SIZE_B = 20, 3000
BIG_B = 12000  # metadata
STREAMS = 100
RING = [(client, STACKS[(i + 1) % len(STACKS)]) for i, client in enumerate(STACKS)]


def pairs() -> list[tuple[str, str]]:
    """settings.long is read when the suite is collected."""
    return [(c, s) for c in STACKS for s in STACKS] if settings.long else RING


class TestStacks(TestSuite):
    """Every kind of call between every client and every server, on one connection."""

    @func_test
    @pytest.mark.deadline(240)
    @pytest.mark.parametrize("client,server", pairs(), ids=map("-".join, pairs()))
    def every_kind_of_call(self, client: str, server: str) -> None:
        """Allowed and denied calls of four kinds, with metadata above 8 KiB, deadlines, cancels,
        and 100 streams at once of which a third is denied.

        Verify:
            * Every code, every message; what the server's handlers have been given; one
              connection from the first call to the last.
        """
        self.begin(client, server)
        self.kinds()
        self.metadata()
        self.deadlines()
        self.cancels()
        self.concurrent()
        self.kinds()
        self.finish()

    def begin(self, client: str, server: str) -> None:
        folder = self.peers()
        family = FAMILIES["ipv4"]
        lab = self.lab()
        self.box = self.firewall(lab, CONF, capture=False)
        self.server = PeerServer(lab, server, family.target(PORT), folder)
        self.client = PeerClient(lab, client, family.target(PORT), folder)
        self.expected: Counter = Counter()
        self.denied = 0

    def allowed(self, kind: str, **options) -> End:
        """An allowed call that has to go well."""
        single = kind == "unary"
        end = self.client.call(kind, ECHO + KINDS[kind], count=COUNT, size=SIZE_B, **options)
        count = 1 if single else COUNT
        equal((end.code, end.got, end.good), (OK, count, count), f"{kind} ({end.details})")
        self.expected[ECHO + KINDS[kind]] += 1
        return end

    def refused(self, number: int, what: str) -> None:
        """A denied call, whose end has to say so in our words."""
        end = self.client.end(number)
        equal(end.code, PERMISSION_DENIED, f"denied {what} ({end.details})")
        verify("policy" in end.details, f"the text of the denied {what}: {end.details}")
        self.denied += 1

    def refuse(self, kind: str, **options) -> None:
        self.refused(self.client.submit(kind, VAULT + KINDS[kind], count=COUNT, size=SIZE_B,
                                        **options), kind)

    def kinds(self) -> None:
        for kind in KINDS:
            self.allowed(kind)
            self.refuse(kind)

    def metadata(self) -> None:
        """Both ways: the server sends it back in its trailers."""
        for _ in range(2):
            equal(self.allowed("unary", meta=BIG_B).back, BIG_B, "metadata in the trailers")
            self.refuse("unary", meta=BIG_B)
        equal(self.server.metadata(), {0, BIG_B}, "metadata at the server")

    def deadlines(self) -> None:
        """The server waits for as long as the call lives."""
        number = self.client.submit("unary", ECHO + "Wait", timeout=1.5)
        end = self.client.end(number)
        equal(end.code, DEADLINE_EXCEEDED, f"a deadline ({end.details})")
        self.refused(self.client.submit("unary", VAULT + "Wait", timeout=60), "wait")

    def cancels(self) -> None:
        """Once the handler has begun, and a denied one that is over already."""
        began = self.server.begun()[ECHO + "Wait"]
        number = self.client.submit("unary", ECHO + "Wait", timeout=20)
        wait_for(lambda: self.server.begun()[ECHO + "Wait"] > began, "the handler", 60.0)
        self.client.cancel(number)
        end = self.client.end(number)
        equal(end.code, CANCELLED, f"a cancel ({end.details})")
        number = self.client.submit("unary", VAULT + "Unary")
        self.refused(number, "unary")
        self.client.cancel(number)

    def concurrent(self) -> None:
        """All streams are open at once; every third is denied meanwhile."""
        running, refused = [], []
        for i in range(STREAMS):
            ours = refused if i % 3 == 2 else running
            service = VAULT if i % 3 == 2 else ECHO
            ours.append(self.client.submit("chat", service + "Chat", count=3, hold=True))
        self.client.held(running)
        for number in refused:
            self.refused(number, "chat of many")
        equal(self.server.begun()[ECHO + "Chat"] - self.expected[ECHO + "Chat"], len(running),
              "streams open at the server")
        for number in running:
            self.client.release(number)
        for number in running:
            end = self.client.end(number)
            equal((end.code, end.got, end.good), (OK, 3, 3), f"one of many ({end.details})")
        self.expected[ECHO + "Chat"] += len(running)

    def finish(self) -> None:
        """What the server says, what the firewall counts, and one connection of all."""
        equal(Counter({path: count for path, count in self.server.begun().items()
                       if path != ECHO + "Wait"}), self.expected, "calls at the server")
        wait_for(lambda: len(self.server.ran()) >= self.expected.total(), "the handlers' ends",
                 30.0)
        for path, got, good in self.server.ran():
            equal(got, good, f"messages of {path} at the server")
        if self.server.stack not in DEAF:
            wait_for(lambda: self.server.broken()[ECHO + "Wait"]
                     >= self.server.begun()[ECHO + "Wait"], "handlers of ended calls", 60.0)
        stats = self.box.stats()
        equal((stats["flows_opened"], stats["flows_reset"]), (1, 0), "connections, those reset")
        equal((self.box.calls()["denied_method"], stats["replies"]), (self.denied, self.denied),
              "denied calls and replies")
        self.box.wait_events(self.denied, 20.0)
