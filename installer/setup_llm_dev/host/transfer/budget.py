"""How many connections there may be: more while they bring more, and how much each asks for at once."""

from setup_llm_dev.documents.transfer import Limits

_MIB = 1 << 20
_WINDOW = 0.25  # seconds over which a rate is measured
_GAIN = 1.2  # twice the connections must bring this much more, to stay
_FAST = 256 * _MIB  # bytes a second of one connection: from here on more of them only cost
_AGAIN = 10.0  # seconds until more connections are tried again
_SHARE = 16  # an answer should last this many times as long as it takes to begin


class Budget:
    """Measures; its user asks. Numbers of one call, all files together."""

    def __init__(self, limits: Limits, files: int) -> None:
        self.allowed = min(limits.connections, 2 if files == 1 else 4)
        self._limits = limits
        self._rate = 0.0
        self._best = 0.0
        self._before = 0
        self._since: tuple[float, int] | None = None
        self._pause_until = 0.0

    def ask(self, latency: float) -> int:
        """Bytes for one request. Near servers: little, so that a kill loses little; far ones: enough to be worth it."""
        near = self._limits.request_bytes // self.allowed
        far = latency * self._rate / self.allowed * _SHARE
        most = max(self._limits.far_request_bytes, near)
        return max(_MIB, int(min(most, max(near, far))) // _MIB * _MIB)

    def measure(self, now: float, received: int, busy: int) -> bool:
        """Called often with all bytes so far and the connections at work; True when more are allowed now."""
        if busy < self.allowed or received == 0:
            self._since = None
            return False
        if self._since is None:
            self._since = (now, received)
        elapsed = now - self._since[0]
        if elapsed < _WINDOW:
            return False
        self._rate = (received - self._since[1]) / elapsed
        self._since = (now, received)
        return self._decide(now)

    def _decide(self, now: float) -> bool:
        if self._before:  # more were tried: did they bring more?
            if self._rate < self._best * _GAIN:
                self.allowed, self._before = self._before, 0
                self._pause_until = now + _AGAIN
                return False
            self._before = 0
        self._best = self._rate
        if now < self._pause_until or self.allowed >= self._limits.connections or self._rate > _FAST * self.allowed:
            return False
        self._before, self.allowed = self.allowed, min(self._limits.connections, self.allowed * 2)
        self._since = None
        return True
