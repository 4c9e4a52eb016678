//! Requests as they arrive at the broker: those to coordinators, and what passes the gate of the transaction's coordinator.

use ottla_storage::decide::Refusal;
use ottla_storage::{Append, AppendError, Appended, Dependency, Engine, Pending, Unavailable};
use ottla_transactions::{
    AddPartitions, Admission, EndTransaction, Event, InitProducer, Membership, OFFSETS_TOPIC, Producer, Request, Ticket,
};

use super::log::{self, PARTITIONS, STAGES};
use super::process::{Ask, Copied, Doing, Place, Told, refused, source};
use super::world::World;
use crate::storage::calls::poll;

/// Records that are being written for a copier.
pub(super) struct Producing {
    process: usize,
    rpc: u64,
    ask: Ask,
    appended: Pending<Vec<Result<Appended, AppendError>>, Unavailable>,
}

/// The name of an id, and its coordinator.
pub(super) fn name_of(id: usize) -> String {
    format!("id{id}")
}

pub(super) fn shard_of(id: usize) -> usize {
    id % PARTITIONS as usize
}

impl World {
    pub(super) fn next_ticket(&mut self, process: usize, rpc: u64, ask: &Ask) -> Ticket {
        self.numbers += 1;
        let ticket = Ticket(self.numbers);
        self.waiting.insert(ticket, (process, rpc, ask.clone()));
        ticket
    }

    pub(super) fn arrive(&mut self, process: usize, rpc: u64, ask: &Ask) {
        if self.machine.engine().is_none() {
            return;
        }
        let it = &mut self.processes[process];
        // Before version 2 nothing but the connection's order tells a late request from a new one; records go over another.
        if !matches!(ask.doing, Doing::Write(_)) {
            if !it.is_new && rpc < it.arrived {
                return;
            }
            it.arrived = it.arrived.max(rpc);
        }
        self.trace.note(self.at_ms, || format!("p{process} asks {ask:?}"));
        let shard = shard_of(self.processes[process].id);
        match ask.doing {
            Doing::Fetch => self.ask_group(process, rpc, ask, None),
            _ if self.transactions[shard].live.is_none() => self.send_back(process, rpc, Told::Again),
            Doing::Write(_) | Doing::Commit { .. } => self.pass_gate(process, rpc, ask),
            _ => {
                let Some(request) = self.request(process, ask) else { return };
                let ticket = self.next_ticket(process, rpc, ask);
                self.tell(shard, Event::Request { ticket, request });
            }
        }
    }

    fn request(&self, process: usize, ask: &Ask) -> Option<Request> {
        let it = &self.processes[process];
        let (transactional_id, timeout_ms) = (name_of(it.id), it.timeout_ms);
        let Producer { id: producer_id, epoch: producer_epoch } = ask.producer;
        Some(match ask.doing {
            Doing::Init { .. } => {
                Request::InitProducer(InitProducer { transactional_id, timeout_ms, producer_id, producer_epoch })
            }
            Doing::Add(place) => {
                let (topic, partition) = name_of_place(it.id, place);
                let partitions = vec![(topic.into(), vec![partition])];
                let verify_only = false;
                Request::AddPartitions(AddPartitions {
                    transactional_id,
                    producer_id,
                    producer_epoch,
                    partitions,
                    verify_only,
                })
            }
            Doing::End { commits } => Request::EndTransaction(EndTransaction {
                transactional_id,
                producer_id,
                producer_epoch,
                commits,
                bumps_epoch: it.is_new,
            }),
            _ => return None,
        })
    }

    /// The gate. What it lets in goes to the engine at once, so before any end that is decided later, and behind the records of the
    /// coordinator that it depends on.
    fn pass_gate(&mut self, process: usize, rpc: u64, ask: &Ask) {
        let it = &self.processes[process];
        let (id, shard, name) = (it.id, shard_of(it.id), name_of(it.id));
        let place = match &ask.doing {
            Doing::Write(copied) => Place::Output(copied.partition),
            _ => Place::Group,
        };
        let admission = Admission {
            transactional_id: &name,
            producer_id: ask.producer.id,
            producer_epoch: ask.producer.epoch,
            partitions: &[name_of_place(id, place)],
            membership: if it.is_new { Membership::Implicit } else { Membership::Explicit { knows_abortable: true } },
        };
        let (now, mut actions) = (self.now(), Vec::new());
        let Some(live) = self.transactions[shard].live.as_mut() else {
            return self.send_back(process, rpc, Told::Again);
        };
        let verdict = live.coordinator.admit(now, &admission, &mut actions).remove(0);
        self.follow(shard, actions);
        if let Err(error) = verdict {
            return self.send_back(process, rpc, refused(error));
        }
        self.checks.admitted(id, ask);
        let depends_on = self.unwritten_end(shard);
        match &ask.doing {
            Doing::Write(copied) => self.write(process, rpc, (ask, copied), depends_on),
            _ => self.ask_group(process, rpc, ask, depends_on),
        }
    }

    fn write(&mut self, process: usize, rpc: u64, (ask, copied): (&Ask, &Copied), depends_on: Option<Dependency>) {
        let Some(engine) = self.machine.engine() else { return };
        let (stage, _) = self.processes[process].source();
        let producer = Some((ask.producer, copied.sequence));
        let batch = log::batch(producer, &copied.values, self.now().wall_ms, copied.filler);
        let partition = log::partition(STAGES[stage + 1], copied.partition);
        let appended = engine.engine().append(vec![Append { depends_on, ..log::client_append(partition, batch) }]);
        self.producing.push(Producing { process, rpc, ask: ask.clone(), appended });
        self.others_go_on();
    }

    /// Takes in what the engine has done for copiers.
    pub(super) fn settle_producing(&mut self) {
        let mut settled = Vec::new();
        for mut producing in std::mem::take(&mut self.producing) {
            match poll(&mut producing.appended) {
                None => self.producing.push(producing),
                Some(result) => settled.push((producing, result.map(|mut results| results.remove(0)))),
            }
        }
        for (producing, result) in settled {
            let Producing { process, rpc, ask, .. } = producing;
            self.trace.note(self.at_ms, || format!("  of p{process}: {result:?}"));
            let told = match result {
                Ok(Ok(appended)) => {
                    self.checks.acknowledged(self.processes[process].id, &ask, appended.first_offset);
                    Told::Done
                }
                Ok(Err(AppendError::Refused(Refusal::InvalidProducerEpoch { .. }))) => Told::Fenced,
                Ok(Err(AppendError::Refused(_))) => Told::Broken,
                Ok(Err(_)) | Err(_) => Told::Again,
            };
            self.send_back(process, rpc, told);
        }
    }
}

/// The topic and partition of what belongs to a transaction of an id.
fn name_of_place(id: usize, place: Place) -> (&'static str, i32) {
    let (stage, _) = source(id);
    match place {
        Place::Output(partition) => (STAGES[stage + 1], partition),
        Place::Group => (OFFSETS_TOPIC, stage as i32),
    }
}
