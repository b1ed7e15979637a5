//! Decision: reads the time of an HTTP `Date` header (RFC 9110, 5.6.7: the fixed form that all servers send).

/// Seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT`.
pub fn unix_seconds(date: &str) -> Option<f64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<_> = date.split_ascii_whitespace().collect();
    let [_, day, month, year, time, "GMT"] = words[..] else { return None };
    let month = i64::try_from(MONTHS.iter().position(|name| *name == month)?).ok()? + 1;
    let (day, year): (i64, i64) = (day.parse().ok()?, year.parse().ok()?);
    let parts: Vec<i64> = time.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [hours, minutes, seconds] = parts[..] else { return None };
    // A second may be one that is inserted.
    let is_time = (0..24).contains(&hours) && (0..60).contains(&minutes) && (0..=60).contains(&seconds);
    if !(1970..=9999).contains(&year) || !(1..=31).contains(&day) || !is_time {
        return None;
    }
    // Days from the civil calendar: years begin in March, so that the leap day is the last of them.
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468;
    Some((days * 86_400 + hours * 3600 + minutes * 60 + seconds) as f64)
}

#[cfg(test)]
mod tests {
    use super::unix_seconds;

    #[test]
    fn the_date_of_a_response_is_read_to_the_second() {
        assert_eq!(unix_seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777.0));
        assert_eq!(unix_seconds("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0.0));
        assert_eq!(unix_seconds("Thu, 29 Feb 2024 12:00:00 GMT"), Some(1_709_208_000.0));
        for nonsense in [
            "",
            "yesterday",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 Nov 1994 9000000000000000:49:37 GMT",
        ] {
            assert_eq!(unix_seconds(nonsense), None, "{nonsense:?}");
        }
    }
}
