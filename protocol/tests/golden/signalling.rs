//! Examples of signalling, between a consumer and the sink.

use super::check;
use vdi_protocol::{
    connection::ConnectionFailure,
    reason::EndCause,
    signalling::{
        Bye, Continued, ErrorCode, FromConsumer, IceCandidate, IceServer, IceTransportPolicy, MediaPath,
        ToConsumer,
    },
};

fn candidate() -> IceCandidate {
    IceCandidate {
        candidate: "candidate:1 1 UDP 2015363327 127.0.0.1 54321 typ host".into(),
        sdp_m_line_index: Some(0),
        sdp_mid: None,
    }
}

#[test]
fn signalling_messages_stand_on_the_wire_as_in_the_golden_files() {
    check(
        "signalling.fromConsumer",
        &[
            FromConsumer::Hello {
                version: 1,
                client: None,
                watches: false,
                session: None,
                decodes: Vec::new(),
                full_chroma: Vec::new(),
                surround: false,
            },
            FromConsumer::Hello {
                version: 1,
                client: Some("0b1e3c5d7f90a2b4c6d8e0f1a3b5c7d9".into()),
                watches: true,
                session: None,
                decodes: Vec::new(),
                full_chroma: Vec::new(),
                surround: false,
            },
            FromConsumer::Hello {
                version: 1,
                client: Some("0b1e3c5d7f90a2b4c6d8e0f1a3b5c7d9".into()),
                watches: false,
                session: Some(Continued {
                    consumer: "c3".into(),
                    token: "4f1d0a9c8b7e6d5f3a2b1c0d9e8f7a6b".into(),
                    media: MediaPath::Keep,
                }),
                decodes: vec!["H264".into(), "VP8".into(), "VP9".into()],
                full_chroma: vec!["H264".into(), "VP9".into()],
                surround: true,
            },
            FromConsumer::Hello {
                version: 1,
                client: None,
                watches: false,
                session: Some(Continued {
                    consumer: "c3".into(),
                    token: "4f1d0a9c8b7e6d5f3a2b1c0d9e8f7a6b".into(),
                    media: MediaPath::Replace,
                }),
                decodes: Vec::new(),
                full_chroma: Vec::new(),
                surround: false,
            },
            FromConsumer::Answer { sdp: "v=0\r\n".into() },
            FromConsumer::Ice(IceCandidate { sdp_mid: Some("video0".into()), ..candidate() }),
            FromConsumer::Failure {
                reason: ConnectionFailure::PathBlocked,
                message: "No answer on any of 3 paths.".into(),
            },
            FromConsumer::Bye,
        ],
    );
    check(
        "signalling.toConsumer",
        &[
            ToConsumer::Welcome {
                version: 1,
                consumer: "c1".into(),
                ice_servers: vec![
                    IceServer {
                        urls: vec!["stun:stun.example.com:3478".into()],
                        username: None,
                        credential: None,
                    },
                    IceServer {
                        urls: vec!["turn:turn.example.com:3478?transport=tcp".into()],
                        username: Some("1700000000:c1".into()),
                        credential: Some("secret".into()),
                    },
                ],
                ice_transport_policy: IceTransportPolicy::All,
                token: "4f1d0a9c8b7e6d5f3a2b1c0d9e8f7a6b".into(),
                resumed: false,
            },
            ToConsumer::Welcome {
                version: 1,
                consumer: "c3".into(),
                ice_servers: Vec::new(),
                ice_transport_policy: IceTransportPolicy::Relay,
                token: "4f1d0a9c8b7e6d5f3a2b1c0d9e8f7a6b".into(),
                resumed: true,
            },
            ToConsumer::IceServers {
                ice_servers: vec![IceServer {
                    urls: vec!["turn:turn.example.com:3478?transport=udp".into()],
                    username: Some("1700000600:c1".into()),
                    credential: Some("other".into()),
                }],
                ice_transport_policy: IceTransportPolicy::Relay,
            },
            ToConsumer::Offer { sdp: "v=0\r\n".into() },
            ToConsumer::Ice(candidate()),
            ToConsumer::Error {
                code: ErrorCode::MalformedMessage,
                message: "malformed message: expected value at line 1 column 1".into(),
            },
            ToConsumer::Error {
                code: ErrorCode::UnknownConsumer,
                message: "there is no session \"c3\" to go on with".into(),
            },
            ToConsumer::Bye("the session has ended".into()),
        ]
        .into_iter()
        .chain(EndCause::ALL.map(bye))
        .collect::<Vec<_>>(),
    );
}

fn bye(cause: EndCause) -> ToConsumer {
    ToConsumer::Bye(Bye { reason: "xterm has ended".into(), cause: Some(cause) })
}

#[test]
fn end_whose_cause_a_newer_server_has_named_is_an_end_all_the_same() {
    let told =
        serde_json::from_str::<ToConsumer>(r#"{"type":"bye","reason":"out of coffee","cause":"coffee"}"#);
    assert_eq!(told.unwrap(), ToConsumer::Bye("out of coffee".into()));
}
