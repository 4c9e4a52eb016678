//! What an administrator asks a cluster, each question a typed call. Which broker answers is found out here.

mod groups;
mod offsets;
mod ottla;
mod topics;

use std::collections::BTreeMap;

use ottla_protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use ottla_protocol::{ApiKey, ErrorCode};
use tokio::time::{Duration, Instant, sleep, timeout_at};

use crate::bootstrap::{addresses, joined};
use crate::{ClientError, Connection, Settings};

pub use groups::{GroupDescription, GroupListing, MemberDescription};
pub use offsets::{CommittedOffset, ListedOffset, OffsetQuery, OffsetRefusal, PartitionOffset};
pub use ottla::{GroupReset, PartitionReset, ResetOutcome};
pub use topics::TopicListing;

/// The longest pause before a request is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A cluster, for administration.
#[derive(Debug)]
pub struct Admin {
    settings: Settings,
    /// The address that was connected to first.
    bootstrap: String,
    connections: BTreeMap<String, Connection>,
}

impl Admin {
    /// Connects to the first of the addresses (`host:port,host:port`) at which a broker is.
    ///
    /// # Errors
    /// [`ClientError::Address`] for a list that is none; otherwise what the last address said.
    pub async fn connect(bootstrap: &str, settings: Settings) -> Result<Admin, ClientError> {
        let mut last = ClientError::Address { address: bootstrap.to_owned() };
        for address in addresses(bootstrap)? {
            match Connection::open(&address, &settings).await {
                Ok(connection) => {
                    let connections = BTreeMap::from([(address.clone(), connection)]);
                    return Ok(Admin { settings, bootstrap: address, connections });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The address that was connected to first.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Whether the broker that was connected to first serves a request.
    pub fn serves(&self, api: ApiKey) -> bool {
        self.connections.get(&self.bootstrap).is_some_and(|connection| connection.serves(api))
    }

    /// The connection to an address; a new one if there is none that can be used.
    async fn connection(&mut self, address: &str) -> Result<&mut Connection, ClientError> {
        if !self.connections.get(address).is_some_and(Connection::is_usable) {
            let connection = Connection::open(address, &self.settings).await?;
            self.connections.insert(address.to_owned(), connection);
        }
        self.connections.get_mut(address).ok_or_else(|| ClientError::Address { address: address.to_owned() })
    }

    async fn any_broker(&mut self) -> Result<&mut Connection, ClientError> {
        let address = self.bootstrap.clone();
        self.connection(&address).await
    }

    /// The connection to the coordinator of a group.
    async fn coordinator(&mut self, group: &str) -> Result<&mut Connection, ClientError> {
        let address = self.find_coordinator(group).await?;
        self.connection(&address).await
    }

    async fn find_coordinator(&mut self, group: &str) -> Result<String, ClientError> {
        let connection = self.any_broker().await?;
        let version = connection.version_of::<FindCoordinatorRequest<'_>>(i16::MAX)?;
        let request = match version {
            0..=3 => FindCoordinatorRequest { key: group.into(), ..Default::default() },
            _ => FindCoordinatorRequest { coordinator_keys: vec![group.into()], ..Default::default() },
        };
        let answer = connection.ask_version(&request, version).await?;
        let response: FindCoordinatorResponse<'_> = answer.read()?;
        let (code, message, host, port) = match response.coordinators.first() {
            Some(found) => (found.error_code, found.error_message.as_deref(), &found.host, found.port),
            None => (response.error_code, response.error_message.as_deref(), &response.host, response.port),
        };
        ClientError::check(ApiKey::FindCoordinator, code, message)?;
        Ok(joined(host, port))
    }

    /// Calls, and calls again while the answer is that it is too early or the wrong broker, as long as a request may take.
    async fn retried<T>(
        &mut self,
        mut call: impl AsyncFnMut(&mut Admin) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let deadline = Instant::now() + self.settings.request_timeout;
        let mut pause = self.settings.retry_backoff;
        let mut result = call(self).await;
        while result.as_ref().err().and_then(ClientError::code).is_some_and(is_transient) {
            let again = async {
                sleep(pause).await;
                call(self).await
            };
            match timeout_at(deadline, again).await {
                Ok(next) => result = next,
                Err(_) => break,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        result
    }
}

/// Whether the same request is answered later, or by another broker.
fn is_transient(code: ErrorCode) -> bool {
    [
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode::COORDINATOR_NOT_AVAILABLE,
        ErrorCode::NOT_COORDINATOR,
        ErrorCode::LEADER_NOT_AVAILABLE,
        ErrorCode::NOT_LEADER_OR_FOLLOWER,
    ]
    .contains(&code)
}
