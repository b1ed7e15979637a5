//! Setup: the options validated once into a resolved type. Every bad value is reported, each with what is accepted.

use crate::{
    error::Error,
    options::{Options, Parsed},
};
use std::{ffi::OsString, fmt, net::IpAddr, path::PathBuf, str::FromStr, time::Duration};
use vdi_protocol::reason::FailureReason;

/// Largest virtual display; Xvfb allocates it at the start and takes no larger one later.
pub const MAX_DISPLAY: Size = Size { width_px: 3840, height_px: 2160 };
/// Smallest virtual display that a hardware encoder takes.
const MIN_DISPLAY: Size = Size { width_px: 160, height_px: 120 };

/// Encoder names that Selkies knows and that have no row in our table: they make other formats than H.264.
const OTHER_FORMATS: [&str; 11] = [
    "nvh265enc",
    "nvav1enc",
    "vah265enc",
    "vavp9enc",
    "vaav1enc",
    "x265enc",
    "vp8enc",
    "vp9enc",
    "svtav1enc",
    "av1enc",
    "rav1enc",
];

/// Text that must not reach a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Width and height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub width_px: u16,
    /// Rows.
    pub height_px: u16,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width_px, self.height_px)
    }
}

/// What happens when no hardware encoder works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncoderPolicy {
    /// Warn and use software.
    PreferHardware,
    /// Fail.
    RequireHardware,
    /// Do not look for hardware.
    Software,
}

impl EncoderPolicy {
    /// The nick of `adaptiveencbin`'s property.
    pub fn nick(self) -> &'static str {
        match self {
            Self::PreferHardware => "prefer-hardware",
            Self::RequireHardware => "require-hardware",
            Self::Software => "software",
        }
    }
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object per line.
    Json,
}

/// User and password of HTTP Basic authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The password; generated at the start if none.
    pub password: Option<Secret>,
}

/// What is streamed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Desktop {
    /// A display that exists.
    Existing {
        /// Its name, such as `:0`.
        display: String,
    },
    /// A virtual display of our own.
    Virtual {
        /// Its size.
        size: Size,
        /// The program on it, with its arguments; never empty.
        command: Vec<OsString>,
    },
}

/// How the video is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Video {
    /// `auto` or a factory name.
    pub encoder: String,
    /// What happens without hardware.
    pub policy: EncoderPolicy,
    /// Frames per second.
    pub framerate: u32,
    /// Target in kbit/s.
    pub bitrate_kbps: u32,
    /// Lower bound in kbit/s.
    pub min_bitrate_kbps: u32,
    /// Upper bound in kbit/s.
    pub max_bitrate_kbps: u32,
}

/// How the sound is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audio {
    /// Target in bit/s.
    pub bitrate_bps: u32,
    /// 1 or 2.
    pub channels: u32,
    /// Loss that forward error correction prepares for.
    pub packet_loss_percent: u32,
    /// PulseAudio server, if not the user's own.
    pub server: Option<String>,
}

/// The resolved configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Address to listen on.
    pub address: IpAddr,
    /// Port; 0 takes a free one.
    pub port: u16,
    /// Who may in; everyone if none.
    pub credentials: Option<Credentials>,
    /// Most pages at once.
    pub max_consumers: u32,
    /// The desktop.
    pub desktop: Desktop,
    /// The video.
    pub video: Video,
    /// The sound.
    pub audio: Audio,
    /// `stun://host:port`.
    pub stun_server: Option<String>,
    /// `turn(s)://user:password@host:port[?transport=tcp]`.
    pub turn_server: Option<Secret>,
    /// Time without input after which the session is idle.
    pub idle_after: Option<Duration>,
    /// Form of the log.
    pub log_format: LogFormat,
    /// Whether the log tells details.
    pub debug: bool,
    /// File for the reason of a failure.
    pub termination_log: PathBuf,
    /// Given options that have no effect yet.
    pub without_effect: Vec<String>,
}

/// Reads values and collects what is wrong with them.
#[derive(Default)]
struct Checks(Vec<String>);

impl Checks {
    fn refuse(&mut self, option: &str, value: &str, accepted: &str) {
        self.0.push(format!("--{option} {value:?}: accepted is {accepted}"));
    }

