#!/usr/bin/env python3
"""A conference in the guest: programs that look at cameras as others do, by V4L2, and tell what they see, as a test asks over TCP: a
line of JSON comes, does one thing, and is answered by another. A program that looks goes on looking: cameras that change their format
or stop end it."""

import glob
import json
import socket
import subprocess
import sys
import threading

WIDTH, HEIGHT = 1280, 720
BYTES = WIDTH * HEIGHT * 2


class Program:
    """Looks at one camera all the time, and keeps the last picture."""

    def __init__(self, device):
        shape = f"video/x-raw,format=YUY2,width={WIDTH},height={HEIGHT}"
        self.process = subprocess.Popen(
            ["gst-launch-1.0", "-q", "v4l2src", f"device={device}", "!", shape, "!", "fdsink", "fd=1", "sync=false"],
            stdout=subprocess.PIPE,
        )
        self.seen, self.picture, self.news = 0, b"", threading.Condition()
        threading.Thread(target=self.look, daemon=True).start()

    def look(self):
        while len(picture := self.process.stdout.read(BYTES)) == BYTES:
            with self.news:
                self.seen, self.picture = self.seen + 1, picture
                self.news.notify_all()

    def next(self, places):
        """The colours (Y, Cb, Cr) at these places of a picture that was taken after this was asked for."""
        with self.news:
            # One may have been on its way.
            seen = self.seen + 2
            if not self.news.wait_for(lambda: self.seen >= seen, 20):
                raise TimeoutError(f"no picture comes; the program has {self.process.poll()}")
            picture = self.picture
        return [colour(picture, *place) for place in places]

    def end(self):
        self.process.kill()
        return self.process.wait()


def colour(picture, x, y):
    at = (y * WIDTH + x // 2 * 2) * 2
    return [picture[at], picture[at + 1], picture[at + 3]]


class Conference:
    """What its guests do."""

    def __init__(self):
        self.programs = {}

    def do(self, wish):
        match wish:
            case {"do": "devices"}:
                return sorted(glob.glob("/dev/video*"))
            case {"do": "open", "device": device}:
                self.programs[device] = Program(device)
                return None
            case {"do": "look", "device": device, "places": places}:
                return self.programs[device].next(places)
            case {"do": "close", "device": device}:
                return self.programs.pop(device).end()
            case {"do": "run", "command": command}:
                done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
                return {"code": done.returncode, "words": done.stdout + done.stderr}
        raise ValueError(f"what is {wish}?")


def answer(conference, line):
    try:
        return {"done": conference.do(json.loads(line))}
    except Exception as error:  # pylint: disable=broad-except  # whatever it is, the test has to know
        return {"failed": f"{type(error).__name__}: {error}"}


def main():
    conference = Conference()
    with socket.create_server(("0.0.0.0", int(sys.argv[1]))) as server:
        while True:
            test, _ = server.accept()
            with test, test.makefile("rw") as lines:
                for line in lines:
                    print(json.dumps(answer(conference, line)), file=lines, flush=True)


main()
