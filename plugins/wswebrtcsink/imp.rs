//! Shell: the GObject of `wswebrtcsink`: properties, pads, signals, state changes.

use super::{
    dial::Dialler,
    host::Server,
    hub::Hub,
    ice_servers,
    payload::{Kind, PAYLOADS},
    producer::Producer,
    properties,
    runtime::runtime,
};
use gst::{glib, glib::subclass::Signal, prelude::*, subclass::prelude::*};
use once_cell::sync::Lazy;
use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

pub(crate) static CAT: Lazy<gst::DebugCategory> = Lazy::new(|| {
    gst::DebugCategory::new(
        "wswebrtcsink",
        gst::DebugColorFlags::empty(),
        Some("WebRTC sink with WebSocket signalling"),
    )
});

/// What runs between READY and NULL.
#[derive(Debug, Default)]
struct State {
    server: Option<Server>,
    dialler: Option<Dialler>,
    /// Counts pads, for names.
    next_pad: [u32; 2],
}

/// The element's private side.
#[derive(Default)]
pub struct WsWebRtcSink {
    hub: OnceLock<Arc<Hub>>,
    state: Mutex<State>,
}

impl WsWebRtcSink {
    /// What the sink's parts share.
    pub fn hub(&self) -> &Arc<Hub> {
        self.hub.get_or_init(|| Hub::new(&self.obj()))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks what is set and starts to listen and to dial.
    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = self.hub().settings().clone();
        let bad = |why: String| gst::error_msg!(gst::LibraryError::Settings, ("{why}"));
        if let Some(uri) = &settings.stun_server {
            ice_servers::stun(uri).map_err(|err| bad(format!("stun-server {err}")))?;
        }
        for uri in &settings.turn_servers {
            ice_servers::turn(uri).map_err(|err| bad(format!("turn-servers {err}")))?;
        }
        settings.direct.check().map_err(bad)?;
        self.hub().open();
        if !settings.listen.is_empty() {
            let server = Server::start(&settings.listen, self.hub().clone())
                .map_err(|why| gst::error_msg!(gst::ResourceError::OpenReadWrite, ("{why}")))?;
            gst::info!(CAT, imp = self, "the page is at http://{}/", server.address());
            self.state().server = Some(server);
            self.obj().notify("listening-address");
        }
        if let Some(uri) = &settings.uri {
            let dialler =
                Dialler::start(uri, settings.ca_file.as_deref(), self.hub().clone()).map_err(bad)?;
            self.state().dialler = Some(dialler);
        }
        Ok(())
    }