    fn number<T: FromStr + PartialOrd + Copy + fmt::Display>(
        &mut self,
        option: &str,
        value: &str,
        (min, max): (T, T),
    ) -> T {
        match value.parse() {
            Ok(number) if (min..=max).contains(&number) => number,
            _ => {
                self.refuse(option, value, &format!("a whole number from {min} to {max}"));
                min
            }
        }
    }

    fn boolean(&mut self, option: &str, value: &str) -> bool {
        match value.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => true,
            "false" | "0" | "no" | "off" => false,
            _ => {
                self.refuse(option, value, "true or false");
                false
            }
        }
    }

    fn one_of<T: Copy>(&mut self, option: &str, value: &str, accepted: &[(&str, T)]) -> T {
        if let Some((_, found)) = accepted.iter().find(|(name, _)| *name == value) {
            return *found;
        }
        let names: Vec<_> = accepted.iter().map(|(name, _)| *name).collect();
        self.refuse(option, value, &names.join(", "));
        accepted[0].1
    }
}

impl Config {
    /// Resolves the options; `encoders` are the rows of `adaptiveencbin`'s table. The error lists every bad value.
    pub fn resolve(parsed: Parsed, encoders: &[&str]) -> Result<Self, Error> {
        let Parsed { options, without_effect } = parsed;
        let mut checks = Checks::default();
        let config = Self {
            address: checks_address(&mut checks, &options.server.addr),
            port: checks.number("port", &options.server.port, (0, u16::MAX)),
            credentials: credentials(&mut checks, &options),
            max_consumers: checks.number("max-consumers", &options.server.max_consumers, (1, 256)),
            desktop: desktop(&mut checks, &options),
            video: video(&mut checks, &options, encoders),
            audio: audio(&mut checks, &options),
            stun_server: stun_server(&mut checks, &options),
            turn_server: turn_server(&mut checks, &options),
            idle_after: match checks.number("idle-after", &options.desktop.idle_after, (0, 31_536_000)) {
                0 => None,
                seconds => Some(Duration::from_secs(seconds)),
            },
            log_format: checks.one_of(
                "log-format",
                &options.desktop.log_format,
                &[("text", LogFormat::Text), ("json", LogFormat::Json)],
            ),
            debug: checks.boolean("debug", &options.desktop.debug),
            termination_log: PathBuf::from(&options.desktop.termination_log),
            without_effect,
        };
        no_plain_text_for_https(&mut checks, options.accepted.enable_https.as_deref());
        if checks.0.is_empty() {
            Ok(config)
        } else {
            Err(Error::new(FailureReason::ConfigInvalid, checks.0.join("\n")))
        }
    }
}

fn checks_address(checks: &mut Checks, value: &str) -> IpAddr {
    let value = if value == "localhost" { "127.0.0.1" } else { value };
    value.parse().unwrap_or_else(|_| {
        checks.refuse("addr", value, "an IP address such as 0.0.0.0, 127.0.0.1 or ::");
        IpAddr::from([0, 0, 0, 0])
    })
}

fn credentials(checks: &mut Checks, options: &Options) -> Option<Credentials> {
    let server = &options.server;
    if !checks.boolean("enable-basic-auth", &server.enable_basic_auth) {
        return None;
    }
    let given = server.basic_auth_user.as_ref().or(options.system_user.as_ref());
    let user = given.cloned().unwrap_or_else(|| "user".into());
    if user.contains(':') {
        checks.refuse("basic-auth-user", &user, "a name without a colon (RFC 7617)");
    }
    let password = server.basic_auth_password.clone().filter(|password| !password.is_empty()).map(Secret);
    Some(Credentials { user, password })
}

/// Whoever asks for TLS must not get plain text with a notice.
fn no_plain_text_for_https(checks: &mut Checks, value: Option<&str>) {
    if value.is_some_and(|value| checks.boolean("enable-https", value)) {
        let accepted = "false: this version has no TLS of its own, put a proxy with TLS in front";
        checks.refuse("enable-https", value.unwrap_or_default(), accepted);
    }
}

fn desktop(checks: &mut Checks, options: &Options) -> Desktop {
    let size = display_size(checks, &options.desktop.display_size);
    if !options.command.is_empty() {
        return Desktop::Virtual { size, command: options.command.clone() };
    }
    let display = options.desktop.display.clone().filter(|display| !display.is_empty());
    Desktop::Existing { display: display.unwrap_or_default() }
}

fn display_size(checks: &mut Checks, value: &str) -> Size {
    let parsed = value.split_once('x').and_then(|(width, height)| {
        Some(Size { width_px: width.parse().ok()?, height_px: height.parse().ok()? })
    });
    match parsed {
        Some(size)
            if (MIN_DISPLAY.width_px..=MAX_DISPLAY.width_px).contains(&size.width_px)
                && (MIN_DISPLAY.height_px..=MAX_DISPLAY.height_px).contains(&size.height_px)
                && size.width_px.is_multiple_of(2)
                && size.height_px.is_multiple_of(2) =>
        {
            size
        }
        _ => {
            let accepted = format!("WIDTHxHEIGHT in even numbers from {MIN_DISPLAY} to {MAX_DISPLAY}");
            checks.refuse("display-size", value, &accepted);
            MAX_DISPLAY
        }
    }
}

fn video(checks: &mut Checks, options: &Options, encoders: &[&str]) -> Video {
    let media = &options.media;
    if media.encoder != "auto" && !encoders.contains(&media.encoder.as_str()) {
        let note =
            if OTHER_FORMATS.contains(&media.encoder.as_str()) { " (not yet in this version)" } else { "" };
        let accepted = format!("auto, {}{note}", encoders.join(", "));
        checks.refuse("encoder", &media.encoder, &accepted);
    }
    let policy = checks.one_of(
        "encoder-policy",
        &media.encoder_policy,
        &[
            ("prefer-hardware", EncoderPolicy::PreferHardware),
            ("require-hardware", EncoderPolicy::RequireHardware),
            ("software", EncoderPolicy::Software),
        ],
    );
    const RANGE_KBPS: (u32, u32) = (100, 1_000_000);
    let min_bitrate_kbps = checks.number("min-bitrate", &media.min_bitrate, RANGE_KBPS);
    let max_bitrate_kbps = checks.number("max-bitrate", &media.max_bitrate, RANGE_KBPS);
    if min_bitrate_kbps > max_bitrate_kbps {
        checks.refuse(
            "min-bitrate",
            &media.min_bitrate,
            &format!("at most --max-bitrate, which is {max_bitrate_kbps}"),
        );
    }
    let bitrate_kbps = checks.number("video-bitrate", &media.video_bitrate, RANGE_KBPS);
    Video {
        encoder: media.encoder.clone(),
        policy,
        framerate: checks.number("framerate", &media.framerate, (1, 240)),
        // The bounds are the last word; the target's default may well lie outside, and is no error then.
        bitrate_kbps: bitrate_kbps.max(min_bitrate_kbps).min(max_bitrate_kbps),
        min_bitrate_kbps,
        max_bitrate_kbps,
    }
}

fn audio(checks: &mut Checks, options: &Options) -> Audio {
    let media = &options.media;
    Audio {
        bitrate_bps: checks.number("audio-bitrate", &media.audio_bitrate, (6_000, 510_000)),
        channels: checks.number("audio-channels", &media.audio_channels, (1, 2)),
        packet_loss_percent: checks.number(
            "audio-packetloss-percent",
            &media.audio_packetloss_percent,
            (0, 100),
        ),
        server: media.pulse_server.clone().filter(|server| !server.is_empty()),
    }
}

fn stun_server(checks: &mut Checks, options: &Options) -> Option<String> {
    let port: u16 = checks.number("stun-port", &options.network.stun_port, (1, u16::MAX));
    let host = options.network.stun_host.as_deref().filter(|host| !host.is_empty())?;
    Some(format!("stun://{}:{port}", host_for_uri(checks, "stun-host", host)))
}

fn turn_server(checks: &mut Checks, options: &Options) -> Option<Secret> {
    let network = &options.network;
    let port: u16 = checks.number("turn-port", &network.turn_port, (1, u16::MAX));
    let transport =
        checks.one_of("turn-protocol", &network.turn_protocol, &[("udp", ""), ("tcp", "?transport=tcp")]);
    let scheme = if checks.boolean("turn-tls", &network.turn_tls) { "turns" } else { "turn" };
    let host = network.turn_host.as_deref().filter(|host| !host.is_empty())?;
    let host = host_for_uri(checks, "turn-host", host);
    let (Some(user), Some(password)) = (&network.turn_username, &network.turn_password) else {
        checks.refuse("turn-host", &host, "one together with --turn-username and --turn-password");
        return None;
    };
    let (user, password) = (percent_encoded(user), percent_encoded(password));
    Some(Secret(format!("{scheme}://{user}:{password}@{host}:{port}{transport}")))
}

