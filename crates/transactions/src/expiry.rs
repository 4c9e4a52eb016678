//! Transactional ids that were not used for long are forgotten (`transactional.id.expiration.ms`).
use crate::planted::planted;
use crate::settings::Settings;
use crate::transaction::Transaction;
use ottla_groups::Now;

/// So many at most are forgotten with one look, which is one batch; what is left comes with the next look.
pub(crate) const MOST_AT_ONCE: usize = 50_000;

/// Whether an id has expired.
pub(crate) fn has_expired(now: Now, transaction: &Transaction, settings: &Settings) -> bool {
    let is_over = transaction.stored().last_update_ms.saturating_add(settings.id_expiration_ms) <= now.wall_ms;
    is_over && (transaction.is_idle() || planted!(settings, OngoingExpires))
}
