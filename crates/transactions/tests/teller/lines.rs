//! What happened, one line each.
use ottla_transactions::records::{Partitions, StoredRecord, StoredTransaction};
use ottla_transactions::*;

pub(crate) fn action(action: &Action, who: &str) -> String {
    match action {
        Action::Append(record) => format!("append {}\n", stored(record)),
        Action::Reply(_, answer) => format!("{who} <- {}\n", self::answer(answer)),
        Action::End(step) => end(step),
        Action::AllotProducerId(_) => "a producer id is wanted\n".into(),
        Action::Event(event) => format!("* {}\n", self::event(&event.kind)),
    }
}

fn stored(record: &Record) -> String {
    match StoredRecord::decode(record).unwrap() {
        StoredRecord::Transaction(id, None) => format!("{id} forgotten"),
        StoredRecord::Transaction(id, Some(stored)) => format!("{id} {}", transaction(&stored)),
        StoredRecord::Unknown { key_version } => format!("unknown {key_version}"),
    }
}

/// State, producer, partitions.
pub(crate) fn transaction(stored: &StoredTransaction) -> String {
    let other = match stored.previous_producer_id {
        previous if previous == stored.producer_id || previous == -1 => String::new(),
        previous => format!(", before that {previous}"),
    };
    let partitions = partitions(&stored.partitions);
    format!("{} {}:{}{other}{partitions}", stored.state.name(), stored.producer_id, stored.producer_epoch)
}

fn partitions(partitions: &Partitions) -> String {
    let topic = |(topic, numbers): (&String, &std::collections::BTreeSet<i32>)| format!(" {topic}{numbers:?}");
    partitions.iter().map(topic).collect::<String>().replace('{', "[").replace('}', "]")
}

fn end(step: &EndStep) -> String {
    let what = if step.commits { "commit" } else { "abort" };
    let topics = step.partitions.iter().map(|(topic, numbers)| format!(" {topic}{numbers:?}")).collect::<String>();
    let groups = if step.groups.is_empty() { String::new() } else { format!(" groups{:?}", step.groups) };
    let (id, epoch) = (step.producer_id, step.producer_epoch);
    format!("end: {what} {id}:{epoch}{topics}{groups}, {}\n", stored(&step.record))
}

fn producer(producer: &Producer) -> String {
    format!("{}:{}", producer.id, producer.epoch)
}

fn event(kind: &TransactionEventKind) -> String {
    match kind {
        TransactionEventKind::Initialised { producer, cause } => format!("{}: {cause}", self::producer(producer)),
        TransactionEventKind::StateChanged { from, to, producer, cause } => {
            format!("{} -> {}, {}: {cause}", from.name(), to.name(), self::producer(producer))
        }
        TransactionEventKind::LoadedOngoing { producer, partitions } => {
            format!("loaded with a transaction of {}, {partitions} partitions", self::producer(producer))
        }
        TransactionEventKind::EndFailed { problem } => format!("the end was not written: {problem}"),
        TransactionEventKind::Expired { last_update_ms } => format!("expired, last used at {last_update_ms}"),
        TransactionEventKind::RecordSkipped { problem } => format!("record skipped: {problem}"),
    }
}

pub(crate) fn result<T>(result: &Result<T, TransactionError>, show: impl Fn(&T) -> String) -> String {
    match result {
        Ok(value) => show(value),
        Err(error) => format!("{error:?}"),
    }
}

fn answer(answer: &Answer) -> String {
    match answer {
        Answer::InitProducer(r) => result(r, |one| format!("is {}", producer(one))),
        Answer::AddPartitions(r) => result(r, |()| "added".into()),
        Answer::VerifyPartitions(r) => result(r, |missing| {
            let missing = missing.iter().map(|(topic, number)| format!(" {topic}-{number}")).collect::<String>();
            if missing.is_empty() { "all are in it".into() } else { format!("not in it:{missing}") }
        }),
        Answer::EndTransaction(r) => result(r, |one| format!("ended, goes on as {}", producer(one))),
        Answer::DescribeTransaction(r) => result(r, described),
        Answer::ListTransactions(r) => result(r, |listed| {
            let one = |one: &ListedTransaction| {
                format!(" {}={} of {}", one.transactional_id, one.state.name(), one.producer_id)
            };
            let all = listed.transactions.iter().map(one).collect::<String>();
            let unknown = listed.unknown_states.iter().map(|state| format!(", no state {state}")).collect::<String>();
            format!("ids:{all}{unknown}")
        }),
    }
}

fn described(one: &DescribedTransaction) -> String {
    let topics = one.partitions.iter().map(|(topic, numbers)| format!(" {topic}{numbers:?}")).collect::<String>();
    let (state, start_ms, timeout_ms) = (one.state.name(), one.start_ms, one.timeout_ms);
    format!("{state} {} since {start_ms}, {timeout_ms} ms{topics}", producer(&one.producer))
}
