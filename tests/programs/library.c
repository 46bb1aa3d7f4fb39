/* qsort, bsearch, malloc family, string functions, sprintf, strtol, getenv, setjmp, atexit. */
#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static int by_number(const void *a, const void *b) {
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}
static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static jmp_buf back;
static void deep(int n) {
    char pad[256];
    memset(pad, n, sizeof pad);
    if (n == 0) longjmp(back, 7);
    deep(n - 1);
    printf("unreachable %d\n", pad[3]);
}
static void at_end(void) { printf("atexit runs\n"); }
static void at_end_first(void) { printf("atexit runs in reverse order\n"); }
static int sum(int n, ...) {
    va_list list;
    va_start(list, n);
    int total = 0;
    while (n--) total += va_arg(list, int);
    va_end(list);
    return total;
}

int main(int argc, char **argv) {
    atexit(at_end);
    atexit(at_end_first);
    for (int i = 0; i < argc; i++) printf("argument %d: %s\n", i, i ? argv[i] : "-");
    enum { N = 5000 };
    int *v = malloc(N * sizeof *v);
    uint32_t x = 1;
    for (int i = 0; i < N; i++) v[i] = (int)((x = x * 1664525 + 1013904223) >> 8) - 8000000;
    qsort(v, N, sizeof *v, by_number);
    int key = v[1234], *found = bsearch(&key, v, N, sizeof *v, by_number);
    printf("%d %d %d found %d\n", v[0], v[N / 2], v[N - 1], found && *found == key);
    const char *words[] = {"semaphore", "portal", "capability", "utcb", "domain", "context"};
    qsort(words, 6, sizeof *words, by_text);
    for (int i = 0; i < 6; i++) printf("%s%c", words[i], i < 5 ? ' ' : '\n');

    void *blocks[400];
    size_t total = 0;
    for (int i = 0; i < 400; i++) {
        size_t size = (size_t)(i * 977 % 70000) + 1;
        blocks[i] = i % 3 ? malloc(size) : calloc(1, size);
        memset(blocks[i], i, size);
        total += size;
    }
    for (int i = 0; i < 400; i += 2) free(blocks[i]);
    for (int i = 1; i < 400; i += 2) {
        blocks[i] = realloc(blocks[i], 100000);
        total += ((unsigned char *)blocks[i])[0];
        free(blocks[i]);
    }
    char *big = malloc(40 << 20);
    big[0] = 1, big[(40 << 20) - 1] = 2;
    printf("allocated %zu, big %d\n", total, big[0] + big[(40 << 20) - 1]);
    free(big);
    errno = 0;
    volatile size_t absurd = SIZE_MAX / 4;
    printf("absurd malloc %s errno %d\n", malloc(absurd) ? "worked" : "failed", errno);

    char text[200];
    snprintf(text, sizeof text, "%-10s|%5d|%-5d|%05d|%x|%#o|%c|%5.2s|%%|%ld|%zu", "left", 42, 42, 42, 255, 8, 'z', "abcdef", -1L, sizeof text);
    printf("%s\n%zu %s %s %d\n", text, strlen(text), strchr(text, '|') + 3, strstr(text, "ff"), strcmp("abc", "abd") < 0);
    char tokens[] = "one, two;three  four";
    for (char *t = strtok(tokens, ", ;"); t; t = strtok(0, ", ;")) printf("[%s]", t);
    printf("\n%ld %ld %lu %ld errno %d\n", strtol("  -123abc", 0, 10), strtol("0x7f", 0, 0), strtoul("777", 0, 8), strtol("99999999999999999999", 0, 10), errno);
    int a;
    double d;
    char word[20];
    printf("%d %d %g %s\n", sscanf("17 2.5 hello", "%d %lf %19s", &a, &d, word), a, d, word);
    printf("%s %s\n", strerror(ENOENT), strerror(EACCES));
    printf("%d %d %d %c\n", isalpha('x') != 0, isdigit('x') != 0, isspace('\t') != 0, toupper('q'));
    printf("%d\n", sum(5, 1, 2, 3, 4, 5));
    volatile int before = 1;
    int code = setjmp(back);
    if (code == 0) {
        before = 2;
        deep(20);
    }
    printf("longjmp gave %d, before %d\n", code, before);
    memmove(text + 2, text, 50);
    printf("%.20s %d %zu\n", text, memcmp("aab", "aac", 3) < 0, wcslen(L"wide"));
    printf("%lld %llu %lld\n", INT64_MIN / 7, UINT64_MAX / 10, (long long)INT64_MIN % 1000);
    fprintf(stderr, "this goes to stderr\n");
    return 42;
}
