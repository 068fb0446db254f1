# SPDX-License-Identifier: Apache-2.0
"""Several workers: whoever receives a packet, the owner of its connection judges it."""

import base64
import subprocess

import pytest

from api.conf import ALLOWED, DENIED, DOOR, Conf, Service
from api.grpc import Channel, Client
from api.test import TestSuite, equal, func_test, verify
from cloudcity import messages
from framework.lab import Family, Lab
from framework.process import wait_for

TWO = Conf(workers=2)
ECHO = Conf(workers=2, services=(Service(allow=("/dts.Echo/*", *(DOOR + m for m in ALLOWED))),))
CALLS = [(DOOR + method, messages.request(method, 1, "999")) for method in (*ALLOWED, *DENIED)]
WAYS = pytest.mark.parametrize("way", ("apart", "any"))


def encode(request: bytes) -> str:
    return base64.b64encode(request).decode()


class TestWorkers(TestSuite):
    """Queues are made asymmetric on purpose: see Firewall.steer."""

    def asymmetric(self, way: str, family: str = "ipv4", conf: Conf = TWO):
        """The usual lab with two workers, its packets on the wrong queues."""
        chosen, lab, firewall, doors = self.guarded(family, conf)
        firewall.steer(way)
        return chosen, lab, firewall, doors

    def channels(self, lab: Lab, family: Family, count: int) -> list[Channel]:
        """Connections of one client."""
        client = Client(lab)
        return [self.channel(lab, family, f"channel{i}", client) for i in range(count)]

    @staticmethod
    def right(codes: dict, rounds: int, connections: int = 1) -> None:
        for path, _ in CALLS:
            code = "OK" if path[len(DOOR):] in ALLOWED else "PERMISSION_DENIED"
            equal(codes[path], {code: rounds * connections}, path)

    @staticmethod
    def handed_over(firewall) -> None:
        """Both workers have handed over and taken, nothing was lost between them."""
        rows = firewall.lcores()
        equal(len(rows), 2, "workers")
        for row in rows:
            verify(row["handover"] > 0 and row["taken"] > 0, f"a worker was left out: {rows}")
            equal(row["drop_handover"], 0, "packets that found no room")
        stats = firewall.stats()
        verify(stats["handover"] >= stats["taken"] > 0, "hand-over in the stats")

    @func_test
    @WAYS
    @pytest.mark.parametrize("family", ("ipv4", "ipv6", "qinq"))
    def calls_of_many_connections_are_judged_right(self, family: str, way: str) -> None:
        """Every method, on 12 connections at once.

        Steps:
            * The clients' packets all arrive at one worker, the servers' at the other; or each
              packet at any of them.
        Verify:
            * Every answer is right; the server has seen nothing but allowed calls.
            * Packets went both ways between the workers; each reference is given once.
        """
        chosen, lab, firewall, doors = self.asymmetric(way, family)
        channels = self.channels(lab, chosen, 12)
        running = [channel.submit("alternate", rounds=40, calls=[
            [method, encode(request)] for method, request in CALLS])
            for channel in channels]
        for call in running:
            self.right(call.wait(60)["codes"], 40)
        equal(set(doors.record.paths()), {DOOR + method for method in ALLOWED}, "at the server")
        equal(len(doors.record.paths()), 12 * 40 * len(ALLOWED), "calls at the server")
        denials = firewall.wait_events(12 * 40 * len(DENIED))
        equal(len({event["ref"] for event in denials}), len(denials), "references")
        flows = firewall.flows()
        equal(len(flows), 12, "connections in the list")
        numbers = {int(name.split("_")[1]) for name in flows}
        equal({event["flow"] for event in denials}, numbers, "numbers of the connections")
        equal({name.split("_")[0] for name in flows}, {"0", "1"}, "workers in the list")
        self.handed_over(firewall)

    @func_test
    @WAYS
    def transfers_and_denials_on_one_connection(self, way: str) -> None:
        """4 MiB each way, denied megabytes in between; hundreds of calls at once."""
        chosen, lab, firewall, doors = self.asymmetric(way, conf=ECHO)
        channel = self.channel(lab, chosen)
        for seed in (1, 2):
            up = channel.submit("upload", method="/dts.Echo/Collect", count=128, size=32768,
                                seed=seed).wait(90)
            equal((up["code"], up.get("same")), ("OK", True), "an upload")
            denied = channel.call("/dts.Vault/Unary", bytes(1 << 20))
            equal(denied.code, "PERMISSION_DENIED", "a denied megabyte")
            down = channel.submit("download", method="/dts.Echo/Repeat", count=128, size=32768,
                                  seed=seed).wait(90)
            equal((down["code"], down.get("same")), ("OK", True), "a download")
        self.right(channel.alternate(CALLS, 40, op="burst"), 40)
        equal(doors.record.seen("/dts.Vault/Unary"), [], "denied uploads at the server")
        equal(len(doors.record.peers()), 1, "connections")
        stats = firewall.stats()
        verify(stats["handover"] > 0, "nothing was handed over")
        equal(stats["flows_reset"], 0, "connections reset")

    @func_test
    def a_reload_reaches_all_workers(self) -> None:
        """Calls on many connections while the policy changes: each is judged by one of both."""
        chosen, lab, firewall, doors = self.asymmetric("any")
        channels = self.channels(lab, chosen, 6)
        name, code = [[[DOOR + m, encode(messages.request(m, 1, "999"))]]
                      for m in ("GetName", "SetAccessCode")]
        running = [channel.submit("alternate", rounds=400, calls=name + code)
                   for channel in channels]
        for _ in range(3):
            firewall.reload(TWO.with_service(allow=(DOOR + "GetName", DOOR + "GetStatus")))
            for channel in channels:
                equal(channel.door("GetStatus").code, "OK", "a call allowed by the reload")
                equal(channel.door("GetLocation").code, "PERMISSION_DENIED", "one that is not")
            firewall.reload(TWO)
            for channel in channels:
                equal(channel.door("GetStatus").code, "PERMISSION_DENIED", "a call afterwards")
        for call in running:
            equal(call.wait(60)["codes"], {DOOR + "GetName": {"OK": 400},
                                           DOOR + "SetAccessCode": {"PERMISSION_DENIED": 400}},
                  "calls that no reload touches")
        equal(doors.record.seen(DOOR + "SetAccessCode"), [], "SetAccessCode at the server")
        verify(firewall.stats()["handover"] > 0, "nothing was handed over")

    @func_test
    def an_edited_connection_keeps_a_removed_service(self) -> None:
        """All workers are asked for edited connections: the only one may be anybody's."""
        soon = "limits = { closed_s = 1; };"
        chosen, lab, firewall, _ = self.guarded(conf=Conf(workers=2, extra=soon))
        channels = self.channels(lab, chosen, 4)
        for channel in channels:
            equal(channel.door("SetAccessCode", 1, "1").code, "PERMISSION_DENIED", "a denied call")
        firewall.reload(Conf(workers=2, services=(), extra=soon))
        for channel in channels:
            equal(channel.door("SetAccessCode", 1, "1").code, "OK", "once it is not guarded")
        modes = [row["mode"] for row in firewall.telemetry("/wicket/services").values()]
        equal(modes, ["retired"], "services")
        for channel in channels:
            channel.close()
        wait_for(lambda: not firewall.telemetry("/wicket/services"), "the end of the service", 20)

    @func_test
    def the_kernel_sends_a_connection_to_its_owner(self) -> None:
        """Left alone, a tap soon has every packet on the right queue: few are handed over."""
        chosen, lab, firewall, _ = self.guarded(conf=TWO)
        firewall.steer("kernel")
        channels = self.channels(lab, chosen, 8)
        for channel in channels:
            self.right(channel.alternate(CALLS, 20), 20)
        stats = firewall.stats()
        verify(stats["handover"] < stats["rx"] / 10, f"{stats['handover']} of {stats['rx']}")
        rows = firewall.lcores()
        verify(all(row["rx"] > 0 and row["tx"] > 0 for row in rows), f"an idle worker: {rows}")

    @func_test
    def limits_are_shared_by_the_workers(self) -> None:
        """What the file says is for all of them together."""
        extra = "limits = { flows = 1000; held_kib = 20480; fragments = 100; };"
        _, _, firewall, _ = self.guarded(conf=Conf(workers=4, extra=extra))
        tables = firewall.telemetry("/wicket/tables")
        equal(tables["flows"]["capacity"], 1000, "connections")
        equal(tables["fragments"]["capacity"], 100, "datagrams")
        verify(tables["held_bytes"]["capacity"] <= 20480 << 10, "bytes held")
        equal(len(firewall.lcores()), 4, "workers")

    @func_test
    @pytest.mark.parametrize("device, more, message", [
        ("net_pcap1,rx_pcap={folder}/in.pcap,tx_pcap={folder}/out.pcap", "",
         "port inside (net_pcap1) has 1 rx and 1 tx queues, 2 workers need one of each"),
        ("net_tap1,iface=wks", 'rss = "nic";',
         "port outside (net_tap0): a virtual device spreads by rules of its own"),
        ("net_af_packet1,iface=lo,qpairs=2", "",
         "port inside (net_af_packet1): its interface hands over many segments as one frame"),
    ])
    def a_port_that_cannot_is_refused_by_name(self, device: str, more: str, message: str) -> None:
        """Too few queues; a device that is to choose the worker; one that joins segments (GRO)."""
        lab = self.lab()
        (lab.folder / "in.pcap").write_bytes(
            b"\xd4\xc3\xb2\xa1\2\0\4\0" + bytes(8) + b"\0\0\4\0\1\0\0\0")
        conf = Conf(workers=2, instance=lab.name, extra=more,
                    devices=("net_tap0,iface=wkc", device.format(folder=lab.folder)))
        file = lab.folder / "wicket.conf"
        file.write_text(conf.text())
        done = lab.run([str(self.build / "app/wicket/wicket"), "-c", str(file)], lab.box_ns)
        equal(done.returncode, 1, f"exit status\n{done.stderr}")
        verify(message in done.stderr, f"no word of it:\n{done.stderr}")

    @func_test
    def the_log_says_who_chooses_the_worker(self) -> None:
        """rss = "auto" on taps is software; wicketctl knows how many there are."""
        _, _, firewall, _ = self.guarded(conf=TWO)
        verify("wire outside-inside: a hash in software chooses the worker" in firewall.log(),
               "nothing in the log")
        done = subprocess.run([str(firewall.ctl), "-i", firewall.instance, "status"],
                              capture_output=True, text=True, timeout=10)
        equal(done.returncode, 0, done.stderr)
        verify("workers 2," in done.stdout, f"no workers in:\n{done.stdout}")
