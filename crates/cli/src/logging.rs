//! Where log lines go, and what happens to a panic.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::io::{self, IsTerminal};
use std::panic;
use std::sync::{Arc, Mutex, PoisonError};

use ottla_broker::{LogLevel, Loggers, ROOT_LOGGER};
use tracing_subscriber::EnvFilter;

use crate::exit::Failure;

/// The environment variables that say what is logged; the first one that is set counts.
const VARIABLES: [&str; 2] = ["OTTLA_LOG", "RUST_LOG"];

/// What can have a level of its own: all of the broker, parts of it, and its storage. Kafka's tools take no colons in a name, so a dot
/// stands for what the filter library writes with two.
const LOGGERS: [&str; 7] = [
    "ottla_broker",
    "ottla_broker.connection",
    "ottla_broker.groups",
    "ottla_broker.handlers",
    "ottla_broker.transactions",
    "ottla_storage",
    ROOT_LOGGER,
];

/// Sends log lines to stderr; what is logged can be changed by what is returned.
///
/// # Errors
/// A variable whose value is not a filter.
pub(crate) fn start() -> Result<Arc<dyn Loggers>, Failure> {
    let set = VARIABLES.iter().find_map(|name| Some((*name, env::var(name).ok().filter(|value| !value.is_empty())?)));
    let text = set.as_ref().map_or("info", |(_, value)| value);
    let filter = filter(text).ok_or_else(|| {
        let name = set.as_ref().map_or("", |(name, _)| name);
        Failure::Usage(format!("{name}={text} is not a log filter; use error, warn, info, debug or trace"))
    })?;
    let subscriber = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .with_env_filter(filter)
        .with_filter_reloading();
    let handle = subscriber.reload_handle();
    subscriber.init();
    panic::set_hook(Box::new(log_panic));
    // Only a subscriber that is gone refuses, and then nobody logs.
    let apply = move |filter| drop(handle.reload(filter));
    Ok(Arc::new(Levels { directives: Mutex::new(Directives::of(text)), apply: Box::new(apply) }))
}

/// A filter in its parts.
#[derive(Debug)]
struct Directives {
    root: LogLevel,
    /// Levels of single loggers.
    own: BTreeMap<&'static str, LogLevel>,
    /// What else the text has; it stays as it is.
    others: Vec<String>,
}

impl Directives {
    fn of(text: &str) -> Self {
        // What no part of the text speaks of is at the filter library's default.
        let mut directives = Directives { root: LogLevel::Error, own: BTreeMap::new(), others: Vec::new() };
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, level) = part.rsplit_once('=').unwrap_or((ROOT_LOGGER, part));
            let known = LOGGERS.into_iter().find(|logger| logger.replace('.', "::") == name);
            match (known, level_of(level)) {
                (Some(ROOT_LOGGER), Some(level)) => directives.root = level,
                (Some(logger), Some(level)) => drop(directives.own.insert(logger, level)),
                _ => directives.others.push(part.to_owned()),
            }
        }
        directives
    }

    fn text(&self) -> String {
        let own = self.own.iter().map(|(logger, level)| format!("{}={}", logger.replace('.', "::"), word_of(*level)));
        let parts = [word_of(self.root).to_owned()].into_iter().chain(self.others.iter().cloned()).chain(own);
        parts.collect::<Vec<_>>().join(",")
    }
}

fn level_of(word: &str) -> Option<LogLevel> {
    Some(match word.to_ascii_lowercase().as_str() {
        "off" => LogLevel::Off,
        "error" => LogLevel::Error,
        "warn" => LogLevel::Warn,
        "info" => LogLevel::Info,
        "debug" => LogLevel::Debug,
        "trace" => LogLevel::Trace,
        _ => return None,
    })
}

/// The filter library's word; it has none above errors.
fn word_of(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Off => "off",
        LogLevel::Fatal | LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    }
}

/// What is logged now, and how it is changed.
struct Levels {
    directives: Mutex<Directives>,
    apply: Box<dyn Fn(EnvFilter) + Send + Sync>,
}

impl Loggers for Levels {
    fn levels(&self) -> BTreeMap<&'static str, LogLevel> {
        let directives = self.directives.lock().unwrap_or_else(PoisonError::into_inner);
        // A part of the broker without a level has that of the whole.
        let level = |logger: &'static str| {
            let above = logger.split('.').next().and_then(|whole| directives.own.get(whole));
            *directives.own.get(logger).or(above).unwrap_or(&directives.root)
        };
        LOGGERS.into_iter().map(|logger| (logger, level(logger))).collect()
    }

    fn set(&self, levels: &BTreeMap<&'static str, Option<LogLevel>>) {
        let mut directives = self.directives.lock().unwrap_or_else(PoisonError::into_inner);
        for (&logger, level) in levels {
            match (logger, level) {
                (ROOT_LOGGER, Some(level)) => directives.root = *level,
                (_, Some(level)) => drop(directives.own.insert(logger, *level)),
                (_, None) => drop(directives.own.remove(logger)),
            }
        }
        if let Some(filter) = filter(&directives.text()) {
            (self.apply)(filter);
        }
    }
}

impl fmt::Debug for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Levels").field("directives", &self.directives).finish_non_exhaustive()
    }
}

/// A filter out of its text. A lone word must be a level: the filter library takes any other for the name of a module, and then
/// a mistyped level would silence everything.
fn filter(text: &str) -> Option<EnvFilter> {
    let lone = |part: &&str| !part.contains(['=', ':', '[']);
    let is_level = |word: &str| word.trim().parse::<tracing_subscriber::filter::LevelFilter>().is_ok();
    if !text.split(',').filter(lone).all(is_level) {
        return None;
    }
    EnvFilter::try_new(text).ok()
}

/// A panic ends one task, not the broker, so it must be seen: as an error, with its place.
fn log_panic(panic: &panic::PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(|| "an unknown place".to_string(), ToString::to_string);
    let message = panic.payload_as_str().unwrap_or("(no message)");
    let backtrace = std::backtrace::Backtrace::capture();
    match backtrace.status() {
        std::backtrace::BacktraceStatus::Captured => tracing::error!("panic at {place}: {message}\n{backtrace}"),
        _ => tracing::error!("panic at {place}: {message} (this is a bug; RUST_BACKTRACE=1 shows the way there)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_from_the_filter_and_changed() {
        let levels = Levels {
            directives: Mutex::new(Directives::of("warn,ottla_broker=debug,tokio=off")),
            apply: Box::new(drop),
        };
        let now = levels.levels();
        assert_eq!((now[ROOT_LOGGER], now["ottla_storage"]), (LogLevel::Warn, LogLevel::Warn));
        assert_eq!((now["ottla_broker"], now["ottla_broker.groups"]), (LogLevel::Debug, LogLevel::Debug));
        let changes = [
            (ROOT_LOGGER, Some(LogLevel::Info)),
            ("ottla_broker", None),
            ("ottla_storage", Some(LogLevel::Fatal)),
            ("ottla_broker.groups", Some(LogLevel::Trace)),
        ];
        levels.set(&changes.into_iter().collect());
        let text = levels.directives.lock().expect("nobody panicked").text();
        assert_eq!(text, "info,tokio=off,ottla_broker::groups=trace,ottla_storage=error");
        assert_eq!(levels.levels()["ottla_broker"], LogLevel::Info);
    }
}
