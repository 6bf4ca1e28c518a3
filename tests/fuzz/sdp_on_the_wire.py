"""Thousands of spoiled offers to a real FreeSWITCH, in calls whose media starts; says how each kind ended.

Run by hand, with the FreeSWITCH to try on the PATH: ``python -m fuzz.sdp_on_the_wire --offers 10000``. SDES is on for
callers. What passes the bridge is answered, talked in for a moment, and hung up. When FreeSWITCH dies, the offers of
the calls that were under way are written to a file, and it is started again.

``--passing`` sends only such as the checker lets through, so that nearly all are answered. ``--strangers`` sends
them to the providers' side from an address that may not call there, where no bridge is asked.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

from sipbridge.core.errors import SdpError
from sipbridge.core.sip.sdp import parse_sdp_offer
from support.bridge import Bridge, Providers
from support.freeswitch import FreeSwitch
from support.providers_file import all_calls_out
from support.sdp_offers import HEAD, OFFERS, mutated
from support.sip_message import SipMessage, sdp
from support.sip_peer import SipPeer
from support.sip_rule import answers

_AT_ONCE = 24
_MOST = 15_000
_TALK_S = 0.3
_PATIENCE_S = 10.0
_SETTINGS = "[calls]\nmax_calls_per_s = 10000"


def _providers(callee: SipPeer) -> Providers:
    return all_calls_out(
        callee.hostport,
        to="sip:bob@x.example.org",
        from_="sip:alice@x.example.org",
        account="sip:alice@x.example.org",
        lines=10_000,
    )


class Wire:
    """A FreeSWITCH, a bridge beside it, and both ends of its calls.

    Attributes:
        outcomes: how often a call ended how.
        deaths: how often FreeSWITCH did.
    """

    def __init__(self, directory: Path, *, strangers: bool) -> None:
        self._directory = directory
        self._strangers = strangers
        self.caller, self.callee = SipPeer(), SipPeer(answers(body=sdp(payload_types="8 0")))
        self.outcomes: Counter[str] = Counter()
        self.deaths = 0
        self._starts = 0
        self._start()

    def _start(self) -> None:
        self._starts += 1
        folder = self._directory / str(self._starts)
        self.freeswitch = FreeSwitch(
            folder / "fs",
            sipbridge_caller_sdes="optional",
            sipbridge_sessions_per_second="1000",
            sipbridge_media_timeout_s="30",
        )
        self.bridge = Bridge(folder / "bridge", self.freeswitch, _providers(self.callee), more_settings=_SETTINGS)
        if not self._strangers:
            while self.send_all([HEAD + "m=audio 9 RTP/AVP 8\r\n"], count=False) != ["200"]:
                time.sleep(0.2)

    def stop(self) -> None:
        """End both programs."""
        self.bridge.kill()
        self.freeswitch.kill()

    def send_all(self, offers: list[str], *, count: bool = True) -> list[str]:
        """Call with each offer at once, and wait for all of them; return how each ended."""
        to = self.freeswitch.providers if self._strangers else self.freeswitch.inside
        invites = [
            self.caller.new_request(
                "INVITE",
                "sip:bob@a.example.org",
                from_="<sip:a@a.example.org>",
                to="<sip:bob@a.example.org>",
                body=offer,
            )
            for offer in offers
        ]
        for invite in invites:
            self.caller.send(_with_sdp(invite), to)
        finals = self._finals(invites, to)
        self._hang_up(invites, finals, to)
        outcomes = [finals[one["Call-ID"]].start_line[8:] if one["Call-ID"] in finals else "silence" for one in invites]
        if count:
            self.outcomes.update(outcomes)
        self.caller.received.clear()
        self.callee.received.clear()
        if not self.freeswitch.is_running:
            self._note_death(offers)
        return [outcome[:3] for outcome in outcomes]

    def _finals(self, invites: list[SipMessage], to: str) -> dict[str, SipMessage]:
        finals: dict[str, SipMessage] = {}
        deadline = time.monotonic() + _PATIENCE_S
        while len(finals) < len(invites) and time.monotonic() < deadline and self.freeswitch.is_running:
            for one in tuple(self.caller.received):
                if one.status >= 200 and one["CSeq"].endswith("INVITE"):
                    finals.setdefault(one["Call-ID"], one)
            time.sleep(0.02)
        for invite in invites:
            if invite["Call-ID"] not in finals:
                self.caller.send(self.caller.within_dialog("CANCEL", invite, invite), to)
        return finals

    def _hang_up(self, invites: list[SipMessage], finals: dict[str, SipMessage], to: str) -> None:
        answered = [(one, finals[one["Call-ID"]]) for one in invites if one["Call-ID"] in finals]
        for invite, final in answered:
            self.caller.send(self.caller.within_dialog("ACK", invite, final), to)
        if any(final.status == 200 for _, final in answered):
            time.sleep(_TALK_S)
        for invite, final in answered:
            if final.status == 200:
                self.caller.send(self.caller.within_dialog("BYE", invite, final, cseq=2), to)

    def _note_death(self, offers: list[str]) -> None:
        self.deaths += 1
        self.stop()
        kept = self._directory / f"death-{self.deaths}.json"
        kept.write_text(json.dumps(offers, indent=1))
        print(f"FreeSWITCH died; its last offers are in {kept}", flush=True)
        self._start()


def _spoiled(source: random.Random, bases: list[str], *, passing: bool) -> str:
    """An offer that is not as it was; no longer than a datagram."""
    while True:
        base = source.choice(bases)
        offer = mutated(source, base)[:_MOST]
        try:
            if passing:
                parse_sdp_offer(offer)
        except SdpError:
            continue
        if offer != base:
            return offer


def _with_sdp(invite: SipMessage) -> SipMessage:
    return invite.with_header("Content-Type", "application/sdp")


def main() -> None:
    """Send them, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--offers", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--strangers", action="store_true")
    parser.add_argument("--passing", action="store_true")
    parser.add_argument("--keep", type=Path, default=None, help="a folder for the offers of deadly calls")
    given = parser.parse_args()
    source = random.Random(given.seed)
    bases = list(OFFERS.values())
    directory = given.keep or Path(tempfile.mkdtemp(prefix="sdp-"))
    directory.mkdir(exist_ok=True)
    wire = Wire(directory, strangers=given.strangers)
    began, sent = time.monotonic(), 0
    try:
        while sent < given.offers:
            number = min(_AT_ONCE, given.offers - sent)
            batch = [_spoiled(source, bases, passing=given.passing) for _ in range(number)]
            wire.send_all(batch)
            sent += len(batch)
            if sent % (50 * _AT_ONCE) == 0:
                print(f"{sent:,} offers, {time.monotonic() - began:.0f} s, {wire.deaths} deaths", flush=True)
        declined = 0 if given.strangers else wire.bridge.status()["traffic"]["total"]["declined"]
    finally:
        wire.stop()
    print(f"{sent:,} offers in {time.monotonic() - began:.0f} s; FreeSWITCH died {wire.deaths} times")
    print(f"declined by the bridge since its last start: {declined}")
    for outcome, number in wire.outcomes.most_common():
        print(f"{number:7,}  {outcome}")


if __name__ == "__main__":
    main()
