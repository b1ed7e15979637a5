//! Setup: every option of the launcher, once: flag, environment name, default, unit and documentation on one field.
//!
//! Values stay text here. [`crate::config`] reads them, so that it can report every bad one and not only the first.
//! Nothing else in the launcher reads the environment.

mod limits;
mod recording;
pub mod refusal;
mod sharing;

use clap::{ArgMatches, Args, Command, CommandFactory, FromArgMatches, Parser, parser::ValueSource};
pub use limits::LimitsOptions;
pub use recording::RecordingOptions;
pub use sharing::SharingOptions;
use std::{collections::BTreeMap, ffi::OsString};

/// The two ways to call it.
const USAGE: &str = "vdi-launcher [OPTIONS] [-- <COMMAND>...]
       vdi-launcher doctor [--json] [OPTIONS]   looks at what a session needs, and says what to change";

/// Streams a Linux desktop to web browsers with the lowest latency that WebRTC allows.
///
/// Without a command the X display in DISPLAY is streamed. With one (`vdi-launcher -- xterm`) a virtual display is
/// started, and the command runs on it until it ends. Every option is a flag or an environment variable; the flag wins,
/// and an empty variable counts as not set.
#[derive(Debug, Clone, Parser)]
#[command(name = "vdi-launcher", version, args_override_self = true, override_usage = USAGE)]
pub struct Options {
    /// Where the page is served.
    #[command(flatten)]
    pub server: ServerOptions,
    /// What is streamed, and how.
    #[command(flatten)]
    pub media: MediaOptions,
    /// How browsers reach the media.
    #[command(flatten)]
    pub network: NetworkOptions,
    /// What is shared between desktop and page.
    #[command(flatten)]
    pub sharing: SharingOptions,
    /// How its longest time may be extended.
    #[command(flatten)]
    pub limits: LimitsOptions,
    /// Recordings on the server.
    #[command(flatten)]
    pub recording: RecordingOptions,
    /// The desktop and the process.
    #[command(flatten)]
    pub desktop: DesktopOptions,
    /// Accepted for the sake of those who come from Selkies.
    #[command(flatten)]
    pub accepted: AcceptedOptions,

    /// Command of the desktop, started on a virtual display of its own.
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
    /// Prints the options as the README's table.
    #[arg(long, hide = true)]
    pub help_markdown: bool,
    /// The system's name for the user.
    #[arg(long, env = "USER", hide = true)]
    pub system_user: Option<String>,
    /// The system's folder for the user's running programs (XDG Base Directory Specification).
    #[arg(long, env = "XDG_RUNTIME_DIR", hide = true)]
    pub runtime_folder: Option<String>,
    /// The system's folder for what programs keep for the user (the same specification).
    #[arg(long, env = "XDG_STATE_HOME", hide = true)]
    pub state_folder: Option<String>,
    /// The user's own folder.
    #[arg(long, env = "HOME", hide = true)]
    pub home_folder: Option<String>,
}

