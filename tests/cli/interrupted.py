"""The gate's worker with threads, told to quit at the worst moment; run by gunicorn."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

from totp_gate.cli import threaded


class Pool(ThreadPoolExecutor):
    """Threads whose lock is held, by the loop, when the signal comes."""

    def _adjust_thread_count(self):
        os.kill(os.getpid(), signal.SIGQUIT)
        super()._adjust_thread_count()


class Worker(threaded.Worker):
    """Gets the signal while it gives a thread to its first request."""

    def get_thread_pool(self):
        return Pool(self.cfg.threads)
