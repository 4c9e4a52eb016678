//! Numbers and lengths of time as people read them.
use alloc::format;
use alloc::string::{String, ToString};

/// A whole number with a comma between thousands: `48,210`.
pub fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A length of time in its two largest units: `14m 02s`, `2h 10m`, `3d 04h`; below a minute `41 s`, below a second `350 ms`.
pub fn duration(length_ms: i64) -> String {
    let ms = length_ms.max(0);
    let (s, m, h, d) = (ms / 1_000, ms / 60_000, ms / 3_600_000, ms / 86_400_000);
    match () {
        () if s == 0 => format!("{ms} ms"),
        () if m == 0 => format!("{s} s"),
        () if h == 0 => format!("{m}m {:02}s", s % 60),
        () if d == 0 => format!("{h}h {:02}m", m % 60),
        () => format!("{d}d {:02}h", h % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (-1_204_551, "-1,204,551"), (12_345, "12,345")]
        {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn times_have_two_units() {
        let cases =
            [(350, "350 ms"), (41_000, "41 s"), (842_000, "14m 02s"), (7_800_000, "2h 10m"), (273_600_000, "3d 04h")];
        for (ms, text) in cases {
            assert_eq!(duration(ms), text);
        }
    }
}