/// Where the page is served.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Server")]
pub struct ServerOptions {
    /// Address to listen on.
    #[arg(long, env = "SELKIES_ADDR", default_value = "0.0.0.0", value_name = "ADDRESS")]
    pub addr: String,
    /// TCP port of page, signalling and API; 0 takes a free one.
    #[arg(long, env = "SELKIES_PORT", default_value = "8080", value_name = "PORT")]
    pub port: String,
    /// Whether a user and a password are asked for (HTTP Basic authentication).
    #[arg(long, env = "SELKIES_ENABLE_BASIC_AUTH", default_value = "true", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub enable_basic_auth: String,
    /// User of HTTP Basic authentication; $USER or `user` if not given.
    #[arg(long, env = "SELKIES_BASIC_AUTH_USER", value_name = "NAME")]
    pub basic_auth_user: Option<String>,
    /// Password of HTTP Basic authentication; generated and printed once if not given. Prefer the variable: flags are visible to every user of the machine.
    #[arg(long, env = "SELKIES_BASIC_AUTH_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    pub basic_auth_password: Option<String>,
    /// Second password, with whatever user: whoever comes with it only watches, and can never have control; none if not given. Prefer the variable here too.
    #[arg(long, env = "SELKIES_BASIC_AUTH_VIEW_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    pub basic_auth_view_password: Option<String>,
    /// Whether TLS is all that is spoken to pages: those that come without are sent to https, probes are answered. TLS is always spoken beside HTTP, on the same port.
    #[arg(long, env = "SELKIES_ENABLE_HTTPS", default_value = "false", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub enable_https: String,
    /// PEM file with the TLS certificate and those that vouch for it, followed as it is replaced. A self-signed one is made and kept if not given.
    #[arg(long, env = "SELKIES_HTTPS_CERT", value_name = "FILE")]
    pub https_cert: Option<String>,
    /// PEM file with the certificate's key; the file of the certificate if not given.
    #[arg(long, env = "SELKIES_HTTPS_KEY", value_name = "FILE")]
    pub https_key: Option<String>,
    /// Token with which standard players may watch at /whep (WHEP); generated and printed once if not given.
    #[arg(long, env = "SELKIES_VIEWER_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub viewer_token: Option<String>,
    /// Whether the page in control may invite others by links that expire, to watch or to take control, without a password.
    #[arg(long, env = "SELKIES_INVITATIONS", default_value = "true", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub invitations: String,
    /// How a page gets control from another person's: `take` gives it to whoever wants it, so that a page left open elsewhere locks nobody out; `ask` asks whoever has it, and silence is no consent.
    #[arg(long, env = "SELKIES_CONTROL_POLICY", default_value = "take", value_name = "POLICY")]
    pub control_policy: String,
    /// Most pages connected at once.
    #[arg(long, env = "SELKIES_MAX_CONSUMERS", default_value = "16", value_name = "PAGES")]
    pub max_consumers: String,
    /// Folder of another page in place of the own one: that of Selkies-GStreamer 1.6, whose client is then served as by its own
    /// server, or one that speaks as our own does.
    #[arg(long, env = "SELKIES_WEB_ROOT", value_name = "FOLDER")]
    pub web_root: Option<String>,
}

