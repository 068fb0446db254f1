# SPDX-License-Identifier: Apache-2.0
"""Method allowlist: what the policy names passes unchanged, everything else is denied."""

import pytest

from api.conf import ALLOWED, DENIED, DOOR, Conf, Service
from api.grpc import Channel, DoorManager
from api.h2 import connect, grpc_headers, message
from api.test import TestSuite, equal, func_test, verify
from cloudcity import messages
from framework.lab import FAMILIES

# What differs from an allowed path in one way each: compared whole and byte for byte (D8).
NEAR_MISSES = (
    "GetNam", "GetName2", "getname", "GetName/", "GetName?x", "GetName?", "GetName#", "GETNAME",
    "GetName%20", "%47etName", "GetName;x", "./GetName", "../DoorManager/GetName", "/GetName",
    "GetName.", "GetNamé", "",
)
# What no rule names at all (D7).
ELSEWHERE = (
    "/cloudcity.DoorManager/Demolish",
    "/cloudcity.Doormanager/GetName",
    "/cloudcity.DoorManager2/GetName",
    "/DoorManager/GetName",
    "/xcloudcity.DoorManager/GetName",
    "/dts.Echo/Unary",
    "/dts.Vault/Unary",
    "/grpc.health.v1.Health/Check",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.channelz.v1.Channelz/GetServers",
    "/",
    "/cloudcity.DoorManager",
)


def transcript(channel: Channel) -> list[tuple]:
    """Every allowed call with several arguments: what a client can tell of them."""
    calls = [(method, door, "squeaks") for method in ALLOWED for door in (1, 2, 3, 99)]
    results = [channel.door(*call) for call in calls]
    return [(call, r.code, r.details, r.reply, sorted(r.headers.items()),
             sorted(r.trailers.items())) for call, r in zip(calls, results)]


