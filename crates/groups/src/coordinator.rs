//! The coordinator itself: what comes in, to whom it goes, and what goes out.
use crate::answer::GroupState;
use crate::event::{Action, Event, Now, Record};
use crate::settings::Settings;
use crate::waits::Wait;
use alloc::vec::Vec;

/// How far away the next deadline is at most while anything is timed, in milliseconds. A call that comes more than
/// [`PULSE_MS`] after it was due means that the broker stood still.
pub const PULSE_MS: u64 = 1_000;

/// The coordinator of all groups of one partition of `__consumer_offsets`. See the crate's documentation for the
/// contract with its shell.
#[derive(Debug)]
pub struct Coordinator {
    settings: Settings,
}

impl Coordinator {
    /// An empty coordinator that has not loaded its log yet.
    pub fn new(settings: Settings) -> Self {
        Coordinator { settings }
    }

    /// Takes over changed settings. Members keep the session timeouts they were admitted with.
    pub fn configure(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Applies one record of the log, in log order, before [`Coordinator::loaded`].
    ///
    /// A record that cannot be read does not stop the loading; [`Coordinator::loaded`] reports it as an event.
    pub fn replay(&mut self, record: &Record) {
        let _ = record;
    }

    /// Ends the loading: members of loaded groups get fresh deadlines, and requests are served from now on.
    pub fn loaded(&mut self, now: Now) -> Vec<Action> {
        let _ = now;
        Vec::new()
    }

    /// Handles one event. See [`Coordinator::handle_into`].
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        self.handle_into(now, event, &mut actions);
        actions
    }

    /// Handles one event and adds what is to be done, in order, to `actions`.
    pub fn handle_into(&mut self, now: Now, event: Event, actions: &mut Vec<Action>) {
        let _ = (now, event, actions);
    }

    /// When the next [`Event::Tick`] is due, in monotonic milliseconds. `None` if nothing is timed. May be earlier than
    /// anything really happens; a tick too early does no harm.
    pub fn next_deadline(&self) -> Option<u64> {
        None
    }

    /// What the group waits for, the most pressing first; empty if there is no such group.
    pub fn waits(&self, now: Now, group_id: &str) -> Vec<Wait> {
        let _ = (now, group_id);
        Vec::new()
    }

    /// State and generation of a group.
    pub fn state(&self, group_id: &str) -> Option<(GroupState, i32)> {
        let _ = group_id;
        None
    }

    /// How many groups there are; for the ready line and metrics.
    pub fn group_count(&self) -> usize {
        0
    }
}
