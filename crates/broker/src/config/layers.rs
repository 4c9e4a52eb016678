//! Layers of configuration: what is set while brokers run before flags before `--set` before the file before defaults, each
//! value with where it came from.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::BrokerConfig;
use super::dynamic::Dynamic;
use super::error::ConfigError;
use super::listener::parse_address;
use super::nearest::nearest;
use super::properties_file;
use super::property::{Class, Property};
use super::table;

/// Where a value was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A flag of its own, such as `--listen`.
    Flag(&'static str),
    /// `--set name=value`.
    Set,
    /// The configuration file.
    File {
        /// Its name.
        name: Arc<str>,
        /// The line, from 1.
        line: usize,
    },
}

impl Origin {
    /// What an error begins with. Nothing for `--set`: the person has the command before them.
    pub(crate) fn prefix(&self) -> String {
        match self {
            Origin::Flag(flag) => format!("{flag}: "),
            Origin::Set => String::new(),
            Origin::File { name, line } => format!("{name}:{line}: "),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(flag) => f.write_str(flag),
            Origin::Set => f.write_str("--set"),
            Origin::File { name, line } => write!(f, "{name}, line {line}"),
        }
    }
}

/// A checked value and where it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Given {
    /// The value, in its plain form.
    pub value: String,
    /// Where from.
    pub origin: Origin,
}

type Layer = BTreeMap<&'static str, Given>;

/// Collects what was given, layer by layer; [`Layers::resolve`] makes a configuration of it. Within a layer the last
/// value of a property wins.
#[derive(Clone, Default, Debug)]
pub struct Layers {
    flags: Layer,
    sets: Layer,
    file: Layer,
    made_up: Vec<String>,
}

impl Layers {
    /// A value given by a flag of its own.
    ///
    /// # Errors
    /// An unknown property, or a value that does not fit it.
    pub fn flag(&mut self, flag: &'static str, property: &str, value: &str) -> Result<(), ConfigError> {
        if let Some((name, given)) = self.check(property, value, Origin::Flag(flag))? {
            self.flags.insert(name, given);
        }
        Ok(())
    }

    /// `--listen HOST:PORT`, as often as it was given.
    ///
    /// # Errors
    /// An address without a port, or what is no address.
    pub fn listen(&mut self, addresses: &[String]) -> Result<(), ConfigError> {
        self.addresses("--listen", table::network::LISTENERS.name, addresses)
    }

    /// `--advertise HOST:PORT`, as often as it was given.
    ///
    /// # Errors
    /// An address without a port, or what is no address.
    pub fn advertise(&mut self, addresses: &[String]) -> Result<(), ConfigError> {
        self.addresses("--advertise", table::network::ADVERTISED_LISTENERS.name, addresses)
    }

    /// `--data DIR`.
    ///
    /// # Errors
    /// An empty name, or one with a comma: `log.dirs` would read it as several.
    pub fn data(&mut self, folder: &str) -> Result<(), ConfigError> {
        if folder.trim().is_empty() || folder.contains(',') {
            return Err(ConfigError::conflict(format!("--data {folder} is no name for a data folder")));
        }
        self.flag("--data", table::storage::LOG_DIRS.name, folder)
    }

    /// `--storage KIND`.
    ///
    /// # Errors
    /// Neither `local` nor `memory`.
    pub fn storage(&mut self, kind: &str) -> Result<(), ConfigError> {
        self.flag("--storage", table::storage::OTTLA_STORAGE.name, kind)
    }

    /// `--set name=value`.
    ///
    /// # Errors
    /// No `=`, an unknown property, or a value that does not fit it.
    pub fn set(&mut self, assignment: &str) -> Result<(), ConfigError> {
        let (name, value) = assignment
            .split_once('=')
            .ok_or_else(|| ConfigError::conflict(format!("--set {assignment} is not NAME=VALUE")))?;
        if let Some((name, given)) = self.check(name.trim(), value, Origin::Set)? {
            self.sets.insert(name, given);
        }
        Ok(())
    }

    /// The configuration file, read by the caller; `name` is how errors call it.
    ///
    /// # Errors
    /// A line that cannot be read, an unknown property, or a value that does not fit it: the first one, with its line.
    pub fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), ConfigError> {
        let name: Arc<str> = name.into();
        let origin = |line| Origin::File { name: name.clone(), line };
        let entries = properties_file::parse(bytes).map_err(|error| ConfigError::Syntax {
            origin: origin(error.line),
            reason: format!("the line {}", error.reason),
        })?;
        for entry in entries {
            if let Some((name, given)) = self.check(&entry.name, &entry.value, origin(entry.line))? {
                self.file.insert(name, given);
            }
        }
        Ok(())
    }

    /// Puts the layers over each other and over the defaults.
    ///
    /// # Errors
    /// Values that do not fit together.
    pub fn resolve(self) -> Result<BrokerConfig, ConfigError> {
        let mut values = Values::default();
        for layer in [self.flags, self.sets, self.file] {
            for (name, given) in layer {
                values.given.entry(name).or_default().push(given);
            }
        }
        let warnings = values.warnings().chain(self.made_up).collect();
        BrokerConfig::new(values, warnings)
    }

    fn addresses(&mut self, flag: &'static str, property: &str, addresses: &[String]) -> Result<(), ConfigError> {
        if addresses.is_empty() {
            return Ok(());
        }
        let mut listeners = Vec::with_capacity(addresses.len());
        for address in addresses {
            parse_address(address).map_err(|reason| ConfigError::conflict(format!("{flag} {address} {reason}")))?;
            listeners.push(format!("PLAINTEXT://{address}"));
        }
        self.flag(flag, property, &listeners.join(","))
    }

    /// Checks one value. `None` for a name that Kafka makes up: nothing here could use it.
    fn check(&mut self, name: &str, value: &str, origin: Origin) -> Result<Option<(&'static str, Given)>, ConfigError> {
        let Some(property) = table::find(name) else {
            if table::PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
                self.made_up.push(format!("{}{name} has no meaning here", origin.prefix()));
                return Ok(None);
            }
            return Err(ConfigError::unknown(name, origin, nearest(name, table::all())));
        };
        match property.kind.check(value) {
            Ok(value) => Ok(Some((property.name, Given { value, origin }))),
            Err(reason) => {
                let value = if property.kind.is_sensitive() { "[hidden]" } else { value }.to_owned();
                Err(ConfigError::Invalid { name: name.to_owned(), value, origin, reason })
            }
        }
    }
}

