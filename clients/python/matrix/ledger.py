"""Who owns which partition, as members tell it from their own threads or tasks."""

import threading

from deadlines import PATIENCE_S


class Ledger:
    """Members say what they gain, lose and read; a test waits until the shares are as they should be."""

    def __init__(self):
        self._changed = threading.Condition()
        self._members, self._owners, self._violations = set(), {}, []
        self._values = set()

    def joins(self, member):
        with self._changed:
            self._members.add(member)

    def leaves(self, member):
        """It gives up what it has, and is counted no more."""
        self.loses(member, self.owned(member))
        with self._changed:
            self._members.discard(member)
            self._changed.notify_all()

    def gains(self, member, partitions):
        with self._changed:
            for partition in partitions:
                if partition in self._owners:
                    self._violations.append(f"partition {partition} of {self._owners[partition]} goes to {member}")
                self._owners[partition] = member
            self._changed.notify_all()

    def loses(self, member, partitions):
        with self._changed:
            for partition in partitions:
                if self._owners.get(partition) == member:
                    del self._owners[partition]
            self._changed.notify_all()

    def reads(self, value):
        with self._changed:
            self._values.add(value)
            self._changed.notify_all()

    def owned(self, member):
        with self._changed:
            return {partition for partition, owner in self._owners.items() if owner == member}

    def wait(self, shares, values=frozenset()):
        """Until each member has as many partitions as `shares` says, in some order, and somebody has read the values."""
        with self._changed:
            came = self._changed.wait_for(lambda: self._violations or (self._shares() == shares and values <= self._values), PATIENCE_S)
            assert not self._violations, self._violations
            assert came, f"not within {PATIENCE_S} s: shares {shares} but {self._owners}, unread {sorted(values - self._values)}"

    def _shares(self):
        owners = list(self._owners.values())
        return sorted(owners.count(member) for member in self._members)
