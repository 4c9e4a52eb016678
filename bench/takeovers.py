"""How long partitions are without an owner: the scenarios of groups, with members that are processes of their own.

Members learn of changes with their heartbeats, so what is measured depends on how long before the next one something happens. Therefore each
scenario watches several groups at the same time, in which it happens at different parts of that interval, the same ones with both brokers,
and answers the median.
"""

import concurrent.futures
import importlib.util
import json
import pathlib
import signal
import statistics
import subprocess
import threading
import time

import wire
from scenarios import Figure, Scenario

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROTOCOLS = ("classic", "consumer")
TOPIC, PARTITIONS = "work", 12
HALF = PARTITIONS // 2
DEADLINE_S = 90
INTERVAL_S = {"classic": 3.0, "consumer": 5.0}
"""The default intervals of heartbeats: librdkafka's (and Java's) in the classic protocol, the broker's in the other."""
QUICK_MS = 300
PHASES = (1 / 6, 3 / 6, 5 / 6)
SETTLE_S = 1.2
"""Longer than Kafka waits from one assignment to the next (`group.consumer.assignment.interval.ms`)."""
SHORT_SESSION_MS = 6_000
GRACE_MS = 500


class Member:
    """A member as a process, and what it has told so far."""

    def __init__(self, python, broker, group, protocol, **settings):
        self.group, self.protocol, self.events = group, protocol, []
        self.changed = threading.Condition()
        settings = {"bootstrap.servers": bootstrap(broker), "group.id": group, "group.protocol": protocol, **settings}
        self.log = broker.folder / f"{group}.log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*script(python), "member", TOPIC, json.dumps(settings)], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=log, text=True)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            with self.changed:
                self.events.append(json.loads(line))
                self.changed.notify_all()

    def order(self, word):
        """Gives an order, and answers when."""
        at = time.monotonic()
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return at

    def subscribe(self):
        """Starts to poll, once the process is up; answers when."""
        self.when("ready")
        return self.order("subscribe")

    def kill(self):
        """SIGKILL; answers when."""
        at = time.monotonic()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        return at

    def when(self, kind, since=0.0, holds=lambda event: True):
        """When the first event of that kind came after `since` that the condition holds for; waits for it."""
        def found():
            return next((event["at"] for event in self.events if event["event"] == kind and event["at"] > since and holds(event)), None)

        with self.changed:
            if self.changed.wait_for(lambda: found() is not None, DEADLINE_S):
                return found()
        log = "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
        raise RuntimeError(f"{self.group} waited {DEADLINE_S} s for {kind}; its last assignment is {self.assignments()[-1:]}\n{log}")

    def owns(self, count, since=0.0):
        """When it first had so many partitions after `since`."""
        return self.when("assignment", since, lambda event: len(event["partitions"]) == count)

    def reads(self, since, partitions=None, sent_after=0.0):
        """When the first record came after `since`: of one of the partitions, and sent after some time."""
        def fits(event):
            return any((partitions is None or int(index) in partitions) and sent > sent_after for index, sent in event["sent"].items())

        return self.when("records", since, fits)

    def assignments(self, since=0.0):
        """The assignments that it was told after `since`."""
        with self.changed:
            return [event["partitions"] for event in self.events if event["event"] == "assignment" and event["at"] > since]

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()


class Stage:
    """A broker with a topic that is written to all the time, and members, which end with it."""

    def __init__(self, broker, per_second=50):
        self.broker, self.python, self.members = broker, python(), []
        broker.create_topic(TOPIC, PARTITIONS)
        with open(broker.folder / "load.log", "ab") as log:
            self.load = subprocess.Popen([*script(self.python), "load", bootstrap(broker), TOPIC, str(PARTITIONS), str(per_second)],
                                         stdin=subprocess.PIPE, stderr=log)

    def __enter__(self):
        # With the first group the broker makes the topic of groups, which takes Kafka seconds.
        first = self.member("first", "classic")
        first.when("committed", first.subscribe())
        first.order("close")
        first.when("closed")
        return self

    def __exit__(self, *_):
        self.load.kill()
        self.load.wait()
        self.load.stdin.close()
        for member in self.members:
            member.end()

    def member(self, group, protocol, **settings):
        member = Member(self.python, self.broker, group, protocol, **{name.replace("_", "."): value for name, value in settings.items()})
        self.members.append(member)
        return member

    def pair(self, group, protocol, instances=(None, None), **settings):
        """Two members with half of the partitions each; and when that was so."""
        first, second = (self.member(group, protocol, **settings, **({"group_instance_id": name} if name else {})) for name in instances)
        first.owns(PARTITIONS, first.subscribe())
        at = second.subscribe()
        settled = max(first.owns(HALF, at), second.owns(HALF, at))
        for member in (first, second):
            member.reads(settled)
        return first, second, settled


