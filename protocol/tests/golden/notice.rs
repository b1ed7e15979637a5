//! A notice of everything that notices are about.

use vdi_protocol::{
    notice::{Notice, NoticeLevel, NoticeSubject, SwitchCause},
    settings::VideoCodec,
};

#[test]
fn notices() {
    let subjects = [
        NoticeSubject::DisplayLost,
        NoticeSubject::DisplayBack,
        NoticeSubject::NoMicrophone,
        NoticeSubject::NoWebcam,
        NoticeSubject::CodecUnavailable { codec: VideoCodec::Av1 },
        NoticeSubject::LeftAlone { seconds: 420, limit_seconds: 600 },
        NoticeSubject::NoGpuEncoder { encoder: "x264enc".into() },
    ];
    let causes = [
        SwitchCause::Recovered,
        SwitchCause::Size,
        SwitchCause::ChromaFormat,
        SwitchCause::Error,
        SwitchCause::TimeOut,
        SwitchCause::NoDevice,
        SwitchCause::NoEncoderEngine,
        SwitchCause::SessionLimit,
        SwitchCause::DriverMismatch,
        SwitchCause::BadOutput,
        SwitchCause::Unknown,
    ];
    let switched = causes.map(|cause| NoticeSubject::EncoderSwitched {
        cause,
        previous: "nvh264enc".into(),
        previous_hardware: true,
        encoder: "x264enc".into(),
        hardware: false,
    });
    let examples: Vec<_> = subjects
        .into_iter()
        .chain(switched)
        .map(|subject| Notice {
            level: NoticeLevel::Info,
            text: "A sentence.".into(),
            subject: Some(subject),
            once: None,
        })
        .collect();
    super::check("notice", &examples);
}
