"""A bad cable, where the kernel has no netem: carries Ethernet frames between two TAP interfaces that it makes.

    noise.py NEAR FAR LOSS DELAY_MS JITTER_MS

Frames from NEAR to FAR are lost with the probability LOSS, and each is late by DELAY_MS ± JITTER_MS, evenly
spread, so that they may overtake each other, as `tc qdisc add … root netem` on the computer does it. The other way
nothing is done to them. Prints "ready" when both interfaces are there; ends when its input does.
"""
import fcntl
import heapq
import os
import random
import select
import struct
import sys
import time

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000


def tap(name):
    fd = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack('16sH22x', name.encode(), IFF_TAP | IFF_NO_PI))
    return fd


def frames(fd):
    while True:
        try:
            yield os.read(fd, 65536)
        except OSError:  # none there, or not up yet
            return


def carry(fd, frame):
    try:
        os.write(fd, frame)
    except OSError:  # full, or not up: as lost
        pass


def main():
    near, far = tap(sys.argv[1]), tap(sys.argv[2])
    loss, delay, jitter = (float(word) for word in sys.argv[3:6])
    late, count = [], 0
    print('ready', flush=True)
    while True:
        wait = max(0.0, late[0][0] - time.monotonic()) if late else None
        readable, _, _ = select.select([near, far, 0], [], [], wait)
        if 0 in readable and not os.read(0, 1):
            return
        for frame in frames(far):
            carry(near, frame)
        now = time.monotonic()
        for frame in frames(near):
            if random.random() >= loss:
                count += 1
                due = now + (delay + random.uniform(-jitter, jitter)) / 1000
                heapq.heappush(late, (due, count, frame))
        while late and late[0][0] <= time.monotonic():
            carry(far, heapq.heappop(late)[2])


main()
