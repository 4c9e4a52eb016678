//! How many connections there may be (KIP-308, KIP-402, KIP-612).

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::error::ConfigError;
use super::kind::{address_count, split_list};
use super::layers::Values;
use super::table::network as n;

/// Of all listeners together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectionLimits {
    /// `max.connections`.
    pub total: usize,
    /// `max.connections.per.ip`.
    pub per_address: usize,
    /// `max.connections.per.ip.overrides`.
    pub of_addresses: BTreeMap<IpAddr, usize>,
    /// `max.connection.creation.rate`.
    pub created_per_second: u32,
}

impl ConnectionLimits {
    pub(super) fn of(values: &Values) -> Result<ConnectionLimits, ConfigError> {
        let overrides = values.text(&n::MAX_CONNECTIONS_PER_IP_OVERRIDES);
        Ok(ConnectionLimits {
            total: values.get(&n::MAX_CONNECTIONS)?,
            per_address: values.get(&n::MAX_CONNECTIONS_PER_IP)?,
            // Checked when they were given, by their kind.
            of_addresses: split_list(&overrides).filter_map(address_count).collect(),
            created_per_second: values.get(&n::MAX_CONNECTION_CREATION_RATE)?,
        })
    }

    /// How many connections this address may have.
    pub(crate) fn of_address(&self, address: IpAddr) -> usize {
        self.of_addresses.get(&address).copied().unwrap_or(self.per_address)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{BrokerConfig, Kind};

    #[test]
    fn overrides_name_addresses_of_both_families() {
        let told = "10.0.0.1:5, ::1:7,[fe80::2]:0,::ffff:10.0.0.2:3";
        let config = BrokerConfig::of(&[("max.connections.per.ip.overrides", told)]);
        let read = &config.settings().connection_limits.of_addresses;
        let expected = [("10.0.0.1", 5), ("10.0.0.2", 3), ("::1", 7), ("fe80::2", 0)];
        assert_eq!(*read, expected.map(|(address, count)| (address.parse().expect("an address"), count)).into());
        for wrong in
            ["localhost:5", "10.0.0.1", "10.0.0.1:", "10.0.0.1:-1", ":5", "10.0.0.1:99999999999", "10.0.0.1:5,,"]
        {
            assert!(Kind::AddressCounts.check(wrong).is_err(), "{wrong}");
        }
    }
}
