"""What an examination looks at, as it was when it looked. Pure."""

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
        bound: the address it is bound to; None while it does not run.
        port: the port it is bound to.
        parameters: its settings in ``sofia.conf``, as FreeSWITCH has read them.
        dialplan: the XML of its dialplan context; empty where there is none.
    """

    name: str
    bound: str | None = None
    port: int = 0
    parameters: Mapping[str, str] = field(default_factory=dict)
    dialplan: str = ""


@dataclass(frozen=True, slots=True)
class SwitchFacts:
    """FreeSWITCH, asked over the Event Socket.

    Attributes:
        version: ``1.10.12-release``.
        modules: of those that are needed, which are loaded.
        lease: whether a controller holds the lease, so that calls are taken.
        spool: the file that the configuration names as the spool; empty where it names none.
        sees_spool_folder: whether the folder of our spool file exists for FreeSWITCH.
        max_sessions: beyond how many sessions it refuses calls.
        pid: its process on this host; None where it is not found.
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


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file or a folder.

    Attributes:
        what: what it is for us: ``settings file``.
        mode: permissions and kind; None where it does not exist, or cannot be looked at.
        holds_secret: whether there is a password in it.
        others_reach: whether everybody may enter the folders that it is in.
        is_hidden: whether we may not look at it.
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
        """Whether a user has these rights (4 read, 2 write, 1 enter), as far as permissions tell."""
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
    """Who a process runs as."""

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
        network: None where the kernel does not tell.
        clock_synchronized: None where the kernel does not tell.
        files: those that secrets are in, and the providers file.
        spool_path: the folders that lead to the spool, from the root down.
        daemon: the controller that runs.
        freeswitch: FreeSWITCH, if it runs on this host.
        udp_drops: by address and port, how many datagrams a socket has lost because it was not read in time.
        udp_buffer: bytes that a UDP socket buffers (``net.core.rmem_default``).
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
    """Where requests leave."""

    GATEWAYS = "the provider profile"
    EITHER_PROFILE = "the profile that the call did not come in on"
    EDGE = "the edge"


@dataclass(frozen=True, slots=True)
class HopFacts:
    """Where requests go next: an outbound proxy or a registrar.

    Attributes:
        used_by: what uses it: pools and providers, in words.
        addresses: what its name comes to.
        problem: why it comes to nothing.
        routes: how each address is reached; None where it is not.
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
        host: where it takes requests from FreeSWITCH.
        port: likewise.
        rpc_socket: by which it is told its accounts.
        problem: why it is not; empty when it answers.
        accounts: how many it knows.
        has_owner: whether a controller keeps its table.
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
        told: what it came to: ``3 accounts``.
        problems: what is wrong with it.
    """

    name: str
    told: str
    problems: tuple[str, ...] = ()
