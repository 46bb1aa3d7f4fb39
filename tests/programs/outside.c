/* Uses the network as its arguments say, and tells what happened. Orders: tcp|now|udp HOST PORT, echo HOST PORT BYTES, fill HOST PORT,
 * wait HOST PORT, serve|hear HOST PORT. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} address;
static socklen_t address_size;

static int parse(const char *host, const char *port) {
    memset(&address, 0, sizeof address);
    if (inet_pton(AF_INET6, host, &address.v6.sin6_addr) == 1) {
        address.v6.sin6_family = AF_INET6;
        address.v6.sin6_port = htons(atoi(port));
        address_size = sizeof address.v6;
        return AF_INET6;
    }
    if (inet_pton(AF_INET, host, &address.v4.sin_addr) != 1) exit(2);
    address.v4.sin_family = AF_INET;
    address.v4.sin_port = htons(atoi(port));
    address_size = sizeof address.v4;
    return AF_INET;
}

static const char *name(int error) { return error == 0 ? "ok" : strerrorname_np(error); }

static void tell_peer(int fd) {
    struct sockaddr_in6 peer, self;
    socklen_t size = sizeof peer;
    if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0) printf(", peer %s", name(errno));
    else printf(", peer of %u bytes, family %d, port %s", size, peer.sin6_family, peer.sin6_port == address.v6.sin6_port ? "as asked" : "another");
    size = sizeof self;
    if (getsockname(fd, (struct sockaddr *)&self, &size) != 0) printf(", self %s", name(errno));
    else printf(", own port %s", self.sin6_port != 0 ? "set" : "0");
}

/* connect() that blocks. */
static int tcp(const char *host, const char *port) {
    int fd = socket(parse(host, port), SOCK_STREAM, 0);
    int error = connect(fd, &address.any, address_size) == 0 ? 0 : errno;
    printf("tcp: %s", name(error));
    if (error == 0) tell_peer(fd);
    printf("\n");
    return fd;
}

/* connect() that does not, with epoll. */
static void now(const char *host, const char *port) {
    int fd = socket(parse(host, port), SOCK_STREAM | SOCK_NONBLOCK, 0), set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET}, got;
    int first = connect(fd, &address.any, address_size) == 0 ? 0 : errno;
    epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
    printf("now: %s", name(first));
    if (first == EINPROGRESS) {
        int pending = epoll_wait(set, &got, 1, 20000), error = 0;
        socklen_t size = sizeof error;
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
        printf(", then %d event %s", pending, name(error));
        if (error == 0) tell_peer(fd);
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
        printf(", then %s", name(error));
    }
    printf("\n");
    close(set);
    close(fd);
}

static void udp(const char *host, const char *port) {
    int fd = socket(parse(host, port), SOCK_DGRAM, 0);
#ifdef SHORT
    struct timeval patience = {.tv_usec = 20000};
#else
    struct timeval patience = {.tv_sec = 10};
#endif
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ssize_t sent = sendto(fd, "ping", 4, 0, &address.any, address_size);
    printf("udp: sent %zd %s", sent, sent < 0 ? name(errno) : "ok");
    if (sent == 4) {
        char reply[100];
        struct sockaddr_in6 from = {0};
        socklen_t size = sizeof from;
        ssize_t got = recvfrom(fd, reply, sizeof reply, 0, (struct sockaddr *)&from, &size);
        if (got < 0) printf(", got %s", name(errno));
        else printf(", got %.*s from port %s", (int)got, reply, from.sin6_port == address.v6.sin6_port ? "as asked" : "another");
        connect(fd, &address.any, address_size);
        got = write(fd, "pong", 4) == 4 ? read(fd, reply, sizeof reply) : -1;
        printf(", connected: got %.*s", got < 0 ? 0 : (int)got, reply);
    }
    printf("\n");
    close(fd);
}

static unsigned char byte_at(long i) { return (i * 131 + (i >> 8) * 7) & 0xff; }

