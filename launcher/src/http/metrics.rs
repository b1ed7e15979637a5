//! Decision: the numbers for Prometheus, rendered from one look at the session. Names of ours begin with `vdi_`; `fps`,
//! `gpu_utilization` and `latency` are the names that dashboards for Selkies read.

use super::histograms::Histograms;
use crate::latency::told::Histogram;
use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use std::{collections::BTreeMap, fmt, sync::atomic::AtomicU64};
use vdi_protocol::{
    connection::ConnectionFailure,
    control::Role,
    phase::Phase,
    status::{EncoderStatus, QualityLimitationReason, RecordingStatus, Status},
};

type Labels = Vec<(&'static str, String)>;
type FloatGauge = Gauge<f64, AtomicU64>;

/// What is not in [`Status`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Encoded frames since the start.
    pub frames: u64,
    /// Frames per second over the last second.
    pub frames_per_second: f64,
    /// Age of encoded frames since capture: (quantile, seconds).
    pub latency: Vec<(&'static str, f64)>,
    /// What frames' ways took.
    pub ways: Vec<Histogram>,
    /// How often another encoder took over, by cause.
    pub switches: BTreeMap<String, u64>,
    /// Input reports by what became of them.
    pub input: Vec<(&'static str, u64)>,
    /// Messages that could not be read.
    pub bad_messages: u64,
    /// Messages beyond what a page may say.
    pub dropped_messages: u64,
    /// Wrong passwords.
    pub auth_failures: u64,
    /// Connections that were closed before they were let in, by reason.
    pub connections_closed: Vec<(&'static str, u64)>,
    /// When the certificate expires, in seconds since 1970.
    pub tls_not_after: i64,
}

/// The text of `/metrics`, in the OpenMetrics format.
pub fn render(status: &Status, figures: &Figures) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    let phases = Family::<Labels, Gauge>::default();
    for phase in Phase::ALL {
        let labels = vec![("phase", phase.as_str().to_owned())];
        phases.get_or_create(&labels).set(i64::from(phase == status.phase));
    }
    registry.register("vdi_phase", "Where the session stands: 1 for the present phase", phases);
    let consumers = Family::<Labels, Gauge>::default();
    for role in [Role::Controller, Role::Viewer] {
        let count = status.consumers.iter().filter(|page| page.connected && page.role == role).count();
        let labels = vec![("role", role.as_str().to_owned())];
        consumers.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
    }
    registry.register("vdi_consumers", "Connected pages", consumers);
    encoder(&mut registry, status, figures);
    video(&mut registry, figures);
    registry.register_collector(Box::new(Histograms(figures.ways.clone())));
    gpu(&mut registry, status);
    connection(&mut registry, status);
    networks(&mut registry, status);
    let audio: Gauge = Gauge::default();
    audio.set(i64::from(status.audio.running));
    registry.register("vdi_audio_running", "Whether sound is captured", audio);
    let microphone: Gauge = Gauge::default();
    microphone.set(i64::from(status.microphone.running));
    registry.register("vdi_microphone_running", "Whether the desktop has a microphone", microphone);
    let webcam: Gauge = Gauge::default();
    webcam.set(i64::from(status.webcam.running));
    registry.register("vdi_webcam_running", "Whether the desktop has a webcam", webcam);
    if let Some(recording) = &status.recording {
        self::recording(&mut registry, recording);
    }
    let input = Family::<Labels, Counter>::default();
    for (result, count) in &figures.input {
        input.get_or_create(&vec![("result", (*result).to_owned())]).inc_by(*count);
    }
    registry.register("vdi_input_reports", "Input reports by what became of them", input);
    counter(&mut registry, "vdi_bad_messages", "Messages that could not be read", figures.bad_messages);
    let dropped = figures.dropped_messages;
    counter(&mut registry, "vdi_dropped_messages", "Messages beyond what a page may say", dropped);
    counter(&mut registry, "vdi_auth_failures", "Wrong passwords", figures.auth_failures);
    counter(
        &mut registry,
        "vdi_ice_server_renewal_failures",
        "Failures to get new STUN and TURN servers or credentials",
        status.ice_servers.renewal_failures,
    );
    float(&mut registry, "vdi_uptime_seconds", "Time since the process started", status.uptime_seconds);
    if let Some(seconds) = status.last_input_seconds_ago {
        float(&mut registry, "vdi_last_input_age_seconds", "Time since the last input", seconds);
    }
    port(&mut registry, figures);
    if let Some(turn) = &status.turn {
        super::turn_metrics::register(&mut registry, turn);
    }
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn encoder(registry: &mut Registry, status: &Status, figures: &Figures) {
    let switches = Family::<Labels, Counter>::default();
    for (cause, count) in &figures.switches {
        switches.get_or_create(&vec![("cause", cause.clone())]).inc_by(*count);
    }
    registry.register("vdi_encoder_switches", "How often another encoder took over", switches);
    let Some(encoder) = &status.encoder else { return };
    let info = Family::<Labels, Gauge>::default();
    let labels = vec![
        ("encoder", encoder.name.clone()),
        ("codec", encoder.codec.clone()),
        ("hardware", encoder.hardware.to_string()),
    ];
    info.get_or_create(&labels).set(1);
    registry.register("vdi_encoder_info", "The encoder at work", info);
    for (name, help, value) in [
        ("vdi_video_target_bitrate_bps", "Bit rate asked of the encoder", encoder.target_bitrate_bps as f64),
        ("vdi_video_frame_width_px", "Columns of the encoded frame", encoder.frame_width.into()),
        ("vdi_video_frame_height_px", "Rows of the encoded frame", encoder.frame_height.into()),
        (
            "vdi_video_max_framerate",
            "Most frames per second for now; 0 while only the source sets the pace",
            encoder.max_framerate.unwrap_or_default(),
        ),
        (
            "vdi_encode_time_p95_seconds",
            "95th percentile of a frame's time in the encoder",
            encoder.encode_time_seconds,
        ),
    ] {
        float(registry, name, help, value);
    }
    if let Some(usage) = encoder.cpu_usage {
        float(registry, "vdi_cpu_usage_ratio", "Load of the processors that this process may use", usage);
    }
    if let Some(seconds) = encoder.latency_seconds {
        float(
            registry,
            "vdi_latency_seconds",
            "What the adaptation acts on: the glass-to-glass latency of the consumer that is worst off, or an estimate of it",
            seconds,
        );
    }
    counter(registry, "vdi_key_frames_encoded", "Encoded key frames", encoder.key_frames_encoded);
    counter(registry, "vdi_frames_dropped", "Frames that were not encoded", encoder.frames_dropped);
    let spent = Counter::<f64, AtomicU64>::default();
    spent.inc_by(encoder.total_encode_time_seconds.max(0.0));
    registry.register("vdi_encode_time_seconds", "Time spent encoding", spent);
    limitation(registry, encoder);
}

fn limitation(registry: &mut Registry, encoder: &EncoderStatus) {
    let now = Family::<Labels, Gauge>::default();
    let durations = Family::<Labels, Counter<f64, AtomicU64>>::default();
    for reason in QualityLimitationReason::ALL {
        let labels = vec![("reason", reason.as_str().to_owned())];
        now.get_or_create(&labels).set(i64::from(reason == encoder.quality_limitation_reason));
        durations.get_or_create(&labels).inc_by(encoder.quality_limitation_durations.of(reason).max(0.0));
    }
    registry.register("vdi_quality_limitation", "What holds quality back: 1 for the present reason", now);
    registry.register("vdi_quality_limitation_seconds", "For how long each reason has held", durations);
    counter(
        registry,
        "vdi_quality_limitation_resolution_changes",
        "How often the frame's size was changed on account of them",
        encoder.quality_limitation_resolution_changes.into(),
    );
}

fn video(registry: &mut Registry, figures: &Figures) {
    counter(registry, "vdi_frames_encoded", "Encoded frames", figures.frames);
    float(registry, "fps", "Frames per second", figures.frames_per_second);
    let latency = Family::<Labels, FloatGauge>::default();
    for (quantile, seconds) in &figures.latency {
        latency.get_or_create(&vec![("quantile", (*quantile).to_owned())]).set(*seconds);
        if *quantile == "0.5" {
            float(registry, "latency", "Median age of encoded frames since capture in ms", seconds * 1000.0);
        }
    }
    registry.register("vdi_sender_latency_seconds", "Age of encoded frames since capture", latency);
}

fn connection(registry: &mut Registry, status: &Status) {
    let failures = Family::<Labels, Counter>::default();
    for reason in ConnectionFailure::ALL {
        // Those that never happened are there as well: a rate needs the zero before the first.
        let count = status.connection.failures.get(&reason).copied().unwrap_or_default();
        failures.get_or_create(&vec![("reason", reason.as_str().to_owned())]).inc_by(count);
    }
    registry.register(
        "vdi_connection_failures",
        "Connections that did not come up or were lost, by reason",
        failures,
    );
}

/// Of each role, what is known of the way to the page that is worst off.
fn networks(registry: &mut Registry, status: &Status) {
    let [available, queue, loss] = std::array::from_fn(|_| Family::<Labels, FloatGauge>::default());
    for role in [Role::Controller, Role::Viewer] {
        let pages = status.consumers.iter().filter(|page| page.connected && page.role == role);
        let networks: Vec<_> = pages.filter_map(|page| page.network.as_ref()).collect();
        let labels = vec![("role", role.as_str().to_owned())];
        let least = networks.iter().map(|network| network.available_outgoing_bitrate_bps).min();
        if let Some(bps) = least {
            available.get_or_create(&labels).set(bps as f64);
        }
        let most = |values: &mut dyn Iterator<Item = f64>| values.reduce(f64::max);
        if let Some(seconds) = most(&mut networks.iter().filter_map(|network| network.queue_delay_seconds)) {
            queue.get_or_create(&labels).set(seconds);
        }
        if let Some(share) = most(&mut networks.iter().map(|network| network.packet_loss)) {
            loss.get_or_create(&labels).set(share);
        }
    }
    registry.register(
        "vdi_network_available_bitrate_bps",
        "What the network is believed to carry to the page that is worst off",
        available,
    );
    registry.register(
        "vdi_network_queue_delay_seconds",
        "Time that packets stand in a queue of the network to the page that is worst off",
        queue,
    );
    registry.register(
        "vdi_network_packet_loss_ratio",
        "Share of packets lost on the way to the page that is worst off",
        loss,
    );
}

fn gpu(registry: &mut Registry, status: &Status) {
    let [utilization, encoder, total, used] =
        std::array::from_fn(|_| Family::<Labels, FloatGauge>::default());
    for (index, device) in status.gpu.devices.iter().enumerate() {
        let labels = vec![("device", index.to_string()), ("name", device.name.clone())];
        utilization.get_or_create(&labels).set(device.utilization);
        if let Some(load) = device.encoder_utilization {
            encoder.get_or_create(&labels).set(load);
        }
        total.get_or_create(&labels).set(device.memory_total_bytes as f64);
        used.get_or_create(&labels).set(device.memory_used_bytes as f64);
    }
    if let Some(device) = status.gpu.devices.first() {
        float(registry, "gpu_utilization", "Load of the first GPU in per cent", device.utilization * 100.0);
    }
    registry.register("vdi_gpu_utilization_ratio", "Load of the GPU", utilization);
    registry.register("vdi_gpu_encoder_utilization_ratio", "Load of the GPU's encoder", encoder);
    registry.register("vdi_gpu_memory_total_bytes", "Memory of the GPU", total);
    registry.register("vdi_gpu_memory_used_bytes", "Memory of the GPU in use", used);
}

fn port(registry: &mut Registry, figures: &Figures) {
    let closed = Family::<Labels, Counter>::default();
    for (reason, count) in &figures.connections_closed {
        closed.get_or_create(&vec![("reason", (*reason).to_owned())]).inc_by(*count);
    }
    registry.register("vdi_connections_closed", "Connections closed before they were let in", closed);
    let not_after = figures.tls_not_after as f64;
    float(
        registry,
        "vdi_tls_certificate_not_after_seconds",
        "When the certificate expires, since 1970",
        not_after,
    );
}

fn recording(registry: &mut Registry, status: &RecordingStatus) {
    let running: Gauge = Gauge::default();
    running.set(i64::from(status.running));
    registry.register("vdi_recording_running", "Whether the session is recorded", running);
    for (name, help, value) in [
        ("vdi_recording_written_bytes", "Bytes of recordings", status.bytes_written),
        (
            "vdi_recording_dropped_frames",
            "Frames missing in recordings: the disk was slow",
            status.frames_dropped,
        ),
        ("vdi_recording_failures", "Recordings that ended although nobody wanted that", status.failures),
    ] {
        counter(registry, name, help, value);
    }
}

fn float(registry: &mut Registry, name: &str, help: &str, value: f64) {
    let gauge = FloatGauge::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

fn counter(registry: &mut Registry, name: &str, help: &str, value: u64) {
    let counter: Counter = Counter::default();
    counter.inc_by(value);
    registry.register(name, help, counter);
}

#[cfg(test)]
mod tests {
    use super::*;
    use vdi_protocol::{
        latency::Leg,
        status::{
            ConnectionStatus, ConsumerNetwork, ConsumerStatus, GpuDevice, IceServersStatus,
            QualityLimitationDurations,
        },
    };

    fn page(id: &str, role: Role, connected: bool, bps: u64) -> ConsumerStatus {
        let network = ConsumerNetwork {
            available_outgoing_bitrate_bps: bps,
            queue_delay_seconds: Some(0.004),
            ..ConsumerNetwork::default()
        };
        ConsumerStatus { id: id.into(), role, connected, media: None, network: Some(network) }
    }

    #[test]
    fn figures_stand_in_the_text_under_their_names() {
        let status = Status {
            phase: Phase::Streaming,
            encoder: Some(EncoderStatus {
                name: "x264enc".into(),
                codec: "H264".into(),
                target_bitrate_bps: 8_000_000,
                frame_width: 1280,
                frames_dropped: 3,
                quality_limitation_reason: QualityLimitationReason::Cpu,
                quality_limitation_durations: QualityLimitationDurations { cpu: 2.5, ..Default::default() },
                ..Default::default()
            }),
            ice_servers: IceServersStatus { renewal_failures: 4, ..Default::default() },
            consumers: vec![
                page("c1", Role::Controller, true, 9_000_000),
                page("c2", Role::Viewer, true, 2_000_000),
                page("c4", Role::Viewer, true, 3_000_000),
                page("c3", Role::Viewer, false, 1_000_000),
            ],
            connection: ConnectionStatus { failures: [(ConnectionFailure::PathBlocked, 2)].into() },
            ..Status::default()
        };
        let figures = Figures {
            frames: 600,
            frames_per_second: 59.5,
            latency: vec![("0.5", 0.012)],
            ways: [Some(Leg::Encode), None]
                .map(|leg| Histogram {
                    leg,
                    codec: "H264".into(),
                    count: 6,
                    sum_seconds: 0.042,
                    buckets: vec![(0.0075, 5), (f64::INFINITY, 1)],
                })
                .into(),
            input: vec![("accepted", 7)],
            switches: [("time-out".into(), 2)].into(),
            ..Figures::default()
        };
        let text = render(&status, &figures).unwrap();
        for line in [
            r#"vdi_phase{phase="Streaming"} 1"#,
            r#"vdi_phase{phase="Ready"} 0"#,
            r#"vdi_consumers{role="viewer"} 2"#,
            r#"vdi_network_available_bitrate_bps{role="controller"} 9000000.0"#,
            r#"vdi_network_available_bitrate_bps{role="viewer"} 2000000.0"#,
            r#"vdi_network_queue_delay_seconds{role="viewer"} 0.004"#,
            r#"vdi_encoder_info{encoder="x264enc",codec="H264",hardware="false"} 1"#,
            r#"vdi_encoder_switches_total{cause="time-out"} 2"#,
            "vdi_video_target_bitrate_bps 8000000.0",
            "vdi_video_frame_width_px 1280.0",
            "vdi_frames_dropped_total 3",
            r#"vdi_quality_limitation{reason="cpu"} 1"#,
            r#"vdi_quality_limitation{reason="none"} 0"#,
            r#"vdi_quality_limitation_seconds_total{reason="cpu"} 2.5"#,
            "vdi_frames_encoded_total 600",
            "vdi_ice_server_renewal_failures_total 4",
            r#"vdi_connection_failures_total{reason="pathBlocked"} 2"#,
            r#"vdi_connection_failures_total{reason="noAnswer"} 0"#,
            "fps 59.5",
            "latency 12.0",
            r#"vdi_sender_latency_seconds{quantile="0.5"} 0.012"#,
            r#"vdi_input_reports_total{result="accepted"} 7"#,
            "# TYPE vdi_latency_stage_seconds histogram",
            r#"vdi_latency_stage_seconds_bucket{le="0.0075",stage="encode",codec="H264"} 5"#,
            r#"vdi_latency_stage_seconds_bucket{le="+Inf",stage="encode",codec="H264"} 6"#,
            r#"vdi_latency_stage_seconds_count{stage="encode",codec="H264"} 6"#,
            "# TYPE vdi_glass_to_glass_latency_seconds histogram",
            r#"vdi_glass_to_glass_latency_seconds_sum{codec="H264"} 0.042"#,
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }

    /// Rules and dashboards under `deploy/monitoring` are held against the same list, so none asks for what is not there.
    #[test]
    fn families_are_those_of_the_list_that_dashboards_are_held_against() {
        let whole: Vec<Status> =
            serde_json::from_str(include_str!("../../../protocol/golden/status.json")).unwrap();
        let leg =
            |leg| Histogram { leg, codec: "H264".into(), buckets: vec![(1.0, 0)], ..Default::default() };
        let figures = Figures {
            latency: vec![("0.5", 0.0)],
            ways: vec![leg(Some(Leg::Encode)), leg(None)],
            switches: [("time-out".into(), 0)].into(),
            input: vec![("accepted", 0)],
            connections_closed: vec![("crowd", 0)],
            ..Figures::default()
        };
        let mut families = std::collections::BTreeSet::new();
        for mut status in whole {
            status.gpu.devices = vec![GpuDevice { encoder_utilization: Some(0.0), ..GpuDevice::default() }];
            let text = render(&status, &figures).unwrap();
            families.extend(text.lines().filter_map(|line| line.strip_prefix("# TYPE ").map(str::to_owned)));
        }
        let list = include_str!("../../../protocol/golden/metrics.txt");
        let listed: std::collections::BTreeSet<_> = list.lines().map(str::to_owned).collect();
        assert_eq!(families, listed, "protocol/golden/metrics.txt has a line `name kind` for each family");
    }
}
