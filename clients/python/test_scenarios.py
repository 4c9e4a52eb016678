"""What happens to groups in a life: all members are replaced one after the other, many come at once, the broker is killed.

In each no record is lost, and none is processed again that was committed. Where the broker is Ottla, the group's timeline must tell
the same story.
"""

import collections
import threading

import pytest

import brokers
import wire
from test_seed import LONG_SESSION_MS, NOT_APPLICABLE, stable, topic_with
from test_lost_connection import LONG_SESSION
from world import CONSUMER_PROTOCOL, ClientError

PARTITIONS = 8
ENOUGH = 40
"""So many records are to be processed between two changes: members work, and do not only rebalance."""


class Load:
    """Somebody who produces all the time, to all partitions in turn."""

    def __init__(self, world, partitions):
        self.client = world.client("load")
        self.partitions = partitions
        self.acknowledged = {}
        """Values by partition and offset."""
        self.sent = 0
        self.failures = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._over.is_set():
            partition, values = self.sent % self.partitions, [f"{self.sent}-{number}" for number in range(3)]
            self.sent += 1
            try:
                offsets = self.client.do("produce", topic="topic", partition=partition, values=values, codec="none", keys=None, timestamp_ms=None)
            except ClientError as failure:  # these values may be there or not; they were never acknowledged
                self.failures.append(failure)
                continue
            self.acknowledged.update({(partition, offset): value for offset, value in zip(offsets, values)})

    def end(self):
        """Send no more; what was begun is finished."""
        self._over.set()
        self._thread.join()


WORKING = {"commit_each_poll": True, "commit_on_revoke": True}
"""Members that commit whatever they have processed."""
PATIENT = {**WORKING, "session_timeout_ms": LONG_SESSION_MS}
"""The same with a session that outlasts the test."""


def begin_at_zero(world, partitions, **properties):
    """Start the broker with the topic, and commit 0 for every partition before anybody joins.

    Without a commit librdkafka asks where the log begins. If the answer comes after a rebalance, it asks again half a second later,
    and starts over there whatever it has committed meanwhile (2.0.2 to 2.16.0 at least, and with Kafka as well).
    """
    topic_with(world, partitions, **properties)
    zeros = dict.fromkeys(range(partitions), 0)
    world.wait(lambda: wire.commit_from_outside(world.broker.address, "group", "topic", zeros), "the commits of nobody's")


def processed(members):
    """All that was processed, in the order of time."""
    return sorted((record for member in members for record in list(member.records)), key=lambda record: record.at_s)


def go_on(world, members, what):
    """Wait until so many more records have been processed."""
    before = len(processed(members))
    world.wait(lambda: len(processed(members)) >= before + ENOUGH, f"records to be processed {what}")


def finish(world, load, members, group="group"):
    """The load ends; the members process and commit everything."""
    load.end()
    ends = {partition: wire.bounds(world.broker.address, "topic", partition)[1] for partition in range(load.partitions)}

    def all_committed():
        # The coordinator is asked: a commit may be the last thing that a member did, and it died before it said so.
        committed = wire.committed(world.broker.address, group, "topic", list(ends))
        return all(committed[partition] >= end for partition, end in ends.items())

    world.wait(all_committed, "everything to be processed and committed")
    check_nothing_lost(load, members, ends)
    check_nothing_again(members)


def check_nothing_lost(load, members, ends):
    """Every offset of the log was processed, and every acknowledged record is what was sent."""
    got = {(record.partition, record.offset): record.value for record in processed(members)}
    missing = [(partition, offset) for partition, end in ends.items() for offset in range(end) if (partition, offset) not in got]
    assert not missing, missing[:10]
    assert load.acknowledged and load.acknowledged.items() <= got.items()


def check_nothing_again(members):
    """No record was processed after a commit past it had been answered."""
    commits = sorted((commit for member in members for commit in member.commits), key=lambda commit: commit.at_s)
    committed, place = collections.defaultdict(int), 0
    for record in processed(members):
        while place < len(commits) and commits[place].at_s < record.at_s:
            committed[commits[place].partition] = max(committed[commits[place].partition], commits[place].offset)
            place += 1
        assert record.offset >= committed[record.partition], f"{record} was committed: {committed[record.partition]}\n{_who(members, record)}"


def _who(members, record):
    """Who got and committed what around a record that came again."""
    told = []
    for member in members:
        told += [(other.at_s, f"{member} got {other.offset}") for other in member.records if other.partition == record.partition]
        told += [(commit.at_s, f"{member} committed {commit.offset}") for commit in member.commits if commit.partition == record.partition]
    return "\n".join(f"{at_s:.3f} {what}" for at_s, what in sorted(told) if abs(at_s - record.at_s) < 5)


