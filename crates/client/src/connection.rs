//! One connection to one broker: a request out, its answer in.

use std::io;
use std::marker::PhantomData;

use bytes::Bytes;
use ottla_protocol::frame::{decode_response, encode_request_frame};
use ottla_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use ottla_protocol::{ApiKey, ErrorCode, Request, VersionRange};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::{ClientError, Settings};

/// What the client tells of itself (KIP-511). An Ottla broker tells its own requests to names that begin with `ottla`.
const SOFTWARE_NAME: &str = "ottla-client";
/// Read at once at most: memory grows with what has arrived, not with what was announced.
const READ_BYTES: usize = 64 * 1024;

/// A connection after its handshake.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    address: String,
    settings: Settings,
    /// What the broker serves, by key.
    served: Vec<(i16, VersionRange)>,
    correlation_id: i32,
    /// Whether what comes next is the answer to what is asked next: not after a wait that was given up.
    in_step: bool,
}

/// An answer, still as bytes; [`Answer::read`] borrows from it.
#[derive(Debug)]
pub struct Answer<R> {
    frame: Bytes,
    version: i16,
    address: String,
    request: PhantomData<fn() -> R>,
}

impl<R> Answer<R> {
    /// The version in which it was asked and answered.
    pub fn version(&self) -> i16 {
        self.version
    }

    /// Decodes it.
    ///
    /// # Errors
    /// [`ClientError::Decode`] when the bytes are no such answer.
    pub fn read<'q>(&self) -> Result<R::Response<'_>, ClientError>
    where
        R: Request<'q>,
    {
        let decoded = decode_response(&self.frame, self.version);
        let (_, response) =
            decoded.map_err(|error| ClientError::Decode { address: self.address.clone(), api: R::API, error })?;
        Ok(response)
    }
}

impl Connection {
    /// Connects to `host:port` and asks what is served there.
    ///
    /// # Errors
    /// [`ClientError::Connect`] if nobody is there in time, others if it is no Kafka broker.
    pub async fn open(address: &str, settings: &Settings) -> Result<Connection, ClientError> {
        let opened = timeout(settings.connect_timeout, Self::handshaken(address, settings)).await;
        opened.unwrap_or_else(|_| {
            let why = format!("no answer within {} s", settings.connect_timeout.as_secs_f64());
            let error = io::Error::new(io::ErrorKind::TimedOut, why);
            Err(ClientError::Connect { address: address.to_owned(), error })
        })
    }

    async fn handshaken(address: &str, settings: &Settings) -> Result<Connection, ClientError> {
        let refused = |error| ClientError::Connect { address: address.to_owned(), error };
        let stream = TcpStream::connect(address).await.map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        let mut connection = Connection {
            stream,
            address: address.to_owned(),
            settings: settings.clone(),
            served: Vec::new(),
            correlation_id: 0,
            in_step: true,
        };
        connection.served = connection.api_versions().await?;
        Ok(connection)
    }

    /// The handshake. A broker that does not know our version of it says so in version 0.
    async fn api_versions(&mut self) -> Result<Vec<(i16, VersionRange)>, ClientError> {
        let request = ApiVersionsRequest {
            client_software_name: SOFTWARE_NAME.into(),
            client_software_version: env!("CARGO_PKG_VERSION").into(),
        };
        let newest = <ApiVersionsRequest<'_> as ottla_protocol::Message<'_>>::VERSIONS.max;
        let mut answer = self.exchange(&request, newest).await?;
        // The code is the first field of every version.
        if answer.frame.get(4..6) == Some(&ErrorCode::UNSUPPORTED_VERSION.0.to_be_bytes()) {
            answer = self.exchange(&request, 0).await?;
        }
        let response: ApiVersionsResponse<'_> = answer.read()?;
        ClientError::check(ApiKey::ApiVersions, response.error_code, None)?;
        let range = |api: &ottla_protocol::messages::ApiVersion| {
            (api.api_key, VersionRange { min: api.min_version, max: api.max_version })
        };
        Ok(response.api_keys.iter().map(range).collect())
    }

