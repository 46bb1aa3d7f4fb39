/* Takes all there is of one thing; prints how it was refused. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 100000

static void memory(void) {
	size_t size = 1L << 36;
	char *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p != MAP_FAILED)
		for (size_t i = 0; i < size; i += 4096) p[i] = 1;
}

/* The same by system calls: the program itself touches none of it. */
static void reading(void) {
	size_t size = 1L << 36;
	char *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int fd = open("/dev/zero", O_RDONLY);
	if (p != MAP_FAILED)
		for (size_t i = 0; i < size && read(fd, p + i, 1 << 20) > 0; i += 1 << 20) {}
}

static void descriptors(void) {
	while (open("/dev/null", O_RDONLY) >= 0) {}
}

static void pipes(void) {
	int ends[2];
	while (pipe(ends) == 0) {}
}

static void children(void) {
	pid_t first = 0, pid;
	int number = 0;
	for (; number < MANY; number++) {
		pid = fork();
		if (pid < 0) break;
		if (pid == 0) { pause(); _exit(0); }
		if (first == 0) first = pid;
	}
	int error = errno;
	for (pid = first; pid < first + number; pid++) kill(pid, SIGKILL);
	while (wait(0) > 0) {}
	errno = error;
}

static void zombies(void) {
	for (int i = 0; i < MANY; i++) {
		pid_t pid = fork();
		if (pid < 0) return;
		if (pid == 0) _exit(0);
	}
}

static void disk(void) {
	int fd = open("/tmp/hog", O_CREAT | O_WRONLY, 0600);
	char *block = calloc(1, 1 << 20);
	while (write(fd, block, 1 << 20) > 0) {}
	int error = errno;
	unlink("/tmp/hog");
	errno = error;
}

static char *filled(size_t bytes) {
	char *text = malloc(bytes + 1);
	memset(text, 'x', bytes);
	text[bytes] = 0;
	return text;
}

static void arguments(void) {
	static char *argv[MANY];
	char *text = filled(100000);
	for (int i = 0; i < 400; i++) argv[i] = text;
	execv("/proc/self/exe", argv);
}

static void argument(void) {
	char *argv[] = {"hog", filled(200000), 0};
	execv("/proc/self/exe", argv);
}

int main(int argc, char **argv) {
	static const struct { const char *name; void (*take)(void); } hogs[] = {
		{"memory", memory}, {"reading", reading}, {"descriptors", descriptors}, {"pipes", pipes}, {"children", children}, {"zombies", zombies},
		{"disk", disk}, {"arguments", arguments}, {"argument", argument},
	};
	for (size_t i = 0; i < sizeof hogs / sizeof *hogs; i++)
		if (argc > 1 && !strcmp(argv[1], hogs[i].name)) {
			errno = 0;
			hogs[i].take();
			printf("%s: %s\n", hogs[i].name, strerror(errno));
		}
	return 0;
}
