//! Which protocol a generation uses: one that all support, chosen by vote.
use crate::request::Protocol;
use crate::roster::Roster;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// Each member votes for the first of its protocols that all support; the most votes win. Between equals the leader's
/// order decides, so that the result does not depend on anything hidden.
pub(crate) fn choose_protocol(roster: &Roster, leader: Option<&str>) -> Option<String> {
    let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
    for member in roster.iter() {
        if let Some(choice) = member.protocols.iter().find(|protocol| roster.all_support(&protocol.name)) {
            *votes.entry(&choice.name).or_default() += 1;
        }
    }
    let most = votes.values().copied().max()?;
    let wins = |name: &str| votes.get(name) == Some(&most);
    let by_leader = leader.and_then(|leader| roster.get(leader));
    let by_leader = by_leader.and_then(|leader| leader.protocols.iter().find(|protocol| wins(&protocol.name)));
    let winner = by_leader.map(|protocol| protocol.name.as_str());
    winner.or_else(|| votes.keys().copied().find(|name| wins(name))).map(String::from)
}

/// Whether a group that has chosen from its members' protocols so far can take in somebody with these.
pub(crate) fn supports(roster: &Roster, group_type: Option<&str>, protocol_type: &str, protocols: &[Protocol]) -> bool {
    if roster.is_empty() {
        return !protocol_type.is_empty() && !protocols.is_empty();
    }
    group_type == Some(protocol_type) && protocols.iter().any(|protocol| roster.all_support(&protocol.name))
}

/// Keeps the first of protocols with the same name: a member has one vote and one metadata per name.
pub(crate) fn without_repetitions(protocols: Vec<Protocol>) -> Vec<Protocol> {
    let mut seen = alloc::collections::BTreeSet::new();
    protocols.into_iter().filter(|protocol| seen.insert(protocol.name.clone())).collect()
}
