"""Runs file operations on the real kernel: JSON lines of operations in, JSON lines of results out. See fs_judge.ts."""
import ctypes
import json
import os
import stat
import sys

fds = {}


AT_FDCWD, AT_SYMLINK_FOLLOW = -100, 0x400
libc = ctypes.CDLL(None, use_errno=True)


def at2(call, old, new, flags):
    if call(AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), flags) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return 0


def describe(s):
    kind = stat.S_IFMT(s.st_mode)
    size = s.st_size if stat.S_ISREG(s.st_mode) or stat.S_ISLNK(s.st_mode) else 0
    return [kind, stat.S_IMODE(s.st_mode), s.st_nlink, size]


def run(op, *a):
    if op == "open":
        slot, path, flags, mode = a
        fd = os.open(path, flags, mode)
        if slot in fds:
            os.close(fds[slot])
        fds[slot] = fd
        return 0
    if op == "close":
        fd = fds.pop(a[0], None)
        if fd is not None:
            os.close(fd)
        return 0
    if op in ("pread", "pwrite", "ftruncate", "fstat"):
        fd = fds.get(a[0])
        if fd is None:
            return None
        if op == "pread":
            return list(os.pread(fd, a[2], a[1]))
        if op == "pwrite":
            return os.pwrite(fd, a[2].encode(), a[1])
        if op == "ftruncate":
            return os.ftruncate(fd, a[1]) or 0
        return describe(os.fstat(fd))
    if op == "mkdir":
        return os.mkdir(a[0], a[1]) or 0
    if op == "rmdir":
        return os.rmdir(a[0]) or 0
    if op == "unlink":
        return os.unlink(a[0]) or 0
    if op == "mkfifo":
        return os.mkfifo(a[0], a[1]) or 0
    if op == "rename":
        return at2(libc.renameat2, a[0], a[1], a[2])
    if op == "link":
        return at2(libc.linkat, a[0], a[1], AT_SYMLINK_FOLLOW if a[2] else 0)
    if op == "symlink":
        return os.symlink(a[0], a[1]) or 0
    if op == "readlink":
        return os.readlink(a[0])
    if op == "stat":
        return describe(os.stat(a[0]))
    if op == "lstat":
        return describe(os.lstat(a[0]))
    if op == "list":
        return sorted(os.listdir(a[0]))
    if op == "chmod":
        return os.chmod(a[0], a[1]) or 0
    if op == "utime":
        os.utime(a[0], ns=(a[1] * 10**9, a[2] * 10**9))
        s = os.stat(a[0])
        return [s.st_atime_ns // 10**9, s.st_mtime_ns // 10**9]
    raise ValueError(op)


os.umask(0)
for line in sys.stdin:
    try:
        result = run(*json.loads(line))
    except OSError as error:
        result = -error.errno
    print(json.dumps(result))
