"""Delivers the messages of a Redis channel as notifications, and subscribes again after each loss."""

from __future__ import annotations

import contextlib
import logging
import random
import time
from collections.abc import Callable
from typing import Any

import gevent

from sipbridge.adapters.redis.redis_connection import RedisLost
from sipbridge.adapters.redis.redis_subscription import RedisSubscription
from sipbridge.core.accounts.account_notification import NotificationError, parse_notification
from sipbridge.core.backoff import Backoff
from sipbridge.ports import NotificationListener
from sipbridge.settings.redis import RedisSettings

_log = logging.getLogger(__name__)

_MESSAGES_AT_A_TIME = 50
"""Messages handled before yielding; each takes well under 0.1 ms."""
_A_MOMENT_S = 1e-6
"""Not 0: for 0, the hub would poll timers and sockets only after every fiftieth pause."""


class RedisNotifications:
    """Delivers published notifications to a listener, and reports when some may have been missed.

    Uses the standard library's sockets: with gevent's patches, waiting for Redis does not block other greenlets.

    Args:
        settings: the settings; Redis must be enabled in them.
        jitter: returns a random number from 0 to 1 for each pause.
    """

    def __init__(
        self, settings: RedisSettings, listener: NotificationListener, jitter: Callable[[], float] = random.random
    ) -> None:
        self._settings = settings
        self._listener = listener
        self._running: Any = None
        self._is_stopped = False
        self._up_at: float | None = None
        self._is_known_to_be_down = False
        self._backoff = Backoff(settings.backoff_min_s, settings.backoff_max_s, jitter)
        self._last_reason = ""

    def run(self) -> None:
        """Stay subscribed until `stop`; the body of a greenlet."""
        self._running = gevent.getcurrent()
        while not self._is_stopped:
            try:
                with contextlib.closing(RedisSubscription(self._settings)) as subscription:
                    self._on_up(subscription.open())
                    self._deliver(subscription)
            except RedisLost as lost:
                gevent.sleep(self._on_lost(str(lost)))

    def stop(self) -> None:
        """End `run` at once; the listener receives nothing from then on."""
        self._is_stopped = True
        if self._running is not None:
            self._running.kill()

    def _deliver(self, subscription: RedisSubscription) -> None:
        for count, payload in enumerate(subscription.payloads(), start=1):
            try:
                notification = parse_notification(payload)
            except NotificationError as error:
                _log.warning("Redis: invalid notification: %s", error)
            else:
                self._listener.on_notification(notification)
            # Reading available messages does not switch greenlets.
            if count % _MESSAGES_AT_A_TIME == 0:
                gevent.sleep(_A_MOMENT_S)

    def _on_up(self, where: str) -> None:
        _log.info("Redis: subscribed to %s at %s", self._settings.channel, where)
        self._up_at = time.monotonic()
        self._is_known_to_be_down = False
        self._last_reason = ""
        self._listener.on_notifications_up()

    def _on_lost(self, reason: str) -> float:
        """Log and report the loss; return the pause before the next attempt, in seconds."""
        # Each success loads all accounts, so a connection that did not last must not reset the pauses.
        now = time.monotonic()
        if self._up_at is not None and now - self._up_at > self._settings.backoff_max_s:
            self._backoff.succeeded()
        self._up_at = None
        pause_s = self._backoff.failed(now)
        # Log the loss, a changed reason and the tenth failure, but not each attempt.
        if reason != self._last_reason or self._backoff.failures == 10:
            _log.error("no connection to Redis: %s; retrying every %.1f s or more", reason, pause_s)
        self._last_reason = reason
        if not self._is_known_to_be_down:
            self._is_known_to_be_down = True
            self._listener.on_notifications_down(reason)
        return pause_s
