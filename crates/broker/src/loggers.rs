//! The levels of the log, as clients see and change them (KIP-412). Who writes the log is picked by the command line.

use std::collections::BTreeMap;
use std::fmt;

use ottla_protocol::ErrorCode;

use crate::alteration::{Failure, Wish};
use crate::config::Shown;
use crate::config::change::Operation;
use crate::context::{self, Context, Resource};
use crate::handlers::describe_configs::check_logger_owner;

/// The logger of everything that has no level of its own.
pub const ROOT_LOGGER: &str = "root";

/// How much is logged, by the names that Kafka has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[allow(missing_docs, reason = "they are their names")]
pub enum LogLevel {
    Off,
    Fatal,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    const NAMED: [(&str, LogLevel); 7] = [
        ("OFF", LogLevel::Off),
        ("FATAL", LogLevel::Fatal),
        ("ERROR", LogLevel::Error),
        ("WARN", LogLevel::Warn),
        ("INFO", LogLevel::Info),
        ("DEBUG", LogLevel::Debug),
        ("TRACE", LogLevel::Trace),
    ];

    /// Kafka's name.
    pub fn name(self) -> &'static str {
        Self::NAMED.iter().find(|(_, level)| *level == self).map_or("OFF", |(name, _)| name)
    }

    /// The level of a name that clients may set, spelt exactly so; there is no switching off, as in Kafka.
    fn of(name: &str) -> Option<LogLevel> {
        Self::NAMED.iter().skip(1).find(|(known, _)| *known == name).map(|(_, level)| *level)
    }
}

/// What is logged, by logger. A change holds until the process ends.
pub trait Loggers: Send + Sync + fmt::Debug {
    /// All loggers with what counts for each.
    fn levels(&self) -> BTreeMap<&'static str, LogLevel>;
    /// Gives loggers other levels; `None`: that of [`ROOT_LOGGER`]. The names are among those of [`Loggers::levels`].
    fn set(&self, levels: &BTreeMap<&'static str, Option<LogLevel>>);
}

/// For those who write no log.
#[derive(Debug)]
pub struct NoLoggers;

impl Loggers for NoLoggers {
    fn levels(&self) -> BTreeMap<&'static str, LogLevel> {
        BTreeMap::from([(ROOT_LOGGER, LogLevel::Off)])
    }

    fn set(&self, _: &BTreeMap<&'static str, Option<LogLevel>>) {}
}

/// Changes levels as a client wishes, all or none.
///
/// # Errors
/// Why nothing was changed.
pub(crate) fn alter(context: &Context, wish: &Wish<'_>, validate_only: bool) -> Result<(), Failure> {
    let invalid = |reason: String| (ErrorCode::INVALID_REQUEST, reason);
    if !context.authorize(context::Operation::AlterConfigs, Resource::Cluster) {
        return Err((ErrorCode::CLUSTER_AUTHORIZATION_FAILED, "not allowed to change the broker's loggers".to_owned()));
    }
    if !wish.keeps_others {
        return Err(invalid("loggers are changed one by one, with IncrementalAlterConfigs".to_owned()));
    }
    let broker = context.broker();
    check_logger_owner(broker.identity().node_id, wish.resource_name).map_err(invalid)?;
    let known = broker.loggers().levels();
    let mut levels = BTreeMap::new();
    for (name, operation) in wish.operations.as_ref().map_err(Failure::clone)? {
        let logger = known.keys().find(|known| *known == name).ok_or_else(|| {
            let known = known.keys().copied().collect::<Vec<_>>().join(", ");
            (ErrorCode::INVALID_CONFIG, format!("there is no logger {}; there are {known}", Shown(name)))
        })?;
        if levels.insert(*logger, level(logger, *operation)?).is_some() {
            return Err(invalid(format!("the request names the logger {logger} more than once")));
        }
    }
    if !validate_only {
        broker.loggers().set(&levels);
        for (logger, level) in &levels {
            tracing::info!(logger, "logs {}", level.map_or("what root does", LogLevel::name));
        }
    }
    Ok(())
}

fn level(logger: &str, operation: Operation<'_>) -> Result<Option<LogLevel>, Failure> {
    match operation {
        Operation::Set(level) => LogLevel::of(level).map(Some).ok_or_else(|| {
            let reason = format!("{} is no level of a log; use FATAL, ERROR, WARN, INFO, DEBUG or TRACE", Shown(level));
            (ErrorCode::INVALID_CONFIG, reason)
        }),
        Operation::Delete if logger == ROOT_LOGGER => {
            Err((ErrorCode::INVALID_REQUEST, "the root logger always has a level; set it to another".to_owned()))
        }
        Operation::Delete => Ok(None),
        Operation::Append(_) | Operation::Subtract(_) => {
            Err((ErrorCode::INVALID_REQUEST, "the level of a logger is no list; set it or delete it".to_owned()))
        }
    }
}
