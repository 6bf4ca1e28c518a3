"""What the settings say about media, for providers that say nothing. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sipbridge.core.providers.media import MediaEncryption, MediaOffer, SwitchDtls, media_offer
from sipbridge.core.providers.provider import OutgoingInvite


@dataclass(frozen=True, slots=True)
class MediaDefaults:
    """What a provider that says nothing about media gets.

    Attributes:
        accept_unverified_dtls: whether DTLS-SRTP is good enough if FreeSWITCH does not verify the certificate.
    """

    encryption: MediaEncryption = MediaEncryption.NONE
    enable_avpf: bool | None = None
    accept_unverified_dtls: bool = False

    def offer_of(self, invite: OutgoingInvite, *, has_edge: bool) -> MediaOffer | None:
        """What a provider asks for, as an offer of the B leg; None if it cannot be offered."""
        return media_offer(*self.fill_in(invite.media_encryption, invite.enable_avpf), has_edge=has_edge)

    def fill_in(
        self, encryption: MediaEncryption | None, enable_avpf: bool | None
    ) -> tuple[MediaEncryption, bool | None]:
        """Fill in what a provider leaves out, and return the arguments of `media_offer`."""
        return encryption or self.encryption, self.enable_avpf if enable_avpf is None else enable_avpf

    def dtls_fault(self, offer: MediaOffer | None, switch: SwitchDtls) -> str:
        """Why an offer must not go out of this FreeSWITCH; ``""`` if it may."""
        if offer is None or not offer.is_dtls_of_freeswitch:
            return ""
        return switch.fault(accept_unverified=self.accept_unverified_dtls)

    def dtls_fault_of(self, invite: OutgoingInvite, switch: SwitchDtls) -> str:
        """The same for what a provider asks for."""
        return self.dtls_fault(self.offer_of(invite, has_edge=True), switch)


NO_DEFAULTS = MediaDefaults()
"""What a provider gets if the settings say nothing about media either."""
