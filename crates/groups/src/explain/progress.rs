//! How a partition's commits have moved lately, kept in memory: what Burrow's rules look at.
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;

/// So many points are kept, as in Burrow.
const WINDOW: usize = 10;
/// Commits that come closer together than this count as one point, in milliseconds: a window spans some time.
const CLOSEST_MS: i64 = 1_000;

/// One commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Wall time in milliseconds.
    pub at_ms: i64,
    /// What was committed.
    pub offset: i64,
    /// Where the log ended then, or -1.
    pub log_end: i64,
}

impl Point {
    /// How many offsets were not committed; `None` if the end is not known.
    pub fn lag(&self) -> Option<i64> {
        (self.log_end >= 0).then(|| self.log_end.saturating_sub(self.offset).max(0))
    }
}

/// The latest commits of one partition, since the broker started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    points: VecDeque<Point>,
    /// Since when the same offset is committed, in wall time.
    pub unchanged_since_ms: i64,
    /// How often it was committed.
    pub unchanged_commits: u32,
}

impl Progress {
    /// The points, oldest first; the last one is the last commit.
    pub fn points(&self) -> impl ExactSizeIterator<Item = &Point> + DoubleEndedIterator {
        self.points.iter()
    }

    pub(crate) fn note(&mut self, point: Point) {
        match self.points.back() {
            Some(last) if last.offset == point.offset => {
                self.unchanged_commits = self.unchanged_commits.saturating_add(1)
            }
            _ => (self.unchanged_since_ms, self.unchanged_commits) = (point.at_ms, 1),
        }
        let is_close =
            |last: &Point| point.at_ms.saturating_sub(last.at_ms) < CLOSEST_MS && point.offset >= last.offset;
        match self.points.back_mut() {
            // The window's beginning keeps its time, or a fast committer's window would never fill.
            Some(last) if is_close(last) => (last.offset, last.log_end) = (point.offset, point.log_end),
            _ => self.points.push_back(point),
        }
        if self.points.len() > WINDOW {
            self.points.pop_front();
        }
    }
}

/// By topic and partition.
#[derive(Debug, Default)]
pub(crate) struct Progresses(BTreeMap<String, BTreeMap<i32, Progress>>);

impl Progresses {
    pub(crate) fn get(&self, topic: &str, partition: i32) -> Option<&Progress> {
        self.0.get(topic)?.get(&partition)
    }

    pub(crate) fn note(&mut self, topic: &str, partition: i32, point: Point) {
        match self.0.get_mut(topic) {
            Some(partitions) => partitions.entry(partition).or_default().note(point),
            None => self.0.entry(topic.into()).or_default().entry(partition).or_default().note(point),
        }
    }

    /// The commit is gone.
    pub(crate) fn forget(&mut self, topic: &str, partition: i32) {
        if let Some(partitions) = self.0.get_mut(topic) {
            partitions.remove(&partition);
            if partitions.is_empty() {
                self.0.remove(topic);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(at_ms: i64, offset: i64) -> Point {
        Point { at_ms, offset, log_end: 100 }
    }

    #[test]
    fn a_window_spans_some_time_however_fast_commits_come() {
        let mut progress = Progress::default();
        for step in 0..300 {
            progress.note(at(step * 100, step));
        }
        assert_eq!(progress.points().len(), WINDOW);
        let (first, last) = (progress.points().next().unwrap(), progress.points().next_back().unwrap());
        assert!(last.at_ms - first.at_ms >= 9 * CLOSEST_MS, "{first:?} {last:?}");
        assert_eq!(last.offset, 299);
    }

    #[test]
    fn the_same_offset_again_and_again_is_counted() {
        let mut progress = Progress::default();
        progress.note(at(0, 5));
        for step in 1..=4 {
            progress.note(at(step * 2_000, 7));
        }
        assert_eq!((progress.unchanged_since_ms, progress.unchanged_commits), (2_000, 4));
    }

    #[test]
    fn a_step_back_is_a_point_of_its_own() {
        let mut progress = Progress::default();
        progress.note(at(0, 50));
        progress.note(at(10, 20));
        assert_eq!(progress.points().map(|point| point.offset).collect::<alloc::vec::Vec<_>>(), [50, 20]);
    }
}
