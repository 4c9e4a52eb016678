//! What consumers of the classic protocol tell each other: subscriptions and assignments of version 1.
use super::topics::{NAMES, Named, place};

const VERSION: [u8; 2] = [0, 1];
const NO_USER_DATA: [u8; 4] = [0xff; 4];

fn name(name: &str) -> Vec<u8> {
    [&(name.len() as i16).to_be_bytes(), name.as_bytes()].concat()
}

/// To these topics, and to another that there is not, which changes. Its reader has given up everything.
pub(super) fn subscription(names: &[u8], changes: u8) -> Vec<u8> {
    let mut topics: Vec<u8> = names.iter().flat_map(|&place| name(NAMES[usize::from(place)])).collect();
    topics.extend(name(&format!("also-{changes}")));
    [&VERSION, &(names.len() as i32 + 1).to_be_bytes()[..], &topics, &NO_USER_DATA, &0i32.to_be_bytes()].concat()
}

/// The topics in a subscription.
pub(super) fn subscribed(subscription: &[u8]) -> Vec<u8> {
    let mut rest = subscription.get(VERSION.len()..).unwrap_or_default();
    let count = take_number(&mut rest).unwrap_or(0);
    (0..count).map_while(|_| take_name(&mut rest)).flatten().collect()
}

/// Of these partitions, which are in order.
pub(super) fn assignment(partitions: &[Named]) -> Vec<u8> {
    let topics: Vec<&[Named]> = partitions.chunk_by(|one, next| one.0 == next.0).collect();
    let mut bytes = [&VERSION, &(topics.len() as i32).to_be_bytes()[..]].concat();
    for topic in topics {
        bytes.extend(name(NAMES[usize::from(topic[0].0)]));
        bytes.extend((topic.len() as i32).to_be_bytes());
        bytes.extend(topic.iter().flat_map(|(_, number)| i32::from(*number).to_be_bytes()));
    }
    bytes.extend(NO_USER_DATA);
    bytes
}

/// The partitions in an assignment.
pub(super) fn partitions(assignment: &[u8]) -> Vec<Named> {
    let mut rest = assignment.get(VERSION.len()..).unwrap_or_default();
    let mut partitions = Vec::new();
    for _ in 0..take_number(&mut rest).unwrap_or(0) {
        let Some(name) = take_name(&mut rest) else { break };
        for _ in 0..take_number(&mut rest).unwrap_or(0) {
            let Some(number) = take_number(&mut rest) else { break };
            partitions.extend(name.map(|name| (name, number as u8)));
        }
    }
    partitions
}

fn take_number(rest: &mut &[u8]) -> Option<i32> {
    let (number, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(i32::from_be_bytes(*number))
}

/// The next name, if there is one, and if it is one of ours.
fn take_name(rest: &mut &[u8]) -> Option<Option<u8>> {
    let (length, after) = rest.split_first_chunk::<2>()?;
    let (name, after) = after.split_at_checked(usize::try_from(i16::from_be_bytes(*length)).ok()?)?;
    *rest = after;
    Some(core::str::from_utf8(name).ok().and_then(place))
}
