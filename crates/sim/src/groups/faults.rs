//! What goes wrong, and what administrators do meanwhile.
use super::broker::Waiting;
use super::client::Phase;
use super::topics::{NAMES, ORDERS, Reads};
use super::world::World;
use crate::prng::Prng;
use ottla_groups::records::FormerOffset;
use ottla_groups::{CommitOffsets, CommitPartition, CommitTopic, DeleteGroup, DeleteOffsets, Event, FetchTopic};
use ottla_groups::{LeaveGroup, LeavingMember, Request, ResetOffsets};

/// One fault.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// The broker dies.
    Crash,
    /// The broker will die right after the next change of a group, or the next migration.
    PrepareCrash,
    /// The broker stands still.
    Stall,
    /// A consumer dies, and may come back as a new process.
    Kill,
    /// A consumer leaves, and may come back as a new process.
    Leave,
    /// A second process starts under a consumer's name while the first one lives.
    Twin,
    /// A consumer subscribes to something else.
    Subscribe,
    /// A consumer comes back.
    Return,
    /// An administrator removes a static member.
    Remove,
    /// An administrator commits from outside.
    Commit,
    /// An administrator deletes commits.
    DeleteOffsets,
    /// An administrator deletes a group, if it has no members.
    DeleteGroup,
    /// A topic is made, gets more partitions, is deleted, or is made anew under another id.
    Topics,
    /// Expired commits are looked for.
    Expire,
    /// A consumer's connection breaks; it goes on over another one.
    Break,
    /// An administrator resets offsets under the members, or takes that back.
    Reset,
    /// Groups begin to look at lost connections, or do so no more.
    Configure,
}

/// A moment in which a crash hurts: what it is about is on its way to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Moment {
    /// Something about a group has been appended.
    Change,
    /// A group has gone over to the other protocol.
    Migration,
}

impl Fault {
    pub(super) fn choose(rng: &mut Prng) -> Fault {
        match rng.between(0, 54) {
            0..=4 => Fault::Crash,
            5..=7 => Fault::Stall,
            8..=11 => Fault::Kill,
            12..=15 => Fault::Leave,
            16..=18 => Fault::Twin,
            19..=20 => Fault::Subscribe,
            21..=24 => Fault::Return,
            25 => Fault::Remove,
            26..=27 => Fault::Commit,
            28 => Fault::DeleteOffsets,
            29..=32 => Fault::PrepareCrash,
            33..=35 => Fault::Expire,
            36..=42 => Fault::Break,
            43..=44 => Fault::Configure,
            45..=48 => Fault::Reset,
            54 => Fault::DeleteGroup,
            _ => Fault::Topics,
        }
    }

    /// Whether it did anything.
    pub(super) fn happen(self, world: &mut World, number: u64) -> bool {
        let chosen = some_process(world);
        let admin = Waiting { client: None, rpc: number, connection: None };
        let lives = world.clients[chosen].phase != Phase::Gone;
        match self {
            Fault::Crash => return world.crash_broker(),
            Fault::PrepareCrash => {
                let moment = if world.rng.once_in(3) { Moment::Migration } else { Moment::Change };
                return world.crashes_prepared.insert(moment);
            }
            Fault::Stall => return world.stall_broker(),
            Fault::Kill if lives => {
                world.kill_client(chosen);
                perhaps_restart(world, chosen);
            }
            Fault::Leave if lives => {
                let comes_back = world.rng.once_in(2);
                let leaving = &mut world.clients[chosen];
                let request =
                    if leaving.consumer.is_some() { leaving.leave_consumers(comes_back) } else { leaving.leave() };
                world.send(admin, request);
                world.kill_client(chosen);
                perhaps_restart(world, chosen);
            }
            Fault::Twin if lives && world.clients[chosen].instance.is_some() => return world.restart_client(chosen),
            Fault::Subscribe if lives => subscribe(world, chosen),
            Fault::Return => {
                let name = world.clients[chosen].name.clone();
                let is_gone = world.clients.iter().all(|client| client.name != name || client.phase == Phase::Gone);
                return is_gone && world.restart_client(chosen);
            }
            Fault::Remove if world.clients[chosen].instance.is_some() => remove(world, chosen, admin),
            Fault::Commit => commit(world, chosen, admin),
            Fault::DeleteOffsets => {
                let group_id = world.clients[chosen].group_id.clone();
                let topic = FetchTopic { name: NAMES[0].into(), topic_id: None, partitions: vec![0, 1] };
                let request = DeleteOffsets { group_id, topics: vec![topic] };
                world.send(admin, Request::DeleteOffsets(request));
            }
            Fault::DeleteGroup => {
                let group_id = world.clients[chosen].group_id.clone();
                world.send(admin, Request::DeleteGroup(DeleteGroup { group_id }));
            }
            Fault::Topics => world.change_topics(),
            Fault::Reset => reset(world, chosen, admin),
            Fault::Break if lives => world.break_connection(chosen),
            Fault::Configure => world.configure_anew(),
            Fault::Expire if world.broker.stalled_since_ms.is_none() => world.tell(Event::ExpireOffsets),
            _ => return false,
        }
        true
    }
}

