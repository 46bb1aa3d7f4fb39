/* File input and output through stdio and system calls, directories and metadata; getopt and time. Works below its first operand. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static void check(const char *what, long result) { printf("%s: %s%s\n", what, result < 0 ? "failed, " : "ok", result < 0 ? strerror(errno) : ""); }
static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int main(int argc, char **argv) {
    static const struct option options[] = {{"number", required_argument, 0, 'n'}, {"flag", no_argument, 0, 'f'}, {0}};
    int option, number = 0, flags = 0;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "n:fx", options, 0)) != -1) {
        if (option == 'n') number = atoi(optarg);
        else if (option == 'f') flags++;
        else printf("option %c %c\n", option, optopt);
    }
    printf("number %d flags %d operands %d\n", number, flags, argc - optind);
    char dir[200];
    snprintf(dir, sizeof dir, "%s/hedra-files-XXXXXX", optind < argc ? argv[optind] : "/tmp");
    if (!mkdtemp(dir) || chdir(dir)) return perror(dir), 1;
    FILE *f = fopen("text", "w+");
    for (int i = 0; i < 1000; i++) fprintf(f, "line %d\n", i);
    check("fseek", fseek(f, 100, SEEK_SET));
    char line[100];
    printf("%s", fgets(line, sizeof line, f));
    rewind(f);
    int lines = 0;
    for (int c; (c = getc(f)) != EOF;) lines += c == '\n';
    printf("%d lines, at %ld, eof %d\n", lines, ftell(f), feof(f) != 0);
    fclose(f);
    struct stat st;
    check("stat", stat("text", &st));
    printf("size %ld, regular %d, mode %o, links %d\n", (long)st.st_size, S_ISREG(st.st_mode), st.st_mode & 0777, (int)st.st_nlink);
    int fd = open("text", O_RDWR | O_APPEND);
    check("append", write(fd, "tail", 4));
    check("pread", pread(fd, line, 4, 8890));
    printf("%.4s %ld\n", line, (long)lseek(fd, 0, SEEK_END));
    check("pwrite", pwrite(fd, "X", 1, 0));
    struct iovec parts[] = {{"ab", 2}, {"cde", 3}};
    printf("writev %ld\n", (long)writev(fd, parts, 2));
    check("ftruncate", ftruncate(fd, 10));
    fstat(fd, &st);
    printf("size %ld\n", (long)st.st_size);
    int copy = dup(fd);
    printf("dup shares the offset: %d\n", lseek(copy, 5, SEEK_SET) == lseek(fd, 0, SEEK_CUR));
    close(copy);
    close(fd);
    check("read of a closed descriptor", read(fd, line, 1));
    check("link", link("text", "hard"));
    check("symlink", symlink("text", "soft"));
    long n = readlink("soft", line, sizeof line);
    printf("readlink %.*s\n", (int)n, line);
    lstat("soft", &st);
    printf("is a link %d\n", S_ISLNK(st.st_mode));
    check("mkdir", mkdir("sub", 0750));
    check("mkdir again", mkdir("sub", 0750));
    check("rename into a directory", rename("hard", "sub/moved"));
    check("rmdir of a full directory", rmdir("sub"));
    check("open of a missing file", open("missing", O_RDONLY));
    check("open of a directory for writing", open("sub", O_WRONLY));
    check("O_EXCL", open("text", O_CREAT | O_EXCL | O_WRONLY, 0600));
    check("access", access("text", R_OK | W_OK));
    check("chmod", chmod("text", 0400));
    stat("text", &st);
    printf("mode %o\n", st.st_mode & 07777);
    struct timespec times[2] = {{1000000000, 5}, {1234567890, 123456789}};
    check("utimensat", utimensat(AT_FDCWD, "text", times, 0));
    stat("text", &st);
    printf("mtime %ld.%09ld\n", (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    DIR *d = opendir(".");
    char *names[20];
    int count = 0;
    for (struct dirent *e; (e = readdir(d));) names[count++] = strdup(e->d_name);
    closedir(d);
    qsort(names, (size_t)count, sizeof *names, by_name);
    for (int i = 0; i < count; i++) printf("%s%s", names[i], i + 1 < count ? " " : "\n");
    for (int i = 0; i < 1; i++) check("unlink", unlink("sub/moved"));
    check("rmdir", rmdir("sub"));
    unlink("text"), unlink("soft");
    check("chdir", chdir("/"));
    check("rmdir", rmdir(dir));
    int ends[2];
    check("pipe", pipe(ends));
    check("write to it", write(ends[1], "through a pipe", 14));
    printf("%.*s\n", (int)read(ends[0], line, sizeof line), line);

    time_t then = 1700000000;
    struct tm *tm = gmtime(&then);
    strftime(line, sizeof line, "%Y-%m-%d %H:%M:%S %a %j", tm);
    printf("%s %ld\n", line, (long)mktime(tm));
    struct timespec a, b, pause = {0, 20000000};
    clock_gettime(CLOCK_MONOTONIC, &a);
    nanosleep(&pause, 0);
    clock_gettime(CLOCK_MONOTONIC, &b);
    double slept = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
    printf("slept at least 20 ms: %d; the year is past 2023: %d; clock runs: %d\n", slept >= 0.02, time(0) > 1704067200, clock() >= 0);
    return 0;
}
