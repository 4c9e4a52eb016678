//! What a value may look like: the types Kafka knows for its properties, with their ranges.

use std::fmt;
use std::net::IpAddr;

/// The type and the range of a property's value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    /// `true` or `false`, in any case.
    Boolean,
    /// A whole number of 16 bits.
    Short {
        /// Smallest value.
        min: i16,
        /// Largest value.
        max: i16,
    },
    /// A whole number of 32 bits.
    Int {
        /// Smallest value.
        min: i32,
        /// Largest value.
        max: i32,
    },
    /// A whole number of 32 bits in a range, or one value outside of it that means "choose for me".
    IntOr {
        /// Smallest value.
        min: i32,
        /// Largest value.
        max: i32,
        /// The value outside of the range.
        or: i32,
    },
    /// A whole number of 64 bits.
    Long {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
    },
    /// A number with a fraction.
    Double {
        /// Smallest value.
        min: f64,
        /// Largest value.
        max: f64,
    },
    /// Any text.
    Text,
    /// One of these words, spelt exactly so.
    Choice(&'static [&'static str]),
    /// One of these words, in any case.
    ChoiceAnyCase(&'static [&'static str]),
    /// Texts with commas between them.
    List,
    /// Words out of these with commas between them; one that comes again is dropped.
    ListOf(&'static [&'static str]),
    /// `ADDRESS:COUNT` pairs with commas between them, addresses in numbers.
    AddressCounts,
    /// `*`, or `PARTITION:BROKER` pairs with commas between them.
    Replicas,
    /// The name of a Java class.
    Class,
    /// A text that is never shown.
    Password,
}

impl Kind {
    /// A number of 16 bits from `min` on.
    pub(crate) const fn short(min: i16) -> Kind {
        Kind::Short { min, max: i16::MAX }
    }

    /// A number of 32 bits from `min` on.
    pub(crate) const fn int(min: i32) -> Kind {
        Kind::Int { min, max: i32::MAX }
    }

    /// A number of 64 bits from `min` on.
    pub(crate) const fn long(min: i64) -> Kind {
        Kind::Long { min, max: i64::MAX }
    }

    /// Any number of 16 bits.
    pub(crate) const SHORT: Kind = Kind::short(i16::MIN);
    /// Any number of 32 bits.
    pub(crate) const INT: Kind = Kind::int(i32::MIN);
    /// Any number of 64 bits.
    pub(crate) const LONG: Kind = Kind::long(i64::MIN);
    /// Any number with a fraction.
    pub(crate) const DOUBLE: Kind = Kind::Double { min: f64::MIN, max: f64::MAX };

    /// The type's number in DescribeConfigs answers (from version 3 on).
    pub fn wire_code(self) -> i8 {
        match self {
            Kind::Boolean => 1,
            Kind::Text | Kind::Choice(_) | Kind::ChoiceAnyCase(_) | Kind::AddressCounts => 2,
            Kind::Int { .. } | Kind::IntOr { .. } => 3,
            Kind::Short { .. } => 4,
            Kind::Long { .. } => 5,
            Kind::Double { .. } => 6,
            Kind::List | Kind::ListOf(_) | Kind::Replicas => 7,
            Kind::Class => 8,
            Kind::Password => 9,
        }
    }

    /// Whether values are kept from view.
    pub fn is_sensitive(self) -> bool {
        self == Kind::Password
    }

    /// Checks a value and answers it as it is stored: without blanks around it, numbers in their plain form.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence that begins with property and value.
    pub fn check(self, value: &str) -> Result<String, String> {
        let value = value.trim();
        match self {
            Kind::Boolean => match value.to_ascii_lowercase().as_str() {
                word @ ("true" | "false") => Ok(word.to_owned()),
                _ => Err(format!("is not {self}")),
            },
            Kind::Short { min, max } => self.whole(value, min.into(), max.into()),
            Kind::Int { min, max } => self.whole(value, min.into(), max.into()),
            Kind::IntOr { min, max, or } => match value.parse::<i32>() {
                Ok(number) if number == or => Ok(number.to_string()),
                _ => self.whole(value, min.into(), max.into()),
            },
            Kind::Long { min, max } => self.whole(value, min, max),
            Kind::Double { min, max } => match value.parse::<f64>() {
                Ok(number) if !number.is_nan() && (min..=max).contains(&number) => Ok(value.to_owned()),
                _ => Err(format!("is not {self}")),
            },
            Kind::Choice(words) if !words.contains(&value) => Err(format!("is not {self}")),
            Kind::ChoiceAnyCase(words) if !words.iter().any(|word| word.eq_ignore_ascii_case(value)) => {
                Err(format!("is not {self}"))
            }
            Kind::List => Ok(split_list(value).collect::<Vec<_>>().join(",")),
            Kind::ListOf(words) => self.words(value, words),
            Kind::Replicas if value != "*" && !split_list(value).all(is_replica) => Err(format!("is not {self}")),
            Kind::Replicas => Ok(value.to_owned()),
            Kind::AddressCounts if split_list(value).all(|pair| address_count(pair).is_some()) => Ok(value.to_owned()),
            Kind::AddressCounts => Err(format!("is not {self}")),
            Kind::Text | Kind::Choice(_) | Kind::ChoiceAnyCase(_) | Kind::Class | Kind::Password => {
                Ok(value.to_owned())
            }
        }
    }

    fn whole(self, value: &str, min: i64, max: i64) -> Result<String, String> {
        match value.parse::<i64>() {
            Ok(number) if (min..=max).contains(&number) => Ok(number.to_string()),
            _ => Err(format!("is not {self}")),
        }
    }

