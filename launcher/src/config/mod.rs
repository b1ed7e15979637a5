//! Setup: the options validated once into a resolved type. Every bad value is reported, each with what is accepted.

mod checks;
mod limits;
mod media;
mod network;
mod recording;
mod sharing;
mod tls;

use crate::{
    error::Error,
    gamepads::Wanted,
    limits::Extensions,
    options::{Options, Parsed},
    people::ControlPolicy,
};
use checks::Checks;
pub use media::{Audio, Codec, ContentHint, EncoderPolicy, SoundServer, Video};
pub use network::{DirectPaths, Ice, TurnLogin, TurnRest};
pub use recording::{Recording, When};
pub use sharing::{Sharing, Way, Webcam};
use std::{ffi::OsString, fmt, net::IpAddr, path::PathBuf, time::Duration};
pub use tls::{CertificateFiles, Tls};
use vdi_protocol::reason::FailureReason;

/// Largest virtual display; Xvfb allocates it at the start and takes no larger one later.
pub const MAX_DISPLAY: Size = Size { width_px: 3840, height_px: 2160 };
/// Smallest virtual display that a hardware encoder takes.
pub const MIN_DISPLAY: Size = Size { width_px: 160, height_px: 120 };

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

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object per line.
    Json,
}

impl LogFormat {
    /// Its name, where a wrong one is not to be told yet: then it is for people.
    pub fn early(name: &str) -> Self {
        if name == "json" { Self::Json } else { Self::Text }
    }
}

/// User and password of HTTP Basic authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The password; generated at the start if none.
    pub password: Option<Secret>,
    /// The password of those who only watch, if there is one.
    pub view_password: Option<Secret>,
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

/// The resolved configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Address to listen on.
    pub address: IpAddr,
    /// Port; 0 takes a free one.
    pub port: u16,
    /// TLS on that port.
    pub tls: Tls,
    /// Who may in; everyone if none.
    pub credentials: Option<Credentials>,
    /// With which standard players may watch; generated at the start if none.
    pub viewer_token: Option<Secret>,
    /// Whether people may be invited.
    pub invitations: bool,
    /// Most pages at once.
    pub max_consumers: u32,
    /// Folder of another page.
    pub web_root: Option<PathBuf>,
    /// How control changes hands.
    pub control_policy: ControlPolicy,
    /// The desktop.
    pub desktop: Desktop,
    /// Whether its size follows the window of the page in control.
    pub resize: bool,
    /// The video.
    pub video: Video,
    /// The sound.
    pub audio: Audio,
    /// What is shared with the page.
    pub sharing: Sharing,
    /// How the session is recorded, if it is.
    pub recording: Option<Recording>,
    /// Where STUN and TURN servers come from.
    pub ice: Ice,
    /// Which direct paths are offered.
    pub direct_paths: DirectPaths,
    /// Whether this process is a TURN server too.
    pub builtin_turn: bool,
    /// UDP port of that; 0 takes a free one.
    pub builtin_turn_port: u16,
    /// How programs find gamepads.
    pub gamepads: Wanted,
    /// Folder of the gamepads' sockets.
    pub js_socket_path: PathBuf,
    /// Time without input after which the session is idle.
    pub idle_after: Option<Duration>,
    /// How long a display that has died is waited for.
    pub display_timeout: Duration,
    /// File with the limits of the session's life.
    pub session_limits: Option<PathBuf>,
    /// By how much its longest time may be extended, and how often.
    pub extensions: Extensions,
    /// The metrics' own port, if they have one; 0 takes a free one.
    pub metrics_port: Option<u16>,
    /// Form of the log.
    pub log_format: LogFormat,
    /// Whether the log tells details.
    pub debug: bool,
    /// The system's folder for the user's running programs, if it has one.
    pub runtime_folder: Option<PathBuf>,
    /// File for the reason of a failure.
    pub termination_log: PathBuf,
    /// What else the user should know of the options.
    pub notes: Vec<String>,
    /// Given options that have no effect yet.
    pub without_effect: Vec<String>,
}

impl Config {
    /// Resolves the options; `encoders` are the rows of `adaptiveencbin`'s table. The error lists every bad value.
    pub fn resolve(parsed: Parsed, encoders: &[&str]) -> Result<Self, Error> {
        let Parsed { options, without_effect, variables } = parsed;
        let mut checks = Checks::new(variables);
        let (video, mut notes) = media::video(&mut checks, &options, encoders);
        let ice = network::ice(&mut checks, &options);
        let builtin_turn = checks.boolean("builtin-turn", &options.network.builtin_turn);
        notes.extend(network::no_way(&ice, builtin_turn));
        let metrics_port = metrics_port(&mut checks, &options);
        let desktop = desktop(&mut checks, &options);
        let config = Self {
            address: checks_address(&mut checks, &options.server.addr),
            port: checks.number("port", &options.server.port, (0, u16::MAX)),
            tls: tls::tls(&mut checks, &options),
            credentials: credentials(&mut checks, &options),
            viewer_token: options.server.viewer_token.clone().filter(|token| !token.is_empty()).map(Secret),
            invitations: checks.boolean("invitations", &options.server.invitations),
            control_policy: checks.one_of(
                "control-policy",
                &options.server.control_policy,
                &[("take", ControlPolicy::Take), ("ask", ControlPolicy::Ask)],
            ),
            max_consumers: checks.number("max-consumers", &options.server.max_consumers, (1, 256)),
            web_root: web_root(&mut checks, &options),
            resize: resize(&mut checks, &options, &desktop),
            desktop,
            video,
            audio: media::audio(&mut checks, &options),
            sharing: sharing::sharing(&mut checks, &options),
            recording: recording::recording(&mut checks, &options),
            ice,
            direct_paths: network::direct_paths(&mut checks, &options),
            builtin_turn,
            builtin_turn_port: checks.number(
                "builtin-turn-port",
                &options.network.builtin_turn_port,
                (0, u16::MAX),
            ),
            gamepads: checks.one_of(
                "gamepads",
                &options.desktop.gamepads,
                &[
                    ("auto", Wanted::Auto),
                    ("uinput", Wanted::Uinput),
                    ("sockets", Wanted::Sockets),
                    ("off", Wanted::Off),
                ],
            ),
            js_socket_path: js_socket_path(&mut checks, &options.desktop.js_socket_path),
            idle_after: match checks.number("idle-after", &options.desktop.idle_after, (0, 31_536_000)) {
                0 => None,
                seconds => Some(Duration::from_secs(seconds)),
            },
            display_timeout: Duration::from_secs(checks.number(
                "display-timeout",
                &options.desktop.display_timeout,
                (0, 86_400),
            )),
            extensions: limits::extensions(&mut checks, &options.limits),
            session_limits: options.desktop.session_limits.filter(|path| !path.is_empty()).map(PathBuf::from),
            metrics_port,
            log_format: checks.one_of(
                "log-format",
                &options.desktop.log_format,
                &[("text", LogFormat::Text), ("json", LogFormat::Json)],
            ),
            debug: checks.boolean("debug", &options.desktop.debug),
            termination_log: PathBuf::from(&options.desktop.termination_log),
            runtime_folder: options.runtime_folder.filter(|path| path.starts_with('/')).map(PathBuf::from),
            notes,
            without_effect,
        };
        let wrong = checks.wrong();
        if wrong.is_empty() {
            Ok(config)
        } else {
            Err(Error::new(FailureReason::ConfigInvalid, wrong.join("\n")))
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

fn js_socket_path(checks: &mut Checks, given: &str) -> PathBuf {
    if !given.starts_with('/') {
        checks.refuse("js-socket-path", given, "an absolute path");
    }
    PathBuf::from(given)
}

fn web_root(checks: &mut Checks, options: &Options) -> Option<PathBuf> {
    let given = options.server.web_root.as_deref().filter(|given| !given.is_empty())?;
    let folder = PathBuf::from(given);
    if !folder.join("index.html").is_file() {
        checks.refuse("web-root", given, "a folder with an index.html that can be read");
    }
    Some(folder)
}

fn metrics_port(checks: &mut Checks, options: &Options) -> Option<u16> {
    let enabled = checks.boolean("enable-metrics-http", &options.desktop.enable_metrics_http);
    let port = checks.number("metrics-http-port", &options.desktop.metrics_http_port, (0, u16::MAX));
    enabled.then_some(port)
}

/// Stands for a password in messages.
const SECRET: &str = "(as given)";

fn credentials(checks: &mut Checks, options: &Options) -> Option<Credentials> {
    let server = &options.server;
    let given =
        |password: &Option<String>| password.clone().filter(|password| !password.is_empty()).map(Secret);
    let view_password = given(&server.basic_auth_view_password);
    if !checks.boolean("enable-basic-auth", &server.enable_basic_auth) {
        if view_password.is_some() {
            let accepted = "none while --enable-basic-auth is false, since everybody may have control then";
            checks.refuse("basic-auth-view-password", SECRET, accepted);
        }
        return None;
    }
    let named = server.basic_auth_user.as_ref().or(options.system_user.as_ref());
    let user = named.cloned().unwrap_or_else(|| "user".into());
    if user.contains(':') {
        checks.refuse("basic-auth-user", &user, "a name without a colon (RFC 7617)");
    }
    let password = given(&server.basic_auth_password);
    if view_password.is_some() && password == view_password {
        let accepted =
            "one that is not that of --basic-auth-password: the same could not tell who only watches";
        checks.refuse("basic-auth-view-password", SECRET, accepted);
    }
    Some(Credentials { user, password, view_password })
}

fn desktop(checks: &mut Checks, options: &Options) -> Desktop {
    let size = display_size(checks, &options.desktop.display_size);
    if !options.command.is_empty() {
        return Desktop::Virtual { size, command: options.command.clone() };
    }
    let display = options.desktop.display.clone().filter(|display| !display.is_empty());
    Desktop::Existing { display: display.unwrap_or_default() }
}

/// A display of our own may be resized unless somebody forbids it; one that others look at as well only if somebody wants it.
fn resize(checks: &mut Checks, options: &Options, desktop: &Desktop) -> bool {
    let value = &options.desktop.enable_resize;
    if value == "auto" {
        matches!(desktop, Desktop::Virtual { .. })
    } else {
        checks.boolean_or_auto("enable-resize", value)
    }
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const ENCODERS: [&str; 2] = ["nvh264enc", "x264enc"];

    pub(crate) fn resolve(words: &[&str]) -> Result<Config, Error> {
        let words = std::iter::once("vdi-launcher").chain(words.iter().copied()).map(OsString::from);
        Config::resolve(crate::options::parse(words).unwrap(), &ENCODERS)
    }

    #[test]
    fn every_bad_value_is_reported_with_the_option_the_value_and_what_is_accepted() {
        let err = resolve(&[
            "--port=70000",
            "--framerate=fast",
            "--encoder=x266enc",
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
            r#"--encoder "x266enc": accepted is auto, nvh264enc, x264enc"#,
            r#"--display-size "5000x10": accepted is WIDTHxHEIGHT in even numbers from 160x120 to 3840x2160"#,
            r#"--enable-basic-auth "perhaps": accepted is true or false"#,
            r#"--encoder-policy "hope": accepted is prefer-hardware, require-hardware, software"#,
        ] {
            assert!(err.message.contains(part), "{part} is missing in:\n{err}");
        }
    }

    #[test]
    fn password_for_watching_is_another_one_and_means_nothing_where_none_is_asked_for() {
        let resolve = |words: &[&str]| resolve(words).map(|config| config.credentials.unwrap().view_password);
        let view = "--basic-auth-view-password=look";
        assert_eq!(resolve(&[view]).unwrap(), Some(Secret("look".into())));
        assert_eq!(resolve(&["--basic-auth-view-password="]).unwrap(), None);
        let same = resolve(&["--basic-auth-password=look", view]).unwrap_err();
        assert!(same.message.contains("one that is not that of --basic-auth-password"), "{same}");
        let without = resolve(&["--enable-basic-auth=false", view]).unwrap_err();
        assert!(without.message.contains("while --enable-basic-auth is false"), "{without}");
        assert!(!format!("{same}{without}").contains("\"look"), "nor is it told");
    }

    #[test]
    fn virtual_display_follows_the_window_and_an_existing_one_only_when_told_to() {
        let resize = |words: &[&str]| resolve(words).unwrap().resize;
        assert!(resize(&["--", "xterm"]));
        assert!(!resize(&["--enable-resize=false", "--", "xterm"]));
        assert!(!resize(&["--display=:0"]));
        assert!(resize(&["--display=:0", "--enable-resize"]));
        let err = resolve(&["--enable-resize=often"]).unwrap_err();
        assert!(err.message.contains(r#"--enable-resize "often": accepted is true, false or auto"#), "{err}");
    }

    #[test]
    fn defaults_are_the_contracts_except_for_encoder_and_password() {
        let config = resolve(&["--basic-auth-user=me", "--", "xterm"]).unwrap();
        assert_eq!((config.port, config.video.framerate, config.video.bitrate_kbps), (8080, 60, 8000));
        assert_eq!(config.video.encoder, "auto");
        assert_eq!(
            config.credentials,
            Some(Credentials { user: "me".into(), password: None, view_password: None })
        );
        assert_eq!(
            config.desktop,
            Desktop::Virtual {
                size: Size { width_px: 1920, height_px: 1080 },
                command: vec!["xterm".into()]
            }
        );
    }
}
