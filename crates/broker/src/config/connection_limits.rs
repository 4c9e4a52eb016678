//! How many connections there may be (KIP-308, KIP-402, KIP-612).

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::error::ConfigError;
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
        Ok(ConnectionLimits {
            total: values.get(&n::MAX_CONNECTIONS)?,
            per_address: values.get(&n::MAX_CONNECTIONS_PER_IP)?,
            of_addresses: overrides(&values.text(&n::MAX_CONNECTIONS_PER_IP_OVERRIDES))?,
            created_per_second: values.get(&n::MAX_CONNECTION_CREATION_RATE)?,
        })
    }

    /// How many connections this address may have.
    pub(crate) fn of_address(&self, address: IpAddr) -> usize {
        self.of_addresses.get(&address).copied().unwrap_or(self.per_address)
    }
}

fn overrides(told: &str) -> Result<BTreeMap<IpAddr, usize>, ConfigError> {
    let entries = told.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let parsed = entries.map(|entry| {
        // An address of IPv6 has colons of its own.
        let (address, count) = entry.rsplit_once(':')?;
        let address = address.trim_start_matches('[').trim_end_matches(']');
        Some((address.parse().ok()?, count.trim().parse().ok()?))
    });
    parsed.collect::<Option<_>>().ok_or_else(|| {
        ConfigError::conflict(format!(
            "max.connections.per.ip.overrides={told} cannot be read: it is ADDRESS:COUNT with commas between them, as in \
             10.0.0.1:5,[::1]:10; addresses are numbers, names are not resolved"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_name_addresses_of_both_families() {
        let read = overrides("10.0.0.1:5, ::1:7,[fe80::2]:0,").expect("they are well formed");
        let expected = [("10.0.0.1", 5), ("::1", 7), ("fe80::2", 0)];
        assert_eq!(read, expected.map(|(address, count)| (address.parse().expect("an address"), count)).into());
        for wrong in ["localhost:5", "10.0.0.1", "10.0.0.1:", "10.0.0.1:-1", ":5"] {
            assert!(overrides(wrong).is_err(), "{wrong}");
        }
    }
}
