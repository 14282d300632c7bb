//! Sizes, rates, durations and shares as people read them.

/// Returns a size such as `1.5 GiB`, with one decimal below 10.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in UNITS {
        // 1023.5 would be shown as 1024.
        if value < 1023.5 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    let text = format!("{value:.0$}", usize::from(unit != "B" && value < 9.95));
    format!("{} {unit}", text.strip_suffix(".0").unwrap_or(&text))
}

/// Returns a share such as `25 %`, at most 100 %, rounded down: only the whole is 100 %. `None` without a total.
pub(crate) fn percent(current: u64, total: u64) -> Option<String> {
    let share = u128::from(current) * 100 / u128::from((total > 0).then_some(total)?);
    Some(format!("{} %", share.min(100)))
}

/// Returns a time such as `1 min 20 s`, in its two largest units.
pub(crate) fn duration(seconds: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)];
    let first = UNITS.iter().position(|(_, length)| seconds >= *length).unwrap_or(UNITS.len() - 1);
    let (unit, length) = UNITS[first];
    let whole = format!("{} {unit}", seconds / length);
    match UNITS.get(first + 1).map(|(unit, next)| (unit, seconds % length / next)) {
        None | Some((_, 0)) => whole,
        Some((unit, rest)) => format!("{whole} {rest} {unit}"),
    }
}

/// Returns a time given in milliseconds.
pub(crate) fn milliseconds(milliseconds: u64) -> String {
    match milliseconds {
        0..1000 => format!("{milliseconds} ms"),
        1000..10_000 => format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100),
        _ => duration(milliseconds / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_two_or_more_digits() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (200_704, "196 KiB"),
            (1_048_570, "1 MiB"),
            (1 << 30, "1 GiB"),
            (10_200_547_328, "9.5 GiB"),
            (10 << 40, "10 TiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn only_the_whole_is_a_hundred_per_cent() {
        assert_eq!(percent(999, 1000).as_deref(), Some("99 %"));
        assert_eq!(percent(u64::MAX, u64::MAX).as_deref(), Some("100 %"));
        assert_eq!(percent(0, 0), None);
    }

    #[test]
    fn durations_have_two_units() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (80, "1 min 20 s"),
            (3661, "1 h 1 min"),
            (u64::MAX, "213503982334601 d 7 h"),
        ] {
            assert_eq!(duration(seconds), text);
        }
        assert_eq!([0, 999, 1500, 10_999, 61_000].map(milliseconds), ["0 ms", "999 ms", "1.5 s", "10 s", "1 min 1 s"]);
    }
}
