//! All properties of the broker: Kafka 4.3's, and our own, which begin with `ottla.`.
//!
//! A property is declared in one place only. What is served stands in `network`, `storage`, `topics` and `groups`, mixed
//! with what belongs to the same subject and is not served yet; `later`, `security`, `cluster` and `process` hold the
//! many that Kafka has and that steer nothing here.

mod cluster;
pub(crate) mod groups;
mod later;
pub(crate) mod network;
mod process;
mod security;
pub(crate) mod storage;
pub(crate) mod topics;

use super::property::{Property, Subject};

/// The subjects with served properties, in the order of the documentation.
pub(crate) const SUBJECTS: &[Subject] = &[
    Subject { title: "Listeners and connections", properties: network::NETWORK },
    Subject { title: "Storage", properties: storage::STORAGE },
    Subject { title: "Topics and records", properties: topics::TOPICS },
    Subject { title: "Groups, offsets and producers", properties: groups::GROUPS },
];

/// The subjects of which nothing is served.
pub(crate) fn silent_subjects() -> impl Iterator<Item = &'static Subject> {
    [later::SUBJECTS, security::SUBJECTS, cluster::SUBJECTS, process::SUBJECTS].into_iter().flatten()
}

/// Every property.
pub(crate) fn all() -> impl Iterator<Item = &'static Property> {
    SUBJECTS.iter().chain(silent_subjects()).flat_map(|subject| subject.properties)
}

/// The property of that name.
pub(crate) fn find(name: &str) -> Option<&'static Property> {
    all().find(|property| property.name == name)
}

/// Names that Kafka makes up from a prefix and something the operator chooses: one listener's own settings, and what is
/// handed to plug-ins. They steer nothing here.
pub(crate) const PREFIXES: &[&str] = &["listener.name.", "rlmm.config.", "rsm.config.", "metric.reporters."];
