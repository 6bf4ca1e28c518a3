"""The facts that the doctor gathers and judges. Pure."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from sipbridge.core.network import HostNetwork, Route
from sipbridge.core.sip.uri import SipUri


@dataclass(frozen=True, slots=True)
class ProfileFacts:
    """A sofia profile.

    Attributes:
        bound: the address it is bound to; None while it is not running.
        port: the port it is bound to.
        parameters: its settings in ``sofia.conf``, as FreeSWITCH read them.
        dialplan: the XML of its dialplan context; empty if there is none.
    """

    name: str
    bound: str | None = None
    port: int = 0
    parameters: Mapping[str, str] = field(default_factory=dict)
    dialplan: str = ""


@dataclass(frozen=True, slots=True)
class SwitchFacts:
    """FreeSWITCH, as queried over the Event Socket.

    Attributes:
        version: ``1.10.12-release``.
        modules: each required module, and whether it is loaded.
        lease: whether a controller holds the lease, so that calls are accepted.
        spool: the spool file that FreeSWITCH's configuration names; empty if it names none.
        sees_spool_folder: whether FreeSWITCH can see the folder of the spool file.
        max_sessions: the number of sessions beyond which FreeSWITCH refuses calls.
        has_dtls_certificate: whether FreeSWITCH can see the certificate that it makes for DTLS-SRTP.
        pid: its process on this host; None if it was not found.
    """

    version: str
    modules: Mapping[str, bool]
    api_expansion: bool
    lease: bool
    spool: str
    sees_spool_folder: bool
    max_sessions: int
    profiles: tuple[ProfileFacts, ...]
    pid: int | None = None
    has_dtls_certificate: bool = True


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file or a folder.

    Attributes:
        what: its purpose, such as ``settings file``.
        mode: permissions and file type; None if it does not exist or cannot be examined.
        holds_secret: whether it contains a password.
        others_reach: whether every user may enter its parent folders.
        is_hidden: whether this user may not examine it.
    """

    path: Path
    what: str
    mode: int | None
    uid: int = 0
    gid: int = 0
    holds_secret: bool = False
    others_reach: bool = True
    is_hidden: bool = False

    def may(self, user: UserFacts, rights: int) -> bool:
        """Return whether a user has these rights (4 read, 2 write, 1 enter) according to the file mode."""
        if self.mode is None:
            return False
        if user.uid == 0:
            return True
        shift = 6 if user.uid == self.uid else 3 if self.gid in user.gids else 0
        return (self.mode >> shift) & rights == rights

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.mode is not None and stat.S_ISDIR(self.mode)


@dataclass(frozen=True, slots=True)
class UserFacts:
    """The user that a process runs as."""

    name: str
    uid: int
    gids: frozenset[int]


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """A process of this host.

    Attributes:
        max_open_files: the soft limit; None where it cannot be read.
    """

    pid: int
    user: UserFacts
    max_open_files: int | None = None


@dataclass(frozen=True, slots=True)
class HostFacts:
    """The machine.

    Attributes:
        network: None if the kernel does not report it.
        clock_synchronized: None if the kernel does not report it.
        files: the files that contain secrets, and the providers file.
        spool_path: the folders from the root down to the spool.
        daemon: the running controller, if any.
        freeswitch: FreeSWITCH, if it runs on this host.
        udp_drops: by address and port, the datagrams a socket lost because it was not read in time.
        udp_buffer: the receive buffer of a UDP socket in bytes (``net.core.rmem_default``).
    """

    network: HostNetwork | None
    clock_synchronized: bool | None
    files: tuple[FileFacts, ...]
    spool_path: tuple[FileFacts, ...]
    daemon: ProcessFacts | None
    freeswitch: ProcessFacts | None
    udp_drops: Mapping[tuple[str, int], int]
    udp_buffer: int


class Exit(Enum):
    """The way by which requests leave this host."""

    GATEWAYS = "the provider profile"
    EITHER_PROFILE = "the profile that the call did not come in on"
    EDGE = "the edge"


@dataclass(frozen=True, slots=True)
class HopFacts:
    """A next hop of requests: an outbound proxy or a registrar.

    Attributes:
        used_by: the pools and providers that use it, in words.
        addresses: what its name resolves to.
        problem: why its name does not resolve; empty if it does.
        routes: the route to each address; None if there is none.
    """

    uri: SipUri
    used_by: tuple[str, ...]
    exit: Exit = Exit.GATEWAYS
    addresses: tuple[str, ...] = ()
    problem: str = ""
    routes: Mapping[str, Route | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EdgeFacts:
    """The Kamailio beside FreeSWITCH.

    Attributes:
        host: the address where it accepts requests from FreeSWITCH.
        port: the port where it accepts them.
        rpc_socket: the socket through which it receives its accounts.
        problem: why the socket does not answer; empty if it does.
        accounts: the number of accounts it knows.
        has_owner: whether a controller has written its table.
    """

    host: str
    port: int
    rpc_socket: FileFacts
    problem: str = ""
    accounts: int = 0
    has_owner: bool = True


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """The database of a pool, or Redis.

    Attributes:
        name: ``pool JabiruAccountPool``, ``Redis``.
        told: the result, such as ``3 accounts``.
        problems: what is wrong with it; empty if nothing is.
    """

    name: str
    told: str
    problems: tuple[str, ...] = ()
