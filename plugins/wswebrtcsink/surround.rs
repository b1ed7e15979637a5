//! Decision: who gets sound of more than two channels, and how it travels. Browsers do not offer `multiopus`, and only some
//! decode it, so that a stream of it stands beside one in stereo: each consumer gets one of them, for its whole life.

use super::payload::{Kind, Payload, payload_for};

/// Opus of several streams in one packet, as browsers built on WebRTC's own code decode it.
pub const PAYLOAD: Payload = Payload {
    kind: Kind::Audio,
    media_type: "audio/x-opus",
    caps: "audio/x-opus, channel-mapping-family=(int)1",
    payloader: "rtpopuspay",
    settings: &[("mtu", "1200")],
    encoding_name: "MULTIOPUS",
    clock_rate: 48_000,
    payload_type: 112,
    format_parameters: &[("minptime", "10"), ("useinbandfec", "1")],
};
static ROW: &Payload = &PAYLOAD;

/// The row of an encoded stream, by its caps.
pub fn row(stream: &gst::StructureRef) -> Option<&'static Payload> {
    if is_surround(stream) { Some(ROW) } else { payload_for(stream.name()) }
}

/// Channels in Vorbis' order (RFC 7845, 5.1.1.2).
fn is_surround(stream: &gst::StructureRef) -> bool {
    stream.name() == PAYLOAD.media_type && stream.get::<i32>("channel-mapping-family") == Ok(1)
}

/// What SDP says of the streams in a packet. The payloader says the same; an offer that says otherwise would not negotiate
/// with it.
pub fn parameters(stream: &gst::Caps) -> Vec<(&'static str, String)> {
    let Some(stream) = stream.structure(0) else { return Vec::new() };
    let number = |field| stream.get::<i32>(field).unwrap_or_default().to_string();
    let mapping: Vec<String> = stream
        .get::<gst::Array>("channel-mapping")
        .map(|mapping| {
            mapping
                .iter()
                .filter_map(|channel| channel.get::<i32>().ok())
                .map(|one| one.to_string())
                .collect()
        })
        .unwrap_or_default();
    vec![
        ("encoding-params", number("channels")),
        ("num_streams", number("stream-count")),
        ("coupled_streams", number("coupled-count")),
        ("channel_mapping", mapping.join(",")),
    ]
}

/// Whether a consumer gets this one of several streams of sound: all channels where it takes them and they are there, else
/// what everybody decodes.
pub fn is_for(row: &Payload, takes_surround: bool, rows: &[&Payload]) -> bool {
    let is_surround = |row: &Payload| row.encoding_name == PAYLOAD.encoding_name;
    row.kind != Kind::Audio || is_surround(row) == (takes_surround && rows.iter().any(|row| is_surround(row)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(channels: i32, streams: i32, coupled: i32, mapping: &[i32]) -> gst::Caps {
        gst::init().unwrap();
        gst::Caps::builder("audio/x-opus")
            .field("channels", channels)
            .field("channel-mapping-family", 1)
            .field("stream-count", streams)
            .field("coupled-count", coupled)
            .field("channel-mapping", gst::Array::new(mapping))
            .build()
    }

    #[test]
    fn a_section_says_what_the_payloader_says() {
        let caps = stream(6, 4, 2, &[0, 4, 1, 2, 3, 5]);
        assert_eq!(row(caps.structure(0).unwrap()).unwrap().encoding_name, "MULTIOPUS");
        assert_eq!(
            parameters(&caps),
            [
                ("encoding-params", "6".to_owned()),
                ("num_streams", "4".into()),
                ("coupled_streams", "2".into()),
                ("channel_mapping", "0,4,1,2,3,5".into())
            ]
        );
        let stereo = gst::Caps::builder("audio/x-opus").field("channel-mapping-family", 0).build();
        assert_eq!(row(stereo.structure(0).unwrap()).unwrap().encoding_name, "OPUS");
    }

    #[test]
    fn each_consumer_gets_one_stream_of_sound_and_all_of_the_pictures() {
        let [video, stereo] = ["video/x-h264", "audio/x-opus"].map(|name| payload_for(name).unwrap());
        let both = [video, stereo, &PAYLOAD];
        let chosen = |takes, rows: &[&Payload]| -> Vec<_> {
            rows.iter().filter(|row| is_for(row, takes, rows)).map(|row| row.encoding_name).collect()
        };
        assert_eq!(chosen(true, &both), ["H264", "MULTIOPUS"]);
        assert_eq!(chosen(false, &both), ["H264", "OPUS"]);
        assert_eq!(chosen(true, &[video, stereo]), ["H264", "OPUS"]);
    }
}
