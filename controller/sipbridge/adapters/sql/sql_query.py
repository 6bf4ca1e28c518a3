"""Prepares a query as written by an operator, so that its only parameter is ``:identifier``. Pure."""

from __future__ import annotations

import re

from sqlalchemy import TextClause, text

_QUOTED = r"'(?:[^']|'')*+'|\"(?:[^\"]|\"\")*+\"|`[^`]*+`"
_QUOTED_WITH_BACKSLASHES = r"'(?:[^'\\]|\\.|'')*+'|\"(?:[^\"\\]|\\.|\"\")*+\"|`[^`]*+`"
_COMMENT = r"/\*.*?\*/|--[^\n]*"
_COMMENT_OF_MYSQL = r"/\*.*?\*/|--(?=\s|\Z)[^\n]*|#[^\n]*"
_IDENTIFIER = r"(?<![:\w\\]):identifier(?!\w)"


def _tokens(quoted: str, comment: str) -> re.Pattern[str]:
    return re.compile(rf"({quoted}|{comment})|({_IDENTIFIER})|:", re.DOTALL)


def _end(quoted: str, comment: str) -> re.Pattern[str]:
    return re.compile(rf"((?:{quoted}|{comment}|[^;])*+)(?:;|\s|{comment})*+\Z", re.DOTALL)


# What a query is without the ``;`` at its end, and all that follows it; a ``;`` elsewhere is left to the database.
_END = _end(_QUOTED, _COMMENT)
_END_OF_MYSQL = _end(_QUOTED_WITH_BACKSLASHES, _COMMENT_OF_MYSQL)

# Tokens: a quoted text or a comment; the parameter; any other colon.
_TOKENS = _tokens(_QUOTED, _COMMENT)
_TOKENS_OF_MYSQL = _tokens(_QUOTED_WITH_BACKSLASHES, _COMMENT_OF_MYSQL)


def prepare_query(query: str, dialect: str, *, takes_identifier: bool) -> TextClause:
    """Create a statement in which every colon except that of ``:identifier`` is literal.

    SQLAlchemy would take ``':alice'`` in a quoted text for a parameter as well. A ``;`` at the end is left out.

    Args:
        query: such as ``SELECT … FROM users WHERE pk = :identifier``.
        dialect: SQLAlchemy's name of the database: ``mysql``, ``sqlite``.
        takes_identifier: whether ``:identifier`` is a parameter; otherwise its colon is literal too.
    """

    def mark(match: re.Match[str]) -> str:
        if match[2] and takes_identifier:
            return match[2]
        return match[0].replace(":", "\\:")

    is_mysql = dialect in ("mysql", "mariadb")
    tokens, end = (_TOKENS_OF_MYSQL, _END_OF_MYSQL) if is_mysql else (_TOKENS, _END)
    return text(tokens.sub(mark, end.sub(r"\1", query)))