    fn stop(&self) {
        if !self.hub().close("the stream has ended") {
            gst::warning!(CAT, imp = self, "some consumers have not ended in time");
        }
        let (server, dialler) = {
            let mut state = self.state();
            (state.server.take(), state.dialler.take())
        };
        drop(dialler);
        if server.is_some() {
            drop(server);
            self.obj().notify("listening-address");
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for WsWebRtcSink {
    const NAME: &'static str = "GstVdiWsWebRtcSink";
    type Type = super::WsWebRtcSink;
    type ParentType = gst::Bin;
}

impl ObjectImpl for WsWebRtcSink {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: Lazy<Vec<glib::ParamSpec>> = Lazy::new(properties::specs);
        PROPERTIES.as_ref()
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        if !properties::set(self.hub(), value, pspec.name()) {
            gst::error!(CAT, imp = self, "no property {}", pspec.name());
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let hub = self.hub();
        match pspec.name() {
            "listening-address" => {
                return self.state().server.as_ref().map(|server| server.address().to_string()).to_value();
            }
            "stats" => return hub.stats().to_value(),
            _ => {}
        }
        properties::get(hub, pspec)
    }

    fn signals() -> &'static [Signal] {
        static SIGNALS: Lazy<Vec<Signal>> = Lazy::new(|| {
            let string = String::static_type();
            vec![
                Signal::builder("consumer-client").param_types([string, string]).build(),
                Signal::builder("consumer-watches").param_types([string]).build(),
                Signal::builder("consumer-decodes")
                    .param_types([string, Vec::<String>::static_type()])
                    .return_type::<bool>()
                    .build(),
                Signal::builder("consumer-added").param_types([string]).build(),
                Signal::builder("consumer-connected").param_types([string]).build(),
                Signal::builder("consumer-removed").param_types([string, string]).build(),
                Signal::builder("consumer-failed").param_types([string, string, string]).build(),
                Signal::builder("ice-candidate").param_types([string, string]).build(),
                Signal::builder("data-message").param_types([string, string, string]).build(),
                Signal::builder("received-audio").param_types([string, gst::Sample::static_type()]).build(),
                Signal::builder("received-video")
                    .param_types([string, gst::Sample::static_type()])
                    .return_type::<bool>()
                    .build(),
                Signal::builder("send-signalling").param_types([string, string]).build(),
                Signal::builder("request-ice-servers")
                    .param_types([string, string, bool::static_type()])
                    .return_type::<Vec<String>>()
                    .build(),
                Signal::builder("update-ice-servers")
                    .action()
                    .class_handler(|values| {
                        let element = values.first()?.get::<super::WsWebRtcSink>().ok()?;
                        element.imp().hub().update_ice_servers();
                        None
                    })
                    .build(),
                Signal::builder("open-consumer")
                    .param_types([string])
                    .return_type::<bool>()
                    .action()
                    .class_handler(|values| action(values, |imp, [id]| imp.open_consumer_full(id, None)))
                    .build(),
                Signal::builder("offer-consumer")
                    .param_types([string])
                    .return_type::<bool>()
                    .action()
                    .class_handler(|values| action(values, |imp, [id]| imp.hub().offer_now(id)))
                    .build(),
                Signal::builder("open-consumer-full")
                    .param_types([string, gst::Structure::static_type()])
                    .return_type::<bool>()
                    .action()
                    .class_handler(|values| {
                        action_with_options(values, |imp, id, options| imp.open_consumer_full(id, options))
                    })
                    .build(),
                Signal::builder("receive-signalling")
                    .param_types([string, string])
                    .return_type::<bool>()
                    .action()
                    .class_handler(|values| {
                        action(values, |imp, [id, json]| imp.receive_signalling(id, json))
                    })
                    .build(),
                Signal::builder("close-consumer")
                    .param_types([string, string])
                    .return_type::<bool>()
                    .action()
                    .class_handler(|values| {
                        action(values, |imp, [id, reason]| imp.close_consumer(id, &reason.into()))
                    })
                    .build(),
                Signal::builder("close-consumer-full")
                    .param_types([string, gst::Structure::static_type()])
                    .return_type::<bool>()
                    .action()
                    .class_handler(|values| {
                        action_with_options(values, |imp, id, options| imp.close_consumer_full(id, options))
                    })
                    .build(),
                Signal::builder("send-data")
                    .param_types([string, string, string])
                    .return_type::<bool>()
                    .action()
                    .class_handler(|values| {
                        action(values, |imp, [id, channel, text]| imp.hub().send_data(id, channel, text))
                    })
                    .build(),
            ]
        });
        SIGNALS.as_ref()
    }

    fn constructed(&self) {
        self.parent_constructed();
        let obj = self.obj();
        obj.set_suppressed_flags(gst::ElementFlags::SOURCE | gst::ElementFlags::SINK);
        obj.set_element_flags(gst::ElementFlags::SINK);
    }
}

/// Runs an action signal whose parameters are all strings.
fn action<const N: usize>(
    values: &[glib::Value],
    run: impl FnOnce(&WsWebRtcSink, [&str; N]) -> bool,
) -> Option<glib::Value> {
    let element = values.first()?.get::<super::WsWebRtcSink>().ok()?;
    let mut texts = [""; N];
    for (text, value) in texts.iter_mut().zip(&values[1..]) {
        *text = value.get::<Option<&str>>().ok().flatten().unwrap_or_default();
    }
    Some(run(element.imp(), texts).to_value())
}

/// Runs an action signal of a consumer's name and a structure of options, which may be null.
fn action_with_options(
    values: &[glib::Value],
    run: impl FnOnce(&WsWebRtcSink, &str, Option<&gst::StructureRef>) -> bool,
) -> Option<glib::Value> {
    let element = values.first()?.get::<super::WsWebRtcSink>().ok()?;
    let id = values.get(1)?.get::<Option<&str>>().ok()?.unwrap_or_default();
    let options = values.get(2)?.get::<Option<gst::Structure>>().ok()?;
    Some(run(element.imp(), id, options.as_deref()).to_value())
}

impl GstObjectImpl for WsWebRtcSink {}

impl ElementImpl for WsWebRtcSink {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: Lazy<gst::subclass::ElementMetadata> = Lazy::new(|| {
            gst::subclass::ElementMetadata::new(
                "WebRTC sink with WebSocket signalling",
                "Sink/Network/WebRTC",
                "Sends encoded video and audio to any number of browsers; hosts the page and the signalling, dials a broker, or lets the application carry the messages",
                "The gst-vdi authors",
            )
        });
        Some(&*METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: Lazy<Vec<gst::PadTemplate>> = Lazy::new(|| {
            [Kind::Video, Kind::Audio]
                .into_iter()
                .filter_map(|kind| {
                    let mut caps = gst::Caps::new_empty();
                    for row in PAYLOADS.iter().filter(|row| row.kind == kind) {
                        caps.merge(row.caps.parse::<gst::Caps>().ok()?);
                    }
                    let name = format!("{}_%u", kind.as_str());
                    gst::PadTemplate::new(&name, gst::PadDirection::Sink, gst::PadPresence::Request, &caps)
                        .ok()
                })
                .collect()
        });
        TEMPLATES.as_ref()
    }

    fn request_new_pad(
        &self,
        template: &gst::PadTemplate,
        name: Option<&str>,
        _caps: Option<&gst::Caps>,
    ) -> Option<gst::Pad> {
        let kind = if template.name().starts_with("video") { Kind::Video } else { Kind::Audio };
        let name = {
            let mut state = self.state();
            let next = &mut state.next_pad[kind as usize];
            let name = name.map_or_else(|| format!("{}_{next}", kind.as_str()), ToOwned::to_owned);
            *next += 1;
            name
        };
        if self.obj().static_pad(&name).is_some() {
            gst::error!(CAT, imp = self, "there is a pad {name} already");
            return None;
        }
        let hub = Arc::downgrade(self.hub());
        let changed = {
            let hub = hub.clone();
            move || {
                // Not on the streaming thread: sending may wait for a lock of webrtcbin.
                if let Some(hub) = hub.upgrade() {
                    runtime().spawn(async move { hub.media_changed() });
                }
            }
        };
        let interval = move || hub.upgrade().map_or(Duration::ZERO, |hub| hub.settings().key_frame_interval);
        let producer = Producer::new(kind, interval, changed);
        let appsink = producer.appsink();
        self.obj().add(appsink).ok()?;
        let pad = gst::GhostPad::builder_from_template_with_target(template, &appsink.static_pad("sink")?)
            .ok()?
            .name(&name)
            .build();
        pad.set_active(true).ok()?;
        appsink.sync_state_with_parent().ok()?;
        self.hub().add_producer(&name, producer);
        self.obj().add_pad(&pad).ok()?;
        Some(pad.upcast())
    }

    fn release_pad(&self, pad: &gst::Pad) {
        let _ = pad.set_active(false);
        if let Some(producer) = self.hub().remove_producer(&pad.name()) {
            let _ = self.obj().remove(producer.appsink());
            let _ = producer.appsink().set_state(gst::State::Null);
        }
        let _ = self.obj().remove_pad(pad);
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::NullToReady
            && let Err(err) = self.start()
        {
            self.post_error_message(err);
            self.stop();
            return Err(gst::StateChangeError);
        }
        let result = self.parent_change_state(transition);
        if transition == gst::StateChange::ReadyToNull
            || (result.is_err() && transition == gst::StateChange::NullToReady)
        {
            self.stop();
        }
        result
    }
}

impl BinImpl for WsWebRtcSink {}
