/* Code that system calls write: into memory that is executable later, and into memory that is writable and executable. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

typedef int (*function)(void);

static unsigned char code[] = {0xb8, 0, 0, 0, 0, 0xc3}; /* mov eax, imm32; ret */

static void send_code(int fd, int value) {
  memcpy(code + 1, &value, 4);
  if (write(fd, code, sizeof code) != sizeof code) printf("short write\n");
}

static long sum(function f) {
  long total = 0;
  for (int i = 0; i < 3000; i++) total += f();
  return total;
}

int main(void) {
  int socket[2], tube[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, socket) || pipe(tube)) return 1;
  int fds[] = {socket[0], tube[0]}, to[] = {socket[1], tube[1]};
  for (int way = 0; way < 2; way++) {
    void *turned = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *both = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int value = 1; value <= 3; value++) {
      send_code(to[way], value);
      if (mprotect(turned, 4096, PROT_READ | PROT_WRITE)) return 2;
      printf("read %zd", read(fds[way], turned, 64));
      if (mprotect(turned, 4096, PROT_READ | PROT_EXEC)) return 3;
      printf(", sum %ld;", sum((function)turned));
      send_code(to[way], 10 * value);
      printf(" read %zd", read(fds[way], both, 64));
      printf(", sum %ld\n", sum((function)both));
    }
  }
  return 0;
}
