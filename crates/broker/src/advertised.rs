//! What a client is told about where this node can be reached (`advertised.listeners`, or automatic).

use std::net::IpAddr;

use crate::context::{Context, Listener};

/// Host and port of this node for this client.
///
/// Without an advertised address it is the one the client connected to: it has just been proven to work. A loopback
/// address becomes `localhost` where both families are bound, because several clients build `host:port` from a bare IPv6
/// literal and fail.
pub(crate) fn address(context: &Context) -> (String, i32) {
    let local = context.local();
    address_for(context.listener(), local.ip(), local.port())
}

fn address_for(listener: &Listener, ip: IpAddr, port: u16) -> (String, i32) {
    if let Some((host, port)) = &listener.advertised {
        return (host.clone(), i32::from(*port));
    }
    let ip = ip.to_canonical();
    let host = if ip.is_loopback() && listener.both_loopbacks { "localhost".to_owned() } else { ip.to_string() };
    (host, i32::from(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(both_loopbacks: bool, advertised: Option<(String, u16)>) -> Listener {
        Listener { name: "PLAINTEXT".into(), host: Some("localhost".into()), port: 9092, both_loopbacks, advertised }
    }

    #[test]
    fn tells_what_the_client_can_reach() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let both = listener(true, None);
        assert_eq!(address_for(&both, ip("127.0.0.1"), 9092), ("localhost".into(), 9092));
        assert_eq!(address_for(&both, ip("::1"), 9092), ("localhost".into(), 9092));
        assert_eq!(address_for(&both, ip("10.1.2.3"), 9092), ("10.1.2.3".into(), 9092));
        let one = listener(false, None);
        assert_eq!(address_for(&one, ip("127.0.0.1"), 9092), ("127.0.0.1".into(), 9092));
        assert_eq!(address_for(&one, ip("::ffff:10.1.2.3"), 9092), ("10.1.2.3".into(), 9092));
        let told = listener(true, Some(("kafka.example".into(), 19092)));
        assert_eq!(address_for(&told, ip("127.0.0.1"), 9092), ("kafka.example".into(), 19092));
    }
}
