//! The nearest valid name to one that is not: of properties, and of whatever else has names.

use super::property::Property;

/// The property whose name is nearest to `name`, where one is near enough to have been meant.
pub(crate) fn nearest<'a>(name: &str, properties: impl Iterator<Item = &'a Property>) -> Option<&'a Property> {
    nearest_by(name, properties, |property| property.name)
}

/// What has the name nearest to `name`, where one is near enough to have been meant: at most a third of the letters differ, in
/// either case. Names that are very long are not compared.
pub fn nearest_by<T>(name: &str, named: impl Iterator<Item = T>, name_of: impl Fn(&T) -> &str) -> Option<T> {
    const LONGEST: usize = 128;
    if name.len() > LONGEST {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let bound = (name.len() / 3).max(1);
    named
        .filter(|one| name_of(one).len() <= LONGEST)
        .map(|one| (distance(&name, &name_of(&one).to_ascii_lowercase()), one))
        .filter(|(distance, _)| *distance <= bound)
        .min_by(|(left, one), (right, other)| (left, name_of(one)).cmp(&(right, name_of(other))))
        .map(|(_, one)| one)
}

/// How many letters must be inserted, removed, replaced or swapped with their neighbour to make `left` into `right`.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, from) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, to) in right.iter().enumerate() {
            let replaced = last[column] + usize::from(from != to);
            let mut best = replaced.min(last[column + 1] + 1).min(current[column] + 1);
            let swapped = row > 0 && column > 0 && left[row - 1] == *to && *from == right[column - 1];
            if swapped {
                best = best.min(before_last[column - 1] + 1);
            }
            current.push(best);
        }
        before_last = last;
        last = current;
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::table;

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("abc", "axc"), 1);
        assert_eq!(distance("abcd", "acbd"), 1);
        assert_eq!(distance("log.retention.mss", "log.retention.ms"), 1);
    }

    #[test]
    fn only_near_names_are_suggested() {
        let find = |name| nearest(name, table::all()).map(|property| property.name);
        assert_eq!(find("log.retention.mss"), Some("log.retention.ms"));
        assert_eq!(find("Num.Partitions"), Some("num.partitions"));
        assert_eq!(find("advertised.listner"), Some("advertised.listeners"));
        assert_eq!(find("ottla.durabilty"), Some("ottla.durability"));
        assert_eq!(find("completely.different.thing"), None);
        assert_eq!(find(""), None);
        assert_eq!(find(&"x".repeat(1_000_000)), None);
    }
}
