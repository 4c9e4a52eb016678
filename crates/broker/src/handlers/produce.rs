//! Produce (key 0), versions 3 to 13: record batches for partitions.
//!
//! Version 5 adds the log start offset, 7 zstd, 8 errors of single records (KIP-467), 9 the flexible encoding, 10 the new leader,
//! 12 nothing outside of transactions, 13 topic ids in place of names. ApiVersions tells of versions from 0 on, because
//! librdkafka stops compressing otherwise; 0 to 2 close the connection, as in Kafka.
//!
//! acks=1 and acks=all mean the same on one node: durable (`ottla.durability`). With acks=0 nothing is answered, and an error
//! closes the connection, which is how Kafka tells such a producer to look for the leader anew. The timeout is not used:
//! nothing here waits for replicas.
//!
//! Batches of a transaction pass the gate of its coordinator: from version 12 on they add their partitions to it, before these must
//! have been added (KIP-890). A transactional id alone means nothing, as in Kafka.

use std::borrow::Cow;
use std::sync::Arc;

use ottla_protocol::messages::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceData,
    TopicProduceResponse,
};
use ottla_protocol::{ErrorCode, Uuid};
use ottla_storage::{
    Append, AppendError, AppendOrigin, Appended, Dependency, PartitionId, Pending, Topic, TopicId, Unavailable,
};
use ottla_transactions::{Admission, Membership, Producer, TransactionError};
use tokio::sync::SemaphorePermit;

use crate::config::{TimestampType, TopicSettings};
use crate::context::{Context, Operation, Resource};
use crate::produce::{Inspection, Opened, Rejection, check, open_all};
use crate::request::{Close, Handled, Request};
use crate::transactions::Admitted;
use crate::transactions::wire::error_code_for_produce;
use crate::{errors, topics};

const FIRST_VERSION_WITH_TOPIC_IDS: i16 = 13;
/// From this version on clients know TRANSACTION_ABORTABLE.
const FIRST_VERSION_WITH_ABORTABLE: i16 = 11;
/// From this version on a batch adds its partition to the transaction.
const FIRST_VERSION_THAT_ADDS: i16 = 12;
const NO_OFFSET: i64 = -1;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: ProduceRequest<'_> = request.decode()?;
    let now_ms = context.broker().wall_ms();
    let transactional_id = message.transactional_id.as_deref();
    let mut plan = Plan { now_ms, is_transactional: transactional_id.is_some(), ..Plan::default() };
    let refusal = refusal_of_all(&context, &message);
    for topic in &message.topic_data {
        plan.add_topic(&context, &request, topic, refusal);
    }
    if plan.must_inspect() {
        let hold = context.hold_order();
        let _share = plan.inspect().await;
        let appended = plan.append(&context, transactional_id, request.version);
        drop(hold);
        plan.take(appended.await);
    } else {
        let appended = plan.append(&context, transactional_id, request.version);
        plan.take(appended.await);
    }
    let (response, failed) = plan.into_response();
    match message.acks {
        0 if failed.is_none() => request.respond_nothing(),
        0 => Err(Close::because(format!(
            "a batch without acknowledgement was refused: {}",
            failed.unwrap_or(ErrorCode::UNKNOWN_SERVER_ERROR)
        ))),
        _ => request.respond(&response),
    }
}

