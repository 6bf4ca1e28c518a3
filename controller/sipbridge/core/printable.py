r"""Text that a stranger chose becomes text that does nothing to a line, a terminal or whoever reads it. Pure.

What cannot be printed is more than control characters: marks that turn the direction of writing, spaces that are none.
They become what JSON has for them, so that a text of JSON still means the same: ``\n``, ``\u202e``.
"""

from __future__ import annotations

import json


def escape_unprintable(text: str) -> str:
    r"""One line that shows all of the text: ``a\nb`` for two, ``\u001b[31m`` for a colour."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


def escape_lines(text: str) -> str:
    """The same for a text whose line ends are meant, such as JSON with indents or a traceback."""
    return "\n".join(map(escape_unprintable, text.split("\n")))
