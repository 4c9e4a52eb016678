//! What the operator may choose; plain data.

/// Settings of a coordinator. The shell may replace them while running ([`crate::Coordinator::configure`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `transaction.max.timeout.ms`: an InitProducerId that asks for more is refused.
    pub max_timeout_ms: i32,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`: how often transactions are looked for that take too long.
    pub abort_interval_ms: u64,
    /// `transactional.id.expiration.ms`: after how long without a transaction an id is forgotten.
    pub id_expiration_ms: i64,
    /// The bug that this coordinator shall have.
    #[cfg(feature = "planted-bugs")]
    pub bug: Option<crate::PlantedBug>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            max_timeout_ms: 900_000,
            abort_interval_ms: 10_000,
            id_expiration_ms: 604_800_000,
            #[cfg(feature = "planted-bugs")]
            bug: None,
        }
    }
}
