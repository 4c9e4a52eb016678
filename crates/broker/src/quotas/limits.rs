//! Which quota holds for whom.

use std::collections::HashMap;
use std::net::IpAddr;

use ottla_storage::{ConfigResource, Metadata};

use super::entity::{CLIENT_ID, Entity, IP, USER, from_config};

/// What can be limited for users and clients.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Kind {
    /// Bytes of Produce in a second.
    ProducerBytes,
    /// Bytes of answers to Fetch in a second.
    ConsumerBytes,
    /// Percent of one core, over all requests.
    RequestPercentage,
    /// Partitions that are created or deleted in a second.
    ControllerMutations,
}

impl Kind {
    const ALL: [(Kind, &'static str); 4] = [
        (Kind::ProducerBytes, "producer_byte_rate"),
        (Kind::ConsumerBytes, "consumer_byte_rate"),
        (Kind::RequestPercentage, "request_percentage"),
        (Kind::ControllerMutations, "controller_mutation_rate"),
    ];
}

/// Who shares a quota: what is named in it, be it by name or as the default.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sharing {
    /// Each user by itself.
    pub(super) by_user: bool,
    /// Each client id by itself.
    pub(super) by_client: bool,
}

/// Something for those that have a name, and for all others.
#[derive(Debug)]
struct Tier<T> {
    named: HashMap<String, T>,
    default: Option<T>,
}

impl<T> Default for Tier<T> {
    fn default() -> Self {
        Tier { named: HashMap::new(), default: None }
    }
}

impl<T: Default> Tier<T> {
    fn entry(&mut self, name: Option<String>) -> &mut T {
        match name {
            Some(name) => self.named.entry(name).or_default(),
            None => self.default.get_or_insert_default(),
        }
    }

    /// What holds for a name, the nearest first.
    fn of<'t>(&'t self, name: &str) -> impl Iterator<Item = &'t T> {
        self.named.get(name).into_iter().chain(&self.default)
    }
}

impl Tier<Bounds> {
    /// The same for a client id; without one nobody is a client, also not one of the others, as in Kafka.
    fn of_client<'t>(&'t self, client: &str) -> impl Iterator<Item = &'t Bounds> {
        let is_named = !client.is_empty();
        self.of(client).filter(move |_| is_named)
    }
}

type Bounds = HashMap<Kind, f64>;

#[derive(Debug, Default)]
struct UserLimits {
    own: Bounds,
    clients: Tier<Bounds>,
}

/// All quotas that are kept.
#[derive(Debug, Default)]
pub(super) struct Limits {
    users: Tier<UserLimits>,
    clients: Tier<Bounds>,
    /// How many connections may be opened in a second, by address.
    addresses: HashMap<IpAddr, f64>,
    /// The same for all other addresses.
    other_addresses: Option<f64>,
}

impl Limits {
    /// What the metadata have.
    pub(super) fn of(metadata: &Metadata) -> Limits {
        let mut limits = Limits::default();
        for (resource, configs) in metadata.configured() {
            let ConfigResource::ClientQuota(name) = resource else { continue };
            let Some(Entity(mut parts)) = Entity::from_name(name) else { continue };
            let value = |key: &str| configs.get(key).and_then(|value| from_config(value));
            let bounds = Kind::ALL.iter().filter_map(|(kind, key)| Some((*kind, value(key)?)));
            let (user, client) = (parts.remove(USER), parts.remove(CLIENT_ID));
            match (user, client, parts.remove(IP)) {
                (Some(user), Some(client), _) => limits.users.entry(user).clients.entry(client).extend(bounds),
                (Some(user), None, _) => limits.users.entry(user).own.extend(bounds),
                (None, Some(client), _) => limits.clients.entry(client).extend(bounds),
                (None, None, Some(address)) => {
                    // However it is spelt; names were never taken.
                    let address =
                        address.map(|address| address.parse::<IpAddr>().map(|address| address.to_canonical()));
                    match (address, value("connection_creation_rate")) {
                        (Some(Ok(address)), Some(rate)) => drop(limits.addresses.insert(address, rate)),
                        (None, rate) => limits.other_addresses = rate,
                        (Some(_), _) => {}
                    }
                }
                (None, None, None) => {}
            }
        }
        limits
    }

