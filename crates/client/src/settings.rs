//! What a client may be told.

use std::time::Duration;

/// How a client introduces itself, and how long it waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// What brokers see in logs and in the description of groups (`client.id`).
    pub client_id: String,
    /// The longest wait for a connection, its handshake included.
    pub connect_timeout: Duration,
    /// The longest wait for an answer, with all tries that it takes.
    pub request_timeout: Duration,
    /// The first pause before a request is tried again; it doubles up to a second (`retry.backoff.ms`).
    pub retry_backoff: Duration,
    /// The largest answer that is read, in bytes.
    pub max_frame_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            client_id: "ottla".to_owned(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            retry_backoff: Duration::from_millis(50),
            max_frame_bytes: 256 * 1024 * 1024,
        }
    }
}
