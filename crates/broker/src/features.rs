//! Features (KIP-584): the levels of Kafka's features that are served. Clients switch behaviour on them, so what is not served is not
//! told. ApiVersions tells them and UpdateFeatures looks at them.

/// One feature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Feature {
    /// Kafka's name.
    pub(crate) name: &'static str,
    /// The level that is in force, which is the highest that is served. It never changes while this version runs.
    pub(crate) level: i16,
}

/// All features, by name.
pub(crate) const FEATURES: &[Feature] = &[
    // The consumer group protocol (KIP-848).
    Feature { name: "group.version", level: 1 },
    // Transactions whose ends move the producer's epoch (KIP-890).
    Feature { name: "transaction.version", level: 2 },
];

/// The feature of that name.
pub(crate) fn find(name: &str) -> Option<&'static Feature> {
    FEATURES.iter().find(|feature| feature.name == name)
}
