#!/usr/bin/env python3
# Shell: the sender as everyone writes it: ximagesrc ! videoconvert ! x264enc ! rtph264pay ! webrtcbin, to one browser.
# Signalling goes over standard input and output, a JSON message a line: `offer`, `answer`, `candidate`.
#
#   naive.py KBIT_PER_S FRAMES_PER_S [playout-delay]     The last one adds the RTP header extension that asks for 0 ms.
#   naive.py sound                                       In place of the picture, what PulseAudio plays.

import json
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

PLAYOUT_DELAY = ",extmap-5=(string)http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"


def say(**message):
    print(json.dumps(message), flush=True)


def picture(bitrate, framerate, extension=""):
    return (
        f"ximagesrc use-damage=false ! video/x-raw,framerate={framerate}/1 ! videoconvert"
        f" ! x264enc tune=zerolatency speed-preset=ultrafast bitrate={bitrate} ! video/x-h264,profile=constrained-baseline"
        f" ! rtph264pay config-interval=-1 aggregate-mode=zero-latency"
        f" ! application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000{extension}"
    )


SOUND = (
    "pulsesrc device=@DEFAULT_MONITOR@ ! audioconvert ! audioresample ! audio/x-raw,rate=48000,channels=2 ! opusenc ! rtpopuspay"
    " ! application/x-rtp,media=audio,encoding-name=OPUS,payload=97,clock-rate=48000"
)


class Sender:
    def __init__(self, source):
        self.pipeline = Gst.parse_launch(f"{source} ! webrtcbin name=browser bundle-policy=max-bundle")
        self.browser = self.pipeline.get_by_name("browser")
        self.agent = self.browser.get_property("ice-agent")
        self.agent.emit("add-local-ip-address", "127.0.0.1")
        self.browser.connect("on-negotiation-needed", self.negotiate)
        self.browser.connect("on-ice-candidate", lambda _, line, text: say(type="candidate", sdpMLineIndex=line, candidate=text))

    def negotiate(self, _browser):
        transceiver = self.browser.emit("get-transceiver", 0)
        transceiver.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
        self.browser.emit("create-offer", None, Gst.Promise.new_with_change_func(self.offer))

    def offer(self, promise):
        # What the reply holds lives as long as the reply.
        reply = promise.get_reply()
        offer = reply.get_value("offer")
        self.browser.emit("set-local-description", offer, None)
        say(type="offer", sdp=offer.sdp.as_text())

    def hear(self, stream, _condition):
        line = stream.readline()
        if not line:
            self.loop.quit()
            return False
        message = json.loads(line)
        if message["type"] == "candidate":
            self.browser.emit("add-ice-candidate", message["sdpMLineIndex"], message["candidate"])
        else:
            _, sdp = GstSdp.SDPMessage.new_from_text(message["sdp"])
            answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp)
            self.browser.emit("set-remote-description", answer, None)
        return True

    def on_error(self, _bus, message):
        print(*message.parse_error(), file=sys.stderr, flush=True)
        self.failed = True
        self.loop.quit()

    def run(self):
        self.loop = GLib.MainLoop()
        self.failed = False
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", self.on_error)
        GLib.io_add_watch(sys.stdin, GLib.IOCondition.IN | GLib.IOCondition.HUP, self.hear)
        self.pipeline.set_state(Gst.State.PLAYING)
        self.loop.run()
        self.pipeline.set_state(Gst.State.NULL)
        return 1 if self.failed else 0


Gst.init(None)
if sys.argv[1] == "sound":
    source = SOUND
else:
    source = picture(int(sys.argv[1]), int(sys.argv[2]), PLAYOUT_DELAY if sys.argv[3:] == ["playout-delay"] else "")
sys.exit(Sender(source).run())
