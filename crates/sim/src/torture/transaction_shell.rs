//! The shell around the transaction coordinators, as the broker's is (`crates/broker/src/transactions`): one coordinator for each
//! partition of `__transaction_state`, whose log lies in the engine; ends in one step of the engine; answers after what they wait
//! for; and a coordinator is built anew from its log when anything of it was not written.

use std::collections::VecDeque;

use ottla_groups::Record;
use ottla_protocol::records::EndMarker;
use ottla_storage::{Append, AppendError, Appended, Dependency, Engine, Pending, Unavailable};
use ottla_transactions::{
    Action, Allotment, Answer, Coordinator, EndFailed, EndId, EndStep, Event, OFFSETS_TOPIC, Ticket,
};

use super::log::{self, Entry, TRANSACTIONS_TOPIC};
use super::process::{Told, refused};
use super::world::World;
use crate::storage::calls::poll;

/// One partition of `__transaction_state`.
#[derive(Default)]
pub(super) struct TransactionShard {
    pub(super) live: Option<Live>,
    /// What was given to the engine and is not settled, also of a coordinator that was discarded.
    pub(super) writer: VecDeque<Written>,
}

pub(super) struct Live {
    pub(super) coordinator: Coordinator,
    /// Where the next append must land.
    end_offset: i64,
    /// Which of the coordinators that this process has had.
    number: u64,
}

/// What is on its way to the log, and what waits for it.
pub(super) struct Written {
    of: u64,
    append: Appending,
    replies: Vec<(Ticket, Answer)>,
}

enum Appending {
    Nothing,
    Records(Pending<Vec<Result<Appended, AppendError>>, Unavailable>),
    End(EndUnderWay),
    /// An end that could not even begin.
    NoEnd(EndId, EndFailed),
}

/// An end that is being written.
struct EndUnderWay {
    end: EndId,
    appended: Pending<Vec<Appended>, AppendError>,
    /// The groups' partitions, which wait for the fate of their markers under that number.
    groups: Vec<usize>,
    fate: u64,
    producer_id: i64,
    commits: bool,
}

/// What became of an append: of an end, what to tell the coordinator; or a failure after which the log must be read again.
type Settled = Result<Option<(EndId, Result<(), EndFailed>)>, String>;

/// An allotment of a producer id that is under way: for which shard and coordinator.
pub(super) struct AllottingId {
    shard: usize,
    of: u64,
    allotment: Allotment,
    id: Pending<i64, Unavailable>,
}

impl World {
    /// Loads a coordinator if there is none and nothing of an earlier one is under way.
    pub(super) fn load_transactions(&mut self, shard: usize) {
        let it = &self.transactions[shard];
        let Some(engine) = self.machine.engine().filter(|_| it.live.is_none() && it.writer.is_empty()) else { return };
        let (entries, end_offset) = match log::read_all(&engine, log::partition(TRANSACTIONS_TOPIC, shard as i32)) {
            Ok(found) => found,
            Err(problem) => return self.trace.note(self.at_ms, || format!("no transactions can be read: {problem}")),
        };
        let mut coordinator = Coordinator::new(self.settings.transactions.clone());
        for entry in &entries {
            if let Entry::Record { record, .. } = entry {
                coordinator.replay(record);
            }
        }
        let actions = coordinator.loaded(self.now());
        self.numbers += 1;
        self.transactions[shard].live = Some(Live { coordinator, end_offset, number: self.numbers });
        self.follow(shard, actions);
    }

    pub(super) fn tell(&mut self, shard: usize, event: Event) {
        let now = self.now();
        let Some(live) = self.transactions[shard].live.as_mut() else { return };
        let actions = live.coordinator.handle(now, event);
        self.follow(shard, actions);
    }

