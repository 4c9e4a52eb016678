//! The nearest valid name to one that is not.

use super::property::Property;

/// The property whose name is nearest to `name`, where one is near enough to have been meant: at most a third of the
/// letters differ. Names longer than any real one are not compared.
pub(crate) fn nearest<'a>(name: &str, properties: impl Iterator<Item = &'a Property>) -> Option<&'a Property> {
    const LONGEST: usize = 128;
    if name.len() > LONGEST {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let bound = (name.len() / 3).max(1);
    properties
        .map(|property| (distance(&name, property.name), property))
        .filter(|(distance, _)| *distance <= bound)
        .min_by_key(|(distance, property)| (*distance, property.name))
        .map(|(_, property)| property)
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
