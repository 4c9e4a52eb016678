//! Where the broker listens, and where it says it can be reached.

use std::fmt;

/// One entry of `listeners` or `advertised.listeners`: `NAME://HOST:PORT`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listener {
    /// Its name; `listener.security.protocol.map` gives the protocol.
    pub name: String,
    /// A host name or an address, without brackets. `None`: all interfaces.
    pub host: Option<String>,
    /// The port; 0 lets the system choose one.
    pub port: u16,
}

impl Listener {
    /// Reads `NAME://HOST:PORT`.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence that begins with property and value.
    pub fn parse(text: &str) -> Result<Listener, String> {
        let (name, address) = text
            .split_once("://")
            .ok_or_else(|| format!("is not NAME://HOST:PORT: {text} should be PLAINTEXT://{text}"))?;
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)) {
            return Err(format!("has a listener without a proper name: {text}"));
        }
        let (host, port) = parse_address(address)?;
        Ok(Listener { name: name.to_ascii_uppercase(), host, port })
    }
}

/// Reads `HOST:PORT`, `[IPV6]:PORT` or `:PORT`.
///
/// # Errors
/// What is wrong, as the end of a sentence.
pub fn parse_address(address: &str) -> Result<(Option<String>, u16), String> {
    if let Some((name, rest)) = address.split_once("://") {
        return Err(format!("takes no listener name here: leave out {name}:// and write {rest}"));
    }
    let (host, port) = address.rsplit_once(':').ok_or_else(|| match address {
        "" => "has no address; write HOST:PORT, such as localhost:9092".to_owned(),
        port if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("has no host: {port} should be localhost:{port}")
        }
        host => format!("has no port: {host} should be {host}:9092"),
    })?;
    let port = port.parse().map_err(|_| format!("has a port that is not a number from 0 to 65535: {port}"))?;
    let bare = match host.strip_prefix('[') {
        Some(rest) => match rest.strip_suffix(']') {
            Some(inside) if inside.parse::<std::net::Ipv6Addr>().is_ok() => inside,
            _ => return Err(format!("has brackets round something that is no IPv6 address: {host}")),
        },
        None if host.contains(':') => return Err(format!("needs brackets round its IPv6 address: [{host}]:{port}")),
        None => host,
    };
    let proper = |letter: char| letter.is_alphanumeric() || "._-:%".contains(letter);
    if !bare.chars().all(proper) || bare.len() > 253 {
        return Err(format!("has a host that is neither a name nor an address: {host}"));
    }
    Ok(((!bare.is_empty()).then(|| bare.to_owned()), port))
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.as_deref().unwrap_or("");
        match host.contains(':') {
            true => write!(f, "{}://[{host}]:{}", self.name, self.port),
            false => write!(f, "{}://{host}:{}", self.name, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, name: &str, host: Option<&str>, port: u16) {
        let listener = Listener::parse(text).expect("a proper listener");
        assert_eq!(listener, Listener { name: name.into(), host: host.map(str::to_owned), port });
        assert_eq!(Listener::parse(&listener.to_string()), Ok(listener));
    }

    #[track_caller]
    fn check_error(text: &str, part: &str) {
        let error = Listener::parse(text).expect_err("not a listener");
        assert!(error.contains(part), "{error}");
    }

    #[test]
    fn listeners_are_read() {
        check("PLAINTEXT://localhost:9092", "PLAINTEXT", Some("localhost"), 9092);
        check("plaintext://:9092", "PLAINTEXT", None, 9092);
        check("A-b_1://0.0.0.0:0", "A-B_1", Some("0.0.0.0"), 0);
        check("X://[::1]:65535", "X", Some("::1"), 65535);
    }

    #[test]
    fn errors_say_what_is_wrong() {
        check_error("localhost:9092", "is not NAME://HOST:PORT");
        check_error("://localhost:9092", "without a proper name");
        check_error("localhost:9092", "should be PLAINTEXT://localhost:9092");
        check_error("X://localhost", "localhost should be localhost:9092");
        check_error("X://9099", "9099 should be localhost:9099");
        check_error("X://", "has no address");
        check_error("X://PLAINTEXT://localhost:1", "leave out PLAINTEXT://");
        check_error("X://localhost:65536", "65536");
        check_error("X://localhost:-1", "-1");
        check_error("X://::1:9092", "[::1]:9092");
        check_error("X://[localhost]:9092", "no IPv6 address");
        check_error("X://a b:9092", "neither a name nor an address");
        check_error("X://a/b:9092", "neither a name nor an address");
    }
}
