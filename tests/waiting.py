"""Waiting for another process: look again and again, and give up with a word."""

import threading
import time


def until(true, what="it did not happen", seconds=60):
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not true():
        assert time.monotonic() < deadline, what
        pause.wait(0.05)
