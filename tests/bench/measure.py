#!/usr/bin/env python3
# Shell: runs one GStreamer pipeline for a while and prints, as JSON, what it did and cost: frames, processor time of this
# process, and what adaptiveencbin and latencystats say of themselves. It judges nothing.
#
#   measure.py SECONDS PIPELINE      The pipeline has a fakesink `sink`, and may have an `encoder` and a `latency`.

import json
import re
import sys
import time

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

# A pipeline that gives no frame in this time is not going to: a hardware encoder's proof takes up to 5 s.
FIRST_FRAME_S = 30
# Caches, rate control and the X server settle before anything is counted.
WARM_UP_S = 2


def frames(pipeline):
    return pipeline.get_by_name("sink").get_property("stats").get_value("rendered")


def wait(pipeline, seconds, done):
    """Waits until `done`, for at most so long; an error on the bus ends it."""
    deadline = time.monotonic() + seconds
    bus = pipeline.get_bus()
    while time.monotonic() < deadline and not done():
        message = bus.timed_pop_filtered(50 * Gst.MSECOND, Gst.MessageType.ERROR | Gst.MessageType.EOS)
        if message is not None:
            words = message.parse_error().gerror.message if message.type == Gst.MessageType.ERROR else "it has ended"
            raise RuntimeError(words)


def nanoseconds(structure, *fields):
    """Milliseconds of each field; unknown ones are left out."""
    found = {field: structure.get_value(field) for field in fields if structure is not None and structure.has_field(field)}
    return {field: value / 1e6 for field, value in found.items()}


def rejection(encoder, factory):
    """Why it was not taken. PyGObject reads no structure within another, so this reads its text."""
    words = encoder.get_property("rejections").to_string()
    found = re.search(factory + r"=.*?reason[^a-z]+string[^a-z]+([a-z-]+)", words)
    return found[1] if found else "rejected"


def measure(seconds, description):
    pipeline = Gst.parse_launch(description)
    encoder, latency = pipeline.get_by_name("encoder"), pipeline.get_by_name("latency")
    try:
        pipeline.set_state(Gst.State.PLAYING)
        wait(pipeline, FIRST_FRAME_S, lambda: frames(pipeline) > 0)
        if frames(pipeline) == 0:
            raise RuntimeError(f"no frame within {FIRST_FRAME_S} s")
        if encoder is not None and encoder.get_property("active-encoder") != encoder.get_property("encoder"):
            # Software stands behind hardware; it is not what was to be measured.
            raise RuntimeError(rejection(encoder, encoder.get_property("encoder")))
        wait(pipeline, WARM_UP_S, lambda: False)
        at, cpu, count = time.monotonic(), time.process_time(), frames(pipeline)
        wait(pipeline, seconds, lambda: False)
        took = time.monotonic() - at
        result = {
            "framesPerSecond": (frames(pipeline) - count) / took,
            "cpu": (time.process_time() - cpu) / took * 100,
        }
        if encoder is not None:
            result["encoder"] = encoder.get_property("active-encoder")
            stats = encoder.get_property("stats")
            result["encodeMs"] = nanoseconds(stats, "encode-time").get("encode-time")
            result["limitation"] = stats.get_value("quality-limitation-reason")
            result["chromaFormat"] = stats.get_value("chroma-format")
        if latency is not None:
            result["latencyMs"] = nanoseconds(latency.get_property("stats"), "p50", "p95")
        return result
    finally:
        pipeline.set_state(Gst.State.NULL)


Gst.init(None)
try:
    print(json.dumps(measure(float(sys.argv[1]), sys.argv[2])))
except (RuntimeError, GLib.Error) as error:
    sys.exit(str(error))