/// The newest process of some member; once in four an older one, if there is any.
fn some_process(world: &mut World) -> usize {
    let slot = world.rng.between(0, world.members as u64 - 1) as usize;
    let of_slot: Vec<usize> = (0..world.clients.len()).filter(|&at| world.clients[at].slot == slot).collect();
    let age = if world.rng.once_in(4) { world.rng.between(0, of_slot.len() as u64 - 1) as usize } else { 0 };
    of_slot[of_slot.len() - 1 - age]
}

fn perhaps_restart(world: &mut World, client: usize) {
    if world.rng.once_in(2) {
        world.restart_client(client);
    }
}

fn subscribe(world: &mut World, chosen: usize) {
    let reads = Reads::of(world.rng.next());
    let client = &mut world.clients[chosen];
    client.subscription = client.subscription.wrapping_add(1);
    client.reads = reads;
    if client.consumer.is_some() {
        return client.says_all_again();
    }
    if client.phase == Phase::Stable {
        let mut wishes = Vec::new();
        client.join(&mut wishes);
        world.fulfil(chosen, wishes);
    }
}

fn remove(world: &mut World, chosen: usize, admin: Waiting) {
    let client = &world.clients[chosen];
    let group_instance_id = client.instance.clone();
    let member = LeavingMember { member_id: String::new(), group_instance_id, reason: Some("removed".into()) };
    let request = LeaveGroup { group_id: client.group_id.clone(), members: vec![member] };
    world.send(admin, Request::LeaveGroup(request));
}

/// A partition that may be there, of the first topic as a rule.
fn some_partition(world: &mut World) -> (&'static str, i32) {
    let name = if world.rng.once_in(4) { 1 } else { ORDERS };
    (NAMES[usize::from(name)], world.rng.between(0, 5) as i32)
}

/// Offsets of resets are larger than any other.
fn reset(world: &mut World, chosen: usize, admin: Waiting) {
    let undo = world.rng.once_in(4);
    let (topic, partition) = some_partition(world);
    let offset = (1 << 60) + (world.rng.next() >> 8) as i64;
    let group_id = world.clients[chosen].group_id.clone();
    let offset = FormerOffset { topic: topic.into(), topic_id: None, partition, offset };
    let request = ResetOffsets { group_id, online: true, validate_only: false, undo, offsets: vec![offset] };
    world.send(admin, Request::ResetOffsets(request));
}

/// Offsets of administrators are negative, so that no consumer's commit is like one.
fn commit(world: &mut World, chosen: usize, admin: Waiting) {
    let offset = -1 - (world.rng.next() >> 8) as i64;
    let (topic, partition) = some_partition(world);
    let partition =
        CommitPartition { partition, offset, leader_epoch: -1, metadata: String::new(), seen: Default::default() };
    let request = CommitOffsets {
        group_id: world.clients[chosen].group_id.clone(),
        member_id: String::new(),
        group_instance_id: None,
        generation_id: -1,
        knows_epochs: false,
        retention_time_ms: None,
        topics: vec![CommitTopic { name: topic.into(), topic_id: None, partitions: vec![partition] }],
    };
    world.send(admin, Request::CommitOffsets(request));
}
