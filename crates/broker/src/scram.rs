//! SCRAM credentials (RFC 5802, KIP-554): how they are kept, as configs of their user by the mechanism's name, and which are taken.
//!
//! No listener authenticates yet, so they are kept and listed, and not used. What is kept suffices to log in, as it does in Kafka's
//! metadata log: whoever can read the data folder has it.

use std::fmt::Write as _;

/// A mechanism.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Mechanism {
    /// SCRAM-SHA-256.
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

/// Kafka takes no weaker ones, and none that would cost each login too much.
const ITERATIONS: std::ops::RangeInclusive<i32> = 4_096..=16_384;
/// The largest salt and the largest password, in bytes; clients send 32 or 64.
const MOST_BYTES: usize = 1_024;

impl Mechanism {
    /// All of them.
    pub(crate) const ALL: [Mechanism; 2] = [Mechanism::Sha256, Mechanism::Sha512];

    /// By the wire's number.
    pub(crate) fn of(code: i8) -> Option<Mechanism> {
        Mechanism::ALL.into_iter().find(|mechanism| mechanism.code() == code)
    }

    /// The wire's number.
    pub(crate) fn code(self) -> i8 {
        match self {
            Mechanism::Sha256 => 1,
            Mechanism::Sha512 => 2,
        }
    }

    /// The name under which it is kept.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mechanism::Sha256 => "SCRAM-SHA-256",
            Mechanism::Sha512 => "SCRAM-SHA-512",
        }
    }
}

/// What a client sends of a password: never the password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Credential<'a> {
    /// How often the password was hashed.
    pub(crate) iterations: i32,
    /// What it was hashed with.
    pub(crate) salt: &'a [u8],
    /// The result.
    pub(crate) salted_password: &'a [u8],
}

impl Credential<'_> {
    /// Whether it is taken.
    ///
    /// # Errors
    /// Why not, as a sentence for the client.
    pub(crate) fn check(&self) -> Result<(), String> {
        let (least, most) = (ITERATIONS.start(), ITERATIONS.end());
        match self.iterations {
            few if few < *least => Err(format!("{few} iterations are too few; use at least {least}")),
            many if many > *most => Err(format!("{many} iterations are too many; use at most {most}")),
            _ if self.salted_password.is_empty() => Err("the salted password is empty".to_owned()),
            _ if self.salt.len().max(self.salted_password.len()) > MOST_BYTES => {
                Err(format!("salt and salted password have at most {MOST_BYTES} bytes each"))
            }
            _ => Ok(()),
        }
    }

    /// How it is kept.
    pub(crate) fn to_config(self) -> String {
        let (salt, salted_password) = (hex(self.salt), hex(self.salted_password));
        format!("iterations={},salt={salt},salted_password={salted_password}", self.iterations)
    }
}

/// How many iterations a kept credential has.
pub(crate) fn iterations_of(config: &str) -> Option<i32> {
    config.split(',').find_map(|field| field.strip_prefix("iterations="))?.parse().ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Credential<'_> = Credential { iterations: 4_096, salt: &[1, 0xab], salted_password: &[0xff; 2] };

    #[test]
    fn what_is_kept_tells_its_iterations() {
        assert_eq!(GOOD.to_config(), "iterations=4096,salt=01ab,salted_password=ffff");
        assert_eq!(iterations_of(&GOOD.to_config()), Some(4_096));
        assert_eq!(iterations_of("salt=00"), None);
    }

    #[test]
    fn iterations_and_sizes_have_bounds() {
        for good in [GOOD, Credential { iterations: 16_384, ..GOOD }, Credential { salt: &[], ..GOOD }] {
            assert_eq!(good.check(), Ok(()));
        }
        let long = [0; MOST_BYTES + 1];
        let bad = [
            Credential { iterations: 4_095, ..GOOD },
            Credential { iterations: 16_385, ..GOOD },
            Credential { salted_password: &[], ..GOOD },
            Credential { salt: &long, ..GOOD },
            Credential { salted_password: &long, ..GOOD },
        ];
        for bad in bad {
            assert!(bad.check().is_err(), "{}", bad.to_config());
        }
    }
}