/// What is streamed, and how.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Media")]
pub struct MediaOptions {
    /// Video encoder: `auto`, or the name of one. `auto` proves those of the codec in order, hardware first, and takes the first that works.
    #[arg(long, env = "SELKIES_ENCODER", default_value = "auto", value_name = "ENCODER")]
    pub encoder: String,
    /// Video codec: `auto`, `h264`, `vp8`, `vp9`, `av1` or `h265`. `auto` is the codec of a named encoder; without one the session begins with H.264, goes over to one that everybody decodes when a browser comes that does not decode it, and the page in control may choose another. Few browsers show H.265, and Chromium on Linux is none of them.
    #[arg(long, env = "SELKIES_CODEC", default_value = "auto", value_name = "CODEC")]
    pub codec: String,
    /// How many pixels share a colour: `4:2:0`, or `4:4:4` where the encoder (x264enc, nvh264enc, vp9enc) and every page that watches can (Chromium): text in colours is as sharp as black then, for more work and a higher bit rate.
    #[arg(long, env = "SELKIES_CHROMA_FORMAT", default_value = "4:2:0", value_name = "FORMAT")]
    pub chroma_format: String,
    /// What happens when no hardware encoder works: `prefer-hardware` warns and uses software, `require-hardware` fails, `software` does not look for one.
    #[arg(long, env = "SELKIES_ENCODER_POLICY", default_value = "prefer-hardware", value_name = "POLICY")]
    pub encoder_policy: String,
    /// Frames per second, 1 to 240.
    #[arg(long, env = "SELKIES_FRAMERATE", default_value = "60", value_name = "FPS")]
    pub framerate: String,
    /// Target of the video in kbit/s, 100 to 1000000.
    #[arg(long, env = "SELKIES_VIDEO_BITRATE", default_value = "8000", value_name = "KBIT/S")]
    pub video_bitrate: String,
    /// Bound below which the video's bit rate never goes, in kbit/s.
    #[arg(long, env = "SELKIES_MIN_BITRATE", default_value = "500", value_name = "KBIT/S")]
    pub min_bitrate: String,
    /// Bound above which the video's bit rate never goes, in kbit/s.
    #[arg(long, env = "SELKIES_MAX_BITRATE", default_value = "20000", value_name = "KBIT/S")]
    pub max_bitrate: String,
    /// What estimates the network to each page, paces its packets and moves the bit rate: `vdi` is made for desktops, `gcc` is Google's, for comparison, `none` goes by reports of loss and latency only. `true` and `false` stand for `vdi` and `none`.
    #[arg(long, env = "SELKIES_CONGESTION_CONTROL", default_value = "vdi", value_name = "CONTROL", num_args = 0..=1, default_missing_value = "true")]
    pub congestion_control: String,
    /// Whose network moves the bit rate when several pages watch: the `controller`'s, or the `slowest`. Under `controller` a viewer whose network does not carry the stream misses frames.
    #[arg(long, env = "SELKIES_BITRATE_POLICY", default_value = "controller", value_name = "POLICY")]
    pub bitrate_policy: String,
    /// Latency from capture to presentation in ms above which quality goes down step by step; 0 sets no limit.
    #[arg(long, env = "SELKIES_MAX_LATENCY", default_value = "100", value_name = "MS")]
    pub max_latency: String,
    /// Load of the processors that this process may use, in per cent, above which 30 frames a second have to do; 0 sets no limit.
    #[arg(long, env = "SELKIES_MAX_CPU", default_value = "80", value_name = "PER CENT")]
    pub max_cpu: String,
    /// What is given up first when the bit rate is short: `text` keeps the resolution, `motion` keeps the frame rate, `auto` looks at the stream.
    #[arg(long, env = "SELKIES_CONTENT_HINT", default_value = "auto", value_name = "HINT")]
    pub content_hint: String,
    /// Time in ms after which a hardware encoder that has frames and gives none is replaced, 50 to 10000; software gets thirty times as long.
    #[arg(long, env = "SELKIES_STALL_TIMEOUT", default_value = "100", value_name = "MS")]
    pub stall_timeout: String,
    /// Whether the page draws the desktop's pointer, which then follows the hand without delay; `false` draws it into the picture. With several pages it is drawn into the picture too, so that everybody sees it.
    #[arg(long, env = "SELKIES_ENABLE_CURSORS", default_value = "true", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub enable_cursors: String,
    /// Bit rate of the sound in bit/s, 6000 to 510000; that of stereo, more channels get as much more.
    #[arg(long, env = "SELKIES_AUDIO_BITRATE", default_value = "128000", value_name = "BIT/S")]
    pub audio_bitrate: String,
    /// Channels of the sound: 1, 2, 6 (5.1) or 8 (7.1). Browsers built on Chromium get all of them, others stereo. `make run` and the container give programs a sink of so many, where it is set by its environment variable.
    #[arg(long, env = "SELKIES_AUDIO_CHANNELS", default_value = "2", value_name = "CHANNELS")]
    pub audio_channels: String,
    /// Packet loss that the sound's forward error correction prepares for, in per cent.
    #[arg(long, env = "SELKIES_AUDIO_PACKETLOSS_PERCENT", default_value = "0", value_name = "PER CENT")]
    pub audio_packetloss_percent: String,
    /// PulseAudio server; the user's own if not given.
    #[arg(long, env = "PULSE_SERVER", value_name = "SERVER")]
    pub pulse_server: Option<String>,
}

