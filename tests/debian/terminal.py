"""Drives a program through a pseudo-terminal of 80x24, for cases.txt. Says what it has seen, not where on the screen."""
import fcntl
import os
import pty
import select
import struct
import termios
import time

LIMIT_SECONDS = 60


def drive(argv, steps):
    """Each step waits until the terminal has shown some bytes, then types others. The program has to end by itself."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="vt100", LINES="24", COLUMNS="80", PS1="ready> ")
        os.execvp(argv[0], argv)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    shown = b""
    for want, keys in steps:
        end = time.time() + LIMIT_SECONDS
        while want not in shown and time.time() < end:
            if select.select([fd], [], [], 0.2)[0]:
                try:
                    shown += os.read(fd, 4096)
                except OSError:
                    break
        print("saw", want, want in shown)
        shown = shown.partition(want)[2]
        os.write(fd, keys)
    try:
        while os.read(fd, 4096):
            pass
    except OSError:
        pass
    print("status", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
