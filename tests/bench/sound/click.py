#!/usr/bin/env python3
# Shell: a program that plays clicks to PulseAudio as a game would, or one that records and listens for them as a
# conference would. Each click is a line: CLOCK_MONOTONIC in ms, and how late PulseAudio says that it will be heard.
#
#   click.py play [DEVICE]      until standard input ends
#   click.py record DEVICE

import ctypes
import math
import random
import struct
import sys
import threading
import time

RATE = 48000
BLOCK = RATE * 5 // 1000
# What a program that cares asks for: 20 ms to play, 10 ms at a time to record.
PLAY_BYTES = RATE * 20 // 1000 * 2
RECORD_BYTES = RATE * 10 // 1000 * 2
CLICK = struct.pack(f"<{BLOCK}h", *(int(22000 * math.sin(2 * math.pi * 1000 * at / RATE)) for at in range(BLOCK)))
SILENCE = bytes(2 * BLOCK)
# Between two clicks, in seconds: no rhythm that a buffer's could fall in with.
PAUSE = (0.55, 0.75)
LOUD = 1500
UNSET = 0xFFFFFFFF


class Spec(ctypes.Structure):
    _fields_ = [("format", ctypes.c_int), ("rate", ctypes.c_uint32), ("channels", ctypes.c_uint8)]


class Buffer(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("maxlength", "tlength", "prebuf", "minreq", "fragsize")]


pulse = ctypes.CDLL("libpulse-simple.so.0")
pulse.pa_simple_new.restype = ctypes.c_void_p
pulse.pa_simple_get_latency.restype = ctypes.c_uint64


def connect(direction, device, buffer):
    error = ctypes.c_int()
    name = device.encode() if device else None
    stream = pulse.pa_simple_new(
        None, b"clicks", direction, name, b"clicks", ctypes.byref(Spec(3, RATE, 1)), None, ctypes.byref(buffer), ctypes.byref(error)
    )
    if not stream:
        sys.exit(f"PulseAudio refuses a stream: {error.value}")
    return ctypes.c_void_p(stream)


def now_ms():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) / 1e6


def play(device):
    stream = connect(1, device, Buffer(UNSET, PLAY_BYTES, 0, UNSET, UNSET))
    chance = random.Random(1)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    due = now_ms() + 1000
    while not ended.is_set():
        at = now_ms()
        clicks = at >= due
        if clicks:
            late = pulse.pa_simple_get_latency(stream, None) / 1000
            at = now_ms()
        if pulse.pa_simple_write(stream, CLICK if clicks else SILENCE, ctypes.c_size_t(2 * BLOCK), None) < 0:
            sys.exit("PulseAudio takes no more")
        if clicks:
            print(f"{at:.3f} {late:.3f}", flush=True)
            due = at + 1000 * chance.uniform(*PAUSE)


def record(device):
    stream = connect(2, device, Buffer(UNSET, UNSET, UNSET, UNSET, RECORD_BYTES))
    block = ctypes.create_string_buffer(2 * BLOCK)
    quiet_from = 0.0
    while pulse.pa_simple_read(stream, block, ctypes.c_size_t(2 * BLOCK), None) >= 0:
        read = now_ms()
        samples = struct.unpack(f"<{BLOCK}h", block.raw)
        first = next((at for at, sample in enumerate(samples) if abs(sample) > LOUD), None)
        if first is None:
            continue
        if read > quiet_from:
            print(f"{read:.3f} 0", flush=True)
        quiet_from = read + 100


if sys.argv[1] == "play":
    play(sys.argv[2] if len(sys.argv) > 2 else None)
else:
    record(sys.argv[2])
