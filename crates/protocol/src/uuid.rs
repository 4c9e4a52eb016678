//! Topic ids and directory ids.

use std::fmt;
use std::str::FromStr;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const TEXT_CHARS: usize = 22;

/// 16 bytes, shown as Kafka shows them: 22 characters of URL-safe base64 without padding.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// All zero: "no id", where a message names a topic instead.
    pub const ZERO: Uuid = Uuid([0; 16]);

    /// Whether it stands for "no id".
    pub fn is_zero(self) -> bool {
        self == Uuid::ZERO
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 128 bits are 21 characters and two bits; four zero bits fill the last one.
        let bits = u128::from_be_bytes(self.0);
        let mut text = [0u8; TEXT_CHARS];
        for (place, character) in text.iter_mut().enumerate() {
            let shift = 128 - 6 * (place as i32 + 1);
            let six = if shift >= 0 { bits >> shift } else { bits << -shift };
            *character = ALPHABET[(six & 63) as usize];
        }
        f.pad(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not 22 characters of URL-safe base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidUuid;

impl fmt::Display for InvalidUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an id: 22 characters of URL-safe base64 expected")
    }
}

impl std::error::Error for InvalidUuid {}

impl FromStr for Uuid {
    type Err = InvalidUuid;

    fn from_str(text: &str) -> Result<Self, InvalidUuid> {
        if text.len() != TEXT_CHARS {
            return Err(InvalidUuid);
        }
        let mut bits = 0u128;
        for (place, character) in text.bytes().enumerate() {
            let six = ALPHABET.iter().position(|&known| known == character).ok_or(InvalidUuid)? as u128;
            let last = place == TEXT_CHARS - 1;
            if last && six & 15 != 0 {
                return Err(InvalidUuid);
            }
            bits = if last { bits << 2 | six >> 4 } else { bits << 6 | six };
        }
        Ok(Uuid(bits.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_as_kafka_shows_it_and_reads_back() {
        // "MkU3OEVBNTcwNTJENDM2Qg" is the cluster id of Kafka's own quickstart: the ASCII bytes below.
        let id = Uuid(*b"2E78EA57052D436B");
        assert_eq!(id.to_string(), "MkU3OEVBNTcwNTJENDM2Qg");
        assert_eq!("MkU3OEVBNTcwNTJENDM2Qg".parse(), Ok(id));
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        let all = Uuid([0xff; 16]);
        assert_eq!(all.to_string().parse(), Ok(all));
    }

    #[test]
    fn refuses_other_texts() {
        for text in
            ["", "MkU3OEVBNTcwNTJENDM2Qk", "MkU3OEVBNTcwNTJENDM2Q", "MkU3OEVBNTcwNTJENDM2Q+", "MkU3OEVBNTcwNTJENDM2Qgg"]
        {
            assert_eq!(text.parse::<Uuid>(), Err(InvalidUuid), "{text}");
        }
    }
}
