"""Which addresses outgoing calls may reach: the public internet, and what the operator's OUTBOUND_ALLOW names."""

import socket
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address

GLOBAL_V6 = ip_network("2000::/3")  # all that is routed; is_global also says yes to site-local fec0::/10 and others
NAT64 = ip_network("64:ff9b::/96")
# Special-purpose nets that some versions of is_global let through: protocol assignments, 6to4 relays, documentation.
NEVER = tuple(ip_network(net) for net in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "3fff::/20"))


class OddHost(ValueError):
    """The host is a number in a spelling that programs read differently."""


@dataclass(frozen=True)
class AllowList:
    """What the operator lets through although it is private: hosts by name, addresses by network."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    def permits(self, host: str, address: Address) -> bool:
        """True when the host or the address is on the list, or the address is public."""
        real = effective_address(address)
        if host in self.hosts or any(one in net for net in self.networks for one in (address, real)):
            return True
        if isinstance(real, IPv6Address) and real not in GLOBAL_V6:
            return False
        return real.is_global and not real.is_multicast and not any(real in net for net in NEVER)


@lru_cache(maxsize=8)
def allow_list(entries: tuple[str, ...]) -> AllowList:
    """The list that these entries of OUTBOUND_ALLOW make: addresses and CIDRs are networks, all else is a host."""
    hosts, networks = set(), []
    for entry in entries:
        try:
            networks.append(ip_network(entry.strip("[]"), strict=False))
        except ValueError:
            hosts.add(entry.lower().rstrip("."))
    return AllowList(frozenset(hosts), tuple(networks))


def effective_address(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for (mapped, 6to4, NAT64, compatible), else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and (address in NAT64 or int(address) >> 32 == 0):
        inner = IPv4Address(int(address) & 0xFFFF_FFFF)
    return inner or address


def literal(host: str) -> Address | None:
    """The address that this host spells out, None for a name; OddHost for 127.1, 0x7f000001, 2130706433 and such."""
    try:
        address = ip_address(host)
    except ValueError:
        last = host.rpartition(".")[2]
        if last.isdigit() or last.lower().startswith("0x") or _is_number(host):
            raise OddHost from None
        return None
    if isinstance(address, IPv6Address) and address.scope_id:
        raise OddHost
    return address


def _is_number(host: str) -> bool:
    """True when the C library reads the host as a number."""
    try:
        socket.inet_aton(host)
    except (OSError, UnicodeError):
        return False
    return True