/// How browsers reach the media.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Network")]
pub struct NetworkOptions {
    /// JSON file with STUN and TURN servers, in the form of `GET /turn`: `iceServers` as browsers take them. While it exists it overrides all other STUN and TURN servers; it is read again when it changes, and bad content leaves the servers from before.
    #[arg(long, env = "SELKIES_RTC_CONFIG_JSON", default_value = "/tmp/rtc.json", value_name = "FILE")]
    pub rtc_config_json: String,
    /// Address of a TURN REST service, which gives servers with short-lived credentials: the JSON of `GET /turn`, or `username`, `password`, `ttl` and `uris`. It is asked again before they expire. The servers below stand in while it gives none.
    #[arg(long, env = "SELKIES_TURN_REST_URI", value_name = "URI", hide_env_values = true)]
    pub turn_rest_uri: Option<String>,
    /// User that the TURN REST service and the shared secret's credentials name; `vdi-` and the name of the machine if not given.
    #[arg(long, env = "SELKIES_TURN_REST_USERNAME", value_name = "NAME")]
    pub turn_rest_username: Option<String>,
    /// Header that names the user to the TURN REST service.
    #[arg(
        long,
        env = "SELKIES_TURN_REST_USERNAME_AUTH_HEADER",
        default_value = "x-auth-user",
        value_name = "HEADER"
    )]
    pub turn_rest_username_auth_header: String,
    /// Header that names the transport (`--turn-protocol`) to the TURN REST service.
    #[arg(
        long,
        env = "SELKIES_TURN_REST_PROTOCOL_HEADER",
        default_value = "x-turn-protocol",
        value_name = "HEADER"
    )]
    pub turn_rest_protocol_header: String,
    /// Header that asks the TURN REST service for TLS (`--turn-tls`).
    #[arg(long, env = "SELKIES_TURN_REST_TLS_HEADER", default_value = "x-turn-tls", value_name = "HEADER")]
    pub turn_rest_tls_header: String,
    /// Hosts of STUN servers, separated by commas, each with a port of its own if it has one (`host:port`); none if not given.
    #[arg(long, env = "SELKIES_STUN_HOST", value_name = "HOSTS")]
    pub stun_host: Option<String>,
    /// Port of the STUN servers.
    #[arg(long, env = "SELKIES_STUN_PORT", default_value = "3478", value_name = "PORT")]
    pub stun_port: String,
    /// Hosts of TURN servers, separated by commas, each with a port of its own if it has one (`host:port`); none if not given. They need a user name and a password, or a shared secret.
    #[arg(long, env = "SELKIES_TURN_HOST", value_name = "HOSTS")]
    pub turn_host: Option<String>,
    /// Port of the TURN servers.
    #[arg(long, env = "SELKIES_TURN_PORT", default_value = "3478", value_name = "PORT")]
    pub turn_port: String,
    /// Transport to the TURN servers: `udp`, `tcp`, or both (`udp,tcp`).
    #[arg(long, env = "SELKIES_TURN_PROTOCOL", default_value = "udp", value_name = "TRANSPORT")]
    pub turn_protocol: String,
    /// Whether pages reach the TURN servers through TLS, which is always TCP.
    #[arg(long, env = "SELKIES_TURN_TLS", default_value = "false", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub turn_tls: String,
    /// User of the TURN servers.
    #[arg(long, env = "SELKIES_TURN_USERNAME", value_name = "NAME")]
    pub turn_username: Option<String>,
    /// Password of the TURN servers.
    #[arg(long, env = "SELKIES_TURN_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    pub turn_password: Option<String>,
    /// Secret shared with the TURN servers (coturn's `static-auth-secret`), from which short-lived credentials are made; without effect beside a user with a password.
    #[arg(long, env = "SELKIES_TURN_SHARED_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub turn_shared_secret: Option<String>,
    /// Life of the credentials that are made from the shared secret, in seconds, 10 to 86400. At two thirds of it pages get new ones.
    #[arg(long, env = "SELKIES_TURN_CREDENTIAL_LIFETIME", default_value = "600", value_name = "SECONDS")]
    pub turn_credential_lifetime: String,
    /// Paths that the media may take: `all`, or `relay` for those through a TURN server only.
    #[arg(long, env = "SELKIES_ICE_TRANSPORT_POLICY", default_value = "all", value_name = "POLICY")]
    pub ice_transport_policy: String,
    /// UDP ports for direct paths, such as `50000-50100`, for a firewall to open; any free one if not given. A page takes one for each address of this machine. Direct paths over TCP are not offered then.
    #[arg(long, env = "SELKIES_UDP_PORT_RANGE", value_name = "FIRST-LAST")]
    pub udp_port_range: Option<String>,
    /// Public addresses, separated by commas, under which this machine is reached although it does not have them itself (1-to-1 NAT): each direct path is offered with them too.
    #[arg(long, env = "SELKIES_ANNOUNCED_ADDRESS", value_name = "ADDRESSES")]
    pub announced_address: Option<String>,
    /// Network interfaces for direct paths, separated by commas: names such as `eth0`, or networks such as `10.0.0.0/8`; all if not given.
    #[arg(long, env = "SELKIES_ICE_INTERFACES", value_name = "INTERFACES")]
    pub ice_interfaces: Option<String>,
    /// Whether this process is a TURN server too, on its own port and on UDP, for its own sessions only. Pages that reach nothing but this port get their media through it.
    #[arg(long, env = "SELKIES_BUILTIN_TURN", default_value = "true", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub builtin_turn: String,
    /// UDP port of the built-in TURN server; 0 takes a free one.
    #[arg(long, env = "SELKIES_BUILTIN_TURN_PORT", default_value = "3478", value_name = "PORT")]
    pub builtin_turn_port: String,
}

