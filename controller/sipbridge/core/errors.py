"""The exceptions of the core: invalid input, each with what was expected. Pure."""

from __future__ import annotations


class SipBridgeError(Exception):
    """Base of every exception that sipbridge raises on purpose."""


class UriError(SipBridgeError, ValueError):
    """A text is not a SIP or SIPS URI, or not a name-addr.

    Attributes:
        text: the text to parse; it may come from a caller, so show it with ``repr``.
    """

    def __init__(self, text: str, expected: str) -> None:
        super().__init__(f"{text!r} is not {expected}")
        self.text = text


class SdpError(SipBridgeError, ValueError):
    """A session description is malformed, or larger than any that a call needs.

    The message names the line and what is wrong with it, and never shows a key.

    Attributes:
        line: the line number, from 1, not counting empty lines; 0 if the whole description is meant.
    """

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"SDP line {line}: {what}" if line else f"SDP: {what}")
        self.line = line


class TemplateError(SipBridgeError, ValueError):
    """A template string cannot be parsed, or names an unknown field.

    Attributes:
        offset: index of the offending character in the template string, from 0.
    """

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset
