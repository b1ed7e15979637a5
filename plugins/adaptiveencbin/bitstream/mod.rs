//! Decision: whether bytes are encoded video that a browser can start with and shows without delay. Each codec's file
//! reads its headers as far as that needs; refuses to decode pictures.

use super::codec::Codec;

mod av1;
mod h264;
mod h265;
mod nal;
mod vp8;
mod vp9;

/// What one buffer of encoded video holds.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Coded parts of a picture: slices, or frames where the codec has none.
    pub slices: u32,
    /// Whether a decoder can start here, if it knows the stream.
    pub is_key: bool,
    /// Whether it needs pictures that are shown later.
    pub is_bidirectional: bool,
    /// What its headers say about the stream, if they come with it and can be read.
    pub stream: Option<Stream>,
}

/// What headers say about a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Size of the pictures that are shown.
    pub width: u32,
    /// Likewise.
    pub height: u32,
    /// The profiles, as caps name them, whose decoders can all decode it.
    pub profiles: Vec<&'static str>,
    /// The profile in the codec's own numbers.
    pub profile: String,
    /// Pictures that a decoder may keep back to put them in order.
    pub max_reorder: u32,
}

/// What is expected of a test encode.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Pictures that went in.
    pub pictures: usize,
    /// Their size.
    pub width: u32,
    /// Likewise.
    pub height: u32,
    /// Profiles of which it must be one, if there are any.
    pub profiles: &'a [&'a str],
    /// The most slices per picture.
    pub max_slices: Option<u32>,
}

/// Looks through a buffer of encoded video.
pub fn inspect(codec: Codec, bytes: &[u8]) -> Contents {
    match codec {
        Codec::H264 => h264::inspect(bytes),
        Codec::H265 => h265::inspect(bytes),
        Codec::Vp8 => vp8::inspect(bytes),
        Codec::Vp9 => vp9::inspect(bytes),
        Codec::Av1 => av1::inspect(bytes),
    }
}

/// Says what is wrong with the output of a test encode, or nothing.
pub fn fault(units: &[Contents], expected: Expected<'_>) -> Option<String> {
    let Expected { pictures, width, height, profiles, max_slices } = expected;
    let Some(first) = units.first() else {
        return Some("no output".into());
    };
    if units.len() != pictures {
        return Some(format!("{} pictures for {pictures} frames", units.len()));
    }
    if !first.is_key {
        return Some("it does not start with a key frame".into());
    }
    let Some(stream) = &first.stream else {
        return Some("its key frame comes without parameter sets that can be read".into());
    };
    if !profiles.is_empty() && !profiles.iter().any(|name| stream.profiles.contains(name)) {
        return Some(format!("its profile is {}, not {}", stream.profile, profiles.join(" or ")));
    }
    if (stream.width, stream.height) != (width, height) {
        return Some(format!("its size is {}x{}, not {width}x{height}", stream.width, stream.height));
    }
    if stream.max_reorder > 0 {
        return Some(format!("its headers let a decoder keep back {} pictures", stream.max_reorder));
    }
    units.iter().enumerate().find_map(|(at, unit)| {
        if unit.slices == 0 {
            Some(format!("picture {at} is empty"))
        } else if unit.is_bidirectional {
            Some(format!("picture {at} needs a later one"))
        } else {
            let limit = max_slices.filter(|limit| unit.slices > *limit)?;
            Some(format!("picture {at} has {} slices, over {limit}", unit.slices))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EXPECTED: Expected<'_> = Expected {
        pictures: 2,
        width: 640,
        height: 360,
        profiles: &["constrained-baseline"],
        max_slices: Some(4),
    };

    fn key() -> Contents {
        let stream = Stream {
            width: 640,
            height: 360,
            profiles: vec!["constrained-baseline", "baseline"],
            profile: "66".into(),
            max_reorder: 0,
        };
        Contents { slices: 2, is_key: true, is_bidirectional: false, stream: Some(stream) }
    }

    fn delta() -> Contents {
        Contents { slices: 2, ..Contents::default() }
    }

    #[test]
    fn a_good_test_encode_has_no_fault() {
        assert_eq!(fault(&[key(), delta()], EXPECTED), None);
        assert_eq!(fault(&[key(), delta()], Expected { profiles: &[], max_slices: None, ..EXPECTED }), None);
    }

    #[test]
    fn each_fault_is_named() {
        let with = |change: fn(&mut Stream)| {
            let mut key = key();
            change(key.stream.as_mut().unwrap());
            [key, delta()]
        };
        let fault = |units: &[Contents]| fault(units, EXPECTED).unwrap();
        assert_eq!(fault(&[]), "no output");
        assert_eq!(fault(&[key()]), "1 pictures for 2 frames");
        assert_eq!(fault(&[delta(), delta()]), "it does not start with a key frame");
        assert_eq!(
            fault(&[Contents { stream: None, ..key() }, delta()]),
            "its key frame comes without parameter sets that can be read"
        );
        assert_eq!(
            fault(&with(|stream| {
                stream.profiles = vec!["high"];
                stream.profile = "100".into();
            })),
            "its profile is 100, not constrained-baseline"
        );
        assert_eq!(fault(&with(|stream| stream.height = 368)), "its size is 640x368, not 640x360");
        assert_eq!(
            fault(&with(|stream| stream.max_reorder = 2)),
            "its headers let a decoder keep back 2 pictures"
        );
        assert_eq!(fault(&[key(), Contents::default()]), "picture 1 is empty");
        assert_eq!(
            fault(&[key(), Contents { is_bidirectional: true, ..delta() }]),
            "picture 1 needs a later one"
        );
        assert_eq!(fault(&[key(), Contents { slices: 5, ..delta() }]), "picture 1 has 5 slices, over 4");
    }

    proptest! {
        #[test]
        fn no_bytes_whatsoever_stop_the_reader(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), head in 0usize..6) {
            let heads: [&[u8]; 6] = [
                &[],
                &[0, 0, 1, 0x67, 66, 0xc0, 31],
                &[0, 0, 1, 0x67, 100, 0, 31],
                &[0, 0, 1, 0x42, 1, 1],
                &[0x82, 0x49, 0x83, 0x42],
                &[0x12, 0, 0x0a],
            ];
            bytes.splice(0..0, heads[head].iter().copied());
            for codec in Codec::ALL {
                inspect(codec, &bytes);
            }
        }
    }
}
