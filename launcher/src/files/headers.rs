//! Decision: the headers of downloads (RFC 9110, 13 and 14) and of resumable uploads (tus 1.0), read and written.

use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Version of the protocol of resumable uploads (tus.io).
pub const TUS: &str = "1.0.0";
/// Longest `Upload-Metadata`: a name in base64, with room.
const MAX_METADATA_BYTES: usize = 1024;
/// What stands for itself in an extended parameter (RFC 8187, 3.2.1), and in a path.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What of a file is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// From a byte on, so many.
    Bytes {
        /// The first.
        from: u64,
        /// How many; never none.
        length: u64,
    },
    /// Nothing that it has.
    Outside,
}

/// Reads `Range` for a file of this size. Several ranges, other units and nonsense count as no range (RFC 9110, 14.2).
pub fn range(header: Option<&str>, size: u64) -> Part {
    let Some(range) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else {
        return Part::Whole;
    };
    let Some((first, last)) = range.trim().split_once('-') else { return Part::Whole };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    match (number(first), number(last)) {
        (None, Some(length)) if first.is_empty() => match length.min(size) {
            0 => Part::Outside,
            length => Part::Bytes { from: size - length, length },
        },
        (Some(from), _) if from >= size && (last.is_empty() || number(last).is_some()) => Part::Outside,
        (Some(from), None) if last.is_empty() => Part::Bytes { from, length: size - from },
        (Some(from), Some(last)) if last >= from => {
            Part::Bytes { from, length: last.saturating_add(1).min(size) - from }
        }
        _ => Part::Whole,
    }
}

/// What tells one state of a file from another.
pub fn etag(size: u64, modified_ns: i128, inode: u64) -> String {
    format!("\"{inode:x}-{size:x}-{modified_ns:x}\"")
}

/// Whether `If-Range` or `If-None-Match` names this state.
pub fn names(header: &str, etag: &str) -> bool {
    header.split(',').any(|one| one.trim() == etag || one.trim() == "*")
}

/// `Content-Disposition` of a download: browsers keep it, and never show it as a page of ours.
pub fn attachment(name: &str) -> String {
    format!("attachment; filename*=UTF-8''{}", encoded(name))
}

/// A name as it stands in a URL or a header.
pub fn encoded(name: &str) -> String {
    utf8_percent_encode(name, KEPT).to_string()
}

/// The `filename` of an `Upload-Metadata`: pairs of a key and a value in base64, separated by commas.
pub fn file_name(metadata: &str) -> Option<String> {
    if metadata.len() > MAX_METADATA_BYTES {
        return None;
    }
    let value = metadata.split(',').find_map(|pair| pair.trim().strip_prefix("filename "))?;
    String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()
}

/// A number of bytes.
pub fn number(header: Option<&str>) -> Option<u64> {
    header.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())).and_then(|text| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_are_read_as_the_specification_says() {
        let bytes = |from, length| Part::Bytes { from, length };
        for (header, part) in [
            ("bytes=0-0", bytes(0, 1)),
            ("bytes=10-", bytes(10, 90)),
            ("bytes=-5", bytes(95, 5)),
            ("bytes=-500", bytes(0, 100)),
            ("bytes=90-500", bytes(90, 10)),
            ("bytes=100-", Part::Outside),
            ("bytes=-0", Part::Outside),
            ("bytes=5-4", Part::Whole),
            ("bytes=0-1,5-6", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("lines=1-2", Part::Whole),
            ("bytes=99999999999999999999-", Part::Outside),
        ] {
            assert_eq!(range(Some(header), 100), part, "{header}");
        }
        assert_eq!(range(None, 100), Part::Whole);
        assert_eq!(range(Some("bytes=0-"), 0), Part::Outside);
    }

    #[test]
    fn names_are_written_so_that_no_header_breaks() {
        assert_eq!(attachment("a\"\r\n;ü.txt"), "attachment; filename*=UTF-8''a%22%0D%0A%3B%C3%BC.txt");
        assert_eq!(file_name("filename w7wudHh0"), Some("ü.txt".into()));
        assert_eq!(file_name("type YQ==, filename YS50eHQ="), Some("a.txt".into()));
        assert_eq!(file_name("filename !"), None);
        assert!(names("\"x\", \"y\"", "\"y\"") && !names("\"x\"", "\"y\""));
        assert_eq!((number(Some("12")), number(Some("-1")), number(Some(""))), (Some(12), None, None));
    }

    proptest! {
        #[test]
        fn no_header_makes_them_panic_or_leave_the_file(header in ".{0,40}", first in any::<u64>(), last in any::<u64>(), size in 0_u64..1000) {
            let _ = (file_name(&header), number(Some(&header)), names(&header, "x"));
            for header in [header, format!("bytes={first}-{last}"), format!("bytes=-{last}"), format!("bytes={first}-")] {
                if let Part::Bytes { from, length } = range(Some(&header), size) {
                    prop_assert!(length > 0 && from + length <= size);
                }
            }
        }
    }
}
