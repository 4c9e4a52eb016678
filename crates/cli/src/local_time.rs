//! Moments as people write and read them: in the zone of the machine.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A zone, and the moment that counts as now.
#[derive(Clone, Debug)]
pub(crate) struct LocalTime {
    zone: TimeZone,
    now_ms: i64,
}

/// A moment as it was typed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Moment {
    /// So many milliseconds before now.
    Ago(i64),
    /// Milliseconds since 1970.
    At(i64),
    /// Date and time of day in the zone of the machine.
    Local(DateTime),
}

impl LocalTime {
    /// In the zone of the machine (`TZ`, or the system's).
    pub(crate) fn system(now_ms: i64) -> LocalTime {
        LocalTime { zone: TimeZone::system(), now_ms }
    }

    /// The same zone at another moment.
    pub(crate) fn at(&self, now_ms: i64) -> LocalTime {
        LocalTime { zone: self.zone.clone(), now_ms }
    }

    /// In UTC.
    #[cfg(test)]
    pub(crate) fn utc(now_ms: i64) -> LocalTime {
        LocalTime { zone: TimeZone::UTC, now_ms }
    }

    /// Now, in milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// The time of day, with the date before it if that is not today's.
    pub(crate) fn text(&self, ms: i64) -> String {
        let zoned = |ms| Timestamp::from_millisecond(ms).map(|moment| moment.to_zoned_datetime(self.zone.clone()));
        match (zoned(ms), zoned(self.now_ms)) {
            (Ok(moment), Ok(now)) if moment.date() == now.date() => moment.strftime("%H:%M:%S").to_string(),
            (Ok(moment), _) => moment.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            (Err(_), _) => format!("{ms} ms since 1970"),
        }
    }

    /// A typed moment in milliseconds since 1970; `None` for a time of day that the zone does not tell.
    pub(crate) fn resolve(&self, moment: Moment) -> Option<i64> {
        match moment {
            Moment::Ago(ms) => Some(self.now_ms.saturating_sub(ms).max(0)),
            Moment::At(ms) => Some(ms.max(0)),
            Moment::Local(date) => {
                date.to_zoned_datetime(self.zone.clone()).ok().map(|zoned| zoned.timestamp().as_millisecond().max(0))
            }
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Moment, String> {
        if let Some(ms) = length(text.strip_suffix("-ago").unwrap_or(text)) {
            return Ok(Moment::Ago(ms));
        }
        if let Ok(moment) = text.parse::<Timestamp>() {
            return Ok(Moment::At(moment.as_millisecond()));
        }
        let local = text.parse::<DateTime>().map(Moment::Local);
        local.map_err(|_| format!("{text} is no moment: write 1h, 2h30m, 2026-11-27T10:00 or 2026-11-27T10:00:00Z"))
    }
}

/// A length of time such as `90s`, `2h` or `1d12h`, in milliseconds.
fn length(text: &str) -> Option<i64> {
    let (mut total, mut number, mut ended) = (0_i64, None, false);
    for c in text.chars() {
        if let Some(digit) = c.to_digit(10) {
            number = Some(number.unwrap_or(0_i64).checked_mul(10)?.checked_add(i64::from(digit))?);
            ended = false;
            continue;
        }
        let unit_ms = match c {
            's' => 1_000,
            'm' => 60_000,
            'h' => 3_600_000,
            'd' => 86_400_000,
            'w' => 7 * 86_400_000,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit_ms)?)?;
        ended = true;
    }
    ended.then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-27T14:20:00Z.
    const NOW_MS: i64 = 1_795_789_200_000;

    fn typed(text: &str) -> Option<i64> {
        LocalTime::utc(NOW_MS).resolve(text.parse().ok()?)
    }

    #[test]
    fn a_moment_of_another_day_has_its_date() {
        let time = LocalTime::utc(NOW_MS);
        assert_eq!(time.text(NOW_MS), "14:20:00");
        assert_eq!(time.text(NOW_MS - 86_400_000), "2026-11-26 14:20:00");
        assert_eq!(time.text(i64::MAX), "9223372036854775807 ms since 1970");
    }

    #[test]
    fn the_zone_counts() {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
        let time = LocalTime { zone: berlin, now_ms: NOW_MS };
        assert_eq!(time.text(NOW_MS), "15:20:00");
        assert_eq!(time.resolve("2026-11-27T15:20".parse().expect("a moment")), Some(NOW_MS));
        assert_eq!(time.resolve("2026-11-27T14:20:00Z".parse().expect("a moment")), Some(NOW_MS));
    }

    #[test]
    fn moments_are_lengths_before_now_or_dates() {
        assert_eq!(typed("1h"), Some(NOW_MS - 3_600_000));
        assert_eq!(typed("1d12h-ago"), Some(NOW_MS - 36 * 3_600_000));
        assert_eq!(typed("90s"), Some(NOW_MS - 90_000));
        assert_eq!(typed("2026-11-27T14:20"), Some(NOW_MS));
        assert_eq!(typed("2026-11-27T15:20:00+01:00"), Some(NOW_MS));
        assert_eq!(typed("2026-11-27"), Some(NOW_MS - (14 * 60 + 20) * 60_000));
        for wrong in ["", "h", "1", "1x", "1h2", "-1h", "99999999999999999999h", "9999999999999999w", "yesterday"] {
            assert_eq!(typed(wrong), None, "{wrong}");
        }
        assert_eq!(typed("1000000d"), Some(0), "not before 1970");
    }
}