def script(interpreter):
    return [str(interpreter), "-u", str(ROOT / "bench" / "group_member.py")]


def bootstrap(broker):
    return "{}:{}".format(*broker.address)


def python():
    """The interpreter of the tests' environment with librdkafka, which is made if it is not there."""
    # By its path, because the tests have modules of the same names as those beside this one.
    described = importlib.util.spec_from_file_location("environments", ROOT / "clients" / "python" / "environments.py")
    environments = importlib.util.module_from_spec(described)
    described.loader.exec_module(environments)
    environments.build(environments.NEWEST_CONFLUENT)
    return environments.python_of(environments.NEWEST_CONFLUENT)


def at_once(watch, kinds):
    """Watches a group of each kind and phase at the same time; for each kind the medians of what was seen, and the most changes."""
    with concurrent.futures.ThreadPoolExecutor(len(kinds) * len(PHASES)) as pool:
        watched = {kind: [pool.submit(watch, kind, phase) for phase in PHASES] for kind in kinds}
    measured = {}
    for kind, futures in watched.items():
        seen = [future.result() for future in futures]
        for name in seen[0]:
            among = max if name == "changes" else statistics.median
            measured[f"{kind} {name}"] = among(one[name] for one in seen)
    return measured


def settle(since, later_s=0.0):
    """Waits until what was so then has settled, and for the part of an interval of heartbeats that is asked for."""
    time.sleep(max(since + SETTLE_S + later_s - time.monotonic(), 0))


def members(broker, options):
    """A second member comes to one that has everything; later it is killed, and its session ends."""
    def watch(protocol, phase):
        session = {"session_timeout_ms": SHORT_SESSION_MS} if protocol == "classic" else {}
        group = f"{protocol}-{phase:.2f}"
        first, second = stage.member(group, protocol, **session), stage.member(group, protocol, **session)
        settle(first.owns(PARTITIONS, first.subscribe()), phase * INTERVAL_S[protocol])
        came = second.subscribe()
        owns = second.owns(HALF, came)
        reads = second.reads(owns)
        settled = max(owns, first.owns(HALF, came))
        killed = replaced(first, second, settled, phase * INTERVAL_S[protocol])
        return {"share": owns - came, "reads": reads - came, "killed": killed}

    with Stage(broker) as stage:
        return at_once(watch, PROTOCOLS)


def leave(broker, options):
    """One of two members leaves, as a client does that is closed."""
    def watch(protocol, phase):
        first, second, settled = stage.pair(f"{protocol}-{phase:.2f}", protocol)
        settle(settled, phase * INTERVAL_S[protocol])
        theirs = set(second.assignments()[-1])
        left = second.order("close")
        return {"leaves": first.reads(left, theirs) - left}

    with Stage(broker) as stage:
        return at_once(watch, PROTOCOLS)


def grace(broker, options):
    """The same where the session is longer than anybody wants to wait, and Ottla looks at lost connections."""
    def watch(kind, phase):
        protocol, quick = kind.split()[0], kind.endswith("quick")
        group = f"{kind.replace(' ', '-')}-{phase:.2f}"
        configs = {}
        if broker.name == "Ottla":
            configs["ottla.lost.connection.grace.ms"] = GRACE_MS
        if quick and protocol == "consumer":
            configs["consumer.heartbeat.interval.ms"] = QUICK_MS
        if configs:
            broker.alter_group(group, configs)
        beats = {"heartbeat_interval_ms": QUICK_MS} if quick and protocol == "classic" else {}
        survivor, victim, settled = stage.pair(group, protocol, **beats)
        return {"killed": replaced(survivor, victim, settled, phase * (QUICK_MS / 1000 if quick else INTERVAL_S[protocol]))}

    with Stage(broker, per_second=20) as stage:
        return at_once(watch, [f"{protocol}{beats}" for protocol in PROTOCOLS for beats in (" quick", "")])


def replaced(survivor, victim, settled, later_s):
    """Kills one of two members that much later, and answers how long it took until the other one read what it had."""
    settle(settled, later_s)
    theirs = set(victim.assignments()[-1])
    at = victim.kill()
    return survivor.reads(at, theirs) - at


