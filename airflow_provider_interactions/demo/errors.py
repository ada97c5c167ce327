"""What stops the demo."""

from __future__ import annotations


class DemoError(Exception):
    """The demo cannot go on; the message says what to do next."""


class Interrupted(BaseException):
    """A signal asked the demo to end. Not an Exception, so that nothing on the way mistakes it for a failure."""

    def __init__(self, signal: int) -> None:
        super().__init__(signal)
        self.signal = signal
