"""The cells of the list about groups. Their members are kafka-verifiable-consumers, which tell what they get and give up."""

import contextlib
import re
from collections import Counter

import pytest

from tools import Running, committed, create_topic, eventually, fresh, read_lines, restart_broker, rows, run, send_keyed, send_lines

PARTITIONS = 4


class Group:
    """Members of one group, and what they tell."""

    def __init__(self, exits, tmp_path, options):
        self.name = fresh("group")
        self.topic = create_topic(PARTITIONS)
        self.members = []
        self.sent = []
        self._exits = exits
        self._options = f"--verbose --enable-autocommit {options}"
        if "classic" in options:  # in the other protocol the broker says how often members are heard of
            quick = tmp_path / "quick.properties"
            quick.write_text("heartbeat.interval.ms=200\n")
            self._options += f" --command-config {quick}"

    def join(self, count):
        for _ in range(count):
            line = f"kafka-verifiable-consumer --topic {self.topic} --group-id {self.name} {self._options}"
            self.members.append(self._exits.enter_context(Running(line)))

    def send(self, count=40):
        """Records with keys of their own, so that each partition gets some."""
        records = [(f"key-{len(self.sent) + number}", f"value-{len(self.sent) + number}") for number in range(count)]
        send_keyed(self.topic, records)
        self.sent += [value for _, value in records]

    def told(self):
        """All members' events of partitions, in the order of their times; what is given up comes before what is got."""
        found = [(event["timestamp"], event["name"] == "partitions_assigned", number, partition["partition"])
                 for number, member in enumerate(self.members) for event in member.events
                 if event["name"] in ("partitions_assigned", "partitions_revoked") for partition in event["partitions"]]
        return sorted(found)

    def owners(self):
        """`{partition: number of the member that has it}`. No partition may ever have two owners."""
        owners = {}
        for _, is_got, member, partition in self.told():
            if is_got:
                assert partition not in owners, f"{partition} has two owners: {self.told()}"
                owners[partition] = member
            elif owners.get(partition) == member:
                del owners[partition]
        return owners

    def shares_become(self, *wanted):
        """So many partitions for each member that has any, in ascending order."""
        eventually(f"the shares are {wanted}", lambda: tuple(sorted(Counter(self.owners().values()).values())), wanted)

    def processed(self):
        return {event["value"] for member in self.members for event in member.named("record_data")}


@pytest.fixture
def make_group(tmp_path):
    with contextlib.ExitStack() as exits:
        yield lambda options: Group(exits, tmp_path, options)


@pytest.mark.parametrize("options", [pytest.param("--group-protocol classic --session-timeout 10000", id="group_classic"),
                                     pytest.param("--group-protocol consumer", id="group_consumer")])
def test_members_share(options, make_group):
    group = make_group(options)
    group.join(2)
    group.shares_become(2, 2)
    group.send()
    group.join(3)
    group.shares_become(1, 1, 1, 1)  # of five, one idles
    for number in set(group.owners().values()) - {group.owners()[0]}:
        group.members[number].leave()
    group.shares_become(2, 2)
    group.send()
    eventually("every record is processed by somebody", lambda: group.processed() >= set(group.sent))


def test_group_cooperative(make_group):
    group = make_group("--group-protocol classic --assignment-strategy org.apache.kafka.clients.consumer.CooperativeStickyAssignor")
    group.join(1)
    group.shares_become(4)
    group.join(1)
    group.shares_become(2, 2)
    first, second = group.members
    given_up = {partition["partition"] for event in first.named("partitions_revoked") for partition in event["partitions"]}
    assert given_up == {partition for partition, owner in group.owners().items() if owner == 1}
    group.send()
    eventually("both read", lambda: group.processed() == set(group.sent))
    assert {event["partition"] for event in second.named("record_data")} == given_up


def test_commit_resume():
    topic, group = create_topic(), fresh("group")
    send_lines(topic, [f"value-{number}" for number in range(100)])
    run(f"kafka-verifiable-consumer --topic {topic} --group-id {group} --max-messages 50 --verbose")
    assert committed(group) == {(topic, 0): 50}
    assert read_lines(topic, 50, f"--group {group}") == [f"value-{number}" for number in range(50, 100)]
    assert committed(group) == {(topic, 0): 100}


