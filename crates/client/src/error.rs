//! Why there is no answer.

use std::fmt;
use std::io;
use std::time::Duration;

use ottla_protocol::{ApiKey, DecodeError, EncodeError, ErrorCode, VersionRange};

/// Why a client got no answer, or which refusal it got. Displays as one sentence, without a full stop.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// No `host:port`.
    Address {
        /// What was given.
        address: String,
    },
    /// No connection, or no handshake on it.
    Connect {
        /// To whom.
        address: String,
        /// What the system said.
        error: io::Error,
    },
    /// A connection broke under a request.
    Broken {
        /// With whom.
        address: String,
        /// What was asked.
        api: ApiKey,
        /// What the system said.
        error: io::Error,
    },
    /// No answer in time.
    Timeout {
        /// Who was asked.
        address: String,
        /// What was asked.
        api: ApiKey,
        /// How long was waited.
        after: Duration,
    },
    /// Bytes that are no answer: most likely the other side is no Kafka broker, or speaks TLS.
    NotKafka {
        /// Who was asked.
        address: String,
        /// What is wrong with the bytes.
        why: String,
    },
    /// An answer that is not one to the request.
    Decode {
        /// Who was asked.
        address: String,
        /// What was asked.
        api: ApiKey,
        /// What is wrong.
        error: DecodeError,
    },
    /// A request that cannot be written: a mistake of the caller.
    Encode {
        /// What was to be asked.
        api: ApiKey,
        /// What is wrong.
        error: EncodeError,
    },
    /// No version of a request that both sides know.
    Unsupported {
        /// Who was asked.
        address: String,
        /// What was to be asked.
        api: ApiKey,
        /// What the broker serves; `None`: nothing of it.
        served: Option<VersionRange>,
    },
    /// The broker said no.
    Refused {
        /// What was asked.
        api: ApiKey,
        /// Its code.
        code: ErrorCode,
        /// Its sentence, if it had one.
        message: Option<String>,
    },
    /// A partition without a leader, or an unknown one.
    NoLeader {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// What the broker says of it.
        code: ErrorCode,
    },
}

impl ClientError {
    /// The broker's code, where it was the broker that said no.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            ClientError::Refused { code, .. } | ClientError::NoLeader { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether another address may do: this one could not be reached.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, ClientError::Connect { .. })
    }

    /// Refuses with the broker's words, unless the code says that nothing is wrong.
    pub(crate) fn check(api: ApiKey, code: ErrorCode, message: Option<&str>) -> Result<(), ClientError> {
        if code.is_none() {
            return Ok(());
        }
        let message = message.filter(|words| !words.is_empty()).map(str::to_owned);
        Err(ClientError::Refused { api, code, message })
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Address { address } => {
                write!(f, "{address:?} is no address: write host:port, such as localhost:9092")
            }
            ClientError::Connect { address, error } => write!(f, "cannot connect to {address}: {error}"),
            ClientError::Broken { address, api, error } => {
                write!(f, "{address} ended the connection under {api}: {error}")
            }
            ClientError::Timeout { address, api, after } => {
                write!(f, "{address} did not answer {api} within {} s", after.as_secs_f64())
            }
            ClientError::NotKafka { address, why } => write!(f, "{address} does not answer as a Kafka broker: {why}"),
            ClientError::Decode { address, api, error } => {
                write!(f, "the answer of {address} to {api} cannot be read: {error}")
            }
            ClientError::Encode { api, error } => write!(f, "{api} cannot carry the request: {error}"),
            ClientError::Unsupported { address, api, served: None } => write!(f, "{address} does not serve {api}"),
            ClientError::Unsupported { address, api, served: Some(served) } => {
                write!(f, "{address} serves {api} in the versions {served} only, which are unknown here")
            }
            ClientError::Refused { api, code, message: None } => write!(f, "{api} was refused: {code}"),
            ClientError::Refused { code, message: Some(message), .. } => write!(f, "{message} ({code})"),
            ClientError::NoLeader { topic, partition, code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION } => {
                write!(f, "there is no partition {topic}/{partition}")
            }
            ClientError::NoLeader { topic, partition, code } => write!(f, "{topic}/{partition} has no leader: {code}"),
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ClientError::Connect { error, .. } | ClientError::Broken { error, .. } => Some(error),
            ClientError::Decode { error, .. } => Some(error),
            ClientError::Encode { error, .. } => Some(error),
            _ => None,
        }
    }
}