/// The desktop and the process.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Desktop and process")]
pub struct DesktopOptions {
    /// X display to stream when no command is given.
    #[arg(long, env = "DISPLAY", value_name = "DISPLAY")]
    pub display: Option<String>,
    /// Size of the virtual display in pixels before a page resizes it, at most 3840x2160.
    #[arg(long, env = "SELKIES_DISPLAY_SIZE", default_value = "1920x1080", value_name = "WIDTHxHEIGHT")]
    pub display_size: String,
    /// Whether the desktop takes the size and the scale of the window of the page in control: `true`, `false`, or `auto`, which does so with a virtual display and leaves an existing one alone. Each user may switch it off in the page.
    #[arg(long, env = "SELKIES_ENABLE_RESIZE", default_value = "auto", value_name = "WHETHER", num_args = 0..=1, default_missing_value = "true")]
    pub enable_resize: String,
    /// How programs find the gamepads of the page in control: `uinput`, as devices of the kernel's, which takes a `/dev/uinput` that can be written to; `sockets`, through Selkies' joystick interposer; `auto`, both as far as there is such a file; or `off`. Rumble takes uinput.
    #[arg(long, env = "SELKIES_GAMEPADS", default_value = "auto", value_name = "WAY")]
    pub gamepads: String,
    /// Folder of the gamepads' sockets, `selkies_js0.sock` to `selkies_js3.sock`, in which Selkies' joystick interposer looks; it knows `/tmp` alone. A path that something else has taken is left alone.
    #[arg(long, env = "SELKIES_JS_SOCKET_PATH", default_value = "/tmp", value_name = "FOLDER")]
    pub js_socket_path: String,
    /// Seconds without input after which the session counts as idle; 0 never does.
    #[arg(long, env = "SELKIES_IDLE_AFTER", default_value = "300", value_name = "SECONDS")]
    pub idle_after: String,
    /// Seconds for which an existing X display that has died is waited for; 0 ends the session at once. A virtual display is started again; its third death within a minute ends the session.
    #[arg(long, env = "SELKIES_DISPLAY_TIMEOUT", default_value = "30", value_name = "SECONDS")]
    pub display_timeout: String,
    /// JSON file with the limits of the session's life: `expiresAt`, `idleTimeoutSeconds`, `disconnectedTimeoutSeconds`, `extendedSeconds`, `mostExtendedSeconds`. Pages are warned before one strikes, and told why when the session is ended; whoever wrote the file ends it. It is read again when it changes.
    #[arg(long, env = "SELKIES_SESSION_LIMITS", value_name = "FILE")]
    pub session_limits: Option<String>,
    /// Whether `/metrics` has a port of its own as well, which asks for no password.
    #[arg(long, env = "SELKIES_ENABLE_METRICS_HTTP", default_value = "false", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub enable_metrics_http: String,
    /// That port; 0 takes a free one.
    #[arg(long, env = "SELKIES_METRICS_HTTP_PORT", default_value = "8000", value_name = "PORT")]
    pub metrics_http_port: String,
    /// Form of the log on stderr: `text` or `json`.
    #[arg(long, env = "SELKIES_LOG_FORMAT", default_value = "text", value_name = "FORMAT")]
    pub log_format: String,
    /// Whether the log tells details, as with level debug.
    #[arg(long, env = "SELKIES_DEBUG", default_value = "false", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub debug: String,
    /// File that gets how the process ended, a name and a sentence; it is written only if it exists.
    #[arg(long, env = "SELKIES_TERMINATION_LOG", default_value = vdi_protocol::environment::TERMINATION_LOG, value_name = "FILE")]
    pub termination_log: String,
}