    /// To whom.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether the broker serves a request at all.
    pub fn serves(&self, api: ApiKey) -> bool {
        self.served_versions(api).is_some()
    }

    /// Whether it can still be used: not after it broke, or a wait on it was given up.
    pub fn is_usable(&self) -> bool {
        self.in_step
    }

    fn served_versions(&self, api: ApiKey) -> Option<VersionRange> {
        self.served.iter().find(|(key, _)| *key == api.code()).map(|(_, range)| *range)
    }

    /// The newest version up to `newest` of a request that both sides know.
    ///
    /// # Errors
    /// [`ClientError::Unsupported`] if there is none.
    pub fn version_of<'q, R: Request<'q>>(&self, newest: i16) -> Result<i16, ClientError> {
        let served = self.served_versions(R::API);
        let chosen = served.and_then(|served| {
            let version = served.max.min(R::VERSIONS.max).min(newest);
            (version >= served.min.max(R::VERSIONS.min)).then_some(version)
        });
        chosen.ok_or_else(|| ClientError::Unsupported { address: self.address.clone(), api: R::API, served })
    }

    /// Asks, in the newest version that both sides know.
    ///
    /// # Errors
    /// [`ClientError`], but never a refusal of the broker: those stand in the answer.
    pub async fn ask<'q, R: Request<'q>>(&mut self, request: &R) -> Result<Answer<R>, ClientError> {
        self.ask_version(request, self.version_of::<R>(i16::MAX)?).await
    }

    /// Asks in one version, for requests that say the same in other fields in other versions.
    ///
    /// # Errors
    /// As [`Connection::ask`].
    pub async fn ask_version<'q, R: Request<'q>>(
        &mut self,
        request: &R,
        version: i16,
    ) -> Result<Answer<R>, ClientError> {
        let after = self.settings.request_timeout;
        match timeout(after, self.exchange(request, version)).await {
            Ok(answered) => answered,
            Err(_) => Err(ClientError::Timeout { address: self.address.clone(), api: R::API, after }),
        }
    }

    async fn exchange<'q, R: Request<'q>>(&mut self, request: &R, version: i16) -> Result<Answer<R>, ClientError> {
        let correlation_id = self.correlation_id;
        self.correlation_id = correlation_id.wrapping_add(1);
        let frame = encode_request_frame(correlation_id, version, Some(&self.settings.client_id), request)
            .map_err(|error| ClientError::Encode { api: R::API, error })?;
        let broken = |address: &str, error| ClientError::Broken { address: address.to_owned(), api: R::API, error };
        if !std::mem::replace(&mut self.in_step, false) {
            return Err(broken(&self.address, io::Error::other("an earlier request on it was given up")));
        }
        self.stream.write_all(&frame.concat()).await.map_err(|error| broken(&self.address, error))?;
        let size = self.stream.read_i32().await.map_err(|error| broken(&self.address, error))?;
        let size = self.checked_size(size)?;
        let frame = self.body(size).await.map_err(|error| broken(&self.address, error))?;
        if frame.get(..4) != Some(&correlation_id.to_be_bytes()) {
            return Err(self.not_kafka("it answers something that was not asked".to_owned()));
        }
        self.in_step = true;
        Ok(Answer { frame, version, address: self.address.clone(), request: PhantomData })
    }

    fn checked_size(&self, size: i32) -> Result<usize, ClientError> {
        let wanted = usize::try_from(size).ok().filter(|bytes| (4..=self.settings.max_frame_bytes).contains(bytes));
        wanted.ok_or_else(|| match &size.to_be_bytes() {
            b"HTTP" => self.not_kafka("it is an HTTP server".to_owned()),
            _ => self.not_kafka(format!("it announces an answer of {size} bytes")),
        })
    }

    fn not_kafka(&self, why: String) -> ClientError {
        ClientError::NotKafka { address: self.address.clone(), why }
    }

    async fn body(&mut self, size: usize) -> io::Result<Bytes> {
        let mut body = Vec::with_capacity(size.min(READ_BYTES));
        let mut rest = (&mut self.stream).take(size as u64);
        while body.len() < size {
            if rest.read_buf(&mut body).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(body.into())
    }
}
