# SPDX-License-Identifier: Apache-2.0
"""Operation: start, rights, two of them, signals, what an operator sees, and the end."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from api.conf import DOOR, PORT, Conf
from api.packet import RST, from_port, read_pcap, to_port
from api.test import TestSuite, equal, func_test, verify
from cloudcity import messages
from framework.lab import FAMILIES, SERVER_TAP
from framework.process import wait_for
from framework.settings import settings

NOBODY = 64123  # a user id of nobody else
NAME = DOOR + "GetName", messages.request("GetName")
SET = DOOR + "SetAccessCode", messages.request("SetAccessCode", 1, "999")
CAPABILITIES = "+net_admin,+net_raw,+ipc_lock"
HUGEPAGES = 400
CAPABILITY_BITS = 1 << 12 | 1 << 13 | 1 << 14
WORKERS = f"workers = {settings.workers};"

BAD_FILES = (
    ("mode", 'mode = "enforce"', 'mode = "maybe"'),
    ("workers", WORKERS, "workers = 1000;"),
    ("unknown key", WORKERS, "walkers = 1;"),
    ("type", WORKERS, 'workers = "one";'),
    ("prefix", "10.50.1.0/24", "10.50.1.0/33"),
    ("host bits", "10.50.1.0/24", "10.50.1.1/24"),
    ("port number", "port = 50051", "port = 0"),
    ("method", "DoorManager/GetName", "DoorManager GetName"),
    ("group", '"@public-terminals"', '"@public-terminal"'),
    ("wire", 'client = "outside"', 'client = "outsider"'),
    ("wire to itself", 'client = "outside"; server = "inside"',
     'client = "outside"; server = "outside"'),
    ("reply", 'reply = "http-403"', 'reply = "http-404"'),
    ("version", "version = 1;", "version = 2;"),
    ("syntax", WORKERS, "workers = ;"),
    ("default", 'default = "pass";', 'default = "perhaps";'),
)


class TestOperation(TestSuite):
    """What the person sees who runs it."""

    def wicket(self, *arguments: str, **options) -> subprocess.CompletedProcess:
        return subprocess.run([str(self.build / "app/wicket/wicket"), *arguments],
                              capture_output=True, text=True, timeout=20, **options)

    @func_test
    def runs_as_a_user_with_three_capabilities(self) -> None:
        """setpriv, --no-huge, net_tap: CAP_NET_ADMIN, CAP_NET_RAW, CAP_IPC_LOCK and no more.

        Verify:
            * Its effective and bounding sets are just these; it guards as ever.
        """
        family = FAMILIES["ipv4"]
        lab = self.lab()
        runtime = lab.folder / "run"
        runtime.mkdir()
        for path in (lab.folder, runtime):
            os.chown(path, NOBODY, NOBODY)
        setpriv = (
            "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs",
            f"--bounding-set=-all,{CAPABILITIES}", f"--inh-caps=-all,{CAPABILITIES}",
            f"--ambient-caps=-all,{CAPABILITIES}", "env", f"RUNTIME_DIRECTORY={runtime}")
        firewall = self.firewall(lab, wrap=setpriv, runtime=runtime)
        status = Path(f"/proc/{firewall.process.pid}/status").read_text()
        for name in ("CapEff", "CapPrm", "CapBnd"):
            bits = int(re.search(rf"{name}:\s*([0-9a-f]+)", status).group(1), 16)
            equal(bits, CAPABILITY_BITS, name)
        verify(re.search(rf"Uid:\s*{NOBODY}\s+{NOBODY}\s", status), "another user")
        doors = self.doors(lab)
        channel = self.channel(lab, family)
        equal(channel.door("GetName").code, "OK", "GetName")
        equal(channel.door("SetAccessCode", 1, "999").code, "PERMISSION_DENIED", "SetAccessCode")
        equal(doors.record.paths(), [NAME[0]], "at the server")
        firewall.wait_events(1)
        shown = subprocess.run([str(firewall.ctl), "-s", str(firewall.socket), "status"],
                               capture_output=True, text=True, timeout=10)
        equal(shown.returncode, 0, f"wicketctl -s: {shown.stderr}")

    @func_test
    def two_of_them_run_side_by_side(self) -> None:
        """Two instances, two labs with the same addresses, one policy each; one ends, the other
        goes on."""
        family = FAMILIES["ipv4"]
        labs = [self.lab(), self.lab()]
        walls = [self.firewall(labs[0]), self.firewall(labs[1], Conf().with_service(mode="off"))]
        doors = [self.doors(lab) for lab in labs]
        channels = [self.channel(lab, family) for lab in labs]
        for _ in range(3):
            equal(channels[0].door("SetAccessCode", 1, "5").code, "PERMISSION_DENIED", "first")
            equal(channels[1].door("SetAccessCode", 1, "6").code, "OK", "second")
        equal([d.record.access_code() for d in doors], [123, 6], "access codes")
        for wall, denied in zip(walls, (3, 0)):
            shown = subprocess.run([str(wall.ctl), "-i", wall.instance, "status"],
                                   capture_output=True, text=True, timeout=10)
            equal(shown.returncode, 0, f"wicketctl -i: {shown.stderr}")
            equal(wall.calls()["denied_method"], denied, f"denied calls of {wall.instance}")
        self.stop(walls[0])
        equal(channels[1].door("SetAccessCode", 1, "7").code, "OK", "second, alone")
        equal(doors[1].record.access_code(), 7, "its access code")

    @func_test
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def end_resets_edited_connections_and_no_others(self, number: int) -> None:
        """Their numbers mean nothing once the box is bypassed.

        Steps:
            * One connection with a denied call, one without, both open and idle.
        Verify:
            * Exit status 0 within 5 s; both ends of the edited one get an RST, the other none.
        """
        family, lab, firewall, doors = self.guarded()
        edited, plain = self.h2(lab, family), self.h2(lab, family)
        equal(edited.call(*SET).status, "403", "SetAccessCode")
        for connection in (edited, plain):
            equal(connection.call(*NAME).grpc_status, "0", "GetName")
        ports = [c.sock.getsockname()[1] for c in (edited, plain)]
        firewall.check()
        self.boxes.remove(firewall)
        started = time.monotonic()
        equal(firewall.process.stop(number, 5.0), 0, "exit status")
        verify(time.monotonic() - started < 5.0, "it took too long")
        edited.read(seconds=1.0)
        verify(edited.closed, "the client of the edited connection was told nothing")
        left, right = lab.captured()
        resets = {f.tcp.dport for f in from_port(read_pcap(left), PORT) if f.tcp.flags & RST}
        equal(resets, {ports[0]}, "connections reset at the client")
        resets = {f.tcp.sport for f in to_port(read_pcap(right), PORT) if f.tcp.flags & RST}
        equal(resets, {ports[0]}, "connections reset at the server")
        equal(doors.record.paths(), [NAME[0]] * 2, "at the server")

    @func_test
    def end_comes_under_load_too(self) -> None:
        """SIGTERM while calls fly: exit status 0 in time, nothing denied slips through."""
        family, lab, firewall, doors = self.guarded(capture=False)
        channel = self.channel(lab, family)
        channel.submit("burst", calls=[[NAME[0], "CAE="], [SET[0], "CAEQ5wc="]], rounds=20000)
        wait_for(lambda: firewall.calls()["denied_method"] > 200, "calls")
        self.boxes.remove(firewall)
        firewall.stop()
        equal(doors.record.seen(SET[0]), [], "SetAccessCode at the server")

    @func_test
    def status_is_for_a_person(self) -> None:
        """wicketctl status: ports, service, flows, calls allowed and denied."""
        family, lab, firewall, _ = self.guarded()
        channel = self.channel(lab, family)
        for _ in range(3):
            channel.door("GetName")
        channel.door("SetAccessCode", 1, "999")
        done = subprocess.run([str(firewall.ctl), "-i", firewall.instance, "status"],
                              capture_output=True, text=True, timeout=10)
        equal(done.returncode, 0, f"exit status ({done.stderr})")
        for needle in ("outside", "inside", "door-manager", "enforce", "denied"):
            verify(needle in done.stdout, f"{needle} is not in:\n{done.stdout}")
        verify(len(done.stdout.splitlines()) < 80, "more than a screenful")
        flows = firewall.telemetry("/wicket/flows")
        text = str(flows)
        verify(family.client in text and str(PORT) in text, f"the flow is not in {text}")

    @func_test
    def status_of_nobody_fails_with_a_reason(self) -> None:
        """wicketctl and an instance that does not run."""
        done = subprocess.run([str(self.build / "app/wicketctl/wicketctl"), "-i", "nobody-here",
                               "status"], capture_output=True, text=True, timeout=10)
        verify(done.returncode != 0 and "nobody-here" in done.stderr,
               f"exit status {done.returncode}: {done.stderr}")

    @func_test
    def check_accepts_the_file_of_every_suite(self) -> None:
        """--check, --version and --help need no root, no EAL, no hugepages."""
        good = self.folder / "good.conf"
        good.write_text(Conf(instance="check").text())
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        done = self.wicket("--check", str(good), **user)
        equal((done.returncode, done.stderr), (0, ""), "--check")
        done = self.wicket("--version", **user)
        equal(done.returncode, 0, "--version")
        verify(re.search(r"\d+\.\d+", done.stdout), f"--version prints {done.stdout!r}")
        done = self.wicket("--help", **user)
        verify(done.returncode == 0 and "--check" in done.stdout, f"--help: {done.stdout!r}")

    @func_test
    def check_names_file_and_line_of_a_mistake(self) -> None:
        """Exit status 2 and `file:line: message`, for -c as well."""
        text = Conf(instance="check").text()
        for name, good, bad in BAD_FILES:
            verify(good in text, f"{good} is not in the file")
            file = self.folder / "bad.conf"
            file.write_text(text.replace(good, bad, 1))
            at = '{ name = "rule1"' if name == "method" else good  # patterns: the line of the rule
            number = text[:text.index(at)].count("\n") + 1
            for option in ("--check", "-c"):
                done = self.wicket(option, str(file))
                equal(done.returncode, 2, f"{option} of {name} ({done.stderr})")
                verify(re.search(rf"^{re.escape(str(file))}:{number}: \S", done.stderr, re.M),
                       f"{option} of {name}: not line {number}: {done.stderr}")
        done = self.wicket("--check", str(self.folder / "nothing.conf"))
        verify(done.returncode == 2 and "nothing.conf" in done.stderr,
               f"a missing file: {done.returncode} {done.stderr}")

    @func_test
    def failed_start_says_why_and_leaves_nothing(self) -> None:
        """A port that cannot be: exit status 1, and the next start works."""
        lab = self.lab()
        file = lab.folder / "wrong.conf"
        devices = "net_af_packet0,iface=not-here", f"net_tap1,iface={SERVER_TAP}"
        file.write_text(Conf(instance=lab.name, devices=devices).text())
        process = lab.start("wrong", [str(self.build / "app/wicket/wicket"), "-c", str(file)],
                            lab.box_ns)
        equal(process.popen.wait(20), 1, f"exit status ({process.text()[-500:]})")
        verify("outside" in process.text() or "not-here" in process.text(),
               f"the log does not say which port: {process.text()[-500:]}")
        with lab.inside(lab.box_ns):
            names = {line.split(":")[0].strip() for line in
                     Path("/proc/thread-self/net/dev").read_text().splitlines()[2:]}
        verify(SERVER_TAP not in names, "a tap was left behind")
        self.firewall(lab)
        done = lab.run(["ping", "-c", "1", "-W", "2", FAMILIES["ipv4"].server], lab.client_ns)
        equal(done.returncode, 0, "a ping in the end")

    @func_test
    def files_are_opened_anew_on_sigusr1(self) -> None:
        """What a log rotation does."""
        family, lab, firewall, _ = self.guarded()
        channel = self.channel(lab, family)
        channel.door("SetAccessCode", 1, "999")
        firewall.wait_events(1)
        firewall.events_file.rename(firewall.events_file.with_suffix(".1"))
        firewall.process.kill(signal.SIGUSR1)
        wait_for(firewall.events_file.exists, "a new file")
        channel.door("GetStatus")
        equal([e["path"] for e in firewall.wait_events(1)], [DOOR + "GetStatus"], "new events")

    @func_test
    def link_state_never_gates_forwarding(self) -> None:
        """A tap in another namespace reads link down, and its packets pass all the same."""
        family, lab, firewall, _ = self.guarded()
        info = str(firewall.telemetry("/wicket/ports"))
        verify("link" in info, f"no link state in {info}")
        equal(self.channel(lab, family).door("GetName").code, "OK", "GetName")

    @func_test
    def runs_on_hugepages_where_there_are_some(self) -> None:
        """The same with the memory of a real machine; the pages are given back in the end."""
        knob = Path("/proc/sys/vm/nr_hugepages")
        before = knob.read_text()
        knob.write_text(str(int(before) + HUGEPAGES))
        try:
            if int(knob.read_text()) < int(before) + HUGEPAGES:
                pytest.skip(f"this machine has no room for {HUGEPAGES} hugepages")
            family, lab = FAMILIES["ipv4"], self.lab()
            mount = lab.folder / "huge"
            mount.mkdir()
            firewall = self.firewall(lab, Conf(eal=()), wrap=(
                "unshare", "--mount", "sh", "-c",
                f'mount -t hugetlbfs nodev {mount} && exec "$@"', "-"))
            verify("without hugepages" not in firewall.log(), firewall.log()[:300])
            self.doors(lab)
            channel = self.channel(lab, family)
            equal(channel.door("GetName").code, "OK", "GetName")
            equal(channel.door("SetAccessCode").code, "PERMISSION_DENIED", "SetAccessCode")
            self.stop(firewall)
        finally:
            knob.write_text(before)