class TestMethodAllowlist(TestSuite):
    """Allowed calls pass unchanged, others never reach the server."""

    @func_test
    def allowed_calls_give_the_results_of_a_plain_wire(self) -> None:
        """D3, differential.

        Steps:
            * The same client script over testpmd and through the firewall.
        Verify:
            * The transcripts are equal to the byte; the servers ran the same calls.
        """
        family = FAMILIES["ipv4"]
        transcripts, records = [], []
        for stand in (self.wire, self.firewall):
            lab = self.lab()
            box = stand(lab)
            doors = self.doors(lab)
            transcripts.append(transcript(self.channel(lab, family)))
            records.append([(e["method"], e["bytes"]) for e in doors.record.runs()])
            lab.captured()
            self.stop(box)
            lab.close()
        equal(transcripts[1], transcripts[0], "through the firewall")
        equal(records[1], records[0], "at the servers")

    @func_test
    def denied_calls_never_reach_the_server(self) -> None:
        """D4.

        Verify:
            * Each denied method fails, alone and between allowed calls.
            * The server has decoded no such request and its access code is what it was.
        """
        family, lab, _, doors = self.guarded()
        channel = self.channel(lab, family)
        for method in (*DENIED, "GetName", *DENIED, "GetLocation", *DENIED):
            expected = "OK" if method in ALLOWED else "PERMISSION_DENIED"
            equal(channel.door(method, 1, "999").code, expected, method)
        equal(doors.record.paths(), [DOOR + "GetName", DOOR + "GetLocation"], "at the server")
        equal(doors.record.access_code(), 123, "the access code")
        equal(len(doors.record.peers()), 1, "connections")

    @func_test
    def what_matches_no_rule_is_denied(self) -> None:
        """D7: unknown methods, other services, health, reflection, channelz."""
        family, lab, firewall, doors = self.guarded()
        connection = self.h2(lab, family)
        for path in ELSEWHERE:
            response = connection.call(path)
            equal(response.status, "403", f"the status of {path!r}")
            equal(connection.call(DOOR + "GetName", messages.request("GetName")).grpc_status, "0",
                  f"GetName after {path!r}")
        equal(set(doors.record.paths()), {DOOR + "GetName"}, "at the server")
        equal(len(firewall.wait_events(len(ELSEWHERE))), len(ELSEWHERE), "events")

    @func_test
    def path_is_compared_whole_and_byte_for_byte(self) -> None:
        """D8: no normalisation, no prefix, no other case."""
        family, lab, _, doors = self.guarded()
        connection = self.h2(lab, family)
        for method in NEAR_MISSES:
            response = connection.call(DOOR + method)
            equal(response.status, "403", f"the status of {DOOR + method!r}")
        equal(doors.record.paths(), [], "at the server")
        equal(connection.call(DOOR + "GetName", messages.request("GetName")).grpc_status, "0",
              "GetName in the end")

    @func_test
    @pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "OPTIONS", "DELETE", "post"])
    def only_post_is_a_call(self, method: str) -> None:
        """D2 and D7: an allowed path with another HTTP method."""
        family, lab, _, doors = self.guarded()
        connection = self.h2(lab, family)
        stream = connection.request(grpc_headers(DOOR + "GetName", method=method))
        equal(connection.wait(stream).status, "403", f"the status of {method}")
        equal(connection.call(DOOR + "GetName", messages.request("GetName")).grpc_status, "0",
              f"GetName after {method}")
        equal(doors.record.paths(), [DOOR + "GetName"], "at the server")

    @func_test
    def nghttp_is_judged_like_everybody(self) -> None:
        """A client of another family, whose requests come before the server's SETTINGS."""
        family, lab, _, doors = self.guarded()
        body = lab.folder / "body.bin"
        for method in ("GetName", "SetAccessCode", "GetLocation", "GetStatus"):
            body.write_bytes(message(messages.request(method, 1, "999")))
            done = lab.run(
                ["nghttp", "-v", "--no-dep", "-d", str(body), "-H",
                 "content-type: application/grpc", "-H", "te: trailers", f"http://{family.target(50051)}{DOOR}{method}"],
                lab.client_ns)
            status = "200" if method in ALLOWED else "403"
            verify(f":status: {status}" in done.stdout,
                   f"nghttp does not see {status} for {method}:\n{done.stdout[-1500:]}")
            if method not in ALLOWED:
                verify("grpc-status: 7" in done.stdout, "nghttp sees no grpc-status 7")
        equal(doors.record.paths(), [DOOR + "GetName", DOOR + "GetLocation"], "at the server")

    @func_test
    @pytest.mark.parametrize("unlisted", ["drop", "reset", "reply"])
    def a_source_that_no_rule_lists_gets_the_configured_verdict(self, unlisted: str) -> None:
        """D9: a client from outside of the terminals' prefix.

        Verify:
            * drop: no connection; reset: refused at once; reply: connected, each call denied.
            * A terminal's calls go on meanwhile; the server hears nothing of the stranger.
        """
        family, lab, _, doors = self.guarded(conf=Conf().with_service(unlisted_source=unlisted))
        terminal = self.h2(lab, family)
        allowed = DOOR + "GetName", messages.request("GetName")
        equal(terminal.call(*allowed).grpc_status, "0", "the terminal's first call")
        if unlisted == "reply":
            stranger = self.h2(lab, family, source=family.stranger)
            equal(stranger.call(*allowed).status, "403", "the stranger's call")
        else:
            error = TimeoutError if unlisted == "drop" else ConnectionRefusedError
            with pytest.raises(error):
                connect(lab, family, source=family.stranger, seconds=1.5).close()
        equal(terminal.call(*allowed).grpc_status, "0", "the terminal's second call")
        equal(doors.record.paths(), [DOOR + "GetName"] * 2, "at the server")

    @func_test
    def what_is_not_selected_is_untouched(self) -> None:
        """D9: the same denied method on another port and on another host passes."""
        family, lab, firewall, doors = self.guarded()
        other = DoorManager(lab, port=50052)
        for place in ({"port": 50052}, {"host": family.unguarded}):
            record = other.record if "port" in place else doors.record
            channel = self.channel(lab, family, **place)
            equal(channel.door("SetAccessCode", 1, "42").code, "OK", f"SetAccessCode at {place}")
            equal(record.access_code(), 42, f"the access code at {place}")
        equal(firewall.denials(), [], "events")
        equal(firewall.stats()["originated"], 0, "packets of our own")

    @func_test
    def wildcards_and_groups_say_what_they_name(self) -> None:
        """`/dts.Echo/*` is every method of that service; `@health` is the health service."""
        conf = Conf(services=(Service(allow=("/dts.Echo/*", "@health")),))
        family, lab, _, doors = self.guarded(conf=conf)
        channel = self.channel(lab, family)
        for path, code in (
            ("/dts.Echo/Unary", "OK"),
            ("/grpc.health.v1.Health/Check", "OK"),
            ("/dts.Vault/Unary", "PERMISSION_DENIED"),
            ("/dts.Echoes/Unary", "PERMISSION_DENIED"),
            (DOOR + "GetName", "PERMISSION_DENIED"),
            ("/dts.Echo/Nothing", "UNIMPLEMENTED"),  # passes; the server says so
        ):
            equal(channel.call(path, b"x").code, code, path)
        connection = self.h2(lab, family)
        for path in ("/dts.Echo/a/b", "/dts.Echo//Unary", "/dts.Echo/../dts.Vault/Unary"):
            equal(connection.call(path).status, "403", path)
        equal(doors.record.paths(), ["/dts.Echo/Unary", "/grpc.health.v1.Health/Check",
                                     "/dts.Echo/Nothing"], "at the server")

    @func_test
    def deny_wins_over_allow(self) -> None:
        """Whatever the order in the file."""
        conf = Conf().with_service(allow=(DOOR + "*",), deny=(DOOR + "SetAccessCode",))
        family, lab, _, doors = self.guarded(conf=conf)
        channel = self.channel(lab, family)
        equal(channel.door("GetStatus").code, "OK", "GetStatus")
        equal(channel.door("SetAccessCode", 1, "999").code, "PERMISSION_DENIED", "SetAccessCode")
        equal(doors.record.paths(), [DOOR + "GetStatus"], "at the server")

    @func_test
    @pytest.mark.parametrize("method", ["Watch", "Check"])
    def denied_health_calls_do_not_break_a_channel(self, method: str) -> None:
        """A denied Watch is told UNIMPLEMENTED, which clients take for "no health checks"."""
        family, lab, _, doors = self.guarded()
        response = self.h2(lab, family).call(f"/grpc.health.v1.Health/{method}")
        equal(response.grpc_status, "12" if method == "Watch" else "7", f"status of {method}")
        equal(doors.record.paths(), [], "at the server")