/// Options of Selkies-GStreamer 1.6 that have no effect yet. They are accepted, and a notice lists those that are given.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = AcceptedOptions::HEADING)]
pub struct AcceptedOptions {
    /// Whether to wait for the file of `--app-ready-file`.
    #[arg(long, env = "SELKIES_APP_WAIT_READY", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub app_wait_ready: Option<String>,
    /// File that says that the desktop is ready.
    #[arg(long, env = "SELKIES_APP_READY_FILE", value_name = "FILE")]
    pub app_ready_file: Option<String>,
    /// Socket of a uinput mouse.
    #[arg(long, env = "SELKIES_UINPUT_MOUSE_SOCKET", value_name = "FILE")]
    pub uinput_mouse_socket: Option<String>,
    /// Number of the GPU to encode on.
    #[arg(long, env = "SELKIES_GPU_ID", value_name = "NUMBER")]
    pub gpu_id: Option<String>,
    /// Seconds between key frames; -1 sends them on request.
    #[arg(long, env = "SELKIES_KEYFRAME_DISTANCE", value_name = "SECONDS", allow_hyphen_values = true)]
    pub keyframe_distance: Option<String>,
    /// Packet loss that the video's forward error correction prepares for, in per cent.
    #[arg(long, env = "SELKIES_VIDEO_PACKETLOSS_PERCENT", value_name = "PER CENT")]
    pub video_packetloss_percent: Option<String>,
    /// Whether cursors are logged.
    #[arg(long, env = "SELKIES_DEBUG_CURSORS", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub debug_cursors: Option<String>,
    /// Size of the cursor in pixels.
    #[arg(long, env = "SELKIES_CURSOR_SIZE", value_name = "PIXELS", allow_hyphen_values = true)]
    pub cursor_size: Option<String>,
    /// Whether WebRTC statistics are written to files.
    #[arg(long, env = "SELKIES_ENABLE_WEBRTC_STATISTICS", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub enable_webrtc_statistics: Option<String>,
    /// Folder of the WebRTC statistics.
    #[arg(long, env = "SELKIES_WEBRTC_STATISTICS_DIR", value_name = "FOLDER")]
    pub webrtc_statistics_dir: Option<String>,
}

impl AcceptedOptions {
    /// Heading of these options in the help and in the README's table; it is also how they are told from the others.
    pub const HEADING: &str = "Accepted, without effect yet";
}

/// Environment variables that hold secrets; the desktop's processes do not get them.
pub const SECRET_VARIABLES: [&str; 6] = [
    "SELKIES_BASIC_AUTH_PASSWORD",
    "SELKIES_BASIC_AUTH_VIEW_PASSWORD",
    "SELKIES_TURN_PASSWORD",
    "SELKIES_TURN_SHARED_SECRET",
    "SELKIES_TURN_REST_URI",
    "SELKIES_VIEWER_TOKEN",
];

/// The options of a command line, and which accepted ones were given in vain.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The values, as text.
    pub options: Options,
    /// Flags of the given options that have no effect yet, in the order of the help.
    pub without_effect: Vec<String>,
    /// Options whose value is a variable's, and which that is.
    pub variables: BTreeMap<String, String>,
}

/// The clap command of the launcher. An empty environment variable counts as not set.
pub fn command() -> Command {
    let command = Options::command();
    let empty: Vec<_> = command
        .get_arguments()
        .filter(|arg| {
            arg.get_env().is_some_and(|name| std::env::var_os(name).is_some_and(|value| value.is_empty()))
        })
        .map(|arg| arg.get_id().clone())
        .collect();
    empty.into_iter().fold(command, |command, id| command.mut_arg(id, |arg| arg.env(None::<&str>)))
}