    /// Does what the coordinator wants, in its order: each reply after the appends before it.
    pub(super) fn follow(&mut self, shard: usize, actions: Vec<Action>) {
        let (mut records, mut replies) = (Vec::new(), Vec::new());
        for action in actions {
            match action {
                Action::Append(record) => {
                    self.trace.note(self.at_ms, || "  appends a record".into());
                    records.push(record);
                }
                Action::End(step) => {
                    self.trace
                        .note(self.at_ms, || format!("  ends {:?} and groups {:?}", step.partitions, step.groups));
                    self.hand_over(shard, std::mem::take(&mut records), std::mem::take(&mut replies));
                    self.begin_end(shard, &step);
                }
                Action::AllotProducerId(allotment) => self.allot(shard, allotment),
                Action::Event(event) => {
                    self.trace.tell(self.at_ms, || format!("{}: {:?}", event.transactional_id, event.kind));
                }
                Action::Reply(ticket, answer) if records.is_empty() && self.transactions[shard].writer.is_empty() => {
                    self.answer(ticket, &answer);
                }
                Action::Reply(ticket, answer) => replies.push((ticket, answer)),
            }
        }
        self.hand_over(shard, records, replies);
    }

    /// Appends records as one batch, and has replies wait for it.
    fn hand_over(&mut self, shard: usize, records: Vec<Record>, replies: Vec<(Ticket, Answer)>) {
        if records.is_empty() && replies.is_empty() {
            return;
        }
        let (wall_ms, engine) = (self.now().wall_ms, self.machine.engine());
        let it = &mut self.transactions[shard];
        let (Some(live), Some(engine)) = (it.live.as_mut(), engine) else { return };
        let append = match records.is_empty() {
            true => Appending::Nothing,
            false => {
                let partition = log::partition(TRANSACTIONS_TOPIC, shard as i32);
                let batch = log::record_batch(None, &records, wall_ms);
                let append = log::coordinator_append(partition, batch, Some(live.end_offset));
                live.end_offset += records.len() as i64;
                Appending::Records(engine.engine().append(vec![append]))
            }
        };
        it.writer.push_back(Written { of: live.number, append, replies });
        self.others_go_on();
    }

    /// Gives the engine all that ends a transaction in one step.
    fn begin_end(&mut self, shard: usize, step: &EndStep) {
        let groups: Vec<usize> = step.groups.iter().map(|group| *group as usize).collect();
        let are_ready = groups.iter().all(|group| self.groups[*group].live.is_some());
        let Some(engine) = self.machine.engine() else { return };
        let append = if are_ready {
            self.numbers += 1;
            let fate = self.numbers;
            let appended = engine.engine().append_atomically(self.end_appends(shard, step, fate));
            let (end, producer_id, commits) = (step.end, step.producer_id, step.commits);
            Appending::End(EndUnderWay { end, appended, groups, fate, producer_id, commits })
        } else {
            Appending::NoEnd(step.end, EndFailed { problem: "groups are being loaded".into() })
        };
        let it = &mut self.transactions[shard];
        let Some(live) = &it.live else { return };
        it.writer.push_back(Written { of: live.number, append, replies: Vec::new() });
        self.others_go_on();
        // The moment that matters most.
        if !self.is_quiet && self.rng.once_in(4) {
            let after = self.rng.between(1, 3);
            self.machine.crash_soon(after);
        }
    }

    /// The markers of all partitions, those of the groups, and the coordinator's record.
    fn end_appends(&mut self, shard: usize, step: &EndStep, fate: u64) -> Vec<Append> {
        let wall_ms = self.now().wall_ms;
        let marker = EndMarker { is_commit: step.commits, coordinator_epoch: 0 };
        let marker = marker.batch(step.producer_id, step.producer_epoch, wall_ms);
        let places = step.partitions.iter().flat_map(|(topic, numbers)| numbers.iter().map(move |n| (topic, *n)));
        let to = |(topic, number): (&String, i32)| {
            log::coordinator_append(log::partition(topic, number), marker.clone(), None)
        };
        let mut appends: Vec<Append> = places.map(to).collect();
        if let Some(live) = &mut self.transactions[shard].live {
            let record = log::record_batch(None, std::slice::from_ref(&step.record), wall_ms);
            let partition = log::partition(TRANSACTIONS_TOPIC, shard as i32);
            appends.push(log::coordinator_append(partition, record, Some(live.end_offset)));
            live.end_offset += 1;
        }
        for group in &step.groups {
            let end_offset = self.groups[*group as usize].expect_marker(fate);
            appends.push(log::coordinator_append(log::partition(OFFSETS_TOPIC, *group), marker.clone(), end_offset));
        }
        appends
    }

