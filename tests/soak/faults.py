"""What breaks in the soak: each fault is there while its block runs. I/O: signals, files, and commands to servers.

A fault says whose calls it concerns: it is over when one of each is carried that began later.
"""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass

from soak.accounts import EVERYBODY, IN_DATABASE, IN_FILE, WITH_HASH, WITH_MEDIA, uri_of
from soak.world import CALLS_PER_LINE, DrainedWindow, World
from support.processes import wait_until

ALL = (*IN_FILE, *WITH_MEDIA)
"""Those that are always there, by both ways."""
_PATIENCE_S = 60.0
_REALMS = ("first realm", "second realm")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that breaks.

    Attributes:
        parts: what it breaks, or needs; two faults that have one in common do not go together.
        users: one call of each has to be carried afterwards.
    """

    name: str
    parts: frozenset[str]
    users: Sequence[str]
    breaking: Callable[[World], AbstractContextManager[None]]


FAULTS: list[Fault] = []


def _fault(
    parts: str, users: Sequence[str] = ALL
) -> Callable[[Callable[[World], Iterator[None]]], Callable[[World], Iterator[None]]]:
    def register(breaking: Callable[[World], Iterator[None]]) -> Callable[[World], Iterator[None]]:
        name = breaking.__name__.replace("_", " ")
        FAULTS.append(Fault(name, frozenset(parts.split()), users, contextmanager(breaking)))
        return breaking

    return register


# FreeSWITCH and the bridge.


@_fault("event-socket")
def event_socket_cut(world: World) -> Iterator[None]:
    world.to_freeswitch.cut()
    yield
    world.to_freeswitch.mend()


@_fault("event-socket")
def event_socket_stalls(world: World) -> Iterator[None]:
    world.to_freeswitch.pause()
    yield
    world.to_freeswitch.go_on()


@_fault("bridge")
def bridge_killed(world: World) -> Iterator[None]:
    world.bridge.kill()
    yield
    world.bridge.start()


@_fault("bridge")
def bridge_stopped(world: World) -> Iterator[None]:
    world.bridge.terminate()
    yield
    world.bridge.start()


@_fault("freeswitch")
def freeswitch_killed(world: World) -> Iterator[None]:
    with _ends_are_lost(world, EVERYBODY):
        world.freeswitch.kill()
        yield
        world.freeswitch.start()


@_fault("freeswitch")
def profile_restarted(world: World) -> Iterator[None]:
    world.freeswitch.event_socket.api("sofia profile providers restart")
    yield


@_fault("freeswitch")
def configuration_broken(world: World) -> Iterator[None]:
    """No new gateway can be added meanwhile."""
    broken = world.freeswitch.directory / "conf/local/broken.xml"
    broken.write_text("<include>\n<unclosed>\n</include>\n")
    yield
    broken.unlink()


# Accounts.


@_fault("redis", IN_DATABASE)
def redis_killed(world: World) -> Iterator[None]:
    world.redis.kill()
    yield
    world.redis.start()


@_fault("redis", IN_DATABASE)
def redis_stalls(world: World) -> Iterator[None]:
    world.redis.freeze()
    yield
    world.redis.thaw()


@_fault("redis", IN_DATABASE)
def messages_lost(world: World) -> Iterator[None]:
    """Nobody tells of changes, and then Redis loses its subscribers."""
    world.accounts.loses_messages = True
    yield
    world.accounts.loses_messages = False
    world.redis.execute("CLIENT", "KILL", "TYPE", "PUBSUB")


@_fault("redis", IN_DATABASE)
def messages_repeated(world: World) -> Iterator[None]:
    for user in IN_DATABASE:
        world.accounts.notify(user, times=50)
    yield


@_fault("redis", IN_DATABASE)
def messages_garbled(world: World) -> Iterator[None]:
    key = next(iter(world.accounts.keys.values()), 1)
    others_row = {"username": "somebody-else", "domain": "example.org", "identifier": str(key)}
    no_row = {"username": "nobody", "domain": "example.org", "identifier": "' OR 1=1 --"}
    world.accounts.publish(b"\xff\x00", "{", "[]", "{}", '{"username": 1}', "x" * 100_000)
    world.accounts.publish(json.dumps(others_row), json.dumps(no_row))
    yield


@_fault("database", IN_DATABASE)
def database_killed(world: World) -> Iterator[None]:
    world.database.kill()
    yield
    world.database.start()


@_fault("database", IN_DATABASE)
def database_slow(world: World) -> Iterator[None]:
    world.to_database.delay_s = 0.3
    yield
    world.to_database.delay_s = 0.0


@_fault("database", IN_DATABASE)
def database_cut_off(world: World) -> Iterator[None]:
    world.to_database.cut()
    yield
    world.to_database.mend()


@_fault("database", IN_DATABASE)
def table_locked(world: World) -> Iterator[None]:
    with world.database.locked("users"):
        yield


@_fault("database", IN_DATABASE)
def table_missing(world: World) -> Iterator[None]:
    world.database.execute("RENAME TABLE users TO elsewhere")
    yield
    world.database.execute("RENAME TABLE elsewhere TO users")


# The edge, the network, and the far side.


@_fault("edge freeswitch", (*WITH_HASH, *WITH_MEDIA))
def kamailio_killed(world: World) -> Iterator[None]:
    with _ends_are_lost(world, (*WITH_HASH, *WITH_MEDIA)):
        world.edge.kill()
        yield
        world.edge.start()


@_fault("edge", WITH_MEDIA)
def rtpengine_killed(world: World) -> Iterator[None]:
    world.rtpengine.kill()
    yield
    world.rtpengine.start()


@_fault("network freeswitch")
def cable_pulled(world: World) -> Iterator[None]:
    with _ends_are_lost(world, EVERYBODY):
        world.link.down()
        yield
        world.link.up()


@_fault("far-side")
def provider_silent(world: World) -> Iterator[None]:
    world.far_side.refuses = -1
    yield
    world.far_side.refuses = 0


@_fault("far-side")
def provider_unavailable(world: World) -> Iterator[None]:
    world.far_side.refuses = 503
    yield
    world.far_side.refuses = 0


@_fault("far-side", IN_DATABASE)
def registrations_refused(world: World) -> Iterator[None]:
    """Who is refused is tried again in a minute, unless there is another password."""
    world.far_side.refuses_registers = 403
    for user in list(world.accounts.keys)[:2]:
        world.accounts.change_password(user)
    yield
    world.far_side.refuses_registers = 0
    for user in list(world.accounts.keys):
        world.accounts.change_password(user)


@_fault("far-side", IN_DATABASE)
def realm_changes(world: World) -> Iterator[None]:
    provider = world.far_side.provider
    provider.realm = _REALMS[provider.realm == _REALMS[0]]
    world.accounts.write_hashes_again()
    yield


# What an operator does.


@_fault("bridge freeswitch")
def fewer_calls_allowed(world: World) -> Iterator[None]:
    with _limit_of(world, CALLS_PER_LINE - 1):
        yield


@_fault("bridge freeswitch")
def more_calls_allowed(world: World) -> Iterator[None]:
    with _limit_of(world, CALLS_PER_LINE + 1):
        yield


@_fault("bridge freeswitch")
def providers_file_broken(world: World) -> Iterator[None]:
    world.bridge.providers_file.write_text("{")
    world.bridge.command("reload")
    yield
    world.write_providers()
    world.bridge.command("reload")


@_fault("bridge freeswitch")
def bridge_drained(world: World) -> Iterator[None]:
    with _drained(world, EVERYBODY):
        yield


@_fault("bridge freeswitch")
def account_drained(world: World) -> Iterator[None]:
    with _drained(world, IN_FILE[:1], "--account", uri_of(IN_FILE[0])):
        yield


@_fault("bridge freeswitch")
def provider_drained(world: World) -> Iterator[None]:
    with _drained(world, IN_FILE, "--provider", "by file"):
        yield


@contextmanager
def _ends_are_lost(world: World, users: Sequence[str]) -> Iterator[None]:
    """The far side does not hear of calls of `users` that end meanwhile; FreeSWITCH tells afterwards which go on."""
    world.far_side.unsure_of = users
    yield
    (go_on,) = wait_until("FreeSWITCH tells its calls", lambda: _calls_that_go_on(world), timeout_s=_PATIENCE_S)
    world.far_side.keep(go_on)


def _calls_that_go_on(world: World) -> tuple[set[str]] | None:
    """The Call-IDs of the calls that FreeSWITCH has at the far side."""
    switch = world.freeswitch
    with suppress(OSError, queue.Empty):  # it has only just started
        uuids = [row["uuid"] for row in switch.channels() if row["direction"] == "outbound"]
        return ({switch.event_socket.api(f"uuid_getvar {uuid} sip_call_id") for uuid in uuids},)
    return None


@contextmanager
def _limit_of(world: World, calls: int) -> Iterator[None]:
    _change_limit(world, calls)
    yield
    _change_limit(world, CALLS_PER_LINE)


def _change_limit(world: World, calls: int) -> None:
    is_higher = calls > world.limit.calls
    if is_higher:
        world.limit.change(calls)
    world.write_providers(calls)
    # The bridge may be away; when it starts, it reads the file.
    wait_until("the file is read", lambda: world.bridge.command("reload").returncode == 0, timeout_s=_PATIENCE_S)
    if not is_higher:
        world.limit.change(calls)


@contextmanager
def _drained(world: World, users: Sequence[str], *what: str) -> Iterator[None]:
    """Calls of `users` that begin after this was asked for and before it is undone have to be refused."""
    wait_until("it is drained", lambda: world.bridge.command("drain", *what).returncode == 0, timeout_s=_PATIENCE_S)
    if not what:
        wait_until("the lease is let go", lambda: world.freeswitch.lease() != "true", timeout_s=_PATIENCE_S)
    began, pid = time.monotonic(), world.bridge.pid
    yield
    ended = time.monotonic()
    if pid == world.bridge.pid:
        world.drained.append(DrainedWindow(began, ended, users))
    wait_until(
        "calls are taken again",
        lambda: world.bridge.command("drain", "--undo", *what).returncode == 0,
        timeout_s=_PATIENCE_S,
    )
