//! Numbers, lengths of time, partitions and tables as people read them.

/// A number as people read it.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The same with a sign, where there is one.
pub(crate) fn signed(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", grouped(number.unsigned_abs()))
}

/// So many of something, which is counted in the plural with an `s`.
pub(crate) fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(number))
}

/// A length of time, with its two largest units.
pub(crate) fn duration(ms: i64) -> String {
    let (ms, seconds) = (ms.max(0), ms.max(0) / 1000);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..10 if ms % 1000 >= 100 => format!("{seconds}.{}s", ms % 1000 / 100),
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{minutes}m {:02}s", seconds % 60),
        3_600..86_400 => format!("{hours}h {:02}m", minutes % 60),
        _ => format!("{}d {:02}h", grouped(days.unsigned_abs()), hours % 24),
    }
}

/// An amount of bytes, in thousands.
pub(crate) fn bytes(bytes: u64) -> String {
    let units = [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match units.iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => format!("{}.{} {unit}", bytes / size, bytes % size / (size / 10)),
        None => format!("{bytes} B"),
    }
}

/// Ascending numbers of partitions, runs of them shortened: `0-3 7`.
pub(crate) fn partition_runs(partitions: &[i64]) -> String {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for &partition in partitions {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(partition) => *last = partition,
            _ => runs.push((partition, partition)),
        }
    }
    let run = |(first, last): &(i64, i64)| match last - first {
        0 => first.to_string(),
        1 => format!("{first} {last}"),
        _ => format!("{first}-{last}"),
    };
    runs.iter().map(run).collect::<Vec<_>>().join(" ")
}

/// Control characters, which could rewrite a terminal, in a form that shows them.
pub(crate) fn harmless(text: &str) -> String {
    let escaped = |c: char| if c.is_control() { c.escape_default().collect() } else { c.to_string() };
    text.chars().map(escaped).collect()
}

/// On which side of its column a cell stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows in aligned columns.
pub(crate) struct Table {
    sides: Vec<Side>,
    /// Columns that are left out where nothing in them is known.
    optional: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With these headings.
    pub(crate) fn new(columns: &[(&str, Side)]) -> Table {
        let headings = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let sides = columns.iter().map(|(_, side)| *side).collect();
        Table { sides, optional: Vec::new(), rows: vec![headings] }
    }

    /// Leaves these columns out where all that stands in them are dashes.
    pub(crate) fn without_unknown(mut self, optional: &[&'static str]) -> Table {
        self.optional = optional.to_vec();
        self
    }

    /// One more row; a cell for each column.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines. A column without a word below its heading is left out.
    pub(crate) fn text(&self) -> String {
        let used = |column: usize| {
            let optional = self.optional.contains(&self.rows[0][column].as_str());
            let says_nothing = |cell: &str| cell.is_empty() || (optional && cell == "-");
            self.rows.iter().skip(1).any(|row| !says_nothing(&row[column]))
        };
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let columns: Vec<(usize, usize)> =
            (0..self.sides.len()).filter(|column| used(*column)).map(|column| (column, width(column))).collect();
        let cell = |row: &[String], (column, width): (usize, usize)| match self.sides[column] {
            Side::Left => format!("{:<width$}", row[column]),
            Side::Right => format!("{:>width$}", row[column]),
        };
        let line = |row: &Vec<String>| {
            let cells: Vec<String> = columns.iter().map(|column| cell(row, *column)).collect();
            format!("{}\n", cells.join("  ").trim_end())
        };
        self.rows.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")];
        for (number, text) in cases {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(signed(-1_000), "-1,000");
        assert_eq!((count(1, "record"), count(1_000, "record")), ("1 record".to_owned(), "1,000 records".to_owned()));
    }

    #[test]
    fn lengths_of_time_have_their_two_largest_units() {
        let cases = [
            (-5, "0s"),
            (0, "0s"),
            (30, "0s"),
            (200, "0.2s"),
            (4_000, "4s"),
            (9_999, "9.9s"),
            (41_000, "41s"),
            (842_000, "14m 02s"),
            (7_800_000, "2h 10m"),
            (86_400_000 * 3 + 3_600_000 * 4, "3d 04h"),
            (i64::MAX, "106,751,991,167d 07h"),
        ];
        for (ms, text) in cases {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn bytes_have_a_unit() {
        let cases = [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (9_050_000, "9.0 MB"), (u64::MAX, "18446744.0 TB")];
        for (amount, text) in cases {
            assert_eq!(bytes(amount), text);
        }
    }

    #[test]
    fn runs_of_partitions_are_short() {
        assert_eq!(partition_runs(&[]), "");
        assert_eq!(partition_runs(&[0, 1, 2, 3, 7]), "0-3 7");
        assert_eq!(partition_runs(&[4, 5, 9]), "4 5 9");
        assert_eq!(partition_runs(&[i64::MAX, 0]), "9223372036854775807 0");
    }

    #[test]
    fn what_could_rewrite_a_terminal_is_shown_instead() {
        assert_eq!(harmless("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
    }

    #[test]
    fn columns_are_aligned_and_empty_ones_left_out() {
        let columns = ["NAME", "NOTHING", "BYTES", "LAG"].map(|name| (name, Side::Left));
        let mut table = Table::new(&columns).without_unknown(&["BYTES", "LAG"]);
        table.sides[3] = Side::Right;
        table.row(vec!["a".into(), String::new(), "-".into(), "48,210".into()]);
        table.row(vec!["longer".into(), String::new(), "-".into(), "-".into()]);
        assert_eq!(table.text(), "NAME       LAG\na       48,210\nlonger       -\n");
    }
}