/// Reads a command line. Selkies writes its flags with underscores, so those are accepted as well.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Parsed, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(with_hyphens(arguments))?;
    let options = Options::from_arg_matches(&matches).map_err(|err| err.format(&mut command))?;
    let without_effect = given_without_effect(&command, &matches);
    Ok(Parsed { options, without_effect, variables: variables(&command, &matches) })
}

fn variables(command: &Command, matches: &ArgMatches) -> BTreeMap<String, String> {
    let own = command
        .get_arguments()
        .filter(|arg| matches.value_source(arg.get_id().as_str()) == Some(ValueSource::EnvVariable));
    own.filter_map(|arg| Some((arg.get_long()?.to_owned(), arg.get_env()?.to_string_lossy().into_owned())))
        .collect()
}

fn with_hyphens(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut in_command = false;
    arguments
        .into_iter()
        .map(|argument| {
            in_command |= argument == "--";
            match argument.to_str() {
                Some(text) if !in_command && text.starts_with("--") => {
                    let (name, value) = text.split_at(text.find('=').unwrap_or(text.len()));
                    format!("{}{value}", name.replace('_', "-")).into()
                }
                _ => argument,
            }
        })
        .collect()
}

fn given_without_effect(command: &Command, matches: &ArgMatches) -> Vec<String> {
    command
        .get_arguments()
        // Hidden ones come after the last heading and so count to it; they have their effect.
        .filter(|arg| arg.get_help_heading() == Some(AcceptedOptions::HEADING) && !arg.is_hide_set())
        .filter(|arg| {
            matches!(
                matches.value_source(arg.get_id().as_str()),
                Some(ValueSource::CommandLine | ValueSource::EnvVariable)
            )
        })
        .filter_map(|arg| arg.get_long().map(|long| format!("--{long}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &[&str]) -> Parsed {
        parse(std::iter::once("vdi-launcher").chain(words.iter().copied()).map(OsString::from)).unwrap()
    }

    #[test]
    fn booleans_are_accepted_alone_with_an_equals_sign_and_with_a_space() {
        for words in [&["--debug"][..], &["--debug=true"], &["--debug", "true"], &["--debug", "--", "xterm"]]
        {
            assert_eq!(parse_words(words).options.desktop.debug, "true", "{words:?}");
        }
        assert_eq!(parse_words(&["--enable-basic-auth=false"]).options.server.enable_basic_auth, "false");
    }

    #[test]
    fn selkies_spelling_with_underscores_is_accepted_but_a_command_is_left_alone() {
        let parsed = parse_words(&["--video_bitrate=4000", "--", "prog", "--some_flag"]);
        assert_eq!(parsed.options.media.video_bitrate, "4000");
        assert_eq!(parsed.options.command, ["prog", "--some_flag"]);
    }

    #[test]
    fn given_options_without_effect_are_listed_and_no_others() {
        let hidden = ["--system-user", "me", "--runtime-folder", "/run/user/1000"];
        let words = ["--debug-cursors", "--port", "0", "--keyframe-distance", "-1"];
        let parsed = parse_words(&[&words[..], &hidden].concat());
        assert_eq!(parsed.without_effect, ["--keyframe-distance", "--debug-cursors"]);
    }

    #[test]
    fn every_option_of_the_contract_has_its_variable() {
        let command = command();
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_positional()) {
            let (Some(long), Some(env)) = (arg.get_long(), arg.get_env().and_then(|env| env.to_str())) else {
                assert!(["help", "version"].contains(&arg.get_id().as_str()), "{arg:?}");
                continue;
            };
            if !["DISPLAY", "PULSE_SERVER"].contains(&env) {
                assert_eq!(env, format!("SELKIES_{}", long.replace('-', "_").to_uppercase()));
            }
        }
    }

    #[test]
    fn secrets_are_kept_out_of_the_help() {
        let command = command();
        for variable in SECRET_VARIABLES {
            let arg =
                command.get_arguments().find(|arg| arg.get_env().is_some_and(|env| env == variable)).unwrap();
            assert!(arg.is_hide_env_values_set(), "{variable}");
        }
    }
}
