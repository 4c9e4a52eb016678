//! What must be true at certain moments: the log gives the live state, waits end, and everything has found its place at last.
use super::checks::{Checks, LONGEST_WAIT_MS};
use super::client::{Client, Phase};
use ottla_groups::{Action, Answer, ClientInfo, Coordinator, DescribeGroup, DescribedGroup, Event, GroupState, Now};
use ottla_groups::{Request, Ticket, WaitName};
use std::collections::BTreeSet;

/// A ticket of our own.
const OUR_TICKET: Ticket = Ticket(u64::MAX);

impl Checks {
    /// Replaying the log gives the live state: all that is durable, and the members of every settled group.
    pub(super) fn replays(&mut self, now: Now, live: &mut Coordinator) {
        let mut replayed = Coordinator::new(self.settings.clone());
        self.compacted.values().for_each(|record| replayed.replay(record));
        self.nothing_is_left_of_what_is_gone(live);
        let mut differing = None;
        if !live.durable_groups().eq(replayed.durable_groups()) {
            differing = Some("the durable state".to_string());
        }
        replayed.handle(now, Event::TopicsChanged(self.topics.told.told()));
        replayed.loaded(now);
        let groups: Vec<String> = live.durable_groups().map(|(group_id, _)| group_id.to_string()).collect();
        for group_id in groups {
            let settled = matches!(live.state(&group_id), Some((GroupState::Stable | GroupState::Empty, _)));
            if settled && describe(now, live, &group_id) != describe(now, &mut replayed, &group_id) {
                differing = Some(group_id);
            }
        }
        if let Some(what) = differing {
            self.fail(format!("replaying the log gives something else: {what}"));
        }
    }

    /// No wait outlives its deadline, and none is endless.
    pub(super) fn waits_end(&mut self, now: Now, coordinator: &Coordinator, grace_ms: u64) {
        for group_id in ["g0", "g1"] {
            for wait in coordinator.waits(now, group_id) {
                let longest_ms = if wait.name == WaitName::NewMemberToBeAnswered { 300_000 } else { LONGEST_WAIT_MS };
                let overdue = wait.deadline_ms.saturating_add(grace_ms) < now.monotonic_ms;
                if overdue || wait.deadline_ms > now.monotonic_ms + longest_ms {
                    self.fail(format!("a wait of {group_id} does not end: {wait:?}"));
                }
            }
        }
    }

    /// Long after the last fault: every partition has one owner, every living consumer is a member, and so it stays.
    pub(super) fn judge(&mut self, now: Now, coordinator: Option<&mut Coordinator>, clients: &[Client], again: bool) {
        let Some(coordinator) = coordinator else { return self.fail("the broker is down".into()) };
        let groups: BTreeSet<&str> = clients.iter().map(|client| client.group_id.as_str()).collect();
        for group_id in groups {
            let state = coordinator.state(group_id);
            let living = clients.iter().filter(|client| client.group_id == group_id && client.phase != Phase::Gone);
            let living: Vec<&Client> = living.collect();
            if let Some(problem) = self.all_is_owned(&living) {
                self.fail(format!("{group_id} is {state:?}: {problem}"));
            }
            let members = describe(now, coordinator, group_id).map_or(0, |group| group.members.len());
            let members = members + self.consumers(group_id).len();
            if members != living.len() {
                self.fail(format!("{group_id} has {members} members, but {} consumers live", living.len()));
            }
            if again && self.judged.get(group_id) != Some(&state) {
                self.fail(format!("{group_id} was {:?} and is {state:?}, without a fault", self.judged.get(group_id)));
            }
            self.judged.insert(group_id.to_string(), state);
        }
    }
}

fn describe(now: Now, coordinator: &mut Coordinator, group_id: &str) -> Option<DescribedGroup> {
    let request = Request::DescribeGroup(DescribeGroup { group_id: group_id.into() });
    let event = Event::Request { ticket: OUR_TICKET, client: ClientInfo::default(), request };
    coordinator.handle(now, event).into_iter().find_map(|action| match action {
        Action::Reply(_, Answer::DescribeGroup(Ok(group))) => Some(group),
        _ => None,
    })
}
