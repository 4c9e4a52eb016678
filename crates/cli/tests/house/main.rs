//! The repository tests itself: who may import whom, what is forbidden where, how large things may grow.
//!
//! Each rule names what breaks it and what to do instead. A rule with an allow list has a reason on every entry, and an
//! entry that is no longer needed fails as well.

mod bans;
mod generated;
mod layering;
mod sizes;
mod source;

use std::path::PathBuf;

/// The root of the checkout. Asked for at run time, so that the rules can be tried on a copy with something planted.
fn root() -> PathBuf {
    let crate_dir = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_string());
    PathBuf::from(crate_dir).ancestors().nth(2).expect("crates/cli lies two levels below the root").to_path_buf()
}

/// Fails with one line per finding.
fn report(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}\n  {}\n", findings.join("\n  "));
}
