# SPDX-License-Identifier: Apache-2.0
"""The configuration file of a firewall under test, written from Python."""

from dataclasses import dataclass, field, replace

from framework.lab import CLIENT_TAP, FAMILIES, SERVER_TAP
from framework.settings import settings

PORT = 50051
ALLOWED = ("GetName", "GetLocation", "RequestMaintenance")
DENIED = ("GetStatus", "SetAccessCode")
DOOR = "/cloudcity.DoorManager/"


def quoted(values) -> str:
    return "[ " + ", ".join(f'"{value}"' for value in values) + " ]"


@dataclass(frozen=True)
class Service:
    """One guarded service; the defaults are the door manager's policy."""

    name: str = "door-manager"
    mode: str = "enforce"
    addresses: tuple[str, ...] = tuple(family.server for family in FAMILIES.values())
    port: int = PORT
    sources: tuple[str, ...] = ("@public-terminals",)
    allow: tuple[str, ...] = tuple(DOOR + method for method in ALLOWED)
    deny: tuple[str, ...] = ()
    unlisted_source: str = "drop"
    reply: str = "http-403"

    def text(self) -> str:
        deny = f"\n          deny = {quoted(self.deny)};" if self.deny else ""
        return f"""
  {{ name = "{self.name}"; addresses = {quoted(self.addresses)}; port = {self.port};
    mode = "{self.mode}";
    access = (
        {{ name = "rule1"; from = {quoted(self.sources)};
          allow = {quoted(self.allow)};{deny} }} );
    unlisted_source = "{self.unlisted_source}";
    reply = "{self.reply}"; }}"""


@dataclass(frozen=True)
class Conf:
    """A whole file. `extra` is text for the end of it."""

    services: tuple[Service, ...] = (Service(),)
    instance: str = "wicket"
    events: str = ""
    extra: str = ""
    eal: tuple[str, ...] | None = None  # None: as the settings say
    workers: int = 0  # 0: the same
    devices: tuple[str, str] = field(
        default=(f"net_tap0,iface={CLIENT_TAP}", f"net_tap1,iface={SERVER_TAP}"))

    def with_service(self, **changes) -> "Conf":
        """The same file with its first service changed."""
        return replace(self, services=(replace(self.services[0], **changes), *self.services[1:]))

    def text(self) -> str:
        eal = settings.eal if self.eal is None else self.eal
        terminals = quoted(family.terminals for family in FAMILIES.values())
        services = ",".join(service.text() for service in self.services)
        return f"""version = 1;
ports = (
  {{ name = "outside"; device = "{self.devices[0]}"; }},
  {{ name = "inside"; device = "{self.devices[1]}"; }} );
wires = ( {{ client = "outside"; server = "inside"; }} );
groups = {{ public-terminals = {terminals}; }};
services = ({services} );
default = "pass";
instance = "{self.instance}";
workers = {self.workers or settings.workers};
eal = {quoted(eal)};
events = {{ file = "{self.events}"; per_second = 1000000; }};
{self.extra}
"""
