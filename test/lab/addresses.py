"""Says which IPv4 addresses the kernel has, and each one that it gets from then on, a line each.

Prints "listening" when nothing can be missed any more. `ip monitor` has no such moment: what happens while it
reads the list of links, after it subscribed, it throws away.
"""
import socket
import struct

RTMGRP_IPV4_IFADDR, RTM_NEWADDR, RTM_GETADDR, NLMSG_DONE, IFA_LOCAL = 0x10, 20, 22, 3, 2
NLM_F_REQUEST_DUMP, HEADER, IFADDRMSG = 0x301, 16, 8


def messages(data):
    while len(data) >= HEADER:
        length, kind = struct.unpack_from('=IH', data)
        yield kind, data[HEADER + IFADDRMSG:length]
        data = data[(length + 3) & ~3:]


def local(attributes):
    while len(attributes) >= 4:
        length, kind = struct.unpack_from('=HH', attributes)
        if kind == IFA_LOCAL:
            return socket.inet_ntoa(attributes[4:8])
        attributes = attributes[(length + 3) & ~3:]


kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
kernel.bind((0, RTMGRP_IPV4_IFADDR))
ask = struct.pack('=BBBBI', socket.AF_INET, 0, 0, 0, 0)
kernel.send(struct.pack('=IHHII', HEADER + len(ask), RTM_GETADDR, NLM_F_REQUEST_DUMP, 1, 0) + ask)
while True:
    for kind, attributes in messages(kernel.recv(65536)):
        if kind == NLMSG_DONE:
            print('listening', flush=True)
        elif kind == RTM_NEWADDR:
            print(local(attributes), flush=True)
