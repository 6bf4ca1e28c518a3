"""When accounts that registered at a pace are refreshed, over periods that nobody waits for. Pure, but for chance.

As FreeSWITCH does it: sofia-sip refreshes by itself, at a random moment of a span that follows from what the registrar
granted, which it looks for in the answer beside our Contact. Where that is missing it takes an hour for granted, and
what is left is FreeSWITCH's own timer, 15 s before the end of what was asked for.

Source: sofia-sip, nua_dialog.c, nua_dialog_usage_set_refresh; mod_sofia, sofia_reg.c, sofia_reg_check_gateway.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from sipbridge.core.accounts.account import Account, account_id
from sipbridge.core.gateways.gateway import gateway_for
from sipbridge.core.providers.provider import PoolPolicy
from sipbridge.core.sip.uri import SipUri, parse_sip_uri

_POLICY = PoolPolicy("accounts", parse_sip_uri("sip:proxy.example.net"), True, max_calls_per_line=1)
_NOT_REPEATED_S = 3600


@dataclass(frozen=True, slots=True)
class Refreshes:
    """REGISTERs a second, over two mean periods after the last account has registered.

    Attributes:
        mean: how many.
        highest: how many in the busiest second.
    """

    mean: float
    highest: int

    @property
    def ratio(self) -> float:
        """The busiest second to the mean."""
        return self.highest / self.mean


def simulate(count: int, rate: int, expires_s: int, *, repeats_contact: bool) -> Refreshes:
    """Register so many accounts at this rate, and let them be refreshed.

    Args:
        expires_s: longest lifetime that is asked for; the registrar grants what each account asks.
        repeats_contact: whether the registrar does, as most do.
    """
    random = Random(1)
    period_s = mean_period_s(expires_s, repeats_contact=repeats_contact)
    begin = count // rate
    end = begin + round(2 * period_s)
    per_second: Counter[int] = Counter()
    for number in range(count):
        for at in _refreshes(number // rate, _asked_s(number, expires_s), end, random, repeats_contact):
            per_second[at] += 1
    counts = [per_second[second] for second in range(begin, end)]
    return Refreshes(sum(counts) / len(counts), max(counts))


def mean_period_s(expires_s: int, *, repeats_contact: bool = True) -> float:
    """Mean time between two REGISTERs of an account.

    Args:
        expires_s: as for `simulate`.
    """
    random = Random(1)
    pauses = [_pause_s(_asked_s(number, expires_s), random, repeats_contact) for number in range(2_000)]
    return sum(pauses) / len(pauses)


def _refreshes(at: int, asked_s: int, end: int, random: Random, repeats_contact: bool) -> Iterator[int]:
    while (at := at + _pause_s(asked_s, random, repeats_contact)) < end:
        yield at


def _pause_s(asked_s: int, random: Random, repeats_contact: bool) -> int:
    """Seconds until the next REGISTER."""
    known_s = asked_s if repeats_contact else _NOT_REPEATED_S
    if 90 < known_s < 300:
        stack_s = random.randint(known_s - 60, known_s - 30)
    else:
        stack_s = random.randint((known_s + 2) // 4, (known_s + 2) // 4 + (known_s + 1) // 2)
    own_s = asked_s - 15 if asked_s > 30 else asked_s // 2
    return max(1, min(stack_s, own_s))


def _asked_s(number: int, expires_s: int) -> int:
    account = Account(SipUri("sip", f"user{number}", "jabiru.example.org"), secret="password")
    return gateway_for(account_id("accounts", account.uri), account, _POLICY, bytes(32), expires_s).expires_s
