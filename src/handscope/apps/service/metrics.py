"""Counters of the service, told in Prometheus' text format."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from threading import Lock

SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Upper bounds of the latency's buckets."""
FIRST_GUESS_S = 0.1
"""What a picture takes, as long as nothing is known."""
NEWS = 0.1
"""How much one picture changes what a picture is said to take."""


class Metrics:
    """Counts what goes through; safe among threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._responses: Counter[int] = Counter()
        self._buckets: Counter[float] = Counter()
        self._seconds, self._answered = 0.0, 0
        self._hands = self._pictures = self._batches = 0
        self.in_flight = 0
        """Requests let in and not yet answered; the event loop's alone."""
        self.seconds_a_picture = FIRST_GUESS_S
        """What the networks took for each of the last pictures."""

    def count_response(self, status: int, seconds: float) -> None:
        """One answer to `POST /v1/hands`, with the time from its first byte in to its last byte out."""
        with self._lock:
            self._responses[status] += 1
            self._seconds += seconds
            self._answered += 1
            for bound in SECONDS:
                self._buckets[bound] += seconds <= bound

    def count_batch(self, pictures: int, hands: int, seconds: float) -> None:
        """One pass through the networks."""
        with self._lock:
            old = (1 - NEWS) ** pictures
            self.seconds_a_picture = old * self.seconds_a_picture + (1 - old) * seconds / pictures
            self._batches += 1
            self._pictures += pictures
            self._hands += hands

    def text(self) -> str:
        """Everything, one line a number."""
        with self._lock:
            lines = ["# TYPE handscope_requests_total counter"]
            lines += [f'handscope_requests_total{{status="{s}"}} {n}' for s, n in sorted(self._responses.items())]
            lines.append("# TYPE handscope_request_seconds histogram")
            lines += [f'handscope_request_seconds_bucket{{le="{b:g}"}} {self._buckets[b]}' for b in SECONDS]
            lines.append(f'handscope_request_seconds_bucket{{le="+Inf"}} {self._answered}')
            lines.append(f"handscope_request_seconds_sum {self._seconds:.6f}")
            lines.append(f"handscope_request_seconds_count {self._answered}")
            for name, value in (("pictures", self._pictures), ("hands", self._hands), ("batches", self._batches)):
                lines += [f"# TYPE handscope_{name}_total counter", f"handscope_{name}_total {value}"]
        lines += ["# TYPE handscope_requests_in_flight gauge", f"handscope_requests_in_flight {self.in_flight}"]
        memory = resident_bytes()
        if memory is not None:
            lines += ["# TYPE process_resident_memory_bytes gauge", f"process_resident_memory_bytes {memory}"]
        return "\n".join(lines) + "\n"


def resident_bytes(process: int | str = "self") -> int | None:
    """Memory that a process really holds; None where /proc does not tell."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text(encoding="utf-8").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
