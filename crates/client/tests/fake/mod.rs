//! A broker that says what a test tells it to: ApiVersions and FindCoordinator by itself, everything else by a function.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use ottla_protocol::frame::{decode_any, encode_response_frame, split_request};
use ottla_protocol::messages::{
    AnyRequest, ApiVersion, ApiVersionsResponse, Coordinator, DECLARED_APIS, FindCoordinatorResponse, MetadataResponse,
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ottla_protocol::{ApiKey, Chunk, Message};

/// A request as it came.
pub(crate) struct Asked<'a> {
    /// What was asked.
    pub(crate) request: AnyRequest<'a>,
    /// In which version.
    pub(crate) version: i16,
    /// Where the broker listens.
    pub(crate) port: u16,
    correlation_id: i32,
}

impl Asked<'_> {
    /// The answer as a frame.
    pub(crate) fn answer<'r, M: Message<'r>>(&self, response: &M) -> Vec<u8> {
        let chunks = encode_response_frame(self.correlation_id, self.version, response).expect("an answer");
        let bytes = |chunk| match chunk {
            Chunk::Here(bytes) => bytes,
            Chunk::Elsewhere(_) => panic!("the fake has no files"),
        };
        chunks.into_iter().map(bytes).collect::<Vec<_>>().concat()
    }

    /// Topics with that many partitions each, all led by this broker.
    pub(crate) fn metadata(&self, topics: &[(&'static str, i32)]) -> Vec<u8> {
        let partition =
            |index| MetadataResponsePartition { partition_index: index, leader_id: 1, ..Default::default() };
        let topic = |(name, partitions): &(&'static str, i32)| MetadataResponseTopic {
            name: Some((*name).into()),
            partitions: (0..*partitions).map(partition).collect(),
            ..Default::default()
        };
        self.answer(&MetadataResponse {
            brokers: vec![MetadataResponseBroker {
                node_id: 1,
                host: "127.0.0.1".into(),
                port: self.port.into(),
                rack: None,
            }],
            topics: topics.iter().map(topic).collect(),
            ..Default::default()
        })
    }

    fn api_versions(&self, served: impl Fn(ApiKey) -> bool) -> Vec<u8> {
        let api = |api: &ottla_protocol::messages::DeclaredApi| ApiVersion {
            api_key: api.key.code(),
            min_version: api.versions.min,
            max_version: api.versions.max,
        };
        let api_keys = DECLARED_APIS.iter().filter(|api| served(api.key)).map(api).collect();
        self.answer(&ApiVersionsResponse { api_keys, ..Default::default() })
    }

    fn this_broker(&self) -> Vec<u8> {
        let coordinator =
            Coordinator { node_id: 1, host: "127.0.0.1".into(), port: self.port.into(), ..Default::default() };
        self.answer(&FindCoordinatorResponse { coordinators: vec![coordinator], ..Default::default() })
    }
}

/// Starts one that serves these APIs; gives its address. It ends with the test.
pub(crate) fn broker(
    served: impl Fn(ApiKey) -> bool + Send + Sync + 'static,
    answer: impl Fn(&Asked<'_>) -> Vec<u8> + Send + Sync + 'static,
) -> String {
    listener(move |stream, port| serve(stream, port, &served, &answer))
}

/// Starts something that does that with each connection; gives its address.
pub(crate) fn listener(each: impl Fn(TcpStream, u16) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let each = Arc::new(each);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let each = each.clone();
            thread::spawn(move || each(stream, port));
        }
    });
    format!("127.0.0.1:{port}")
}

fn serve(mut stream: TcpStream, port: u16, served: &dyn Fn(ApiKey) -> bool, answer: &dyn Fn(&Asked<'_>) -> Vec<u8>) {
    let mut size = [0; 4];
    while stream.read_exact(&mut size).is_ok() {
        let mut frame = vec![0; u32::from_be_bytes(size) as usize];
        stream.read_exact(&mut frame).expect("a whole request");
        let (header, body) = split_request(&frame).expect("a header");
        let key = ApiKey::from_code(header.api_key).expect("an API");
        let request = decode_any(key, header.api_version, body).expect("a request");
        let asked = Asked { request, version: header.api_version, port, correlation_id: header.correlation_id };
        let said = match key {
            ApiKey::ApiVersions => asked.api_versions(served),
            ApiKey::FindCoordinator => asked.this_broker(),
            _ => answer(&asked),
        };
        if stream.write_all(&said).is_err() {
            return;
        }
    }
}
