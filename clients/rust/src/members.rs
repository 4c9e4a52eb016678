//! Members of a group that tell an observer what they get, give up and process.

use std::sync::Arc;

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::FutureProducer;
use rdkafka::topic_partition_list::TopicPartitionList;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, block_in_place};

use crate::broker;
use crate::clients::{self, Settings, deliver, new_client, new_topic, value, values_to};
use crate::observer::Observer;

/// How many partitions a group's topic has.
pub const PARTITIONS: usize = 4;

/// A group and its topic.
pub struct Group {
    pub name: String,
    pub topic: String,
    settings: Vec<(&'static str, &'static str)>,
}

/// A member that processes records in a task of its own.
pub struct Member {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

type MemberConsumer = StreamConsumer<Reporter>;

impl Group {
    /// A group without members, whose consumers will have these settings.
    pub async fn new(settings: Settings<'static>) -> Self {
        let topic = new_topic(PARTITIONS as i32, &[]).await;
        Self { name: broker::name("group"), topic, settings: settings.to_vec() }
    }

    /// Writes the values evenly to all partitions and waits until they are acknowledged.
    pub async fn send(&self, values: &[String]) {
        let producer: FutureProducer = new_client(&[]);
        let per_partition = values.chunks(values.len().div_ceil(PARTITIONS)).zip(0..);
        let records = per_partition.flat_map(|(values, partition)| values_to(&self.topic, partition, values));
        deliver(&producer, records).await.unwrap();
    }

    /// A new member, which commits each record when it has processed it, and waits for that. The commits that librdkafka
    /// makes by itself are held back while the broker is away and sent in a heap afterwards, and now and then (seen with
    /// Apache Kafka) the group then went on from one of before.
    pub fn join(&self, observer: &Arc<Observer>, member: &str) -> Member {
        let own =
            [("group.id", self.name.as_str()), ("auto.offset.reset", "earliest"), ("enable.auto.commit", "false")];
        let reporter = Reporter { observer: observer.clone(), member: member.to_string() };
        let consumer: MemberConsumer =
            clients::config(&[&own, self.settings.as_slice()].concat()).create_with_context(reporter).unwrap();
        consumer.subscribe(&[&self.topic]).unwrap();
        let (stop, stopped) = oneshot::channel();
        Member { stop, task: tokio::spawn(live(consumer, stopped)) }
    }
}

impl Member {
    /// Leaves the group.
    pub async fn leave(self) {
        self.stop.send(()).expect("the member has ended by itself");
        self.task.await.unwrap();
    }
}

async fn live(consumer: MemberConsumer, stopped: oneshot::Receiver<()>) {
    tokio::select! {
        _ = stopped => {}
        () = process(&consumer) => {}
    }
    // That is how a consumer leaves its group, and it takes a while.
    tokio::task::spawn_blocking(move || drop(consumer)).await.unwrap();
}

async fn process(consumer: &MemberConsumer) {
    loop {
        match consumer.recv().await {
            Ok(record) => {
                consumer.context().observer.processed(value(&record));
                // One that cannot be committed now is read again by whoever has the partition next.
                let _ = block_in_place(|| consumer.commit_message(&record, CommitMode::Sync));
            }
            Err(why) => assert!(is_lost_connection(&why), "a member was told {why}"),
        }
    }
}

/// What a consumer tells while it tries to reach the broker again by itself.
fn is_lost_connection(why: &KafkaError) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure};
    matches!(why, KafkaError::MessageConsumption(AllBrokersDown | BrokerTransportFailure))
}

struct Reporter {
    observer: Arc<Observer>,
    member: String,
}

impl ClientContext for Reporter {}

impl ConsumerContext for Reporter {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(partitions) => self.observer.assigned(&self.member, &numbers(partitions)),
            Rebalance::Revoke(partitions) => self.observer.released(&self.member, &numbers(partitions)),
            Rebalance::Error(why) => panic!("{} was told {why}", self.member),
        }
    }
}

fn numbers(partitions: &TopicPartitionList) -> Vec<i32> {
    partitions.elements().iter().map(|partition| partition.partition()).collect()
}