/// What is wrong with the request as a whole, and so with each of its partitions.
fn refusal_of_all(context: &Context, message: &ProduceRequest<'_>) -> Option<ErrorCode> {
    if !(-1..=1).contains(&message.acks) {
        return Some(ErrorCode::INVALID_REQUIRED_ACKS);
    }
    let transactional_id = message.transactional_id.as_deref()?;
    let allowed = context.authorize(Operation::Write, Resource::TransactionalId(transactional_id));
    (!allowed).then_some(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
}

/// Where the answer to a partition goes: index of the topic and of the partition in the answer.
type Place = (usize, usize);

/// What the engine is doing with the batches.
type Appending = Pending<Vec<Result<Appended, AppendError>>, Unavailable>;

/// A batch on its way.
struct Planned {
    place: Place,
    topic: Arc<Topic>,
    partition: PartitionId,
    settings: Arc<TopicSettings>,
    batch: bytes::Bytes,
    must_inspect: bool,
    in_transaction_of: Option<Producer>,
}

/// What a request comes to: batches to append, and an answer that fills up.
#[derive(Default)]
struct Plan {
    now_ms: i64,
    /// The request names a transactional id.
    is_transactional: bool,
    topics: Vec<TopicProduceResponse<'static>>,
    batches: Vec<Planned>,
    failed: Option<ErrorCode>,
    /// What the batches of the transaction build on.
    depends_on: Option<Dependency>,
}

impl Plan {
    fn add_topic(
        &mut self,
        context: &Context,
        request: &Request,
        data: &TopicProduceData<'_>,
        refusal: Option<ErrorCode>,
    ) {
        let topic = match refusal {
            Some(error) => Err(error),
            None => find_topic(context, data, request.version),
        };
        let settings = topic.as_ref().ok().map(|topic| context.broker().config().topic(topic));
        self.topics.push(TopicProduceResponse {
            name: Cow::Owned(data.name.clone().into_owned()),
            topic_id: data.topic_id,
            partition_responses: Vec::with_capacity(data.partition_data.len()),
        });
        for partition in &data.partition_data {
            let planned = match (&topic, &settings) {
                (Ok(topic), Some(settings)) => self.plan(request, topic, settings, partition),
                (Err(error), _) => Err((*error).into()),
                (Ok(_), None) => Err(ErrorCode::UNKNOWN_SERVER_ERROR.into()),
            };
            let place = self.add_answer(partition.index);
            match planned {
                Ok(planned) => self.batches.push(Planned { place, ..planned }),
                Err(rejection) => self.refuse(place, &rejection),
            }
        }
    }

    fn plan(
        &self,
        request: &Request,
        topic: &Arc<Topic>,
        settings: &Arc<TopicSettings>,
        data: &PartitionProduceData<'_>,
    ) -> Result<Planned, Rejection> {
        if !(0..topic.partitions).contains(&data.index) {
            return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.into());
        }
        // The batch shares the request's memory: nothing is copied on the way to the engine.
        let batch = match &data.records {
            Some(Cow::Borrowed(records)) => request.body.slice_ref(records),
            Some(Cow::Owned(records)) => records.clone().into(),
            None => bytes::Bytes::new(),
        };
        let checked = check(batch, settings, request.version, self.now_ms)?;
        if checked.in_transaction_of.is_some() && !self.is_transactional {
            // Nobody can be allowed to write to a transaction without a name.
            return Err(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED.into());
        }
        Ok(Planned {
            place: (0, 0),
            topic: topic.clone(),
            partition: PartitionId { topic: topic.id, index: data.index },
            settings: settings.clone(),
            batch: checked.batch,
            must_inspect: checked.must_inspect,
            in_transaction_of: checked.in_transaction_of,
        })
    }

    fn add_answer(&mut self, index: i32) -> Place {
        let topic = self.topics.len().saturating_sub(1);
        let Some(answer) = self.topics.last_mut() else { return (topic, 0) };
        answer.partition_responses.push(PartitionProduceResponse {
            index,
            base_offset: NO_OFFSET,
            ..Default::default()
        });
        (topic, answer.partition_responses.len() - 1)
    }

    fn answer(&mut self, (topic, partition): Place) -> Option<&mut PartitionProduceResponse<'static>> {
        self.topics.get_mut(topic)?.partition_responses.get_mut(partition)
    }

    fn refuse(&mut self, place: Place, rejection: &Rejection) {
        self.failed.get_or_insert(rejection.error);
        if let Some(answer) = self.answer(place) {
            answer.error_code = rejection.error;
            answer.error_message = rejection.message.clone().map(Cow::Owned);
            answer.record_errors = rejection.record_errors();
        }
    }

    fn must_inspect(&self) -> bool {
        self.batches.iter().any(|planned| planned.must_inspect)
    }

    /// Has batches opened where that is needed. What is answered is to be kept until they are appended.
    async fn inspect(&mut self) -> Option<SemaphorePermit<'static>> {
        let inspected = self.batches.iter().filter(|planned| planned.must_inspect);
        let inspections = inspected
            .map(|planned| Inspection { batch: planned.batch.clone(), topic: planned.settings.clone() })
            .collect();
        let Opened { verdicts, share } = open_all(inspections, self.now_ms).await;
        let mut verdicts = verdicts.into_iter();
        for planned in std::mem::take(&mut self.batches) {
            let verdict = if planned.must_inspect { verdicts.next() } else { None };
            match verdict {
                Some(Err(rejection)) => self.refuse(planned.place, &rejection),
                Some(Ok(batch)) => self.batches.push(Planned { batch, ..planned }),
                None => self.batches.push(planned),
            }
        }
        share
    }

    /// Hands the batches to the engine; those of a transaction as far as its coordinator lets them, and under its lock.
    fn append(&mut self, context: &Context, transactional_id: Option<&str>, version: i16) -> Appending {
        let producers: Vec<Producer> = self.batches.iter().filter_map(|planned| planned.in_transaction_of).collect();
        let (Some(&producer), Some(transactional_id)) = (producers.first(), transactional_id) else {
            return self.append_all(context);
        };
        if producers.iter().any(|other| *other != producer) {
            self.keep_admitted(vec![Err(TransactionError::InvalidProducerIdMapping); producers.len()], version);
            return self.append_all(context);
        }
        let topics: Vec<(Arc<Topic>, i32)> = self.in_transaction().collect();
        let partitions: Vec<(&str, i32)> = topics.iter().map(|(topic, index)| (&*topic.name, *index)).collect();
        let knows_abortable = version >= FIRST_VERSION_WITH_ABORTABLE;
        let admission = Admission {
            transactional_id,
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            partitions: &partitions,
            membership: match version >= FIRST_VERSION_THAT_ADDS {
                true => Membership::Implicit,
                false => Membership::Explicit { knows_abortable },
            },
        };
        context.broker().transactions.admit(&admission, |Admitted { verdicts, depends_on }| {
            self.keep_admitted(verdicts, version);
            self.depends_on = depends_on;
            self.append_all(context)
        })
    }

    /// Where the batches of the transaction go.
    fn in_transaction(&self) -> impl Iterator<Item = (Arc<Topic>, i32)> {
        let planned = self.batches.iter().filter(|planned| planned.in_transaction_of.is_some());
        planned.map(|planned| (planned.topic.clone(), planned.partition.index))
    }

    /// Refuses the batches of the transaction that may not be appended: one verdict for each.
    fn keep_admitted(&mut self, verdicts: Vec<Result<(), TransactionError>>, version: i16) {
        let mut verdicts = verdicts.into_iter();
        for planned in std::mem::take(&mut self.batches) {
            let verdict = planned.in_transaction_of.and_then(|_| verdicts.next()).unwrap_or(Ok(()));
            match verdict {
                Ok(()) => self.batches.push(planned),
                Err(error) => self.refuse(planned.place, &error_code_for_produce(error, version).into()),
            }
        }
    }

    fn append_all(&self, context: &Context) -> Appending {
        if self.batches.is_empty() {
            return Pending::ready(Ok(Vec::new()));
        }
        let append = |planned: &Planned| Append {
            partition: planned.partition,
            batches: planned.batch.clone(),
            expected_end: None,
            depends_on: planned.in_transaction_of.and(self.depends_on),
            durability: planned.settings.durability,
            origin: AppendOrigin::Client,
        };
        context.broker().engine().append(self.batches.iter().map(append).collect())
    }

    fn take(&mut self, appended: Result<Vec<Result<Appended, AppendError>>, Unavailable>) {
        let batches = std::mem::take(&mut self.batches);
        let results = match appended {
            Ok(results) => results,
            Err(unavailable) => vec![Err(AppendError::Unavailable(unavailable)); batches.len()],
        };
        for (planned, result) in batches.iter().zip(results) {
            match result {
                Ok(appended) => self.acknowledge(planned, appended),
                Err(error) => {
                    let message = errors::message_of_append(&error);
                    let rejection = Rejection { error: errors::of_append(&error), message, records: Vec::new() };
                    self.refuse(planned.place, &rejection);
                }
            }
        }
    }

    fn acknowledge(&mut self, planned: &Planned, appended: Appended) {
        let now_ms = self.now_ms;
        if let Some(answer) = self.answer(planned.place) {
            answer.base_offset = appended.first_offset;
            answer.log_start_offset = appended.log_start_offset;
            if planned.settings.timestamp_type == TimestampType::LogAppendTime && !appended.duplicate {
                answer.log_append_time_ms = now_ms;
            }
        }
    }

    fn into_response(self) -> (ProduceResponse<'static>, Option<ErrorCode>) {
        (ProduceResponse { responses: self.topics, ..Default::default() }, self.failed)
    }
}

fn find_topic(context: &Context, data: &TopicProduceData<'_>, version: i16) -> Result<Arc<Topic>, ErrorCode> {
    let metadata = context.broker().engine().metadata();
    let topic = if version >= FIRST_VERSION_WITH_TOPIC_IDS {
        let Uuid(id) = data.topic_id;
        metadata.by_id(TopicId(id)).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?
    } else {
        if !context.authorize(Operation::Write, Resource::Topic(&data.name)) {
            return Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
        }
        metadata.by_name(&data.name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?
    };
    if !context.authorize(Operation::Write, Resource::Topic(&topic.name)) {
        return Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    }
    if topics::is_internal(&topic.name) {
        return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    Ok(topic.clone())
}