# --- the timeline ---

class Story:
    """A group's timeline, replayed: who is a member, and who owns what."""

    def __init__(self, world, group="group"):
        self.events = wire.explain(world.broker.address, group, "timeline")["events"]
        self.members, self.owned = set(), {}
        self.epoch = 0
        for event in self.events:
            getattr(self, "_" + event["event"], lambda event: None)(event)

    def of(self, kind):
        """All events of one kind."""
        return [event for event in self.events if event["event"] == kind]

    def _member_joined(self, event):
        member_id = event["member"]["member_id"]
        assert event["again"] == (member_id in self.members), event
        self.members.add(member_id)

    def _member_left(self, event):
        self._gone(event)

    def _member_removed(self, event):
        self._gone(event)

    def _gone(self, event):
        member_id = event["member"]["member_id"]
        assert member_id in self.members, f"it was no member: {event}"
        self.members.remove(member_id)
        assert partitions_of(event["held"]) == self.owned.pop(member_id, set()), f"it held something else: {event}"

    def _static_member_replaced(self, event):
        old, new = event["old_member_id"], event["new_member_id"]
        assert old in self.members, event
        self.members.remove(old)
        self.members.add(new)
        self.owned[new] = self.owned.pop(old, set())

    def _state_changed(self, event):
        assert event["epoch"] >= self.epoch, f"it was {self.epoch} already: {event}"
        self.epoch = event["epoch"]

    def _assigned(self, event):
        assert event["left_out"] == 0
        for change in event["members"]:
            assert change["member_id"] in self.members, f"{change['member_id']} is no member: {event}"
            assert partitions_of(change["before"]) == self.owned.get(change["member_id"], set()), f"it had something else: {event}"
        for change in event["members"]:
            self.owned[change["member_id"]] = partitions_of(change["after"])
        owners = collections.Counter(partition for partitions in self.owned.values() for partition in partitions)
        assert not owners or max(owners.values()) == 1, f"two owners: {owners} after {event}"

    def _loaded(self, event):
        assert event["members"] == len(self.members), event


def partitions_of(held):
    return {(topic, partition) for topic, partitions in held.items() for partition in partitions}


def story_of(make_broker, world, members, count=None):
    """The story, if the broker tells one: at its end these members own what they say."""
    if make_broker is brokers.KafkaBroker:
        return None

    story = Story(world)
    shares = [share for member in members for share in member.assignments.values()]
    assert sorted(map(sorted, filter(None, story.owned.values()))) == sorted(map(sorted, filter(None, shares)))
    assert len(story.members) == (count or len(members))
    return story


# ---------------------------------------------------------------------------------------------------------------------------------

def test_27_all_members_are_replaced_under_load_one_after_the_other(world, make_broker):
    begin_at_zero(world, PARTITIONS, **LONG_SESSION)
    running = [world.consumer("group", name=f"old{number}", **PATIENT) for number in range(3)]
    everybody = list(running)
    stable(world, "group", *running)
    load = Load(world, PARTITIONS)
    for number in range(3):
        go_on(world, everybody, f"before member {number} is replaced")
        running.pop(0).close()
        replacement = world.consumer("group", name=f"new{number}", **PATIENT)
        running.append(replacement)
        everybody.append(replacement)
        stable(world, "group", *running)
    go_on(world, everybody, "by the new members")
    finish(world, load, everybody)

    story = story_of(make_broker, world, running)
    if story:
        assert len(story.of("member_left")) == 3, "nobody was removed: each said goodbye"
        # Some clients say why.
        assert {event["cause"] for event in story.of("member_left")} <= {"it left", "it left: the consumer is being closed"}
        assert not story.of("member_removed")
        assert len({event["member"]["member_id"] for event in story.of("member_joined")}) == 6


def test_28_static_members_are_replaced_under_load_and_keep_what_they_have(world, make_broker):
    begin_at_zero(world, PARTITIONS, **LONG_SESSION)
    running = [world.consumer("group", name=f"old{number}", instance=f"instance-{number}", **PATIENT) for number in range(3)]
    everybody = list(running)
    stable(world, "group", *running)
    load = Load(world, PARTITIONS)
    shares = [member.assignment for member in running]
    for number in range(3):
        go_on(world, everybody, f"before instance {number} is replaced")
        # Of the classic protocol one dies without a word; the consumer protocol keeps its place locked until its session ends.
        if number == 1 and not world.environment.is_consumer_protocol:
            running[number].kill()
        else:
            running[number].close()
        running[number] = world.consumer("group", name=f"new{number}", instance=f"instance-{number}", **PATIENT)
        everybody.append(running[number])
        stable(world, "group", *running)
        assert [member.assignment for member in running] == shares, "each has what its instance had"
    go_on(world, everybody, "by the new members")
    finish(world, load, everybody)

    story = story_of(make_broker, world, running)
    if story:
        assert not story.of("member_left") and not story.of("member_removed")
        replaced = [event["group_instance_id"] for event in story.of("static_member_replaced")]
        assert replaced == ["instance-0", "instance-1", "instance-2"]


