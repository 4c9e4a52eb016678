//! Commits that moved otherwise than by reading: over records that nobody was given, or back.
use crate::event::{GroupEventKind, OffsetsMoved};
use crate::explain::Point;
use crate::request::{CommitPartition, Seen};
use crate::step::Step;

/// A commit that is about to be recorded.
pub(crate) struct Commit<'a> {
    pub(crate) topic: &'a str,
    pub(crate) asked: &'a CommitPartition,
    /// The commit before, if it was for the same topic.
    pub(crate) before: Option<i64>,
    pub(crate) member_id: &'a str,
}

impl Step<'_> {
    /// Tells of a commit that moved otherwise than by reading, and remembers where it is.
    pub(crate) fn note_commit(&mut self, commit: &Commit<'_>) {
        let Commit { topic, asked, before, member_id } = commit;
        // What was read before the broker started is not known, so the first commit since then is not judged.
        let was_seen = self.group.progress.get(topic, asked.partition).is_some();
        if let Some((from, to, not_read, is_inferred)) = moved(*before, asked.offset, was_seen, &asked.seen) {
            let (topic, member) = ((*topic).into(), self.group.culprit(member_id));
            let moved = OffsetsMoved { topic, partition: asked.partition, from, to, not_read, member, is_inferred };
            self.tell(GroupEventKind::OffsetsMoved(moved));
        }
        let log_end = asked.seen.log_end.unwrap_or(-1);
        let point = Point { at_ms: self.now.wall_ms, offset: asked.offset, log_end };
        self.group.progress.note(topic, asked.partition, point);
    }
}

/// From where to where a commit jumped, how much of that was not read, and whether that was concluded.
fn moved(before: Option<i64>, to: i64, was_seen: bool, seen: &Seen) -> Option<(Option<i64>, i64, i64, bool)> {
    if let Some(from) = before.filter(|&from| to < from) {
        return Some((Some(from), to, 0, false));
    }
    let read = seen.read.as_deref()?;
    // What was read before the watch began is not known: of an earlier process, over another name, or before the broker started.
    let begins = read.first().map_or(i64::MAX, |(start, _)| *start);
    if before.is_some_and(|before| !was_seen || begins > before) {
        return None;
    }
    let from = before.or(seen.log_start)?;
    let (first, last, not_read) = gaps(from, to, read)?;
    // Only the first commit of all says nothing of where it was before.
    let start = before.map(|_| first);
    Some((start, last, not_read, true))
}

/// The first and the last offset of what lies between `from` and `to` and is in none of the ranges, and how much that is.
fn gaps(from: i64, to: i64, read: &[(i64, i64)]) -> Option<(i64, i64, i64)> {
    let mut position = from;
    let mut found: Option<(i64, i64, i64)> = None;
    let mut miss = |start: i64, end: i64| {
        if start < end {
            let (first, _, count) = found.unwrap_or((start, end, 0));
            found = Some((first, end, count.saturating_add(end - start)));
        }
    };
    for &(start, end) in read {
        miss(position, start.min(to));
        position = position.max(end);
        if position >= to {
            break;
        }
    }
    miss(position, to);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(read: &[(i64, i64)]) -> Seen {
        Seen { log_end: Some(1_000), log_start: Some(0), read: Some(read.into()) }
    }

    #[test]
    fn reading_is_no_move() {
        assert_eq!(moved(Some(0), 512, true, &seen(&[(0, 600)])), None);
        assert_eq!(moved(None, 512, false, &seen(&[(0, 512)])), None);
        assert_eq!(moved(Some(512), 512, true, &seen(&[])), None);
    }

    #[test]
    fn what_was_jumped_over_is_counted() {
        assert_eq!(moved(Some(512), 950, true, &seen(&[(0, 512), (900, 960)])), Some((Some(512), 900, 388, true)));
        assert_eq!(moved(None, 950, false, &seen(&[(900, 960)])), Some((None, 900, 900, true)));
        assert_eq!(moved(Some(0), 30, true, &seen(&[(0, 5), (10, 20)])), Some((Some(5), 30, 15, true)));
    }

    #[test]
    fn going_back_is_known_from_the_commits_alone() {
        let nothing = Seen::default();
        assert_eq!(moved(Some(512), 100, false, &nothing), Some((Some(512), 100, 0, false)));
    }

    #[test]
    fn nothing_is_said_where_nothing_is_known() {
        assert_eq!(moved(Some(512), 900, true, &Seen::default()), None);
        assert_eq!(moved(Some(512), 950, false, &seen(&[(0, 960)])), None, "it may have been read before a restart");
        assert_eq!(
            moved(Some(512), 950, true, &seen(&[(900, 960)])),
            None,
            "it may have been read before the watch began"
        );
    }
}
