r"""Formats a decision as a FreeSWITCH dial string. Pure.

**The only place that writes dial strings.** FreeSWITCH interprets them as code: variables in braces, lists,
alternatives and ``${…}`` expansions. Everything from a caller is either a URI that matches the RFC 3261 grammar or a
display name, and this module makes sure that both are taken literally:

- ``{``, ``}``, ``|``, ``\``, ``<``, ``>``, ``"``, ``^`` and control characters are not in the grammar of a SIP URI, so
  no ``${``, no end of the variables and no line end can come from one.
- A display name is quoted for SIP, and then escaped for each of the three times that FreeSWITCH resolves escapes
  (`_ESCAPES`). `sent_name` replaces what cannot be escaped: braces, control characters, ``:_:``.
- An escaped name is only ever resolved three times: the variable `_ONCE_ONLY`, in front of it, holds a comma, which
  tears the whole apart for the *inline* dialplan: that would resolve escapes twice more, and make a line end of
  ``\n``.
- ``'`` would open a quotation: written ``%27``, which is the same URI (RFC 3261 §19.1.4, it is a *mark*).
- ``,`` separates variables, and is legal in a user part: ``|`` is made the separator instead.
- ``:_:`` separates enterprise originates and is legal in a parameter: its underscore is written ``%5F``.
- ``,name:argument`` would be another application, should FreeSWITCH give the whole to its *inline* dialplan, as it does
  for an INVITE with Replaces: a name with a comma loses its colons, and the comma of a URI with a password is written
  ``%2C``. No other text of a URI can have an application's name and a colon after a comma.
- ``%[…]`` at the beginning sets variables of the A leg for as long as the application runs: the account, by which the
  line of a call in progress is found again, and whether media goes past FreeSWITCH. (Passing through, ``proxy_media``,
  it gets another SSRC and other sequence numbers, which the checksums of ZRTP and SRTP do not survive.)
- ``sip_h_…`` in the braces is a header of this one B leg: what the edge takes off before the INVITE goes on.
- ``?`` headers have no place in Request-URI, To and From (RFC 3261 §19.1.1): they are left out.

Source: switch_core_session.c switch_core_session_exec, switch_event.c switch_event_create_brackets, switch_utils.c
switch_separate_string, switch_ivr_originate.c, mod_sofia sofia_glue_do_invite.
"""

from __future__ import annotations

import re

from sipbridge.core.calls.routing import Bridge
from sipbridge.core.gateways.gateway import GatewayName
from sipbridge.core.sip.uri import NameAddr, SipUri, quote_display_name

ACCOUNT_VARIABLE = "sip_bridge_account"
"""The channel variable of an A leg with the id of the account whose line it holds."""

NEXT_HOP_HEADER = "X-Sipbridge-Next-Hop"
"""Tells the edge where to send an INVITE."""

MEDIA_HEADER = "X-Sipbridge-Media"
"""Tells the edge what to make of its offer; without it media goes past the edge."""

_LONGEST_NAME = 1024
_UNSAFE_IN_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff{}]+")
_UNSAFE_IN_USER = re.compile(r"[^A-Za-z0-9+.\-]+")
_PLAIN_URI = re.compile(r"sip:[A-Za-z0-9+._-]{1,64}@[A-Za-z0-9.:\[\]-]{1,128}(;user=phone)?")
_PLAIN_NAME = re.compile(r"[\w ,.-]{0,64}")
# FreeSWITCH resolves escapes when it expands the argument, when it separates the variables, and when it splits a name
# from its value. Only the second of these knows "|".
_ESCAPES = str.maketrans({"\\": "\\" * 8, "'": "\\" * 6 + "'", "|": "\\\\|"})
_ESCAPED = re.compile(r"(?:\\{8}|\\{6}'|\\{2}\||\\\$)+")
_ONCE_ONLY = ("sip_bridge_escaped", "," + "\\" * 8 + ".")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f{}|\\']|:_:")


_LATE_OFFER = (
    # The caller can have no early media before it has answered our offer, which goes in the 200 (RFC 3261 §13.2.1);
    # trying to send some fails the call. So a 183 with SDP is passed on as 180.
    ("ignore_early_media", "ring_ready"),
    # mod_sofia ignores every 18x of a leg whose other leg has no offer (TFLAG_SKIP_EARLY). It finds the other leg by
    # this variable until the legs are bridged.
    ("signal_bond", "none"),
)


