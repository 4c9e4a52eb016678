//! The live members of a group by their ids. Every request of a member looks for it, in a group that may have ten thousand, so it is
//! found by a hash; whoever goes through all of them does so in the order of their ids.
use super::live::LiveMember;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

/// No seat.
const NONE: u32 = u32::MAX;
/// So many places of the index are looked at for a member. Clients make their ids themselves, and no choice of theirs shall make a
/// look-up long: whoever has no place within reach is found by the order.
const REACH: usize = 8;

/// Live members by member id.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    seats: Vec<Option<LiveMember>>,
    free: Vec<u32>,
    order: BTreeMap<Arc<str>, u32>,
    /// Numbers of seats; each lies within reach of its member's hash, if there was room.
    index: Vec<u32>,
}

impl Seats {
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(crate) fn contains_key(&self, member_id: &str) -> bool {
        self.get(member_id).is_some()
    }

    pub(crate) fn get(&self, member_id: &str) -> Option<&LiveMember> {
        self.seats.get(self.find(member_id)?)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, member_id: &str) -> Option<&mut LiveMember> {
        let seat = self.find(member_id)?;
        self.seats.get_mut(seat)?.as_mut()
    }

    /// Every member, in the order of their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &LiveMember)> {
        let seats = &self.seats;
        self.order.iter().filter_map(|(id, seat)| Some((&**id, seats.get(*seat as usize)?.as_ref()?)))
    }

    /// Every member, in no order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &LiveMember> {
        self.seats.iter().flatten()
    }

    /// Every member, in no order.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut LiveMember> {
        self.seats.iter_mut().flatten()
    }

    /// In the place of the one with the same id, if there is one.
    pub(crate) fn insert(&mut self, member: LiveMember) {
        if let Some(same) = self.get_mut(&member.id) {
            *same = member;
            return;
        }
        let id = member.id.clone();
        let seat = match self.free.pop() {
            Some(free) => free,
            None => {
                self.seats.push(None);
                u32::try_from(self.seats.len() - 1).unwrap_or(NONE)
            }
        };
        if let Some(place) = self.seats.get_mut(seat as usize) {
            *place = Some(member);
        }
        self.order.insert(id.clone(), seat);
        if self.order.len() * 4 > self.index.len() {
            self.index_anew();
        } else {
            self.note(&id, seat);
        }
    }

    pub(crate) fn remove(&mut self, member_id: &str) -> Option<LiveMember> {
        let seat = self.order.remove(member_id)?;
        for at in self.within_reach(member_id) {
            if let Some(noted) = self.index.get_mut(at).filter(|noted| **noted == seat) {
                *noted = NONE;
            }
        }
        self.free.push(seat);
        self.seats.get_mut(seat as usize)?.take()
    }

    fn find(&self, member_id: &str) -> Option<usize> {
        let is_its = |seat: &usize| {
            let member = self.seats.get(*seat).and_then(Option::as_ref);
            member.is_some_and(|member| &*member.id == member_id)
        };
        let noted = self.within_reach(member_id).filter_map(|at| self.index.get(at));
        let near = noted.filter(|seat| **seat != NONE).map(|seat| *seat as usize).find(is_its);
        near.or_else(|| self.order.get(member_id).map(|seat| *seat as usize))
    }

    fn within_reach(&self, member_id: &str) -> impl Iterator<Item = usize> + use<> {
        let (first, places) = (hash(member_id), self.index.len());
        // The number of places is a power of two.
        (0..REACH.min(places)).map(move |step| first.wrapping_add(step) & (places - 1))
    }

    fn note(&mut self, member_id: &str, seat: u32) {
        let mut places = self.within_reach(member_id);
        if let Some(at) = places.find(|at| self.index.get(*at) == Some(&NONE))
            && let Some(place) = self.index.get_mut(at)
        {
            *place = seat;
        }
    }

    /// A larger index, at most an eighth of it used.
    fn index_anew(&mut self) {
        self.index = vec![NONE; (self.order.len() * 8).next_power_of_two().max(16)];
        let order = core::mem::take(&mut self.order);
        order.iter().for_each(|(id, seat)| self.note(id, *seat));
        self.order = order;
    }
}

/// Eight bytes at a time, each mixed into all bits.
pub(super) fn hash(member_id: &str) -> usize {
    let mut hash: u64 = 0x9e37_79b9_7f4a_7c15;
    for chunk in member_id.as_bytes().chunks(8) {
        let mut word = [0; 8];
        word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash ^= hash >> 32;
    }
    hash as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::ConsumerMemberMetadata;
    use alloc::format;
    use alloc::string::String;

    fn member(id: &str) -> LiveMember {
        LiveMember::new(id, &ConsumerMemberMetadata::default(), 0)
    }

    fn ids(seats: &Seats) -> Vec<String> {
        seats
            .iter()
            .map(|(id, member)| {
                assert_eq!(id, &*member.id);
                id.into()
            })
            .collect()
    }

    #[test]
    fn members_are_found_and_go_in_the_order_of_their_ids() {
        let mut seats = Seats::default();
        assert!(seats.get("a").is_none() && seats.is_empty());
        for number in (0..1_000).rev() {
            seats.insert(member(&format!("member-{number:04}")));
        }
        for number in (0..1_000).step_by(2) {
            assert!(seats.remove(&format!("member-{number:04}")).is_some());
        }
        for number in 0..1_000 {
            assert_eq!(seats.contains_key(&format!("member-{number:04}")), number % 2 == 1);
        }
        seats.insert(member("member-0001"));
        seats.insert(member("a"));
        assert_eq!((seats.len(), seats.values().count(), seats.values_mut().count()), (501, 501, 501));
        let expected =
            core::iter::once("a".into()).chain((0..500).map(|number| format!("member-{:04}", 2 * number + 1)));
        assert_eq!(ids(&seats), expected.collect::<Vec<_>>());
    }

    #[test]
    fn a_member_without_a_place_in_the_index_is_found_too() {
        let mut seats = Seats::default();
        (0..100).for_each(|number| seats.insert(member(&format!("m{number}"))));
        seats.index.fill(7);
        for number in 0..100 {
            let id = format!("m{number}");
            assert_eq!(seats.get_mut(&id).map(|member| member.id.clone()).as_deref(), Some(&*id));
        }
        seats.insert(member("one more"));
        assert!(seats.contains_key("one more"));
        assert!(seats.remove("m7").is_some() && !seats.contains_key("m7"));
    }
}
