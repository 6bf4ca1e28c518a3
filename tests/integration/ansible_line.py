"""A way of calls through a bridge that the roles have written: who calls whom, and what their telephones hear."""

from __future__ import annotations

from dataclasses import dataclass

import jabiru
from ansible_written import Telephone, Way
from jabiru import Call, TwoDomains

from support.processes import wait_until
from support.sip_message import SipMessage
from support.sip_peer import SipPeer
from support.sip_rule import Rule

_PCMA = 8
_DEADLINE_S = 20.0


@dataclass(frozen=True, slots=True)
class Line:
    """A way of calls through that bridge, in one direction.

    Attributes:
        caller: who calls; `calling` is his telephone.
        callee: who is called; `called` is his telephone.
    """

    way: Way
    outwards: bool
    domains: TwoDomains
    calling: Telephone
    called: Telephone

    @property
    def caller(self) -> SipPeer:
        return self.domains.proxy if self.outwards else self.domains.jabiru

    @property
    def callee(self) -> SipPeer:
        return self.domains.jabiru if self.outwards else self.domains.proxy

    def have_callee(self, rule: Rule) -> None:
        """Have the callee answer so."""
        if self.outwards:
            self.domains.provider.callee = rule
        else:
            self.domains.proxy.rule = rule

    def invite(self) -> tuple[SipMessage, SipMessage]:
        """Call; the INVITE as it was sent, and as it has come to the callee."""
        since = len(self.callee.received)
        invite = self.domains.invite_out if self.outwards else self.domains.invite_in
        sent = invite(self.way.name, self.calling.offer())

        def is_for_callee(one: SipMessage) -> bool:
            # The far side asks for a digest first.
            return one.method == "INVITE" and (not self.outwards or self.domains.provider.accepts(one))

        return sent, self.callee.wait_for(is_for_callee, since=since, timeout_s=_DEADLINE_S)

    def outcome(self, sent: SipMessage) -> Call:
        """Wait for the outcome of a call."""
        return self.domains.outcome(self.caller, self.domains.inside if self.outwards else self.domains.providers, sent)

    def connect(self) -> tuple[Call, SipMessage]:
        """A call that was answered, with both sides talking; and the INVITE as it has come to the callee."""
        self.have_callee(self.called.picks_up)
        sent, arrived = self.invite()
        call = self.outcome(sent)
        assert call.answer.status == 200
        self.calling.take_answer(call.answer.body)
        return call, arrived

    def comes(self, method: str, invite: SipMessage, since: int = 0, within: str = "") -> SipMessage:
        """Wait for a request in the call of an INVITE of this line, with this in its body, to who is on that leg."""
        peer = self.caller if invite["Call-ID"].endswith(self.caller.hostport) else self.callee
        return peer.wait_for(
            lambda one: one.method == method and one["Call-ID"] == invite["Call-ID"] and within in one.body,
            since=since,
            timeout_s=_DEADLINE_S,
        )

    def wait_until_over(self, sent: SipMessage, arrived: SipMessage) -> None:
        """Wait until its line is free again, and FreeSWITCH has nothing of it any more."""
        self.domains.bridge.wait_for_free_slots(f"sip:{self.way.name}@{jabiru.DOMAIN}", jabiru.LINES)
        wait_until("no channel is left", lambda: not self.domains.freeswitch.channels())
        for peer, invite in ((self.caller, sent), (self.callee, arrived)):
            of_call = [one for one in peer.received if one["Call-ID"] == invite["Call-ID"]]
            assert {one.transport for one in of_call} == {self.way.transport}

    def hear_each_other(self) -> None:
        """From now on, half a second of each other."""
        for telephone in (self.calling, self.called):
            telephone.rtp.drain()
        for telephone in (self.calling, self.called):
            telephone.rtp.hears(_PCMA, 25)
