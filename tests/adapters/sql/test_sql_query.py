"""Queries as written by operators, and what the driver receives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Dialect
from sqlalchemy.dialects.mysql import pymysql
from sqlalchemy.dialects.sqlite import pysqlite

from sipbridge.adapters.sql.sql_query import prepare_query

SQLITE = pysqlite.dialect()
MYSQL = pymysql.dialect()


def as_sent(query: str, dialect: Dialect, *, takes_identifier: bool = True) -> str:
    return str(prepare_query(query, dialect.name, takes_identifier=takes_identifier).compile(dialect=dialect))


CASES = {
    "parameter": ("WHERE pk = :identifier", "WHERE pk = ?"),
    "twice": ("WHERE :identifier IN (pk,:identifier)", "WHERE ? IN (pk,?)"),
    "in quotation marks": (
        """':identifier' ":identifier" `:identifier`""",
        """':identifier' ":identifier" `:identifier`""",
    ),
    "quotation marks in quotation marks": ("'it''s :identifier' :identifier", "'it''s :identifier' ?"),
    "comments": (
        "-- :identifier\n/* :identifier\n:identifier */ :identifier",
        "-- :identifier\n/* :identifier\n:identifier */ ?",
    ),
    "open quotation mark": ("pk = ':identifier", "pk = '?"),
    "longer names": (":identifiers x:identifier :identifier_", ":identifiers x:identifier :identifier_"),
    "casts": (":identifier::int, pk::text, a[1:2], b := 1", "?::int, pk::text, a[1:2], b := 1"),
    "time": ("'12:30:00' 12:30", "'12:30:00' 12:30"),
    "percent and question marks": ("LIKE '100%?' % 2", "LIKE '100%?' % 2"),
    "backslashes": (r"'\' :identifier \: '\:'", r"'\' ? \: '\:'"),
}


@pytest.mark.parametrize("case", CASES)
def test_query(case: str) -> None:
    typed, sent = CASES[case]
    assert as_sent(typed, SQLITE) == sent


def test_mysql_has_escapes_and_comments_of_its_own() -> None:
    typed = r"""'it\'s :identifier' "\":identifier" # :identifier""" + "\n2--:identifier -- :identifier"
    sent = r"""'it\'s :identifier' "\":identifier" # :identifier""" + "\n2--%s -- :identifier"
    assert as_sent(typed, MYSQL) == sent
    assert as_sent("LIKE '%:identifier%' % :identifier", MYSQL) == "LIKE '%%:identifier%%' %% %s"


PIECES = [":identifier", ":x", "::", ":", "'", '"', "`", "\\", "--", "/*", "*/", "#", "\n", " ", "é", "a"]
TYPED = st.lists(st.sampled_from(PIECES)).map("".join)


@given(TYPED)
def test_without_the_parameter_a_query_is_sent_as_it_is_typed(query: str) -> None:
    assert as_sent(query, SQLITE, takes_identifier=False) == query
    assert as_sent(query, MYSQL, takes_identifier=False) == query


@given(TYPED)
def test_with_it_nothing_else_is_replaced(query: str) -> None:
    assert as_sent(query, SQLITE).replace("?", ":identifier") == query
    assert as_sent(query, MYSQL).replace("%s", ":identifier") == query
