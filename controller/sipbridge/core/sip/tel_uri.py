"""A From or To header with a tel URI becomes a SIP address. Pure.

Trunks send ``From: <tel:+33612345678>`` (TS 24.229 has networks do so), and nothing behind the bridge expects that.
"""

from __future__ import annotations

import re

from sipbridge.core.errors import UriError
from sipbridge.core.sip.uri import NameAddr, SipUri, unquote_display_name

# RFC 3966 §3: a global number, or a local one, which needs a phone-context to mean something. Possessive: linear time.
_NUMBER = r"(\+[0-9().-]++|[0-9A-Fa-f*#().-]++)"
_PARAMETERS = r"((?:;[A-Za-z0-9-]++(?:=(?:[A-Za-z0-9\-_.!~*'()\[\]/:&+$]++|%[0-9A-Fa-f]{2})++)?)*+)"
_TEL = rf"[Tt][Ee][Ll]:{_NUMBER}{_PARAMETERS}"
_TEL_HEADER = re.compile(rf'\s*+(?:"((?:[^"\\]++|\\.)*+)"|([^"<>]*+))\s*+<\s*+{_TEL}\s*+>\s*+(?:;.*+)?', re.DOTALL)
_BARE_TEL_HEADER = re.compile(rf"\s*+[Tt][Ee][Ll]:{_NUMBER}\s*+(?:;.*+)?", re.DOTALL)
_VISUAL_SEPARATORS = str.maketrans("", "", "().-")
_DIGIT = re.compile(r"[0-9A-Fa-f*#]")


def parse_tel_header(text: str, hostport: str) -> NameAddr:
    """Parse the value of a From or To header that holds a tel URI.

    The number becomes the user part, without its visual separators and with its parameters, and ``user=phone`` says
    that it is a number: ``"Zoé" <tel:+33-6-12-34>;tag=1`` → ``"Zoé" <sip:+33612345@example.org;user=phone>``.

    Args:
        hostport: of the domain in which the number is valid, such as that of the account that the call arrived for.

    Raises:
        UriError: the header does not contain a tel URI.

    Source: RFC 3261 §19.1.6, RFC 3966 §3.
    """
    if (bare := _BARE_TEL_HEADER.fullmatch(text)) is not None:
        quoted, plain, number, parameters = "", "", bare[1], ""
    elif (match := _TEL_HEADER.fullmatch(text)) is not None:
        quoted, plain, number, parameters = match.groups("")
    else:
        raise UriError(text, "a SIP or tel URI")
    digits = number.translate(_VISUAL_SEPARATORS)
    if not _DIGIT.search(digits):
        raise UriError(text, "a tel URI with a number")
    # Of the characters of a number and its parameters, a SIP user part has to escape these (§25.1).
    user = (digits + parameters).replace("#", "%23").replace(":", "%3A").replace("[", "%5B").replace("]", "%5D")
    return NameAddr(SipUri("sip", user, hostport, ";user=phone"), unquote_display_name(quoted, plain))