def test_29_fifty_members_come_at_once_and_half_of_them_die(world, make_broker):
    begin_at_zero(world, 50)
    staying = world.crowd("group", 25, name="staying", **WORKING)
    dying = world.crowd("group", 25, name="dying", **WORKING)

    def shared_out(members, *crowds):
        shares = [share for crowd in crowds for share in list(crowd.assignments.values()) if share]
        owned = [partition for share in shares for partition in share]
        described = world.group("group")
        return described.state == "Stable" and len(described.members) == len(shares) == members and len(owned) == len(set(owned)) == 50

    world.wait(lambda: shared_out(50, staying, dying), "50 members with a partition each")
    load = Load(world, 50)
    go_on(world, [staying, dying], "by all of them")
    dying.kill()
    world.wait(lambda: shared_out(25, staying), "25 members with two partitions each")
    go_on(world, [staying, dying], "by those who are left")
    finish(world, load, [staying, dying])

    story = story_of(make_broker, world, [staying], 25)
    if story:
        assert len({event["member"]["member_id"] for event in story.of("member_joined")}) == 50
        removed = story.of("member_removed")
        assert len(removed) == 25 and not story.of("member_left")
        assert len({event["cause"] for event in removed}) == 1, removed


def test_30_the_broker_is_killed_under_load_and_the_group_goes_on(world, make_broker):
    begin_at_zero(world, PARTITIONS, **LONG_SESSION)
    members = [world.consumer("group", name=f"member{number}", **PATIENT) for number in range(3)]
    stable(world, "group", *members)
    before = world.group("group")
    load = Load(world, PARTITIONS)
    go_on(world, members, "before the broker dies")
    world.broker.kill()
    world.broker.start()
    go_on(world, members, "after the broker is back")
    stable(world, "group", *members)
    assert set(world.group("group").members) == set(before.members), "nobody had to join anew"
    finish(world, load, members)

    story = story_of(make_broker, world, members)
    if story:
        (loaded,) = story.of("loaded")
        assert loaded["members"] == 3
        assert not story.of("member_removed") and not story.of("member_left")
        after = story.events[story.events.index(loaded) + 1:]
        assert not [event for event in after if event["event"] in ("member_joined", "assigned", "state_changed")], after


def test_31_the_group_goes_to_the_other_protocol_under_load_and_back(world, make_broker):
    other = world.environment.other_protocol
    reason = NOT_APPLICABLE.get(("other protocol", world.environment.name))
    assert (other is None) == (reason is not None), "the list of what does not apply is out of date"
    if reason:
        pytest.skip(f"not applicable: {reason}")
    begin_at_zero(world, PARTITIONS, **{**CONSUMER_PROTOCOL, **LONG_SESSION})
    running = [world.consumer("group", name=f"old{number}", **PATIENT) for number in range(3)]
    everybody = list(running)
    stable(world, "group", *running)
    load = Load(world, PARTITIONS)
    for environment in (other, world.environment):
        for number in range(3):
            go_on(world, everybody, f"before another member comes as {environment.name}")
            running.pop(0).close()
            replacement = world.consumer("group", name=f"{environment.name}-{number}", environment=environment, **PATIENT)
            running.append(replacement)
            everybody.append(replacement)
            # One member of the consumer protocol is enough.
            world.is_consumer_group = any(member.environment.is_consumer_protocol for member in running)
            stable(world, "group", *running)
    go_on(world, everybody, "by those who came back")
    finish(world, load, everybody)

    story = story_of(make_broker, world, running)
    if story:
        joined = list(dict.fromkeys(event["member"]["member_id"] for event in story.of("member_joined")))
        left = [event["member"]["member_id"] for event in story.of("member_left")]
        assert (len(joined), len(left)) == (9, 6) and not story.of("member_removed")
        begins_as_consumer = world.environment.is_consumer_protocol
        came, went = (joined[6], left[2]) if begins_as_consumer else (joined[3], left[5])
        upgrade = {"from": "classic", "to": "consumer", "cause": f"member {came} of the consumer protocol joins"}
        downgrade = {"from": "consumer", "to": "classic", "cause": f"member {went} left"}
        told = [{field: event[field] for field in upgrade} for event in story.of("migrated")]
        assert told == ([downgrade, upgrade] if begins_as_consumer else [upgrade, downgrade])