    fn words(self, value: &str, allowed: &[&str]) -> Result<String, String> {
        let mut words: Vec<&str> = Vec::new();
        for word in split_list(value) {
            if !allowed.contains(&word) {
                return Err(format!("is not {self}"));
            }
            if !words.contains(&word) {
                words.push(word);
            }
        }
        Ok(words.join(","))
    }
}

/// The parts of a list value; an empty value has none.
pub(crate) fn split_list(value: &str) -> impl Iterator<Item = &str> {
    let value = value.trim();
    value.split(',').map(str::trim).filter(move |_| !value.is_empty())
}

/// A pair of [`Kind::AddressCounts`]. An address of IPv6 has colons of its own; one that stands for an address of IPv4 is that.
pub(crate) fn address_count(pair: &str) -> Option<(IpAddr, usize)> {
    let (address, count) = pair.rsplit_once(':')?;
    let address: IpAddr = address.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
    Some((address.to_canonical(), usize::try_from(count.trim().parse::<i32>().ok()?).ok()?))
}

fn is_replica(pair: &str) -> bool {
    pair.split_once(':')
        .is_some_and(|(partition, broker)| partition.parse::<u32>().is_ok() && broker.parse::<u32>().is_ok())
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Kind::Boolean => f.write_str("true or false"),
            Kind::Short { min, max } => range(f, min.into(), max.into(), i16::MIN.into(), i16::MAX.into()),
            Kind::Int { min, max } => range(f, min.into(), max.into(), i32::MIN.into(), i32::MAX.into()),
            Kind::IntOr { min, max, or } => write!(f, "a whole number from {min} to {max}, or {or}"),
            Kind::Long { min, max } => range(f, min, max, i64::MIN, i64::MAX),
            Kind::Double { min, max } if min == f64::MIN && max == f64::MAX => f.write_str("a number"),
            Kind::Double { min, max } if max == f64::MAX => write!(f, "a number from {min} on"),
            Kind::Double { min, max } => write!(f, "a number from {min} to {max}"),
            Kind::Text => f.write_str("text"),
            Kind::Choice(words) => write!(f, "one of {}", words.join(", ")),
            Kind::ChoiceAnyCase(words) => write!(f, "one of {} (in any case)", words.join(", ")),
            Kind::List => f.write_str("a list with commas"),
            Kind::ListOf(words) => write!(f, "a list out of {}", words.join(", ")),
            Kind::Replicas => f.write_str("* or a list of PARTITION:BROKER"),
            Kind::AddressCounts => f.write_str("a list of ADDRESS:COUNT, such as 10.0.0.1:5,[::1]:10"),
            Kind::Class => f.write_str("a Java class"),
            Kind::Password => f.write_str("a secret"),
        }
    }
}

/// Names only the ends of the range that are narrower than the type itself.
fn range(f: &mut fmt::Formatter<'_>, min: i64, max: i64, type_min: i64, type_max: i64) -> fmt::Result {
    match (min == type_min, max == type_max) {
        (true, true) => write!(f, "a whole number of {} bits", (type_max.ilog2() + 1).next_power_of_two()),
        (false, true) => write!(f, "a whole number from {min} to {type_max}"),
        _ => write!(f, "a whole number from {min} to {max}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_to_their_type_and_range() {
        assert_eq!(Kind::int(1).check(" +7 "), Ok("7".to_owned()));
        assert_eq!(Kind::int(1).check("0"), Err("is not a whole number from 1 to 2147483647".to_owned()));
        assert!(Kind::INT.check("2147483648").is_err());
        assert_eq!(Kind::LONG.check("2147483648"), Ok("2147483648".to_owned()));
        assert!(Kind::LONG.check("9223372036854775808").is_err());
        assert_eq!(Kind::SHORT.check("32768"), Err("is not a whole number of 16 bits".to_owned()));
        assert_eq!(Kind::INT.check("x"), Err("is not a whole number of 32 bits".to_owned()));
        assert_eq!(Kind::LONG.check("1k"), Err("is not a whole number of 64 bits".to_owned()));
        let level = Kind::IntOr { min: 1, max: 9, or: -1 };
        assert_eq!(level.check("-1"), Ok("-1".to_owned()));
        assert!(level.check("0").is_err());
        assert!(Kind::Double { min: 0.0, max: 1.0 }.check("NaN").is_err());
        assert!(Kind::Double { min: 0.0, max: 1.0 }.check("1.01").is_err());
        assert_eq!(Kind::Double { min: 0.0, max: 1.0 }.check("0.25"), Ok("0.25".to_owned()));
    }

    #[test]
    fn words_are_out_of_the_choice() {
        let choice = Kind::Choice(&["CreateTime", "LogAppendTime"]);
        assert!(choice.check("createtime").is_err());
        assert_eq!(choice.check("CreateTime"), Ok("CreateTime".to_owned()));
        assert_eq!(Kind::ChoiceAnyCase(&["ES256"]).check("es256"), Ok("es256".to_owned()));
        let list = Kind::ListOf(&["compact", "delete"]);
        assert_eq!(list.check("compact , delete"), Ok("compact,delete".to_owned()));
        assert_eq!(list.check(""), Ok(String::new()));
        assert_eq!(list.check("compact,delete,compact"), Ok("compact,delete".to_owned()));
        assert!(list.check("compact,,delete").is_err());
        assert!(
            Kind::Replicas.check("*").is_ok()
                && Kind::Replicas.check("0:1,1:1").is_ok()
                && Kind::Replicas.check("").is_ok()
        );
        assert!(Kind::Replicas.check("x").is_err() && Kind::Replicas.check("0:-1").is_err());
        assert_eq!(Kind::Boolean.check("TRUE"), Ok("true".to_owned()));
        assert!(Kind::Boolean.check("yes").is_err());
    }
}
