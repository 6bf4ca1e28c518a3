"""Builds the channel variables that mod_sofia records about SIP messages. Pure.

Order and content follow the recordings; values that depend on real media are constant.
"""

from __future__ import annotations

from sipbridge.simulator.calls.channel import Channel
from sipbridge.simulator.calls.incoming_invite import IncomingInvite
from sipbridge.simulator.calls.sip_text import SDP, read_address
from sipbridge.simulator.wire.protocol import Event

ADDRESS = "127.0.0.1"
CALLER_PORT = "7200"

_MEDIA_VARIABLES = {
    "variable_rtp_use_codec_string": "PCMU,PCMA",
    "variable_remote_video_media_flow": "inactive",
    "variable_remote_text_media_flow": "inactive",
    "variable_remote_audio_media_flow": "sendrecv",
    "variable_audio_media_flow": "sendrecv",
    "variable_remote_media_ip": ADDRESS,
    "variable_remote_media_port": "6000",
    "variable_rtp_audio_recv_pt": "0",
    "variable_rtp_use_codec_name": "PCMU",
    "variable_rtp_use_codec_rate": "8000",
    "variable_rtp_use_codec_ptime": "20",
    "variable_rtp_use_codec_channels": "1",
    "variable_rtp_last_audio_codec_string": "PCMU@8000h@20i@1c",
    "variable_read_codec": "PCMU",
    "variable_original_read_codec": "PCMU",
    "variable_read_rate": "8000",
    "variable_original_read_rate": "8000",
    "variable_write_codec": "PCMU",
    "variable_write_rate": "8000",
    "variable_dtmf_type": "info",
}


def incoming_variables(
    invite: IncomingInvite, channel: Channel, profile_url: str, session: int, gateway: str | None
) -> Event:
    """Return the variables of an INVITE, before the dialplan adds any.

    Args:
        channel: its channel.
        session: counts the sessions of this run.
        gateway: the gateway whose contact it was sent to.
    """
    request, from_, to, headers = invite.request, invite.from_, invite.to, invite.headers
    variables: Event = {
        "variable_direction": "inbound",
        "variable_uuid": channel.uuid,
        "variable_session_id": str(session),
    }
    variables |= from_.variables("sip_from")
    variables |= {
        "variable_video_media_flow": "disabled",
        "variable_text_media_flow": "disabled",
        "variable_channel_name": channel.name,
        "variable_sip_call_id": invite.call_id,
        "variable_sip_local_network_addr": ADDRESS,
        "variable_sip_network_ip": ADDRESS,
        "variable_sip_network_port": CALLER_PORT,
        "variable_sip_invite_stamp": str(channel.times.created),
        "variable_sip_received_ip": ADDRESS,
        "variable_sip_received_port": CALLER_PORT,
        "variable_sip_via_protocol": "udp",
        "variable_sip_from_user_stripped": from_.user,
        "variable_sip_from_tag": from_.tag,
        "variable_sofia_profile_name": invite.profile,
        "variable_sofia_profile_url": profile_url,
        "variable_recovery_profile_name": invite.profile,
    }
    if invite.asserted_user:
        variables["variable_sip_P-Asserted-Identity"] = invite.asserted_user
        variables["variable_sip_cid_type"] = "pid"
    variables["variable_sip_full_via"] = f"SIP/2.0/UDP {ADDRESS}:{CALLER_PORT};branch=z9hG4bK-{session}-1-0"
    if from_.display:
        variables["variable_sip_from_display"] = from_.display
    variables["variable_sip_full_from"] = from_.full
    if to.display:
        variables["variable_sip_to_display"] = to.display
    variables["variable_sip_full_to"] = to.full
    variables |= request.variables("sip_req") | to.variables("sip_to")
    variables |= read_address(f"<sip:caller@{ADDRESS}:{CALLER_PORT}>").variables("sip_contact")
    for header, name in (("Subject", "sip_subject"), ("User-Agent", "sip_user_agent")):
        if header in headers:
            variables[f"variable_{name}"] = headers[header]
    variables |= {"variable_sip_via_host": ADDRESS, "variable_sip_via_port": CALLER_PORT, "variable_max_forwards": "70"}
    variables |= {f"variable_sip_h_{name}": value for name, value in headers.items() if name.startswith("X-")}
    if gateway:
        variables["variable_sip_gateway"] = gateway
    if invite.offer and "${" not in invite.offer:
        variables["variable_switch_r_sdp"] = invite.offer
    variables |= _MEDIA_VARIABLES
    variables["variable_endpoint_disposition"] = "DELAYED NEGOTIATION" if invite.offer else "RECEIVED_NOSDP"
    variables["variable_call_uuid"] = channel.uuid
    return variables


_REPEATED_BY_ACK = (
    "sip_to_tag",
    "sip_from_tag",
    "sip_cseq",
    "sip_call_id",
    "sip_full_via",
    "sip_from_display",
    "sip_full_from",
    "sip_to_display",
    "sip_full_to",
)


def media_variables() -> dict[str, str]:
    """Return the variables that the SDP of the answer adds."""
    return {
        "switch_m_sdp": SDP,
        "video_media_flow": "inactive",
        "text_media_flow": "inactive",
        "audio_media_flow": "sendrecv",
        "sip_to_tag": "simulator",
        "rtp_local_sdp_str": SDP,
        "local_media_ip": ADDRESS,
        "local_media_port": "16384",
        "advertised_media_ip": ADDRESS,
        "rtp_use_pt": "0",
        "rtp_use_ssrc": "1",
        "remote_media_ip": ADDRESS,
        "remote_media_port": "6000",
    }


def acknowledgement_variables(variables: Event) -> dict[str, str]:
    """Return the variables that the ACK adds: mostly those of the INVITE, and the tag of the answer.

    Args:
        variables: the channel's variables so far.
    """
    noted = {name: str(variables.get(f"variable_{name}", "")) for name in _REPEATED_BY_ACK}
    return noted | {"sip_cseq": "1", "sip_full_to": f"{noted['sip_full_to']};tag={noted['sip_to_tag']}"}