/// What was given for each property; the highest layer first.
#[derive(Clone, Default, Debug)]
pub(crate) struct Values {
    given: BTreeMap<&'static str, Vec<Given>>,
    dynamic: Dynamic,
}

/// From where a value comes that counts, or would count if the ones before it were not there; the first wins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    /// Set on this broker while it ran.
    ThisBroker,
    /// Set for all brokers while they ran.
    AllBrokers,
    /// Given when the broker started.
    Static,
    /// Nobody set it.
    Default,
}

/// A value with the property that it was given for, which may be a coarser one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Candidate<'a> {
    /// The property.
    pub(crate) name: &'static str,
    /// As it was given for that property.
    pub(crate) value: &'a str,
    /// By whom.
    pub(crate) source: Source,
}

/// The value that counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Effective<'a> {
    /// The value; `None` where nobody set it and there is no default.
    pub(crate) value: Option<Cow<'a, str>>,
    /// From where.
    pub(crate) source: Source,
}

impl Values {
    /// The same under what is set while brokers run.
    pub(super) fn under(&self, dynamic: Dynamic) -> Values {
        Values { given: self.given.clone(), dynamic }
    }

    /// What is set while brokers run.
    pub(crate) fn dynamic(&self) -> &Dynamic {
        &self.dynamic
    }

    /// Everything given for one property before the start, the highest layer first.
    pub(crate) fn given(&self, name: &str) -> &[Given] {
        self.given.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether anybody set the property, before the start or since.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        !self.given(name).is_empty() || self.dynamic.candidates(name).next().is_some()
    }

    /// What was set for a property and its coarser ones, the first one counts; without the default.
    pub(crate) fn candidates(&self, property: &Property) -> impl Iterator<Item = Candidate<'_>> {
        let names = || std::iter::once(property.name).chain(property.coarser.iter().map(|coarser| coarser.name));
        let fixed = names().flat_map(|name| {
            self.given(name).iter().map(move |given| Candidate { name, value: &given.value, source: Source::Static })
        });
        self.dynamic.candidates(property.name).chain(fixed.collect::<Vec<_>>())
    }

    /// What counts for a property: what was set for it, or for a coarser one, or its default.
    pub(crate) fn effective(&self, property: &Property) -> Effective<'_> {
        let Some(Candidate { name, value, source }) = self.candidates(property).next() else {
            return Effective { value: property.default.map(Cow::Borrowed), source: Source::Default };
        };
        let value = match property.coarser.iter().find(|coarser| coarser.name == name) {
            None => Cow::Borrowed(value),
            Some(coarser) => match value.parse::<i64>() {
                Ok(count) if count >= 0 => Cow::Owned(count.saturating_mul(coarser.factor).to_string()),
                _ => Cow::Borrowed("-1"),
            },
        };
        Effective { value: Some(value), source }
    }

    /// The text that counts, empty where there is none.
    pub(crate) fn text(&self, property: &Property) -> Cow<'_, str> {
        self.effective(property).value.unwrap_or_default()
    }

    /// The number that counts, where there is one.
    ///
    /// # Errors
    /// The property is not declared as this kind of number.
    pub(crate) fn optional<N: std::str::FromStr>(&self, property: &Property) -> Result<Option<N>, ConfigError> {
        let Some(value) = self.effective(property).value else { return Ok(None) };
        value.parse().map(Some).map_err(|_| ConfigError::conflict(format!("{}={value} does not fit", property.name)))
    }

    /// The number or the truth value that counts.
    ///
    /// # Errors
    /// The property is not declared as this kind, or has neither value nor default.
    pub(crate) fn get<N: std::str::FromStr>(&self, property: &Property) -> Result<N, ConfigError> {
        self.optional(property)?.ok_or_else(|| ConfigError::conflict(format!("{} must be set", property.name)))
    }

    /// One sentence for each given property that steers nothing.
    fn warnings(&self) -> impl Iterator<Item = String> {
        self.given.iter().filter_map(|(name, given)| {
            let property = table::find(name)?;
            let prefix = given.first()?.origin.prefix();
            match property.class {
                Class::Served => None,
                Class::NotYet => Some(format!("{prefix}{name} has no effect in this version ({})", property.help)),
                Class::WithoutMeaning => Some(format!("{prefix}{name} has no meaning here ({})", property.help)),
            }
        })
    }
}
