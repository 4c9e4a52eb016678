//! What survives: the part of a transactional id that only records change.
use crate::records::StoredTransaction;

/// The durable part of one transactional id. Nothing but [`DurableTransaction::apply`] changes it, on the live path as on
/// replay, so replaying the log gives exactly this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DurableTransaction(StoredTransaction);

impl DurableTransaction {
    pub(crate) fn new(stored: StoredTransaction) -> Self {
        DurableTransaction(stored)
    }

    /// Applies a record. A record holds all that there is to know, so it replaces what was known.
    pub(crate) fn apply(&mut self, stored: StoredTransaction) {
        self.0 = stored;
    }

    /// What the last record says.
    pub fn stored(&self) -> &StoredTransaction {
        &self.0
    }
}
