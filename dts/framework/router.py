# SPDX-License-Identifier: Apache-2.0
"""A router behind one side of the box, with a link that is narrower than the wire.

What was the side's namespace becomes the router, and its host moves into a namespace of its own
behind it. The link has a full MTU, so that the host announces what it would on any Ethernet; that
the path is narrower only the router knows, by the route to its host.
"""

from framework.lab import CLIENT_TAP, Family, Lab, ip

UP, DOWN = "wkup", "wkdown"  # of the router, of its host
GATEWAY = {False: "169.254.77.1", True: "fe80::77"}  # by IPv6


def put_router(lab: Lab, tap: str, mtu: int) -> None:
    """Puts a router between a tap and its host, once the box stands. `mtu` is the path's."""
    client = tap == CLIENT_TAP
    router = lab.client_ns if client else lab.server_ns
    interface = lab.client_interface if client else lab.server_interface
    host = f"{lab.name}-{'p' if client else 'q'}"
    hosts = ("1.20", "9.66") if client else ("2.10", "2.11")
    lab.more_ns.append(router)
    ip("netns", "add", host)
    ip("-n", host, "link", "set", "lo", "up")
    ip("-n", router, "link", "add", UP, "type", "veth", "peer", "name", DOWN, "netns", host)
    for netns, link in ((router, UP), (host, DOWN)):
        lab.sysctl(netns, f"ipv6/conf/{link}/accept_dad", "0")
        ip("-n", netns, "link", "set", link, "up")
    for key in ("ipv4/ip_forward", "ipv6/conf/all/forwarding", f"ipv4/conf/{interface}/proxy_arp",
                f"ipv6/conf/{interface}/proxy_ndp"):
        lab.sysctl(router, key, "1")
    for family in lab.families:
        _move(lab, family, router, host, interface, hosts, mtu)
    if client:
        lab.client_ns = host
    else:
        lab.server_ns = host


def _move(lab: Lab, family: Family, router: str, host: str, interface: str,
          hosts: tuple[str, ...], mtu: int) -> None:
    version, whole, net = ("-6", "128", f"{family.net}/64") if family.ipv6 else (
        "-4", "32", f"{family.net}0.0/16")
    more = ["nodad"] if family.ipv6 else []
    own = family.host(hosts[0].split(".")[0] + ".1")
    gateway = GATEWAY[family.ipv6]
    if not family.ipv6:
        lab.sysctl(router, f"ipv4/neigh/{interface}/proxy_delay", "0")
    else:
        lab.sysctl(router, f"ipv6/neigh/{interface}/proxy_delay", "0")
    ip("-n", router, version, "addr", "flush", "dev", interface, "scope", "global")
    ip("-n", router, "addr", "add", f"{own}/{family.prefix}", "dev", interface, *more)
    ip("-n", router, "addr", "add", f"{gateway}/{whole}", "dev", UP,
       *(["scope", "link"] if family.ipv6 else []), *more)
    for part in hosts:
        address = family.host(part)
        ip("-n", host, "addr", "add", f"{address}/{whole}", "dev", DOWN, *more)
        ip("-n", router, version, "route", "add", f"{address}/{whole}", "dev", UP,
           "mtu", "lock", str(mtu))
        if family.ipv6:
            ip("-n", router, "-6", "neigh", "add", "proxy", address, "dev", interface)
    ip("-n", host, version, "route", "add", net, "via", gateway, "dev", DOWN,
       *([] if family.ipv6 else ["onlink"]), "src", family.host(hosts[0]))
