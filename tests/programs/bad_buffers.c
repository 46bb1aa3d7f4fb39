/* Buffers that are mapped in part, end beyond user space, or are longer than anything: read, write and their vector forms. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define TOP 0x7ffffffff000UL

static void show(const char *what, long result) { printf("%s %ld %s\n", what, result, result < 0 ? strerror(errno) : ""); }

int main(void) {
    char *half = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(half, 'a', 8192);
    munmap(half + 4096, 4096);
    int ends[2], sockets[2];
    char data[16] = "0123456789abcdef";
    if (pipe(ends) || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets)) return 1;
    FILE *file = tmpfile();
    int fd = fileno(file);
    show("file, half mapped", write(fd, half + 4000, 1000));
    /* Linux may write what is mapped or nothing at all; it must not wait. */
    printf("pipe, half mapped: short %d\n", write(ends[1], half + 4000, 1000) < 1000);
    printf("socket, half mapped: short %d\n", write(sockets[0], half + 4000, 1000) < 1000);
    show("read of -1", syscall(SYS_read, fd, data, -1L));
    show("write of -1", syscall(SYS_write, ends[1], data, -1L));
    show("pread of -1", syscall(SYS_pread64, fd, data, -1L, 0L));
    show("pwrite of -1", syscall(SYS_pwrite64, fd, data, -1L, 0L));
    show("write across the top", syscall(SYS_write, ends[1], TOP - 1, 2L));
    show("write of nothing at the top", syscall(SYS_write, fd, TOP, 0L));
    show("write of nothing beyond the top", syscall(SYS_write, fd, 0x8000000000000000UL, 0L));
    show("write of more than user space", write(ends[1], data, 1L << 47));
    struct iovec across[2] = {{data, 2}, {(void *)(TOP - 16), 4096}}, negative = {data, -1UL};
    show("writev across the top", writev(ends[1], across, 2));
    show("readv across the top", readv(fd, across, 2));
    show("writev of -1", writev(fd, &negative, 1));
    return 0;
}
