//! Wire: the upstream event that tells the encoder which chroma format all consumers take. Refuses other words.

use super::codec::ChromaFormat;

/// Name of the structure in the `CustomUpstream` event.
const NAME: &str = "application/x-vdi-chroma-format";

/// Writes the event.
pub fn event(taken: ChromaFormat) -> gst::Event {
    let structure = gst::Structure::builder(NAME).field("chroma-format", taken.as_str());
    gst::event::CustomUpstream::new(structure.build())
}

/// Reads an event's structure; `None` if it is another.
pub fn from_structure(structure: &gst::StructureRef) -> Option<ChromaFormat> {
    if structure.name() != NAME {
        return None;
    }
    let taken = structure.get::<&str>("chroma-format").ok()?;
    [ChromaFormat::Half, ChromaFormat::Full].into_iter().find(|format| format.as_str() == taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        gst::init().unwrap();
        for format in [ChromaFormat::Half, ChromaFormat::Full] {
            assert_eq!(from_structure(event(format).structure().unwrap()), Some(format));
        }
        let other = gst::Structure::builder(NAME).field("chroma-format", "4:2:2").build();
        assert_eq!(from_structure(&other), None);
        assert_eq!(from_structure(&gst::Structure::new_empty("other")), None);
    }
}
