//! Quotas of clients (KIP-13, KIP-124, KIP-546, KIP-599, KIP-612): who can have them, which there are, and how they are kept: as configs of
//! a resource whose name says who is meant.
//!
//! An entity is a user, a client id, both together, or an address; instead of a name each may be "all that have none of their own". Kept
//! is an object of JSON with the parts by type, null for that default, so `{"client-id":null,"user":"orders"}`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Map, Value};

/// The type of an entity's part that is a user.
pub(crate) const USER: &str = "user";
/// The type of an entity's part that is a client id.
pub(crate) const CLIENT_ID: &str = "client-id";
/// The type of an entity that is an address.
pub(crate) const IP: &str = "ip";

/// Whom quotas are for: names by type, `None` for the default.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Entity(pub(crate) BTreeMap<String, Option<String>>);

impl Entity {
    /// An entity of these parts; of a type that comes twice the last one counts, as in Kafka.
    ///
    /// # Errors
    /// Nobody can be meant, as a sentence for the client.
    pub(crate) fn of<'p>(parts: impl Iterator<Item = (&'p str, Option<&'p str>)>) -> Result<Entity, String> {
        let mut entity = Entity::default();
        for (kind, name) in parts {
            check_part(kind, name)?;
            entity.0.insert(kind.to_owned(), name.map(str::to_owned));
        }
        match entity.0.len() {
            0 => Err("a quota is for a user, a client-id or an ip; none is named".to_owned()),
            2.. if entity.is_address() => Err("an ip cannot be combined with a user or a client-id".to_owned()),
            _ => Ok(entity),
        }
    }

    /// Whether it is an address.
    pub(crate) fn is_address(&self) -> bool {
        self.0.contains_key(IP)
    }

    /// How it is named where it is kept.
    pub(crate) fn to_name(&self) -> String {
        let part = |(kind, name): (&String, &Option<String>)| {
            (kind.clone(), name.as_ref().map_or(Value::Null, |name| Value::String(name.clone())))
        };
        Value::Object(self.0.iter().map(part).collect::<Map<_, _>>()).to_string()
    }

    /// Reads what [`Entity::to_name`] wrote.
    pub(crate) fn from_name(name: &str) -> Option<Entity> {
        let Ok(Value::Object(parts)) = serde_json::from_str(name) else { return None };
        let part = |(kind, name): (String, Value)| match name {
            Value::Null => Some((kind, None)),
            Value::String(name) => Some((kind, Some(name))),
            _ => None,
        };
        parts.into_iter().map(part).collect::<Option<_>>().map(Entity)
    }
}

fn check_part(kind: &str, name: Option<&str>) -> Result<(), String> {
    match (kind, name) {
        (USER | CLIENT_ID, Some("")) => Err(format!("the name of a {kind} cannot be empty; the default is null")),
        (IP, Some(address)) if address.parse::<IpAddr>().is_err() => {
            Err("an ip is an address in numbers, such as 10.0.0.1 or ::1; names are not resolved".to_owned())
        }
        (USER | CLIENT_ID | IP, _) => Ok(()),
        _ => Err("quotas are for a user, a client-id or an ip, and nothing else".to_owned()),
    }
}

/// What a quota's number may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Number {
    /// A whole one, up to this.
    Whole(i64),
    /// Any.
    Any,
}

/// All quotas: the name, whether it is one of addresses, its number.
const QUOTAS: [(&str, bool, Number); 5] = [
    ("producer_byte_rate", false, Number::Whole(i64::MAX)),
    ("consumer_byte_rate", false, Number::Whole(i64::MAX)),
    ("request_percentage", false, Number::Any),
    ("controller_mutation_rate", false, Number::Any),
    ("connection_creation_rate", true, Number::Whole(i32::MAX as i64)),
];

/// Whether this entity may have this quota.
///
/// # Errors
/// Why not, as a sentence for the client.
pub(crate) fn check(entity: &Entity, key: &str, value: f64) -> Result<(), String> {
    let mut fitting = QUOTAS.iter().filter(|(_, of_address, _)| *of_address == entity.is_address());
    let Some((_, _, number)) = fitting.clone().find(|(name, ..)| *name == key) else {
        let all: Vec<_> = fitting.by_ref().map(|(name, ..)| *name).collect();
        return Err(format!("there is no such quota; there is {}", all.join(", ")));
    };
    match *number {
        _ if value.is_nan() || value <= 0.0 => Err(format!("{key} must be above 0")),
        _ if value.is_infinite() => Err(format!("{key} must be finite; remove it to have no limit")),
        Number::Whole(_) if value.fract() != 0.0 => Err(format!("{key} must be a whole number")),
        Number::Whole(most) if value > most as f64 => Err(format!("{key} must be at most {most}")),
        _ => Ok(()),
    }
}

/// How a quota is kept: so that it reads back to the same number.
pub(crate) fn to_config(value: f64) -> String {
    value.to_string()
}

/// Reads what [`to_config`] wrote.
pub(crate) fn from_config(value: &str) -> Option<f64> {
    value.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(parts: &[(&str, Option<&str>)]) -> Entity {
        Entity::of(parts.iter().copied()).expect("an entity")
    }

    #[test]
    fn entities_read_back_from_their_names() {
        let both = entity(&[(USER, Some("a\"b,c=d")), (CLIENT_ID, None)]);
        assert_eq!(both.to_name(), r#"{"client-id":null,"user":"a\"b,c=d"}"#);
        for entity in [both, entity(&[(USER, None)]), entity(&[(USER, Some("null"))]), entity(&[(IP, Some("::1"))])] {
            assert_eq!(Entity::from_name(&entity.to_name()), Some(entity));
        }
        for name in ["", "[]", "{\"user\":1}", "{"] {
            assert_eq!(Entity::from_name(name), None, "{name}");
        }
    }

    #[test]
    fn not_everything_is_an_entity() {
        let bad: [&[(&str, Option<&str>)]; 7] = [
            &[],
            &[(USER, Some(""))],
            &[(CLIENT_ID, Some(""))],
            &[("group", Some("g"))],
            &[(IP, Some("localhost"))],
            &[(IP, Some(""))],
            &[(IP, None), (USER, Some("u"))],
        ];
        for parts in bad {
            assert!(Entity::of(parts.iter().copied()).is_err(), "{parts:?}");
        }
        assert_eq!(entity(&[(USER, Some("a")), (USER, Some("b"))]), entity(&[(USER, Some("b"))]));
    }

    #[test]
    fn quotas_have_their_entities_and_numbers() {
        let (user, ip) = (entity(&[(USER, None)]), entity(&[(IP, None)]));
        for (key, value) in
            [("producer_byte_rate", 1.0), ("request_percentage", 0.5), ("controller_mutation_rate", 1e300)]
        {
            assert_eq!(check(&user, key, value), Ok(()));
            assert!(check(&ip, key, value).is_err());
            assert_eq!(from_config(&to_config(value)), Some(value));
        }
        assert_eq!(check(&ip, "connection_creation_rate", 5.0), Ok(()));
        assert!(check(&user, "connection_creation_rate", 5.0).is_err());
        for value in [0.0, -1.0, 1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e30] {
            assert!(check(&user, "consumer_byte_rate", value).is_err(), "{value}");
        }
        assert!(check(&ip, "connection_creation_rate", 3e9).is_err());
        assert!(check(&user, "bytes", 1.0).is_err());
    }
}
