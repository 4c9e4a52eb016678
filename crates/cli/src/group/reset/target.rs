//! Where a reset goes: what `--to` and `--partition` take.

use std::str::FromStr;

use crate::local_time::Moment;

/// What was typed behind `--to`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// The first record that is there.
    Earliest,
    /// The end.
    Latest,
    /// This offset.
    Offset(i64),
    /// So many further than the commit.
    Shift(i64),
    /// The first record from then on.
    Time(Moment),
    /// No commit.
    Uncommitted,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let too_large = |_| format!("{text} is more than an offset can be");
        match text {
            "earliest" => Ok(Target::Earliest),
            "latest" => Ok(Target::Latest),
            "uncommitted" => Ok(Target::Uncommitted),
            _ if digits(text) => text.parse().map(Target::Offset).map_err(too_large),
            _ if text.strip_prefix(['+', '-']).is_some_and(digits) => {
                text.parse().map(Target::Shift).map_err(too_large)
            }
            _ => text.parse().map(Target::Time).map_err(|_| {
                format!(
                    "{text} is none of earliest, latest, an offset, +N, -N, 2h-ago, 2026-11-27T10:00 and uncommitted"
                )
            }),
        }
    }
}

/// A partition as `topic/number`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct OnePartition {
    /// The topic.
    pub(crate) topic: String,
    /// The partition.
    pub(crate) partition: i32,
}

impl FromStr for OnePartition {
    type Err = String;

    fn from_str(text: &str) -> Result<OnePartition, String> {
        let parts = text.rsplit_once('/').filter(|(topic, _)| !topic.is_empty());
        let number = parts.and_then(|(topic, number)| Some((topic, number.parse().ok().filter(|one| *one >= 0)?)));
        match number {
            Some((topic, partition)) => Ok(OnePartition { topic: topic.to_owned(), partition }),
            None => Err(format!("{text} is no partition: write topic/number, such as orders/3")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_is_told_from_the_others() {
        let cases = [
            ("earliest", Target::Earliest),
            ("latest", Target::Latest),
            ("uncommitted", Target::Uncommitted),
            ("81205", Target::Offset(81_205)),
            ("+10", Target::Shift(10)),
            ("-1", Target::Shift(-1)),
            ("2h-ago", Target::Time(Moment::Ago(7_200_000))),
        ];
        for (text, target) in cases {
            assert_eq!(text.parse(), Ok(target));
        }
        assert!(matches!("2026-11-27T10:00".parse(), Ok(Target::Time(Moment::Local(_)))));
        for wrong in ["", "+", "first", "1.5", "99999999999999999999", "--1"] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_partition_has_a_topic_and_a_number() {
        let orders = OnePartition { topic: "orders".to_owned(), partition: 3 };
        assert_eq!("orders/3".parse(), Ok(orders));
        for wrong in ["orders", "/3", "orders/", "orders/-1", "orders/x", "orders/99999999999"] {
            assert!(wrong.parse::<OnePartition>().is_err(), "{wrong}");
        }
    }
}
