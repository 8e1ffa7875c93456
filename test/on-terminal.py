"""A program on a terminal of its own: on-terminal.py ROWS COLUMNS PROGRAM WORD...

stdin has one JSON string a line: "text" is typed; {"size": [rows, columns]} resizes; {"signal": "TERM"} is sent to
the program. stdout has what the program writes, as it is. The last line is `ended N, echo on`: the exit code,
or -signal, and whether the terminal echoes again. `ended stopped, echo on`: it can be continued.
"""
import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios

rows, columns = int(sys.argv[1]), int(sys.argv[2])
news, tell = os.pipe()
leader, terminal = pty.fork()
if leader == 0:
    # what a shell does: the program is a job of its own in the foreground, and its parent hears when it stops
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        os.execvp(sys.argv[3], sys.argv[3:])
    os.write(tell, f'{job}\n'.encode())
    while True:
        _, status = os.waitpid(job, os.WUNTRACED)
        stopped = os.WIFSTOPPED(status)
        echo = 'on' if termios.tcgetattr(0)[3] & termios.ECHO else 'off'
        code = 'stopped' if stopped else os.waitstatus_to_exitcode(status)
        os.write(tell, f'\nended {code}, echo {echo}\n'.encode())
        if not stopped:
            # the terminal hangs up with its leader: what was written last is read before
            signal.pause()
child = int(os.read(news, 20))


def obey(line):
    command = json.loads(line)
    if isinstance(command, str):
        os.write(terminal, command.encode())
    elif 'size' in command:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', *command['size'], 0, 0))
    else:
        os.kill(child, getattr(signal, 'SIG' + command['signal']))


def copied():
    try:
        data = os.read(terminal, 65536)
    except OSError:
        data = b''
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    return data


typed = b''
reading = [terminal, news, 0]
while True:
    ready, _, _ = select.select(reading, [], [])
    if terminal in ready and copied():
        continue
    if 0 in ready:
        data = os.read(0, 65536)
        if not data:
            reading.remove(0)
        typed += data
        while b'\n' in typed:
            line, typed = typed.split(b'\n', 1)
            obey(line)
    if news in ready:
        line = os.read(news, 100)
        while select.select([terminal], [], [], 0)[0] and copied():
            pass
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        if b'stopped' not in line:
            os.kill(leader, signal.SIGKILL)
            os.waitpid(leader, 0)
            break