    /// Whether users or clients have any.
    pub(super) fn concern_clients(&self) -> bool {
        let tiers = [!self.users.named.is_empty(), !self.clients.named.is_empty()];
        tiers.contains(&true) || self.users.default.is_some() || self.clients.default.is_some()
    }

    /// The one that holds: the user's for that client, the user's, then the client's, each time before the defaults.
    pub(super) fn find(&self, kind: Kind, user: &str, client: &str) -> Option<(f64, Sharing)> {
        let (both, user_alone) =
            (Sharing { by_user: true, by_client: true }, Sharing { by_user: true, by_client: false });
        let client_alone = Sharing { by_user: false, by_client: true };
        let of_users = self.users.of(user).flat_map(|limits| {
            let of_clients = limits.clients.of_client(client).map(move |bounds| (bounds, both));
            of_clients.chain([(&limits.own, user_alone)])
        });
        let of_clients = self.clients.of_client(client).map(|bounds| (bounds, client_alone));
        let mut all = of_users.chain(of_clients);
        all.find_map(|(bounds, sharing)| Some((*bounds.get(&kind)?, sharing)))
    }

    /// How many connections this address may open in a second.
    pub(super) fn connection_rate(&self, address: IpAddr) -> Option<f64> {
        self.addresses.get(&address).copied().or(self.other_addresses)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A part of an entity: not there, the default, or a name.
    type Part = Option<Option<&'static str>>;

    fn limits(quotas: &[(Part, Part, f64)]) -> Limits {
        let mut metadata = Metadata::default();
        for (user, client, value) in quotas {
            let parts = [(USER, *user), (CLIENT_ID, *client)];
            let parts = parts.into_iter().filter_map(|(kind, name)| Some((kind, name?)));
            let name = Entity::of(parts).expect("an entity").to_name();
            let configs = BTreeMap::from([("producer_byte_rate".to_owned(), value.to_string())]);
            metadata.set_configs(ConfigResource::ClientQuota(name.into()), configs);
        }
        Limits::of(&metadata)
    }

    #[test]
    fn addresses_are_the_same_however_they_are_spelt() {
        for (told, meant) in
            [("::ffff:127.0.0.1", "127.0.0.1"), ("0:0:0:0:0:0:0:1", "::1"), ("2001:DB8::1", "2001:db8::1")]
        {
            let mut metadata = Metadata::default();
            let name = Entity::of([(IP, Some(told))].into_iter()).expect("an entity").to_name();
            let configs = BTreeMap::from([("connection_creation_rate".to_owned(), "5".to_owned())]);
            metadata.set_configs(ConfigResource::ClientQuota(name.into()), configs);
            assert_eq!(Limits::of(&metadata).connection_rate(meant.parse().expect("an address")), Some(5.0), "{told}");
        }
    }

    #[test]
    fn the_most_particular_one_holds() {
        let (u, c, any) = (Some(Some("u")), Some(Some("c")), Some(None));
        let order = [(u, c), (u, any), (u, None), (any, c), (any, any), (any, None), (None, c), (None, any)];
        for first in 0..order.len() {
            let quotas: Vec<_> = (first..order.len()).map(|at| (order[at].0, order[at].1, at as f64 + 1.0)).collect();
            let (bound, sharing) = limits(&quotas).find(Kind::ProducerBytes, "u", "c").expect("one holds");
            assert_eq!(bound, first as f64 + 1.0);
            let expected = Sharing { by_user: order[first].0.is_some(), by_client: order[first].1.is_some() };
            assert_eq!(sharing, expected);
        }
        let other = limits(&[(u, c, 1.0), (None, Some(Some("d")), 2.0)]);
        assert_eq!(other.find(Kind::ProducerBytes, "u", "d").map(|(bound, _)| bound), Some(2.0));
        assert_eq!(other.find(Kind::ProducerBytes, "v", "c"), None);
        assert_eq!(limits(&[(None, any, 1.0), (any, any, 1.0)]).find(Kind::ProducerBytes, "u", ""), None);
        assert_eq!(other.find(Kind::ConsumerBytes, "u", "c"), None);
        assert!(other.concern_clients() && !limits(&[]).concern_clients());
    }
}
