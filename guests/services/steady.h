/* The file to which each start of the Linux program steady adds a byte, for hyperapps that wait for it. */
#ifndef STEADY_H
#define STEADY_H
#define STEADY_LOG "/tmp/steady"
#ifdef HEDRA_HYPERAPP
#include "format.h"

/* Reads up to `size` bytes of a file; 0 when there is none. */
static inline size_t read_file(const char *path, char *into, size_t size) {
    int fd = hedra_open(path, HEDRA_O_RDWR, 0);
    size_t got = fd < 0 ? 0 : hedra_read(fd, into, size);
    if (fd >= 0) hedra_close(fd);
    return got;
}

/* Waits until it has been started so many times; 0 when nothing has happened for ten seconds. */
static inline int steady_wait(size_t starts) {
    enum { TRIES = 2000 };
    static char text[4096];
    size_t seen = 0;
    for (int i = 0; i < TRIES; i++) {
        size_t got = read_file(STEADY_LOG, text, sizeof text);
        if (got >= starts) return 1;
        if (got > seen) i = 0;
        seen = got;
        hedra_sleep(5000000);
    }
    return 0;
}
#endif
#endif
