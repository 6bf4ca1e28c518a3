"""Plans the INVITE that mod_sofia would send for an endpoint of a dial string, or the cause of failure. Pure.

Source: mod_sofia.c (sofia_outgoing_channel), sofia_glue.c (sofia_glue_do_invite).
"""

from __future__ import annotations

from collections.abc import Mapping

from sipbridge.simulator.calls.channel import Channel
from sipbridge.simulator.calls.dial_string import Endpoint
from sipbridge.simulator.calls.far_side import SimulatedInvite
from sipbridge.simulator.sofia.profile import Profile


class BridgeError(Exception):
    """No INVITE is sent.

    Attributes:
        cause: the hangup cause of both legs.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


def plan_invite(
    endpoint: Endpoint, variables: Mapping[str, str], a_leg: Channel, profiles: Mapping[str, Profile]
) -> tuple[SimulatedInvite, str]:
    """Return the INVITE, and the profile that sends it.

    Raises:
        BridgeError: the endpoint names no usable gateway or profile.
    """
    # Variables in braces take precedence over those in square brackets.
    variables = {**endpoint.variables, **variables}
    module, _, rest = endpoint.text.partition("/")
    if module != "sofia":
        raise BridgeError("CHAN_NOT_IMPLEMENTED")
    kind, slash, rest = rest.partition("/")
    if not slash:
        raise BridgeError("INVALID_URL")
    if kind == "gateway":
        return _through_gateway(rest, variables, profiles)
    if kind not in profiles:
        raise BridgeError("INVALID_PROFILE")
    destination = rest if rest.startswith(("sip:", "sips:")) else f"sip:{rest}"
    from_ = f'"{a_leg.caller_name}" <sip:{a_leg.caller_number}@127.0.0.1>'
    return _invite(destination, from_, None, None, variables), kind


def _through_gateway(
    rest: str, variables: Mapping[str, str], profiles: Mapping[str, Profile]
) -> tuple[SimulatedInvite, str]:
    name, slash, destination = rest.partition("/")
    if not slash:
        raise BridgeError("INVALID_URL")
    for profile in profiles.values():
        gateway = profile.gateways.find(name)
        if gateway is None:
            continue
        if not gateway.is_up:
            raise BridgeError("GATEWAY_DOWN")
        definition = gateway.definition
        if "@" not in destination:
            destination = f"{destination}@{definition.proxy}"
        from_ = f"<sip:{definition.username}@{definition.from_domain}>"
        proxy = definition.parameters.get("outbound-proxy")
        return _invite(f"sip:{destination}", from_, proxy, name, variables), profile.name
    raise BridgeError("INVALID_GATEWAY")


def _invite(
    destination: str, from_: str, proxy: str | None, gateway: str | None, variables: Mapping[str, str]
) -> SimulatedInvite:
    request_uri = variables.get("sip_invite_req_uri", destination)
    to_uri = variables.get("sip_invite_to_uri", f"<{destination}>")
    if uri := variables.get("sip_invite_from_uri") or variables.get("sip_from_uri"):
        from_ = uri if uri.startswith("<") else f"<{uri}>"
    sent_to = variables.get("sip_route_uri", proxy or request_uri)
    # The edge removes this header and sends the INVITE to its value.
    behind_edge = variables.get("sip_h_X-Sipbridge-Next-Hop")
    return SimulatedInvite(
        request_uri=request_uri,
        to=variables.get("sip_force_full_to", to_uri),
        from_=variables.get("sip_force_full_from", from_),
        next_hop=behind_edge or sent_to,
        gateway=gateway,
        variables=variables,
        edge=sent_to if behind_edge else None,
    )
