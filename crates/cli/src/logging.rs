//! Where log lines go, and what happens to a panic.

use std::env;
use std::io::{self, IsTerminal};
use std::panic;

use tracing_subscriber::EnvFilter;

use crate::exit::Failure;

/// The environment variables that say what is logged; the first one that is set counts.
const VARIABLES: [&str; 2] = ["OTTLA_LOG", "RUST_LOG"];

/// Sends log lines to stderr.
///
/// # Errors
/// A variable whose value is not a filter.
pub(crate) fn start() -> Result<(), Failure> {
    let set = VARIABLES.iter().find_map(|name| Some((*name, env::var(name).ok().filter(|value| !value.is_empty())?)));
    let filter = match set {
        None => EnvFilter::new("info"),
        Some((name, value)) => filter(&value).ok_or_else(|| {
            Failure::Usage(format!("{name}={value} is not a log filter; use error, warn, info, debug or trace"))
        })?,
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .init();
    panic::set_hook(Box::new(log_panic));
    Ok(())
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
