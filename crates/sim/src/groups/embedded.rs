//! What consumers of the classic protocol tell each other: subscriptions and assignments of version 1.
use super::client::TOPIC;

const VERSION: [u8; 2] = [0, 1];
const NO_USER_DATA: [u8; 4] = [0xff; 4];

fn name(name: &str) -> Vec<u8> {
    [&(name.len() as i16).to_be_bytes(), name.as_bytes()].concat()
}

/// To the one topic, and to another that there is not, which changes. Its reader has given up everything.
pub(super) fn subscription(changes: u8) -> Vec<u8> {
    let topics = [name(TOPIC), name(&format!("also-{changes}"))].concat();
    [&VERSION, &2i32.to_be_bytes()[..], &topics, &NO_USER_DATA, &0i32.to_be_bytes()].concat()
}

/// Of these partitions of the one topic.
pub(super) fn assignment(partitions: impl Iterator<Item = u8>) -> Vec<u8> {
    let partitions: Vec<i32> = partitions.map(i32::from).collect();
    let mut bytes = [&VERSION, &1i32.to_be_bytes()[..], &name(TOPIC)].concat();
    bytes.extend((partitions.len() as i32).to_be_bytes());
    bytes.extend(partitions.iter().flat_map(|partition| partition.to_be_bytes()));
    bytes.extend(NO_USER_DATA);
    bytes
}

/// The partitions in an assignment.
pub(super) fn partitions(assignment: &[u8]) -> Vec<u8> {
    let first = VERSION.len() + 4 + 2 + TOPIC.len() + 4;
    let numbers = assignment.get(first..assignment.len().saturating_sub(NO_USER_DATA.len())).unwrap_or_default();
    numbers.chunks_exact(4).map(|number| number[3]).collect()
}
