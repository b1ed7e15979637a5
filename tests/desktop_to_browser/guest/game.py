#!/usr/bin/env python3
"""A game in the guest: reads gamepads from the kernel and shakes them, by evdev, by joydev and by SDL, as its player says over TCP:
a line of JSON comes, does one thing, and is answered by another."""

import ctypes
import fcntl
import glob
import json
import os
import re
import socket
import struct
import subprocess
import sys

NAME = "Microsoft X-Box 360 pad"
EVENT = struct.Struct("llHHi")
JS_EVENT = struct.Struct("IhBB")
# struct ff_effect of linux/input.h: type, id, direction, trigger, replay, then a union of 32 bytes that is aligned to 8.
EFFECT_HEAD = struct.Struct("HhHHHHH2x")
EFFECT_BYTES = 48
FF_RUMBLE, FF_PERIODIC, FF_SINE, FF_GAIN = 0x50, 0x51, 0x5A, 0x60
EV_KEY, EV_ABS, EV_FF = 1, 3, 0x15


def request(direction, kind, number, size):
    return direction << 30 | size << 16 | ord(kind) << 8 | number


def read(fd, kind, number, size):
    return fcntl.ioctl(fd, request(2, kind, number, size), bytes(size))


def bits(fd, kind, count):
    mask = read(fd, "E", 0x20 + kind, (count + 7) // 8)
    return [bit for bit in range(count) if mask[bit // 8] >> (bit % 8) & 1]


def text(data):
    return data.split(b"\0")[0].decode()


class Pad:
    """A gamepad, opened as games do: its event device, and its joystick."""

    def __init__(self, event):
        number = re.search(r"\d+$", event)[0]
        joysticks = glob.glob(f"/sys/class/input/event{number}/device/js*")
        self.fd = os.open(event, os.O_RDWR | os.O_NONBLOCK)
        self.js = os.open(f"/dev/input/{os.path.basename(joysticks[0])}", os.O_RDONLY | os.O_NONBLOCK)
        held = read(self.fd, "E", 0x18, 96)
        self.held = {bit for bit in range(0x300) if held[bit // 8] >> (bit % 8) & 1}
        self.js_axes, self.js_buttons, self.seen = {}, {}, []

    def describe(self):
        axes = bits(self.fd, EV_ABS, 0x40)
        return {
            "name": text(read(self.fd, "E", 0x06, 256)),
            "id": struct.unpack("4H", read(self.fd, "E", 0x02, 8)),
            "keys": bits(self.fd, EV_KEY, 0x300),
            # least, greatest, fuzz, flat
            "axes": {code: struct.unpack("6i", read(self.fd, "E", 0x40 + code, 24))[1:5] for code in axes},
            "effects": bits(self.fd, EV_FF, 0x80),
            "atOnce": struct.unpack("i", read(self.fd, "E", 0x84, 4))[0],
            "joystick": {
                "name": text(read(self.js, "j", 0x13, 128)),
                "axes": list(read(self.js, "j", 0x32, 64)[: read(self.js, "j", 0x11, 1)[0]]),
                "buttons": read(self.js, "j", 0x12, 1)[0],
            },
        }

    def state(self):
        for _, _, kind, code, value in events(self.fd, EVENT):
            self.seen += [[kind, code, value]] if kind in (EV_KEY, EV_ABS) else []
            if kind == EV_KEY:
                (self.held.add if value else self.held.discard)(code)
        for _, value, kind, number in events(self.js, JS_EVENT):
            (self.js_buttons if kind & 1 else self.js_axes)[number] = value
        return {
            "keys": sorted(self.held),
            "axes": {code: struct.unpack("6i", read(self.fd, "E", 0x40 + code, 24))[0] for code in bits(self.fd, EV_ABS, 0x40)},
            "events": self.seen,
            "joystick": {
                "axes": [self.js_axes[number] for number in sorted(self.js_axes)],
                "buttons": [number for number in sorted(self.js_buttons) if self.js_buttons[number]],
            },
        }

    def upload(self, kind, data, number, length, delay):
        effect = bytearray(EFFECT_HEAD.pack(kind, number, 0, 0, 0, length, delay).ljust(16, b"\0") + data)
        effect = effect.ljust(EFFECT_BYTES, b"\0")
        fcntl.ioctl(self.fd, request(1, "E", 0x80, EFFECT_BYTES), effect, True)
        return struct.unpack_from("h", effect, 2)[0]

    def write(self, code, value):
        os.write(self.fd, EVENT.pack(0, 0, EV_FF, code, value))

    def close(self):
        os.close(self.fd)
        os.close(self.js)


def events(fd, form):
    try:
        data = os.read(fd, form.size * 256)
    except BlockingIOError:
        return []
    return [form.unpack_from(data, at) for at in range(0, len(data), form.size)]


class Sdl:
    """The library through which most games find gamepads."""

    def __init__(self):
        os.environ.update(SDL_JOYSTICK_DISABLE_UDEV="1", SDL_VIDEODRIVER="dummy", SDL_JOYSTICK_ALLOW_BACKGROUND_EVENTS="1")
        self.lib = ctypes.CDLL("libSDL2-2.0.so.0")
        for function in ("SDL_GameControllerOpen", "SDL_GameControllerName", "SDL_GetError", "SDL_GameControllerMapping"):
            getattr(self.lib, function).restype = ctypes.c_void_p
        if self.lib.SDL_Init(0x2000) != 0:
            raise RuntimeError(self.string("SDL_GetError"))
        if self.lib.SDL_NumJoysticks() != 1 or not self.lib.SDL_IsGameController(0):
            raise RuntimeError(f"SDL finds {self.lib.SDL_NumJoysticks()} joysticks, and a controller is what it knows the buttons of")
        self.pad = ctypes.c_void_p(self.lib.SDL_GameControllerOpen(0))

    def string(self, function, *arguments):
        return ctypes.string_at(getattr(self.lib, function)(*arguments)).decode()

    def state(self):
        self.lib.SDL_GameControllerUpdate()
        return {
            "name": self.string("SDL_GameControllerName", self.pad),
            "rumbles": bool(self.lib.SDL_GameControllerHasRumble(self.pad)),
            # A, B, X, Y, back, guide, start, sticks, shoulders, up, down, left, right
            "buttons": [button for button in range(15) if self.lib.SDL_GameControllerGetButton(self.pad, button)],
            # left x and y, right x and y, triggers
            "axes": [ctypes.c_int16(self.lib.SDL_GameControllerGetAxis(self.pad, axis)).value for axis in range(6)],
        }

    def rumble(self, strong, weak, length):
        return self.lib.SDL_GameControllerRumble(self.pad, strong, weak, length)


class Game:
    def __init__(self):
        self.pad = self.sdl = None

    def devices(self):
        found = []
        for event in sorted(glob.glob("/dev/input/event*")):
            with open(f"/sys/class/input/{os.path.basename(event)}/device/name", encoding="utf-8") as name:
                found += [event] if name.read().strip() == NAME else []
        return found

    def do(self, wish):
        match wish:
            case {"do": "devices"}:
                return self.devices()
            case {"do": "open", "event": event}:
                self.pad = Pad(event)
                return self.pad.describe()
            case {"do": "state"}:
                return self.pad.state()
            case {"do": "rumble", "strong": strong, "weak": weak, "length": length, **more}:
                data = struct.pack("HH", strong, weak)
                return self.pad.upload(FF_RUMBLE, data, more.get("id", -1), length, more.get("delay", 0))
            case {"do": "wave", "magnitude": magnitude, "length": length}:
                return self.pad.upload(FF_PERIODIC, struct.pack("HHh", FF_SINE, 50, magnitude), -1, length, 0)
            case {"do": "play", "id": number, "times": times}:
                return self.pad.write(number, times)
            case {"do": "gain", "gain": gain}:
                return self.pad.write(FF_GAIN, gain)
            case {"do": "erase", "id": number}:
                return fcntl.ioctl(self.pad.fd, request(1, "E", 0x81, 4), number)
            case {"do": "close"}:
                return self.pad.close()
            case {"do": "sdl"}:
                self.sdl = self.sdl or Sdl()
                return self.sdl.state()
            case {"do": "sdlRumble", "strong": strong, "weak": weak, "length": length}:
                return self.sdl.rumble(strong, weak, length)
            case {"do": "run", "command": command}:
                done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
                return {"code": done.returncode, "words": done.stdout + done.stderr}
        raise ValueError(f"what is {wish}?")


def answer(game, line):
    try:
        return {"done": game.do(json.loads(line))}
    except Exception as error:  # pylint: disable=broad-except  # whatever it is, the player has to know
        return {"failed": f"{type(error).__name__}: {error}"}


def main():
    game = Game()
    with socket.create_server(("0.0.0.0", int(sys.argv[1]))) as server:
        while True:
            player, _ = server.accept()
            with player, player.makefile("rw") as lines:
                for line in lines:
                    print(json.dumps(answer(game, line)), file=lines, flush=True)


main()
