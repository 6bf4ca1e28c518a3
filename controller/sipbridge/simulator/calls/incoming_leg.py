"""Creates the A leg for an incoming INVITE. Uses the clock."""

from __future__ import annotations

import uuid

from sipbridge.simulator.calls.call_report import Times
from sipbridge.simulator.calls.channel import Channel
from sipbridge.simulator.calls.incoming_invite import IncomingInvite
from sipbridge.simulator.calls.sip_variables import incoming_variables
from sipbridge.simulator.sofia.profile import Profile
from sipbridge.simulator.wire.events import now_us


def make_incoming_leg(invite: IncomingInvite, profile: Profile, session: int) -> Channel:
    """Create the channel as mod_sofia does, in its state when the dialplan starts.

    Args:
        session: counts the sessions of this run.
    """
    from_ = invite.from_
    gateway = profile.gateways.find(invite.gateway) if invite.gateway else None
    caller = invite.asserted_user or from_.decoded_user
    channel = Channel(
        uuid=str(uuid.uuid4()),
        direction="inbound",
        profile=profile.name,
        name=f"sofia/{profile.name}/{from_.shown_uri}",
        destination=gateway.definition.username if gateway else invite.request.decoded_user,
        caller_name=from_.decoded_display or caller,
        caller_number=caller,
        username=caller,
        context=profile.name,
        times=Times(now_us()),
    )
    channel.variables = incoming_variables(invite, channel, profile.url, session, gateway.name if gateway else None)
    return channel
