r"""Escapes unprintable characters in untrusted text, so that it cannot affect lines, terminals or readers. Pure.

Unprintable characters include control characters, marks that change the writing direction and invisible spaces. They
are written as JSON escapes, so that JSON text keeps its meaning: ``\n``, ``\u202e``.
"""

from __future__ import annotations

import json


def escape_unprintable(text: str) -> str:
    r"""Return the text on one line: ``a\nb`` for two lines, ``\u001b[31m`` for a colour."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


def escape_lines(text: str) -> str:
    """Escape a text but keep its line ends, for example indented JSON or a traceback."""
    return "\n".join(map(escape_unprintable, text.split("\n")))
