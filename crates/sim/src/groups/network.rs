//! The network between clients and the broker: it delays, loses, reorders and repeats.
use super::broker::Waiting;
use super::choices::Choice;
use super::story;
use super::topics::View;
use super::world::{Happening, World};
use crate::prng::Prng;
use ottla_groups::{Answer, Request};

/// Which way a message goes.
const THERE: u64 = 0;
const THERE_AGAIN: u64 = 1;
const BACK: u64 = 2;
/// The chances of messages, apart from all others.
const NETWORK: u64 = 100;

impl World {
    /// Sends a request over the network, which may lose it, delay it and deliver it twice.
    pub(super) fn send(&mut self, from: Waiting, request: Request) {
        let name = from.client.map_or("admin".into(), |client| self.clients[client].name.clone());
        let key = from.client.map_or(u64::MAX, |client| self.clients[client].key);
        for way in [THERE, THERE_AGAIN] {
            let of_whom = || format!("{} of {name}", story::name(&request));
            if let Some(delay_ms) = self.network([key, from.rpc, way], of_whom) {
                let arrive = Happening::Arrive { from: from.clone(), name: name.clone(), request: request.clone() };
                self.plan(delay_ms, arrive);
            }
        }
    }

    /// Sends an answer to a client.
    pub(super) fn send_back(&mut self, client: usize, rpc: u64, answer: Answer, meant: View) {
        let (key, name) = (self.clients[client].key, self.clients[client].name.clone());
        if let Some(delay_ms) = self.network([key, rpc, BACK], || format!("answer to {name}")) {
            let life = self.broker.life;
            self.plan(delay_ms, Happening::Deliver { life, client, rpc, answer, meant });
        }
    }

    /// How long a message takes; `None` if it is lost, or is a repetition and there is none.
    fn network(&mut self, message: [u64; 3], what: impl FnOnce() -> String) -> Option<u64> {
        let [sender, rpc, way] = message;
        let mut rng = Prng::of(self.seed, &[NETWORK, sender, rpc, way]);
        let usual = if self.quiet { rng.between(1, 5) } else { rng.between(1, 40) };
        let usual = Some(usual).filter(|_| way != THERE_AGAIN);
        let luck = rng.between(0, 99);
        let befalls = if way == THERE_AGAIN { luck < 7 } else { luck < 18 };
        if self.quiet || !befalls || !self.choices.choose(Choice::Trouble(rng.next())) {
            return usual;
        }
        let delay_ms = match luck {
            _ if way == THERE_AGAIN => Some(rng.between(1, 1_500)),
            0..=4 => None,
            5..=7 => Some(rng.between(2_000, 9_000)),
            _ => Some(rng.between(100, 1_500)),
        };
        self.trace.tell(self.at_ms, || match delay_ms {
            None => format!("the {} is lost", what()),
            Some(_) if way == THERE_AGAIN => format!("the {} comes twice", what()),
            Some(delay_ms) => format!("the {} takes {delay_ms} ms", what()),
        });
        delay_ms
    }

    /// The requests of a lost connection are cancelled, if the broker hears of it.
    pub(super) fn close_connection(&mut self, client: usize, which: impl Fn(&Waiting) -> bool) {
        if !self.quiet && self.rng.once_in(3) {
            return;
        }
        let concerns = |waiting: &Waiting| waiting.client == Some(client) && which(waiting);
        let tickets = self.broker.waiting.iter().filter(|(_, waiting)| concerns(waiting)).map(|(ticket, _)| *ticket);
        for ticket in tickets.collect::<Vec<_>>() {
            let delay_ms = self.rng.between(0, 50);
            self.plan(delay_ms, Happening::Cancel { life: self.broker.life, ticket });
        }
    }
}
