#!/usr/bin/python3
"""A Python application that shows a test pattern to browsers and hears what they send back.

    GST_PLUGIN_PATH=target/release examples/python/pattern.py [127.0.0.1:8080]

Move the mouse over the picture: what the page reports arrives here as JSON. Needs python3-gi and gir1.2-gstreamer-1.0.
"""

import json
import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402


def on_data(sink, consumer, channel, text):
    """Something came over a data channel: input, pointer, or what the sink leaves to us of control."""
    print(f"{consumer} {channel} {text}", flush=True)
    message = json.loads(text)
    if channel == "input" and message["type"] == "key" and message["down"]:
        notice = {"type": "notice", "level": "info", "text": f"You pressed keysym {message['keysym']:#x}"}
        sink.emit("send-data", consumer, "control", json.dumps(notice))


def on_message(_bus, message, loop):
    if message.type == Gst.MessageType.ERROR:
        error, details = message.parse_error()
        print(f"{error.message}\n{details}", file=sys.stderr, flush=True)
        loop.quit()
    elif message.type == Gst.MessageType.ELEMENT and message.get_structure().get_name() == "vdi-encoder-selected":
        print(f"encoder {message.get_structure().get_string('encoder')}", flush=True)


def main():
    Gst.init(None)
    pipeline = Gst.parse_launch(
        "videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=480,framerate=30/1"
        " ! adaptiveencbin ! latencystats ! wswebrtcsink name=web"
    )
    sink = pipeline.get_by_name("web")
    if len(sys.argv) > 1:
        sink.set_property("listen", sys.argv[1])
    sink.connect("consumer-added", lambda _sink, consumer: print(f"added {consumer}", flush=True))
    sink.connect("consumer-connected", lambda _sink, consumer: print(f"connected {consumer}", flush=True))
    sink.connect("consumer-removed", lambda _sink, consumer, why: print(f"removed {consumer}: {why}", flush=True))
    sink.connect("data-message", on_data)

    loop = GLib.MainLoop()
    bus = pipeline.get_bus()
    bus.add_signal_watch()
    bus.connect("message", on_message, loop)
    if pipeline.set_state(Gst.State.PLAYING) == Gst.StateChangeReturn.FAILURE:
        sys.exit("the pipeline does not start")
    print(f"listening on http://{sink.get_property('listening-address')}", flush=True)
    try:
        loop.run()
    except KeyboardInterrupt:
        pass
    finally:
        pipeline.set_state(Gst.State.NULL)


if __name__ == "__main__":
    main()
