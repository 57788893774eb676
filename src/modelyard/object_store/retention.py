"""Object lock: versions that must not be deleted yet."""

from dataclasses import dataclass

GOVERNANCE, COMPLIANCE = "GOVERNANCE", "COMPLIANCE"
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Lock:
    """What keeps a version from being deleted."""

    mode: str = ""
    """Empty, GOVERNANCE or COMPLIANCE."""
    until: float = 0.0
    """Epoch seconds."""
    legal_hold: bool = False

    def forbids_deletion(self, now: float, *, bypass: bool) -> bool:
        """Whether the version has to stay. `bypass`: the caller may override governance, and asks to."""
        if self.legal_hold:
            return True
        return self._in_force(now) and not (bypass and self.mode == GOVERNANCE)

    def forbids(self, wanted: "Lock", now: float, *, bypass: bool) -> bool:
        """Whether the retention may not become `wanted`: it may be made longer or stricter, never less, while in force."""
        if not self._in_force(now) or (bypass and self.mode == GOVERNANCE):
            return False
        return wanted.until < self.until or wanted.mode not in (self.mode, COMPLIANCE)

    def members(self) -> dict[str, object]:
        """As answers to reads of the object carry it."""
        members: dict[str, object] = {}
        if self.mode:
            members |= {"ObjectLockMode": self.mode, "ObjectLockRetainUntilDate": self.until}
        if self.legal_hold:
            members["ObjectLockLegalHoldStatus"] = "ON"
        return members

    def _in_force(self, now: float) -> bool:
        return bool(self.mode) and self.until > now


UNLOCKED = Lock()


def default_lock(mode: str, days: int, years: int, now: float) -> Lock:
    """What the bucket's default rule gives to a new version."""
    return Lock(mode, round(now + (days + 365 * years) * DAY, 3))
