# SPDX-License-Identifier: Apache-2.0
"""Reload: policies come and go at run time, all or nothing, on live connections too."""

import pytest

from api.conf import ALLOWED, DOOR, PORT, Conf, Service
from api.packet import connections, flags_seen, read_pcap
from api.test import TestSuite, equal, func_test, verify
from cloudcity import messages
from framework.lab import FAMILIES
from framework.process import wait_for

OFF = Conf().with_service(mode="off")
SET = DOOR + "SetAccessCode"


class TestReload(TestSuite):
    """SIGHUP: parse, validate, build, swap, or keep the old one and say so."""

    @func_test
    def policy_is_applied_and_removed_on_a_live_channel(self) -> None:
        """D10 and D11: off, enforce, off, enforce, with no restart of anybody.

        Verify:
            * The channel opened before the policy: its next SetAccessCode is denied, GetName works
              on the same connection; with the policy gone SetAccessCode works again.
            * The server's record agrees with every step; one connection on the wire.
        """
        family, lab, firewall, doors = self.guarded(conf=OFF)
        channel = self.channel(lab, family)
        code = 200
        for mode in ("off", "enforce", "off", "enforce"):
            if mode != firewall.conf.services[0].mode:
                firewall.reload(Conf().with_service(mode=mode))
            before = doors.record.access_code()
            code += 1
            result = channel.door("SetAccessCode", 1, str(code))
            equal(result.code, "OK" if mode == "off" else "PERMISSION_DENIED",
                  f"SetAccessCode in {mode} ({result.details})")
            equal(channel.door("GetName").code, "OK", f"GetName in {mode}")
            equal(doors.record.access_code(), code if mode == "off" else before,
                  f"the access code in {mode}")
        equal(len(doors.record.peers()), 1, "connections at the server")
        frames = read_pcap(lab.captured()[0])
        equal(len(connections(frames, PORT)), 1, "connections on the wire")
        flags = flags_seen([f for f in frames if f.tcp and PORT in (f.tcp.sport, f.tcp.dport)])
        equal((flags["FIN"], flags["RST"]), (0, 0), "FIN and RST")

    @func_test
    def live_channel_follows_every_change_of_the_list(self) -> None:
        """A method is added and taken away while a second channel keeps calling."""
        family, lab, firewall, doors = self.guarded()
        channel = self.channel(lab, family)
        equal(channel.door("GetStatus").code, "PERMISSION_DENIED", "GetStatus at first")
        busy = channel.client.open("busy", family.target(PORT))
        running = busy.submit("alternate", calls=[[DOOR + "GetName", "CAE="], [SET, ""]],
                              rounds=1500)
        wider = tuple(DOOR + method for method in (*ALLOWED, "GetStatus"))
        for _ in range(3):
            firewall.reload(Conf().with_service(allow=wider))
            equal(channel.door("GetStatus").code, "OK", "GetStatus when it is listed")
            firewall.reload(Conf())
            equal(channel.door("GetStatus").code, "PERMISSION_DENIED", "GetStatus afterwards")
        equal(running.wait()["codes"], {DOOR + "GetName": {"OK": 1500},
                                        SET: {"PERMISSION_DENIED": 1500}}, "the busy channel")
        equal(doors.record.seen(SET), [], "SetAccessCode at the server")

    @func_test
    @pytest.mark.parametrize("name, change, line", [
        ("unknown key", lambda text: text.replace("workers = ", "wrokers = "), "wrokers = "),
        ("unknown mode", lambda text: text.replace('mode = "off"', 'mode = "of"'), 'mode = "of"'),
        ("syntax", lambda text: text.replace("services = (", "services = (("), None),
        ("bad path", lambda text: text.replace("DoorManager/GetName", "DoorManager"), None),
        ("bad prefix", lambda text: text.replace("10.50.1.0/24", "10.50.1.0/42"), "10.50.1.0/42"),
        ("bad port", lambda text: text.replace("port = 50051", "port = 500510"), "port = 500510"),
        ("cut off", lambda text: text[:len(text) // 2], None),
        ("unknown group", lambda text: text.replace('"@public-terminals"', '"@nobody"'),
         '"@nobody"'),
    ])
    def bad_file_keeps_the_old_policy(self, name: str, change, line: str | None) -> None:
        """All or nothing.

        Steps:
            * A file that would switch the policy off, but for one mistake.
        Verify:
            * The log names file and line; the old policy judges; a good file works afterwards.
        """
        family, lab, firewall, doors = self.guarded()
        channel = self.channel(lab, family)
        good = firewall.conf.with_service(mode="off").text()
        bad = change(good)
        verify(bad != good, f"{name} changes nothing")
        said = firewall.reload_bad(bad)
        if line:
            number = next(i for i, text in enumerate(bad.splitlines(), 1) if line in text)
            verify(f"{firewall.file}:{number}:" in said, f"not line {number}: {said}")
        equal(channel.door("SetAccessCode", 1, "999").code, "PERMISSION_DENIED", "SetAccessCode")
        equal(channel.door("GetName").code, "OK", "GetName")
        equal(doors.record.paths(), [DOOR + "GetName"], "at the server")
        firewall.reload(OFF)
        equal(channel.door("SetAccessCode", 1, "999").code, "OK", "SetAccessCode in the end")

    @func_test
    def unreadable_file_keeps_the_old_policy(self) -> None:
        """The file is gone when SIGHUP comes."""
        family, lab, firewall, _ = self.guarded()
        channel = self.channel(lab, family)
        before = firewall.policy_version()
        firewall.file.unlink()
        firewall.process.kill(1)
        firewall.process.wait_log(str(firewall.file))
        equal(channel.door("SetAccessCode", 1, "999").code, "PERMISSION_DENIED", "SetAccessCode")
        equal(firewall.policy_version(), before, "policy version")

    @func_test
    def a_call_keeps_the_verdict_of_its_header_block(self) -> None:
        """A long upload goes on to its end although its method is unlisted meanwhile; the next
        call of it is denied."""
        echo = Conf(services=(Service(allow=("/dts.Echo/*", DOOR + "GetName")),))
        family, lab, firewall, doors = self.guarded(conf=echo)
        channel = self.channel(lab, family)
        running = channel.submit("collect", method="/dts.Echo/Collect", count=40, size=4096,
                                 pause_ms=50)
        equal(channel.door("GetName").code, "OK", "GetName")
        firewall.reload(Conf())
        equal(channel.call("/dts.Echo/Unary").code, "PERMISSION_DENIED", "a new call")
        result = running.result()
        equal(result.code, "OK", f"the upload ({result.details})")
        equal(doors.record.runs("/dts.Echo/Collect")[0]["bytes"], 40 * 4096, "bytes uploaded")

    @func_test
    @pytest.mark.parametrize("revoke", ["next-call", "end-streams"])
    def a_running_call_ends_where_the_file_says_so(self, revoke: str) -> None:
        """Two bidirectional streams run on one connection; a reload takes the method of one away.

        Verify:
            * next-call: both go on to their ends, and the next call of the method is denied.
            * end-streams: the client of the one reads PERMISSION_DENIED with the reference of its
              event, the server's side is over long before the client has said all; the other one and later calls do not notice.
            * One connection all the time.
        """
        ends, vault = revoke == "end-streams", "/dts.Vault/Chat"
        extra = f'revoke = "{revoke}";'
        wide = Conf(services=(Service(allow=("/dts.Echo/*", "/dts.Vault/*")),), extra=extra)
        family, lab, firewall, doors = self.guarded(conf=wide)
        channel = self.channel(lab, family)
        count = 4000 if ends else 120
        one = channel.submit("chat", method="/dts.Echo/Chat", count=count, pause_ms=20)
        other = channel.submit("chat", method=vault, count=120, pause_ms=20)
        wait_for(lambda: {"/dts.Echo/Chat", vault} <= set(doors.record.paths()),
                 "both streams at the server", 20)
        firewall.reload(Conf(services=(Service(allow=("/dts.Vault/*",)),), extra=extra))
        equal(channel.call("/dts.Echo/Unary").code, "PERMISSION_DENIED", "a new call")
        result = one.result()
        equal(result.code, "PERMISSION_DENIED" if ends else "OK",
              f"the stream without a right ({result.details})")
        if ends:
            wait_for(lambda: any(e["event"] == "over" and e["method"] == "/dts.Echo/Chat"
                                 for e in doors.record.all()), "the server's side of it", 20)
            told = [e for e in firewall.wait_events(2, 20) if e["event"] == "call_ended"]
            equal([(e["path"], e["reason"]) for e in told],
                  [("/dts.Echo/Chat", "denied_method")], "events")
            verify(told[0]["ref"] in result.details, f"no reference in {result.details}")
        else:
            equal(result.more["good"], count, "messages that came back")
        equal(firewall.stats()["revoked"], int(ends), "calls ended")
        result = other.result()
        equal((result.code, result.more["good"]), ("OK", 120), f"the other ({result.details})")
        equal(channel.call("/dts.Vault/Unary").code, "OK", "a call afterwards")
        equal(len(doors.record.peers()), 1, "connections at the server")

    @func_test
    def service_that_a_reload_removes_lets_edited_connections_go_on(self) -> None:
        """An edited flow is translated until it ends, whatever the new file says."""
        family, lab, firewall, doors = self.guarded()
        channel = self.channel(lab, family)
        equal(channel.door("SetAccessCode", 1, "999").code, "PERMISSION_DENIED", "SetAccessCode")
        firewall.reload(Conf().with_service(name="elsewhere", addresses=(family.unguarded,)))
        for _ in range(3):
            equal(channel.door("GetName").code, "OK", "GetName on the edited connection")
        equal(channel.door("SetAccessCode", 1, "777").code, "OK", "SetAccessCode, unguarded")
        equal(doors.record.access_code(), 777, "the access code")
        fresh = channel.client.open("fresh", family.target(PORT))
        equal(fresh.door("SetAccessCode", 1, "778").code, "OK", "SetAccessCode on a new one")

    @func_test
    def connection_older_than_its_service_is_reset_and_comes_again(self) -> None:
        """A newly declared service meets a connection in the middle: default reset. The client
        library connects anew and is judged."""
        family = FAMILIES["ipv4"]
        nobody = Conf().with_service(addresses=(family.unguarded,))
        family, lab, firewall, doors = self.guarded(conf=nobody)
        channel = self.channel(lab, family)
        equal(channel.door("SetAccessCode", 1, "300").code, "OK", "before there is a service")
        firewall.reload(Conf())
        channel.door("GetName")  # meets the reset, or passes on a new connection
        equal(channel.door("GetName").code, "OK", "GetName")
        equal(channel.door("SetAccessCode", 1, "301").code, "PERMISSION_DENIED", "SetAccessCode")
        equal(doors.record.access_code(), 300, "the access code")
        equal(len(doors.record.peers()), 2, "connections")

    @func_test
    def connection_of_before_a_gap_is_reset_and_comes_again(self) -> None:
        """A service is taken away, and later declared again. What a connection did meanwhile has
        been read by nobody: it is met in the middle, though it was followed before."""
        family, lab, firewall, doors = self.guarded()
        channel = self.channel(lab, family)
        equal(channel.door("GetName").code, "OK", "while it is guarded")
        firewall.reload(Conf(services=()))
        wait_for(lambda: not firewall.telemetry("/wicket/services"), "the end of the service", 20)
        equal(channel.door("SetAccessCode", 1, "300").code, "OK", "while it is not")
        equal(len(doors.record.peers()), 1, "connections")
        firewall.reload(Conf())
        channel.door("GetName")  # meets the reset, or passes on a new connection
        equal(channel.door("GetName").code, "OK", "GetName")
        equal(channel.door("SetAccessCode", 1, "301").code, "PERMISSION_DENIED", "SetAccessCode")
        equal(doors.record.access_code(), 300, "the access code")
        equal(len(doors.record.peers()), 2, "connections")

    @func_test
    def fifty_reloads_under_load_lose_nothing(self) -> None:
        """Each one swaps the snapshot; calls go on in both directions all the time."""
        family, lab, firewall, doors = self.guarded(capture=False)
        channel = self.channel(lab, family)
        running = channel.submit(
            "alternate", rounds=2000,
            calls=[[DOOR + "GetName", "CAE="], [SET, ""], [DOOR + "GetLocation", "CAE="]])
        for _ in range(50):
            firewall.reload(Conf())
        codes = running.wait()["codes"]
        equal(codes, {DOOR + "GetName": {"OK": 2000}, SET: {"PERMISSION_DENIED": 2000},
                      DOOR + "GetLocation": {"OK": 2000}}, "verdicts")
        equal(doors.record.seen(SET), [], "SetAccessCode at the server")
        equal(len(doors.record.runs()), 4000, "calls at the server")
        equal(messages.describe("GetName", channel.door("GetName").reply),
              "Door name is: Spaceport Door #1", "the last answer")
