//! The addresses to begin with: `host:port`, several with commas between.

use crate::ClientError;

/// Reads a list of addresses (`bootstrap.servers`). An IPv6 address stands in brackets.
pub(crate) fn addresses(list: &str) -> Result<Vec<String>, ClientError> {
    let parts: Vec<&str> = list.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return Err(ClientError::Address { address: list.to_owned() });
    }
    parts.into_iter().map(checked).collect()
}

fn checked(address: &str) -> Result<String, ClientError> {
    let proper = address.rsplit_once(':').is_some_and(|(host, port)| {
        let host_is_one = !host.is_empty() && (!host.contains(':') || host.starts_with('[') && host.ends_with(']'));
        host_is_one && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    match proper {
        true => Ok(address.to_owned()),
        false => Err(ClientError::Address { address: address.to_owned() }),
    }
}

/// The address of a host as brokers tell it, which has no brackets.
pub(crate) fn joined(host: &str, port: i32) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_port_for_each_host() {
        assert_eq!(addresses("a:1, [::1]:2,").expect("a list"), ["a:1", "[::1]:2"]);
        for wrong in ["", ",", "localhost", "localhost:", ":9092", "a:0", "a:70000", "::1:9092", "a:1,b"] {
            assert!(matches!(addresses(wrong), Err(ClientError::Address { .. })), "{wrong}");
        }
    }

    #[test]
    fn an_ipv6_host_gets_its_brackets() {
        assert_eq!((joined("::1", 2), joined("b", 3)), ("[::1]:2".to_owned(), "b:3".to_owned()));
    }
}