/* Sends and receives at the same time, half-closes, and checks what comes back. */
static void echo(const char *host, const char *port, long bytes) {
    int fd = tcp(host, port);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    long sent = 0, got = 0;
    int bad = 0;
    static unsigned char out[100000], in[70000];
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN | (sent < bytes ? POLLOUT : 0)};
        poll(&p, 1, -1);
        if (sent < bytes && p.revents & POLLOUT) {
            long want = bytes - sent < (long)sizeof out ? bytes - sent : (long)sizeof out;
            for (long i = 0; i < want; i++) out[i] = byte_at(sent + i);
            ssize_t n = write(fd, out, want);
            if (n < 0 && errno != EAGAIN) { printf("write: %s\n", name(errno)); return; }
            if (n > 0) sent += n;
            if (sent == bytes) shutdown(fd, SHUT_WR);
        }
        if (p.revents & (POLLIN | POLLHUP)) {
            ssize_t n = read(fd, in, sizeof in);
            if (n == 0) break;
            if (n < 0 && errno != EAGAIN) { printf("read: %s\n", name(errno)); return; }
            for (ssize_t i = 0; i < n; i++) bad |= in[i] != byte_at(got + i);
            if (n > 0) got += n;
        }
    }
    printf("echo: sent %ld, got %ld, %s\n", sent, got, bad ? "changed" : "unchanged");
    close(fd);
}

/* How much goes out to somebody who does not read. */
static void fill(const char *host, const char *port) {
    int fd = tcp(host, port);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    static char out[65536];
    long sent = 0;
    for (int quiet = 0; quiet < 3;) {
        ssize_t n = write(fd, out, sizeof out);
        if (n > 0) sent += n, quiet = 0;
        else {
            struct pollfd p = {.fd = fd, .events = POLLOUT};
            if (poll(&p, 1, 200) == 0) quiet++;
        }
    }
    printf("fill: %s\n", sent > 0 && sent < 64L << 20 ? "stops" : "goes on");
    close(fd);
}

/* What a connection that is cut off gives: everything before, then the error once, then the end. */
static void wait_end(const char *host, const char *port) {
    int fd = tcp(host, port);
    char in[100];
    ssize_t n;
    while ((n = read(fd, in, sizeof in)) > 0) printf("wait: %.*s\n", (int)n, in);
    printf("wait: %s", n == 0 ? "end" : name(errno));
    n = read(fd, in, sizeof in);
    printf(", then %s", n == 0 ? "end" : name(errno));
    n = send(fd, "x", 1, MSG_NOSIGNAL);
    printf(", sending %s\n", n < 0 ? name(errno) : "ok");
    close(fd);
}

/* Accepts one connection and echoes it. */
static void serve(const char *host, const char *port) {
    int fd = socket(parse(host, port), SOCK_STREAM, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    int error = bind(fd, &address.any, address_size) || listen(fd, 5) ? errno : 0;
    printf("serve: %s\n", name(error));
    fflush(stdout);
    if (error != 0) return;
    int conn = accept(fd, NULL, NULL);
    static char data[65536];
    ssize_t n;
    while ((n = read(conn, data, sizeof data)) > 0) {
        for (ssize_t at = 0, put; at < n; at += put) if ((put = write(conn, data + at, n - at)) <= 0) return;
    }
    /* No close: the end of the process must send the rest as well. */
}

/* Answers one datagram. */
static void hear(const char *host, const char *port) {
    int fd = socket(parse(host, port), SOCK_DGRAM, 0);
    int error = bind(fd, &address.any, address_size) ? errno : 0;
    printf("hear: %s\n", name(error));
    fflush(stdout);
    char data[1000];
    struct sockaddr_in6 from;
    socklen_t size = sizeof from;
    ssize_t n = recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&from, &size);
    printf("hear: %.*s, answered %zd\n", (int)n, data, sendto(fd, data, n, 0, (struct sockaddr *)&from, size));
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    for (int i = 1; i + 2 < argc; i += 3) {
        const char *order = argv[i], *host = argv[i + 1], *port = argv[i + 2];
        if (!strcmp(order, "tcp")) close(tcp(host, port));
        else if (!strcmp(order, "now")) now(host, port);
        else if (!strcmp(order, "udp")) udp(host, port);
        else if (!strcmp(order, "echo")) echo(host, port, atol(argv[++i + 2]));
        else if (!strcmp(order, "fill")) fill(host, port);
        else if (!strcmp(order, "wait")) wait_end(host, port);
        else if (!strcmp(order, "serve")) serve(host, port);
        else if (!strcmp(order, "hear")) hear(host, port);
        fflush(stdout);
    }
}
