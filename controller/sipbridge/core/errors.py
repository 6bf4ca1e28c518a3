"""The exceptions of the core: broken input, each with what was expected. Pure."""

from __future__ import annotations


class SipBridgeError(Exception):
    """Base of every exception that sipbridge raises on purpose."""


class UriError(SipBridgeError, ValueError):
    """A text is not a SIP or SIPS URI, or not a name-addr.

    Attributes:
        text: what was to be parsed; it may come from a caller, so show it with ``repr``.
    """

    def __init__(self, text: str, expected: str) -> None:
        super().__init__(f"{text!r} is not {expected}")
        self.text = text


class TemplateError(SipBridgeError, ValueError):
    """A template string does not parse, or names a field that does not exist.

    Attributes:
        offset: index of the offending character in the template string, from 0.
    """

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset
