"""Messages of a Redis channel become notifications, for ever: subscribe, be lost, wait, subscribe again."""

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
"""A message takes well under 0.1 ms: so many of them, then others run."""
_A_MOMENT_S = 1e-6
"""Not 0: the hub would look at timers and sockets only after every fiftieth such pause."""


class RedisNotifications:
    """Tells a listener what is published, and when something may have been missed.

    Sockets are those of the standard library: with gevent's patches, waiting for Redis holds up nobody else.

    Args:
        settings: those of a Redis that is used.
        jitter: a number from 0 to 1, for each pause.
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
        """Keep being subscribed until `stop`; the body of a greenlet."""
        self._running = gevent.getcurrent()
        while not self._is_stopped:
            try:
                with contextlib.closing(RedisSubscription(self._settings)) as subscription:
                    self._on_up(subscription.open())
                    self._deliver(subscription)
            except RedisLost as lost:
                gevent.sleep(self._on_lost(str(lost)))

    def stop(self) -> None:
        """End `run`, whatever it waits for; from then on the listener is told nothing."""
        self._is_stopped = True
        if self._running is not None:
            self._running.kill()

    def _deliver(self, subscription: RedisSubscription) -> None:
        for count, payload in enumerate(subscription.payloads(), start=1):
            try:
                notification = parse_notification(payload)
            except NotificationError as error:
                _log.warning("Redis: not a notification: %s", error)
            else:
                self._listener.on_notification(notification)
            # What has arrived already is read without a switch.
            if count % _MESSAGES_AT_A_TIME == 0:
                gevent.sleep(_A_MOMENT_S)

    def _on_up(self, where: str) -> None:
        _log.info("Redis: subscribed to %s at %s", self._settings.channel, where)
        self._up_at = time.monotonic()
        self._is_known_to_be_down = False
        self._last_reason = ""
        self._listener.on_notifications_up()

    def _on_lost(self, reason: str) -> float:
        """Tell whom it concerns; return how long to wait, in seconds."""
        # Each success has all accounts loaded: one that did not last is no reason to hurry again.
        now = time.monotonic()
        if self._up_at is not None and now - self._up_at > self._settings.backoff_max_s:
            self._backoff.succeeded()
        self._up_at = None
        pause_s = self._backoff.failed(now)
        # Said when it breaks, when it is something else, and when it lasts; not at each attempt.
        if reason != self._last_reason or self._backoff.failures == 10:
            _log.error("Redis: %s; trying again every %.1f s or more", reason, pause_s)
        self._last_reason = reason
        if not self._is_known_to_be_down:
            self._is_known_to_be_down = True
            self._listener.on_notifications_down(reason)
        return pause_s