    fn allot(&mut self, shard: usize, allotment: Allotment) {
        let (Some(live), Some(engine)) = (&self.transactions[shard].live, self.machine.engine()) else { return };
        self.allotting.push(AllottingId { shard, of: live.number, allotment, id: engine.engine().init_producer() });
    }

    /// Where a coordinator's log ends once what is on its way is there: what the gate lets in depends on that. `None` while nothing is.
    pub(super) fn unwritten_end(&self, shard: usize) -> Option<Dependency> {
        let it = &self.transactions[shard];
        let live = it.live.as_ref().filter(|_| !it.writer.is_empty())?;
        let partition = log::partition(TRANSACTIONS_TOPIC, shard as i32);
        Some(Dependency { partition, end_offset: live.end_offset })
    }

    /// Takes in what the engine has done for a coordinator.
    pub(super) fn settle_transactions(&mut self, shard: usize) {
        while let Some(settled) = self.settle_first(shard) {
            let Some(Written { of, replies, .. }) = self.transactions[shard].writer.pop_front() else { return };
            if self.transactions[shard].live.as_ref().is_none_or(|live| live.number != of) {
                continue;
            }
            match settled {
                Err(problem) => {
                    self.trace.tell(self.at_ms, || format!("coordinator {shard} reads its log again: {problem}"));
                    self.transactions[shard].live = None;
                }
                Ok(ended) => {
                    replies.into_iter().for_each(|(ticket, answer)| self.answer(ticket, &answer));
                    if let Some((end, result)) = ended {
                        self.tell(shard, Event::Ended { end, result });
                    }
                }
            }
        }
        self.load_transactions(shard);
    }

    /// What became of the first append that is under way; `None` if that is not known yet.
    fn settle_first(&mut self, shard: usize) -> Option<Settled> {
        let under_way = match &mut self.transactions[shard].writer.front_mut()?.append {
            Appending::Nothing => return Some(Ok(None)),
            Appending::NoEnd(end, failed) => return Some(Ok(Some((*end, Err(failed.clone()))))),
            Appending::Records(appended) => {
                return Some(match poll(appended)? {
                    Ok(results) => match results.into_iter().find_map(Result::err) {
                        None => Ok(None),
                        Some(error) => Err(format!("{error:?}")),
                    },
                    Err(unavailable) => Err(unavailable.to_string()),
                });
            }
            Appending::End(under_way) => under_way,
        };
        let result = poll(&mut under_way.appended)?.map(|_| ()).map_err(|error| format!("{error:?}"));
        let EndUnderWay { end, fate, producer_id, commits, .. } = *under_way;
        let groups = std::mem::take(&mut under_way.groups);
        for group in groups {
            if result.is_ok() {
                self.tell_group(group, ottla_groups::Event::TransactionEnded { producer_id, commits });
            }
        }
        self.fates.insert(fate, result.clone());
        Some(result.map(|()| Some((end, Ok(())))))
    }

    pub(super) fn settle_allotments(&mut self) {
        let mut there = Vec::new();
        self.allotting.retain_mut(|it| match poll(&mut it.id) {
            None => true,
            Some(id) => {
                there.push((it.shard, it.of, it.allotment, id.ok()));
                false
            }
        });
        for (shard, of, allotment, producer_id) in there {
            if self.transactions[shard].live.as_ref().is_some_and(|live| live.number == of) {
                self.tell(shard, Event::ProducerIdAllotted { allotment, producer_id });
            }
        }
    }

    fn answer(&mut self, ticket: Ticket, answer: &Answer) {
        let Some((process, rpc, ask)) = self.waiting.remove(&ticket) else { return };
        self.trace.note(self.at_ms, || format!("  answers p{process} {answer:?}"));
        self.trace.mix_number(ticket.0);
        self.checks.answered(process, self.processes[process].id, &ask, answer);
        let result = match answer {
            Answer::InitProducer(result) | Answer::EndTransaction(result) => result.map(Told::Producer),
            Answer::AddPartitions(result) => result.map(|()| Told::Done),
            _ => return,
        };
        self.send_back(process, rpc, result.unwrap_or_else(refused));
    }
}
