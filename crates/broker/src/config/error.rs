//! What can be wrong with a configuration, in words for the person who wrote it.

use std::fmt;

use super::layers::Origin;
use super::property::Property;

/// Why a configuration is refused. Its `Display` is for people: a sentence, and where it helps a second, indented line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ConfigError {
    /// No such property.
    Unknown {
        /// What was written.
        name: String,
        /// Where.
        origin: Origin,
        /// The nearest name, with its help and default, where one is near.
        nearest: Option<String>,
    },
    /// The value does not fit the property.
    Invalid {
        /// The property.
        name: String,
        /// What was written.
        value: String,
        /// Where.
        origin: Origin,
        /// The end of the sentence: "is not a whole number ...".
        reason: String,
    },
    /// A line of the file cannot be read.
    Syntax {
        /// Where.
        origin: Origin,
        /// What is wrong.
        reason: String,
    },
    /// Values that are right each by itself but not together.
    Conflict {
        /// A whole sentence.
        reason: String,
    },
}

impl ConfigError {
    pub(crate) fn unknown(name: &str, origin: Origin, nearest: Option<&Property>) -> ConfigError {
        let nearest = nearest.map(|property| {
            let default = property.default.map_or_else(
                || "no default".to_owned(),
                |value| match value {
                    "" => "default empty".to_owned(),
                    value => format!("default {value}"),
                },
            );
            format!("{}?  ({}; {default})", property.name, property.help)
        });
        ConfigError::Unknown { name: name.to_owned(), origin, nearest }
    }

    pub(crate) fn conflict(reason: impl Into<String>) -> ConfigError {
        ConfigError::Conflict { reason: reason.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Unknown { name, origin, nearest } => {
                write!(f, "{}unknown property {name}", origin.prefix())?;
                match nearest {
                    Some(nearest) => write!(f, "\n  did you mean {nearest}"),
                    None => f.write_str("; docs/configuration.md lists all there are"),
                }
            }
            ConfigError::Invalid { name, value, origin, reason } => {
                write!(f, "{}{name}={} {reason}", origin.prefix(), Shown(value))
            }
            ConfigError::Syntax { origin, reason } => write!(f, "{}{reason}", origin.prefix()),
            ConfigError::Conflict { reason } => f.write_str(reason),
        }
    }
}

impl std::error::Error for ConfigError {}

/// A value as it may be shown in one line: control characters escaped, long ones cut.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 200;
        for letter in self.0.chars().take(LONGEST) {
            match letter.is_control() {
                true => write!(f, "{}", letter.escape_default())?,
                false => write!(f, "{letter}")?,
            }
        }
        if self.0.chars().nth(LONGEST).is_some() { f.write_str("...") } else { Ok(()) }
    }
}
