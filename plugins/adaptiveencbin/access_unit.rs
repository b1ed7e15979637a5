//! Decision: whether bytes are an H.264 access unit that a browser can start with. Reads NAL unit types and the first
//! bytes of a sequence parameter set (ITU-T H.264, 7.3 and annex B); refuses to decode more than that.

/// What an access unit in byte-stream format holds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// The first sequence parameter set.
    pub sps: Option<Profile>,
    /// Whether there is a picture parameter set.
    pub pps: bool,
    /// Whether there is a slice of an IDR picture.
    pub idr: bool,
    /// Slices of any picture.
    pub slices: u32,
}

/// Profile and level as the sequence parameter set says them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// profile_idc.
    pub idc: u8,
    /// constraint_set0_flag in the highest bit.
    pub constraints: u8,
    /// level_idc, ten times the level.
    pub level: u8,
}

impl Profile {
    /// Whether every decoder of this profile (named as in caps) can decode it.
    pub fn satisfies(self, name: &str) -> bool {
        let (is_constraint_0, is_constraint_1) = (self.constraints & 0x80 != 0, self.constraints & 0x40 != 0);
        match name {
            "constrained-baseline" => {
                (self.idc == 66 && is_constraint_1) || (self.idc == 77 && is_constraint_0)
            }
            "baseline" => self.idc == 66,
            "main" => self.idc == 77 || (self.idc == 66 && is_constraint_1),
            "high" => matches!(self.idc, 77 | 100) || (self.idc == 66 && is_constraint_1),
            _ => false,
        }
    }
}

const NAL_SLICE: u8 = 1;
const NAL_IDR: u8 = 5;
const NAL_SPS: u8 = 7;
const NAL_PPS: u8 = 8;

/// The NAL units between start codes.
fn nal_units(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(bytes);
    std::iter::from_fn(move || {
        let unit = rest?;
        let end = start_code(unit).unwrap_or(unit.len());
        rest = after_start_code(&unit[end..]);
        Some(&unit[..end])
    })
}

fn start_code(bytes: &[u8]) -> Option<usize> {
    bytes.windows(3).position(|window| window == [0, 0, 1])
}

fn after_start_code(bytes: &[u8]) -> Option<&[u8]> {
    start_code(bytes).map(|at| &bytes[at + 3..])
}

/// Looks through an access unit.
pub fn inspect(bytes: &[u8]) -> Contents {
    let mut contents = Contents::default();
    for unit in nal_units(bytes) {
        match unit {
            &[header, idc, constraints, level, ..] if header & 0x1f == NAL_SPS => {
                contents.sps.get_or_insert(Profile { idc, constraints, level });
            }
            [header, _, ..] => match header & 0x1f {
                NAL_PPS => contents.pps = true,
                NAL_IDR => {
                    contents.idr = true;
                    contents.slices += 1;
                }
                NAL_SLICE => contents.slices += 1,
                _ => {}
            },
            _ => {}
        }
    }
    contents
}

/// Says what is wrong with the access units of a test encode, or nothing.
pub fn fault(units: &[Contents], pushed: usize, profiles: &[&str]) -> Option<String> {
    let Some(first) = units.first() else {
        return Some("no output".into());
    };
    if units.len() != pushed {
        return Some(format!("{} access units for {pushed} frames", units.len()));
    }
    if !first.idr {
        return Some("it does not start with an IDR picture".into());
    }
    let (Some(profile), true) = (first.sps, first.pps) else {
        return Some("its IDR picture comes without SPS and PPS".into());
    };
    if !profiles.iter().any(|name| profile.satisfies(name)) {
        let Profile { idc, constraints, .. } = profile;
        return Some(format!(
            "its profile is {idc} with constraints {constraints:#04x}, not {}",
            profiles.join(" or ")
        ));
    }
    units.iter().position(|unit| unit.slices == 0).map(|at| format!("access unit {at} has no slice"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASELINE: &[&str] = &["constrained-baseline"];

    const IDR: &[u8] = &[
        0, 0, 0, 1, 9, 0xf0, 0, 0, 0, 1, 0x67, 66, 0xc0, 31, 0x95, 0, 0, 1, 0x68, 0xce, 0, 0, 1, 0x65, 0x88,
        0, 0, 1, 0x65, 0x89,
    ];
    const DELTA: &[u8] = &[0, 0, 0, 1, 0x41, 0x9a, 0x00];

    #[test]
    fn parameter_sets_slices_and_profile_are_found_behind_start_codes_of_either_length() {
        let profile = Profile { idc: 66, constraints: 0xc0, level: 31 };
        assert_eq!(inspect(IDR), Contents { sps: Some(profile), pps: true, idr: true, slices: 2 });
        assert_eq!(inspect(DELTA), Contents { slices: 1, ..Contents::default() });
    }

    #[test]
    fn garbage_truncated_units_and_avc_length_prefixes_hold_nothing() {
        for bytes in [
            &b""[..],
            &[0, 0, 1],
            &[0, 0, 1, 0x67],
            &[0, 0, 1, 0x67, 66],
            &[0, 0, 0, 2, 0x65, 0x88],
            &[0xff; 64],
        ] {
            assert_eq!(inspect(bytes), Contents::default(), "{bytes:?}");
        }
    }

    #[test]
    fn constrained_baseline_needs_the_constraint_flag() {
        let profile = |idc, constraints| Profile { idc, constraints, level: 31 };
        assert!(profile(66, 0xc0).satisfies("constrained-baseline"));
        assert!(!profile(66, 0x00).satisfies("constrained-baseline"));
        assert!(profile(66, 0x00).satisfies("baseline"));
        assert!(!profile(100, 0x00).satisfies("constrained-baseline"));
        assert!(profile(77, 0x80).satisfies("constrained-baseline"));
        assert!(profile(100, 0x00).satisfies("high"));
        assert!(!profile(66, 0x00).satisfies("high"));
    }

    #[test]
    fn a_good_test_encode_has_no_fault() {
        assert_eq!(fault(&[inspect(IDR), inspect(DELTA)], 2, BASELINE), None);
    }

    #[test]
    fn each_fault_is_named() {
        let fault = |units: &[&[u8]], pushed| {
            let units: Vec<_> = units.iter().map(|unit| inspect(unit)).collect();
            fault(&units, pushed, BASELINE).unwrap()
        };
        assert_eq!(fault(&[], 2), "no output");
        assert_eq!(fault(&[IDR], 2), "1 access units for 2 frames");
        assert_eq!(fault(&[DELTA, DELTA], 2), "it does not start with an IDR picture");
        assert_eq!(fault(&[&IDR[21..], DELTA], 2), "its IDR picture comes without SPS and PPS");
        assert_eq!(fault(&[IDR, &[0xff; 20]], 2), "access unit 1 has no slice");
        let mut high = IDR.to_vec();
        high[11] = 100;
        assert_eq!(
            fault(&[&high, DELTA], 2),
            "its profile is 100 with constraints 0xc0, not constrained-baseline"
        );
    }
}
