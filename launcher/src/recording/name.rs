//! Decision: what the files of a recording are called: by when it began (UTC), and their number.

use jiff::Timestamp;

/// What a file is called besides while it is being written: one without it is whole.
pub const UNFINISHED: &str = ".part";

/// The name of the recording's file of this number, counted from 1.
pub fn name(began: Timestamp, number: u32) -> String {
    let when = began.strftime("%Y-%m-%dT%H-%M-%SZ");
    match number {
        0 | 1 => format!("desktop-{when}.mkv"),
        number => format!("desktop-{when}-{number}.mkv"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_by_time_and_number_without_what_file_systems_refuse() {
        let began: Timestamp = "2026-11-22T15:30:05.123+01:00".parse().unwrap();
        assert_eq!(name(began, 1), "desktop-2026-11-22T14-30-05Z.mkv");
        assert_eq!(name(began, 2), "desktop-2026-11-22T14-30-05Z-2.mkv");
    }
}