def format_dial_string(
    bridge: Bridge,
    gateway: GatewayName | None,
    sofia_profile: str,
    *,
    recoverable: bool = False,
    has_offer: bool = True,
) -> str:
    """Format the argument of ``bridge`` for the B leg of a call.

    Request-URI, To, From and next hop are exactly those of the decision: they are set by variables. The text after the
    gateway is only what FreeSWITCH shows as the destination.

    Args:
        gateway: the account's gateway, if the decision uses it.
        sofia_profile: the profile that sends the call if no gateway does.
        recoverable: whether the call can be recovered after a crash of FreeSWITCH.
        has_offer: whether the caller's INVITE has an SDP.

    Returns:
        ``%[sip_bridge_account=0f…]{^^|sip_invite_req_uri=sip:bob@example.org|…}sofia/gateway/sipbridge.alice…/bob@…``
    """
    to = _format_uri(bridge.to.uri)
    leaves_to = bridge.edge or bridge.next_hop
    variables = (
        ("sip_invite_req_uri", to),
        *(_recoverable_ends(bridge, to, sofia_profile) if recoverable else _exact_ends(bridge, to)),
        ("sip_route_uri", _format_uri(leaves_to)),
        # Remote-Party-ID and P-Asserted-Identity would reveal the caller's identity in our own domain to the far side.
        ("sip_cid_type", "none"),
        *bridge.media.variables,
    )
    if not has_offer:
        variables += _LATE_OFFER
    if bridge.edge is not None:
        variables += ((f"sip_h_{NEXT_HOP_HEADER}", _format_uri(bridge.next_hop)),)
    if bridge.media.edge is not None:
        variables += ((f"sip_h_{MEDIA_HEADER}", bridge.media.edge),)
    if not bridge.uses_gateway:
        # Without it, the Contact has no transport, and the callee would send its requests over UDP.
        variables += (("sip_transport", leaves_to.transport),)
    shown = f"{_UNSAFE_IN_USER.sub('', bridge.to.uri.user) or 'anonymous'}@{bridge.to.uri.hostport}"
    destination = f"gateway/{gateway}/{shown}" if bridge.uses_gateway else f"{sofia_profile}/sip:{shown}"
    if _ONCE_ONLY in variables:
        # FreeSWITCH expands only an argument with such an escape, and would then turn "$$" into "$".
        variables = tuple((name, value.replace("$", r"\$")) for name, value in variables)
    of_a_leg = f"{ACCOUNT_VARIABLE}={bridge.line.id}" + (",bypass_media=true" if bridge.media.passes_through else "")
    return (
        f"%[{of_a_leg}]"
        + "{^^|"
        + "|".join([f"{name}={_checked(value)}" for name, value in variables])
        + "}sofia/"
        + destination
    )


def sent_name(display_name: str) -> str:
    """Return a display name as it is sent: text that FreeSWITCH cannot carry is replaced by spaces.

    Replaced are control characters, ``{``, ``}``, the underscore of ``:_:``, and the colons of a name with a comma. A
    name of more than 1,024 characters is cut: an escaped character takes up to 16.
    """
    if _PLAIN_NAME.fullmatch(display_name):
        return display_name.strip(" ")
    name = display_name[:_LONGEST_NAME].replace(":_:", ": :").replace(":_:", ": :")
    if "," in name:
        name = name.replace(":", " ")
    return _UNSAFE_IN_NAME.sub(" ", name).strip()


def sent_address(address: NameAddr) -> str:
    r"""An address as To or From has it on the wire: ``"An\"n" <sip:ann@example.org>``, without a name the URI alone."""
    uri, name = _format_uri(address.uri), quote_display_name(sent_name(address.display_name))
    return f"{name} <{uri}>" if name else uri


def _exact_ends(bridge: Bridge, to: str) -> tuple[tuple[str, str], ...]:
    to_, from_ = _quoted(bridge.to.display_name) + f"<{to}>", _format_name_addr(bridge.from_)
    once_only = (_ONCE_ONLY,) if "\\" in to_ + from_ else ()
    return *once_only, ("sip_force_full_to", to_), ("sip_force_full_from", from_)


def _recoverable_ends(bridge: Bridge, to: str, sofia_profile: str) -> tuple[tuple[str, str], ...]:
    """Return the ends of a recoverable call. Forced addresses would also apply to the recovery INVITE, without tags.

    FreeSWITCH keeps the variables of both legs, except the account, which the A leg has only while ``bridge`` runs. If
    FreeSWITCH would change an address or a name, it is forced, and the call is recorded under no profile, so that it is
    not recovered.
    """
    from_, name = _format_uri(bridge.from_.uri), sent_name(bridge.from_.display_name)
    is_plain = _PLAIN_URI.fullmatch(to) and _PLAIN_URI.fullmatch(from_) and _PLAIN_NAME.fullmatch(name)
    if not is_plain or bridge.to.display_name:
        of_no_profile = ("sofia_profile_name", sofia_profile), ("recovery_profile_name", "none")
        return (*_exact_ends(bridge, to), *of_no_profile)
    return (
        ("sip_invite_to_uri", f"<{to}>"),
        ("sip_invite_from_uri", f"<{from_}>"),
        ("origination_caller_id_name", name or "_undef_"),
        (ACCOUNT_VARIABLE, bridge.line.id),
    )


def _format_uri(uri: SipUri) -> str:
    if "," in uri.userinfo and ":" in uri.userinfo:
        uri = uri._replace(userinfo=uri.userinfo.replace(",", "%2C"))
    text = uri.text.removesuffix(uri.headers)
    if "'" in text:
        text = text.replace("'", "%27")
    # Twice, because two occurrences may share a colon.
    return text.replace(":_:", ":%5F:").replace(":_:", ":%5F:") if ":_:" in text else text


def _format_name_addr(address: NameAddr) -> str:
    return f"{_quoted(address.display_name)}<{_format_uri(address.uri)}>"


def _quoted(display_name: str) -> str:
    name = sent_name(display_name)
    if _PLAIN_NAME.fullmatch(name):
        return f'"{name}" ' if name else ""
    return quote_display_name(name).translate(_ESCAPES) + " "


def _checked(value: str) -> str:
    """Assert that a value has no delimiter, as a last line of defence: a delimiter here is a bug, so the call fails."""
    if _FORBIDDEN.search(_ESCAPED.sub("", value) if "\\" in value else value):
        raise AssertionError(f"unsafe text for a dial string: {value!r}")
    return value
