/* Tries to read the file SECRET in the host's directory OUTSIDE, which is the parent of this program's root. Prints every way that works. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *outside, *secret;
static int tried;

/* Has the open file the secret in it? */
static void look(int fd, const char *way, const char *path) {
	char bytes[64] = "";
	tried++;
	if (fd < 0) return;
	if (read(fd, bytes, sizeof bytes - 1) > 0 && strstr(bytes, "host only")) printf("ESCAPED by %s: %s\n", way, path);
	close(fd);
}

static void try_path(int dir, const char *way, const char *path) {
	look(openat(dir, path, O_RDONLY), way, path);
	struct { unsigned long flags, mode, resolve; } how = {O_RDONLY, 0, 0};
	look(syscall(SYS_openat2, dir, path, &how, sizeof how), way, path);
}

/* The secret as seen from a place that may lie one to eight levels deep. */
static void try_from(int dir, const char *way, const char *place) {
	char path[8192], up[64] = "";
	for (int level = 0; level <= 8; level++) {
		snprintf(path, sizeof path, "%s%s%s", place, up, secret);
		try_path(dir, way, path);
		snprintf(path, sizeof path, "%s%s%s/%s", place, up, outside + 1, secret);
		try_path(dir, way, path);
		strcat(up, "../");
	}
}

static void links(void) {
	char target[4096];
	snprintf(target, sizeof target, "%s/%s", outside, secret);
	symlink(target, "/made-absolute");
	symlink(outside, "/made-directory");
	symlink("../../../../..", "/made-up");
	try_path(AT_FDCWD, "link", "/made-absolute");
	try_from(AT_FDCWD, "link", "/made-directory/");
	try_from(AT_FDCWD, "link", "/made-up/");
	/* Made by the host's user, and pointing out of the grant there. */
	try_path(AT_FDCWD, "planted link", "/planted-file");
	try_path(AT_FDCWD, "planted link", "/planted-absolute");
	try_from(AT_FDCWD, "planted link", "/planted-directory/");
	if (link("/planted-file", "/hard") == 0) try_path(AT_FDCWD, "hard link", "/hard");
	if (linkat(AT_FDCWD, "/planted-file", AT_FDCWD, "/hard2", AT_SYMLINK_FOLLOW) == 0) try_path(AT_FDCWD, "hard link", "/hard2");
}

static void proc(void) {
	static const char *places[] = {
		"/proc/self/root/", "/proc/1/root/", "/proc/self/cwd/", "/proc/1/cwd/", "/proc/self/exe/", "/dev/fd/3/", "/proc/self/fd/3/",
		"/proc/self/task/1/root/", "/proc/self/map_files/", "/proc/", "/dev/", "/dev/shm/", "/sys/",
	};
	int root = open("/", O_PATH | O_DIRECTORY);
	dup2(root, 3);
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) try_from(AT_FDCWD, "proc", places[i]);
	try_from(root, "descriptor", "");
}

/* The directory in which we are moves up. */
static void moving(void) {
	mkdir("/a", 0755); mkdir("/a/b", 0755); mkdir("/a/b/c", 0755);
	int deep = open("/a/b/c", O_RDONLY | O_DIRECTORY);
	chdir("/a/b/c");
	rename("/a/b/c", "/c");
	try_from(AT_FDCWD, "moved directory", "");
	try_from(deep, "moved directory", "");
	rmdir("/c");
	try_from(AT_FDCWD, "removed directory", "");
	chdir("/");
}

static void roots(void) {
	if (fork() == 0) {
		mkdir("/jail", 0755);
		int above = open("/", O_RDONLY | O_DIRECTORY);
		if (chroot("/jail") == 0) {
			for (int i = 0; i < 16; i++) chdir("..");
			try_from(AT_FDCWD, "chroot", "");
			fchdir(above);
			for (int i = 0; i < 16; i++) chdir("..");
			try_from(AT_FDCWD, "chroot", "");
			chroot(".");
			try_from(AT_FDCWD, "chroot", "/");
		}
		fflush(stdout);
		_exit(0);
	}
	wait(0);
}

/* Another process swaps a directory for a link that leads up while we walk through it. */
static void races(void) {
	mkdir("/swap", 0755);
	symlink("..", "/swap-link");
	pid_t other = fork();
	if (other == 0)
		for (;;) syscall(SYS_renameat2, AT_FDCWD, "/swap", AT_FDCWD, "/swap-link", 2);
	char path[4096];
	snprintf(path, sizeof path, "/swap/%s", secret);
	for (int i = 0; i < 300; i++) try_path(AT_FDCWD, "race", path);
	kill(other, SIGKILL);
	wait(0);
}

int main(int argc, char **argv) {
	outside = argv[1];
	secret = argv[2];
	try_from(AT_FDCWD, "..", "");
	try_from(AT_FDCWD, "..", "/");
	links();
	proc();
	moving();
	roots();
	races();
	printf("tried %d ways\n", tried);
	return 0;
}