def static(broker, options):
    """A static member is restarted: killed in the classic protocol, closed in the other, whose static members come back only after that."""
    def watch(protocol, phase):
        group = f"{protocol}-{phase:.2f}"
        one, two, settled = stage.pair(group, protocol, ("one", "two"))
        # The first one is the leader in the classic protocol; it is no different.
        before, other, name = (one, two, "one") if phase == PHASES[0] else (two, one, "two")
        after = stage.member(group, protocol, group_instance_id=name)
        after.when("ready")
        settle(settled, phase)
        had = before.assignments()[-1]
        if protocol == "classic":
            at = before.kill()
        else:
            at = before.order("close")
            before.when("closed")
        came = after.subscribe()
        reads = after.reads(came)
        # What the other one has not heard with its next heartbeat it does not hear.
        time.sleep(INTERVAL_S[protocol] + SETTLE_S)
        changes = len(other.assignments(at)) + (after.assignments()[-1] != had)
        return {"back": reads - came, "changes": changes}

    with Stage(broker) as stage:
        return at_once(watch, PROTOCOLS)


def restart(broker, options):
    """The broker is killed and started again on its folder, under two members of each protocol."""
    def watch(protocol, members, at):
        reads = max(member.reads(at, sent_after=at) for member in members)
        commits = min(member.when("committed", at) for member in members)
        return {f"{protocol} reads": reads - at, f"{protocol} commits": commits - at}

    with Stage(broker) as stage, concurrent.futures.ThreadPoolExecutor() as pool:
        pairs = dict(zip(PROTOCOLS, pool.map(lambda protocol: stage.pair(protocol, protocol)[:2], PROTOCOLS)))
        time.sleep(SETTLE_S)
        broker.kill()
        # For what members still have to tell from before.
        time.sleep(0.3)
        broker.start_again()
        watched = [watch(protocol, members, broker.began_s) for protocol, members in pairs.items()]
        time.sleep(SETTLE_S)
        changes = [len(member.assignments(broker.began_s)) for members in pairs.values() for member in members]
        return {name: value for one in watched for name, value in one.items()} | {"changes": sum(changes)}


def both(figures):
    """The figures of both protocols: each name with the protocol before it, and what to say after it."""
    return {f"{protocol} {key}": figure(protocol) for protocol in PROTOCOLS for key, figure in figures.items()}


def seconds(text, **held):
    return lambda protocol: Figure(text.format(protocol), "s", **held)


AT_ONCE = ("group.initial.rebalance.delay.ms=0",)
"""Kafka's default of 3 s, Ottla's of none: it counts for the first member of a group only, which is not measured."""
SHORT = (f"group.consumer.session.timeout.ms={SHORT_SESSION_MS}", f"group.consumer.min.session.timeout.ms={SHORT_SESSION_MS}")
QUICK = (f"group.consumer.min.heartbeat.interval.ms={QUICK_MS}",)

TAKEOVERS = {
    "members": Scenario("a second member comes to one with 12 partitions, and is killed later; session of 6 s, default heartbeats", members, both({
        "share": seconds("a second member has its share, {}", ratio=1),
        "reads": seconds("the same, its first record", ratio=1),
        "killed": seconds("a killed member is replaced, {}, session of 6 s", ratio=1)}), settings=(*AT_ONCE, *SHORT), driver=False),
    "leave": Scenario("a member leaves; default heartbeats", leave, both({
        "leaves": seconds("a member that leaves is replaced, {}")}), rounds=1, settings=AT_ONCE, driver=False),
    "grace": Scenario("kill -9 of one of two members, session of 45 s; Ottla with ottla.lost.connection.grace.ms=500", grace, {
        **both({"quick killed": seconds("with the grace, heartbeats each 300 ms, {}", bar=1.5, ratio=1)}),
        **both({"killed": seconds("the same with default heartbeats, {}", ratio=1)})},
        rounds=1, settings=(*AT_ONCE, *QUICK), driver=False),
    "static": Scenario("a static member is restarted (killed; in the consumer protocol closed)", static, both({
        "back": seconds("a restarted static member is back, {}", ratio=1),
        "changes": lambda protocol: Figure("the same, changes of any assignment", "", bar=0, of=max)}), settings=AT_ONCE, driver=False),
    "restart": Scenario("kill -9 of the broker under two members, from the new process on", restart, {**both({
        "reads": seconds("a restarted broker: both members read what was sent after, {}", ratio=1),
        "commits": seconds("the same, the first commit", ratio=1)}),
        "changes": Figure("the same, changes of any assignment", "", of=max)}, settings=AT_ONCE, driver=False),
}