/// An IPv6 address gets its brackets; anything that would change the URI's shape is refused.
fn host_for_uri(checks: &mut Checks, option: &str, host: &str) -> String {
    if let Ok(IpAddr::V6(address)) = host.parse() {
        return format!("[{address}]");
    }
    if !host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)) {
        checks.refuse(option, host, "a host name or an IP address");
    }
    host.to_owned()
}

/// Percent-encodes all but the unreserved characters of RFC 3986; webrtcbin wants user and password so.
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENCODERS: [&str; 2] = ["nvh264enc", "x264enc"];

    fn resolve(words: &[&str]) -> Result<Config, Error> {
        let words = std::iter::once("vdi-launcher").chain(words.iter().copied()).map(OsString::from);
        Config::resolve(crate::options::parse(words).unwrap(), &ENCODERS)
    }

    #[test]
    fn every_bad_value_is_reported_with_the_option_the_value_and_what_is_accepted() {
        let err = resolve(&[
            "--port=70000",
            "--framerate=fast",
            "--encoder=vp8enc",
            "--display-size=5000x10",
            "--enable-basic-auth=perhaps",
            "--encoder-policy=hope",
        ])
        .unwrap_err();
        assert_eq!(err.reason, FailureReason::ConfigInvalid);
        assert_eq!(err.message.lines().count(), 6, "{err}");
        for part in [
            r#"--port "70000": accepted is a whole number from 0 to 65535"#,
            r#"--framerate "fast": accepted is a whole number from 1 to 240"#,
            r#"--encoder "vp8enc": accepted is auto, nvh264enc, x264enc (not yet in this version)"#,
            r#"--display-size "5000x10": accepted is WIDTHxHEIGHT in even numbers from 160x120 to 3840x2160"#,
            r#"--enable-basic-auth "perhaps": accepted is true or false"#,
            r#"--encoder-policy "hope": accepted is prefer-hardware, require-hardware, software"#,
        ] {
            assert!(err.message.contains(part), "{part} is missing in:\n{err}");
        }
    }

    #[test]
    fn defaults_are_the_contracts_except_for_encoder_and_password() {
        let config = resolve(&["--basic-auth-user=me", "--", "xterm"]).unwrap();
        assert_eq!((config.port, config.video.framerate, config.video.bitrate_kbps), (8080, 60, 8000));
        assert_eq!(config.video.encoder, "auto");
        assert_eq!(config.credentials, Some(Credentials { user: "me".into(), password: None }));
        assert_eq!(
            config.desktop,
            Desktop::Virtual {
                size: Size { width_px: 1920, height_px: 1080 },
                command: vec!["xterm".into()]
            }
        );
    }

    #[test]
    fn turn_credentials_are_percent_encoded_and_never_shown() {
        let words = [
            "--turn-host=turn.example.com",
            "--turn-username=1700:me",
            "--turn-password=a/b=",
            "--turn-protocol=tcp",
        ];
        let config = resolve(&words).unwrap();
        let turn = config.turn_server.clone().unwrap();
        assert_eq!(turn.0, "turn://1700%3Ame:a%2Fb%3D@turn.example.com:3478?transport=tcp");
        assert!(!format!("{config:?}").contains("a%2Fb"));
    }

    #[test]
    fn the_target_is_held_between_the_bounds() {
        let target = |words: &[&str]| resolve(words).unwrap().video.bitrate_kbps;
        assert_eq!(target(&["--max-bitrate=1000"]), 1000);
        assert_eq!(target(&["--min-bitrate=9000"]), 9000);
        assert_eq!(target(&["--video-bitrate=4000"]), 4000);
    }

    #[test]
    fn tls_that_is_asked_for_is_never_answered_with_plain_text() {
        let err = resolve(&["--enable-https=true"]).unwrap_err();
        assert!(err.message.contains("--enable-https \"true\": accepted is false"), "{err}");
        assert!(resolve(&["--enable-https=false"]).is_ok());
    }

    #[test]
    fn bounds_of_the_bit_rate_must_not_cross() {
        let err = resolve(&["--min-bitrate=9000", "--max-bitrate=3000"]).unwrap_err();
        assert!(err.message.contains("--min-bitrate \"9000\": accepted is at most --max-bitrate"), "{err}");
    }
}