def test_commit_resume_without_commits():
    topic = create_topic()
    send_lines(topic, ["old"])
    member = f"kafka-verifiable-consumer --topic {topic} --verbose --group-protocol classic"
    with (Running(f"{member} --group-id {fresh('group')} --reset-policy earliest") as earliest,
          Running(f"{member} --group-id {fresh('group')} --reset-policy latest") as latest,
          Running(f"{member} --group-id {fresh('group')} --reset-policy none") as none):
        latest.until("assigned", lambda it: it.named("partitions_assigned"))
        none.until("refused", lambda it: any("NoOffsetForPartitionException" in line for line in it.printed))
        earliest.until("read the old", lambda it: it.named("record_data"))
        eventually("it has looked where the end is", lambda: sends_and_is_read(topic, latest))
        assert [event["value"] for event in earliest.named("record_data")][0] == "old"
        assert "old" not in [event["value"] for event in latest.named("record_data")]
        assert none.named("record_data") == []


def sends_and_is_read(topic, member):
    """A member that begins at the end may look for it after its first assignment: what comes before that it need not read."""
    send_lines(topic, ["new"])
    return bool(member.named("record_data"))


@pytest.mark.kills_broker
def test_reconnect(tmp_path):
    topic, group = create_topic(), fresh("group")
    patient = tmp_path / "patient.properties"
    patient.write_text("retries=2147483647\n")
    with (Running(f"kafka-verifiable-producer --topic {topic} --max-messages 500 --throughput 50 --acks -1 --command-config {patient}") as producer,
          Running(f"kafka-verifiable-consumer --topic {topic} --group-id {group} --verbose --group-protocol classic") as member):
        member.until("read a hundred and committed", lambda it: sum(event["count"] for event in it.named("records_consumed")) >= 100)
        member.until("committed them", lambda it: any(event["offsets"][0]["offset"] >= 100 for event in it.named("offsets_committed")))
        restart_broker()
        assert producer.wait() == 0
        assert sorted(int(event["value"]) for event in producer.named("producer_send_success")) == list(range(500))
        member.until("read all", lambda it: {int(event["value"]) for event in it.named("record_data")} == set(range(500)))
        first = [event["offset"] for event in member.named("record_data") if event["offset"] < 100]
        assert first == list(range(100)), "what was committed is read once"
    ends = {row[1]: row[3:6] for row in rows(f"kafka-consumer-groups --describe --group {group}") if row[0] == group}
    assert ends[topic] == ["500", "500", "0"]


def test_tool_groups(make_group, tmp_path):
    group = make_group("--group-protocol consumer")
    name = group.name
    group.send(100)
    group.join(2)
    group.shares_become(2, 2)
    eventually("all is read", lambda: len(group.processed()), 100)
    members = [row for row in rows(f"kafka-consumer-groups --describe --members --verbose --group {name}") if row[0] == name]
    # What each has, and what it shall have.
    assert sorted(re.findall(rf"{group.topic}:([\d,]+)", " ".join(row)) for row in members) == [["0,1", "0,1"], ["2,3", "2,3"]]
    assert [name, "Consumer", "consumer"] in rows("kafka-groups --list")
    assert [name, "Stable"] in rows("kafka-consumer-groups --list --state stable")
    state = next(row for row in rows(f"kafka-consumer-groups --describe --state --group {name}") if row[0] == name)
    assert state[-3:] == ["uniform", "Stable", "2"]
    assert "GroupNotEmptyException" in run(f"kafka-consumer-groups --delete --group {name}")
    for member in group.members:
        member.leave()
    check_resets(name, group.topic, tmp_path)


def check_resets(group, topic, tmp_path):
    """Offsets of an empty group, in the ways that kafka-consumer-groups has."""
    ends = committed(group)
    assert sum(ends.values()) == 100
    reset = f"kafka-consumer-groups --reset-offsets --group {group} --topic {topic}"
    run(f"{reset} --shift-by -2 --dry-run")
    assert committed(group) == ends
    run(f"{reset} --shift-by -2 --execute")
    assert committed(group) == {at: end - 2 for at, end in ends.items()}
    saved = tmp_path / "saved.csv"
    saved.write_text(run(f"{reset} --to-current --export --dry-run"))
    run(f"{reset} --to-datetime 2020-01-01T00:00:00.000 --execute")
    assert set(committed(group).values()) == {0}
    run(f"kafka-consumer-groups --reset-offsets --group {group} --from-file {saved} --execute")
    assert committed(group) == {at: end - 2 for at, end in ends.items()}


def test_tool_streams_reset():
    application = fresh("application")
    source, internal = create_topic(2), f"{application}-counts-changelog"
    run(f"kafka-topics --create --topic {internal}")
    send_keyed(source, [(number, number) for number in range(20)])
    read_lines(source, 20, f"--group {application}")
    run(f"kafka-streams-application-reset --application-id {application} --input-topics {source} --to-earliest")
    assert committed(application) == {(source, 0): 0, (source, 1): 0}
    assert internal not in run("kafka-topics --list").split()
