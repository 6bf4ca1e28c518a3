"""The conditions of readiness, and their descriptions."""

from __future__ import annotations

import pytest
from core_examples import account, policy

from sipbridge.core.gateways.registration import Registration, RegistrationStatus
from sipbridge.core.observe.readiness import Condition, Readiness, loaded_condition, registered_condition
from sipbridge.core.pools.account_pool import AccountPool


def pool(registered: int, of: int, *, required: bool = True) -> AccountPool:
    made = AccountPool(policy(registration_required=required))
    for number in range(of):
        line = made.add(account(f"sip:a{number}@example.org"))
        if number < registered:
            line.set_registration(Registration(RegistrationStatus.REGISTERED))
    return made


@pytest.mark.parametrize(
    ("registered", "accounts", "least_percent", "holds"),
    [
        (1, 2, 50, True),
        (0, 2, 50, False),
        (0, 2, 0, True),
        (0, 0, 100, True),
        (99, 100, 99.5, False),
        (3, 3, 100, True),
    ],
)
def test_enough_accounts_have_to_be_registered(
    registered: int, accounts: int, least_percent: float, holds: bool
) -> None:
    assert registered_condition([pool(registered, accounts)], least_percent).holds is holds


def test_accounts_that_need_not_register_do_not_count() -> None:
    condition = registered_condition([pool(1, 2), pool(0, 10, required=False)], 50)
    assert condition == Condition("registered", True, "1 of 2 accounts registered, 50 % required")


def test_every_pool_has_to_be_loaded() -> None:
    assert loaded_condition([]).holds
    assert loaded_condition(["A", "B"]) == Condition("accounts_loaded", False, "not loaded yet: A, B")


def test_all_conditions_have_to_hold() -> None:
    good, bad = Condition("a", True, ""), Condition("b", False, "")
    assert Readiness((good, good)).is_ready
    assert not Readiness((good, bad)).is_ready
