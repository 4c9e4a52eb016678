//! A broker on a free port over the memory engine, and a client that speaks the protocol by hand.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it, and none is a crate for others")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use ottla_broker::config::BrokerConfig;
use ottla_broker::{Clock, Entropy, Identity, LogLevel, Loggers, Parts, ROOT_LOGGER, RunningBroker};
use ottla_protocol::messages::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionProduceData, ProduceRequest, ProduceResponse,
    TopicProduceData,
};
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::{Message, RecordChunks, Request, frame};
use ottla_storage::memory::MemoryEngine;
use ottla_storage::{Engine, NewTopic, Topic, TopicId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Time that stands still unless a test moves it.
#[derive(Debug, Default)]
pub struct TestClock {
    pub monotonic_ms: AtomicU64,
}

impl TestClock {
    /// Time passes.
    pub fn advance(&self, by_ms: u64) {
        self.monotonic_ms.fetch_add(by_ms, Ordering::Relaxed);
    }
}

/// So that a broker that never answers fails a test instead of hanging it; no test depends on its length.
const SILENCE: Duration = Duration::from_secs(60);

/// What the tests' wall clock shows.
pub const WALL_MS: i64 = 1_700_000_000_000;

impl Clock for TestClock {
    fn monotonic_ms(&self) -> u64 {
        self.monotonic_ms.load(Ordering::Relaxed)
    }

    fn wall_ms(&self) -> i64 {
        WALL_MS + self.monotonic_ms.load(Ordering::Relaxed) as i64
    }
}

/// Numbers that count up, spread by a multiplication.
/// Two loggers, whose levels are what was set last.
#[derive(Debug, Default)]
pub struct TestLoggers(std::sync::Mutex<BTreeMap<&'static str, LogLevel>>);

impl Loggers for TestLoggers {
    fn levels(&self) -> BTreeMap<&'static str, LogLevel> {
        let set = self.0.lock().expect("nobody panicked");
        let level = |logger| set.get(logger).copied().unwrap_or(LogLevel::Info);
        [ROOT_LOGGER, "ottla_storage"].into_iter().map(|logger| (logger, level(logger))).collect()
    }

    fn set(&self, levels: &BTreeMap<&'static str, Option<LogLevel>>) {
        let mut set = self.0.lock().expect("nobody panicked");
        set.extend(levels.iter().map(|(logger, level)| (*logger, level.unwrap_or(LogLevel::Info))));
    }
}

#[derive(Debug, Default)]
pub struct TestEntropy(AtomicU64);

impl Entropy for TestEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            let bytes = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

pub struct TestBroker {
    pub running: RunningBroker,
    pub engine: Arc<dyn Engine>,
    pub clock: Arc<TestClock>,
    port: u16,
}

impl TestBroker {
    /// A broker with these properties over the defaults.
    pub async fn start(properties: &[(&str, &str)]) -> TestBroker {
        TestBroker::over(Arc::new(MemoryEngine::new()), properties).await
    }

    pub async fn over(engine: Arc<dyn Engine>, properties: &[(&str, &str)]) -> TestBroker {
        let mut all = vec![("listeners", "PLAINTEXT://127.0.0.1:0")];
        all.extend_from_slice(properties);
        let clock = Arc::new(TestClock::default());
        let parts = Parts {
            engine: engine.clone(),
            clock: clock.clone(),
            entropy: Arc::new(TestEntropy::default()),
            loggers: Arc::new(TestLoggers::default()),
        };
        let identity = Identity { cluster_id: "test-cluster".into(), node_id: 1 };
        let running = ottla_broker::start(identity, BrokerConfig::of(&all), parts).await.expect("the broker starts");
        let address = running.addresses().first().expect("it listens").clone();
        let port = address.rsplit_once(':').expect("HOST:PORT").1.parse().expect("a port");
        TestBroker { running, engine, clock, port }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub async fn connect(&self) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("the broker accepts");
        Client { stream, next_correlation_id: 1 }
    }

    /// A topic, past the wire.
    pub async fn topic(&self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Arc<Topic> {
        let mut id = [0; 16];
        TestEntropy::default().fill(&mut id);
        for (place, byte) in id.iter_mut().zip(name.bytes()) {
            *place ^= byte;
        }
        let configs: BTreeMap<_, _> = configs.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
        let topic = NewTopic { name: name.to_owned(), id: TopicId(id), partitions, configs };
        self.engine.create_topic(topic).await.expect("the topic can be created")
    }
}

pub struct Client {
    pub stream: TcpStream,
    next_correlation_id: i32,
}

impl Client {
    /// Sends a request, and reads its answer.
    pub async fn call<'a, R: Request<'a>>(&mut self, request: &R, version: i16) -> R::Response<'static>
    where
        R::Response<'static>: Message<'static>,
    {
        let id = self.send(request, version).await;
        self.receive::<R::Response<'static>>(id, version).await
    }

    /// Sends a request and answers its correlation id.
    pub async fn send<'a, M: Message<'a>>(&mut self, request: &M, version: i16) -> i32 {
        let id = self.next_correlation_id;
        self.next_correlation_id += 1;
        let frame = frame::encode_request_frame(id, version, Some("test-client"), request).expect("can be written");
        self.write(&frame.concat()).await;
        id
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the broker reads");
    }

    /// Reads one answer, which must be the one to that request.
    pub async fn receive<M: Message<'static>>(&mut self, id: i32, version: i16) -> M {
        let frame = self.receive_frame().await;
        // Answers borrow from their frame; tests are short-lived, so the frame may live for ever.
        let frame: &'static Bytes = Box::leak(Box::new(frame));
        let (correlation_id, message) = frame::decode_response(frame, version).expect("the answer can be read");
        assert_eq!(correlation_id, id, "answers come in the order of the requests");
        message
    }

    /// Reads one frame, without its size.
    pub async fn receive_frame(&mut self) -> Bytes {
        let stream = &mut self.stream;
        let frame = async move {
            let size = stream.read_u32().await.expect("the broker answers");
            let mut frame = vec![0; size as usize];
            stream.read_exact(&mut frame).await.expect("the broker answers");
            frame.into()
        };
        tokio::time::timeout(SILENCE, frame).await.expect("the broker answers at all")
    }

    /// Whether a request is answered, where the broker may have closed the connection instead.
    pub async fn is_answered(&mut self) -> bool {
        let frame = frame::encode_request_frame(1, 0, None, &ottla_protocol::messages::ApiVersionsRequest::default());
        if self.stream.write_all(&frame.expect("can be written").concat()).await.is_err() {
            return false;
        }
        tokio::time::timeout(SILENCE, self.stream.read_u32()).await.expect("it answers or closes").is_ok()
    }

    /// Waits until the broker closes the connection; it must not say anything more.
    pub async fn expect_close(&mut self) {
        let mut byte = [0; 1];
        match tokio::time::timeout(SILENCE, self.stream.read(&mut byte)).await.expect("the broker closes at all") {
            Ok(count) => assert_eq!(count, 0, "the broker answers where it should close"),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }

    /// Produces one batch with acks=all.
    pub async fn produce(&mut self, topic: &str, partition: i32, batch: &[u8]) -> ProduceResponse<'static> {
        self.call(&produce_request(topic, partition, batch, -1), 9).await
    }
}

/// A batch of records with these values.
pub fn batch(values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new();
    for value in values {
        builder.push(WALL_MS, None, Some(value.as_bytes()), &[]);
    }
    builder.build()
}

pub fn produce_request<'a>(topic: &'a str, partition: i32, batch: &'a [u8], acks: i16) -> ProduceRequest<'a> {
    ProduceRequest {
        transactional_id: None,
        acks,
        timeout_ms: 1_000,
        topic_data: vec![TopicProduceData {
            name: topic.into(),
            partition_data: vec![PartitionProduceData { index: partition, records: Some(batch.into()) }],
            ..Default::default()
        }],
    }
}

/// One partition to fetch from an offset on.
pub fn fetch_partition(partition: i32, fetch_offset: i64) -> FetchPartition {
    FetchPartition { partition, fetch_offset, partition_max_bytes: 1 << 20, ..Default::default() }
}

/// A fetch by name of one topic, waiting `max_wait_ms` for one byte.
pub fn fetch_request<'a>(topic: &'a str, partitions: Vec<FetchPartition>, max_wait_ms: i32) -> FetchRequest<'a> {
    FetchRequest {
        max_wait_ms,
        min_bytes: 1,
        max_bytes: 50 << 20,
        topics: vec![FetchTopic { topic: topic.into(), partitions, ..Default::default() }],
        ..Default::default()
    }
}

/// The values of the records of a fetch answer: partition, offset, value.
pub fn values(response: &FetchResponse<'_>) -> Vec<(i32, i64, String)> {
    let mut values = Vec::new();
    for partition in response.responses.iter().flat_map(|topic| &topic.partitions) {
        let records: Vec<u8> = partition.records.iter().flat_map(RecordChunks::concat).collect();
        for batch in ottla_protocol::records::batches(&records) {
            let batch = batch.expect("whole batches");
            let opened = ottla_protocol::records::open(batch.bytes, 1 << 20).expect("a readable batch");
            for record in opened.records() {
                let record = record.expect("a readable record");
                let value = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
                values.push((partition.partition_index, record.offset, value));
            }
        }
    }
    values
}
