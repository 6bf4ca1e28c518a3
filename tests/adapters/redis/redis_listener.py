"""A program that prints what `RedisNotifications` reports. Run with ``-m gevent.monkey`` it is patched like the daemon.

Its settings are in the environment. It prints each thing as a line of JSON; SIGTERM stops it.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time

import gevent
import gevent.event

from sipbridge.adapters.redis.redis_notifications import RedisNotifications
from sipbridge.core.accounts.account_notification import AccountNotification
from sipbridge.settings import load_settings


class Teller:
    def on_notifications_up(self) -> None:
        tell("up")

    def on_notifications_down(self, reason: str) -> None:
        tell("down", reason)

    def on_notification(self, notification: AccountNotification) -> None:
        tell("changed", notification.username, notification.domain, notification.identifier)


def tell(*what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    notifications = RedisNotifications(load_settings(None, os.environ).redis, Teller())
    running = gevent.spawn(notifications.run)
    stop = gevent.event.Event()
    gevent.signal_handler(signal.SIGTERM, stop.set)
    longest_s, began = 0.0, time.thread_time()
    while not stop.is_set():
        # Time of the processor, not of the clock: how busy the machine is does not matter.
        longest_s = max(longest_s, time.thread_time() - began)
        sys.stdout.flush()
        began = time.thread_time()
        stop.wait(0.001)
    notifications.stop()
    tell("stopped", running.ready() and running.successful(), longest_s * 1000)


if __name__ == "__main__":
    main()
