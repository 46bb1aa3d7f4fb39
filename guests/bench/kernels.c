/*
 * CPU kernels: short loops that stress one thing each. `kernels [NAME|all [MS]]` repeats each kernel for at least MS (300) milliseconds and
 * three times, and prints `NAME ns=MEDIAN first=FIRST reps=N check=HEX`: nanoseconds of the median and of the first repetition, and a
 * checksum of the result that must be the same everywhere.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint32_t seed;
static uint32_t next_random(void) {
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed;
}
static uint32_t mix(uint32_t hash, uint32_t value) {
    return (hash ^ value) * 0x9e3779b1u;
}
static uint32_t mix_real(uint32_t hash, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return mix(mix(hash, (uint32_t)bits), (uint32_t)(bits >> 32));
}

/* ---- integers ---- */

static uint32_t primes(void) {
    enum { LIMIT = 400000 };
    static uint8_t composite[LIMIT];
    memset(composite, 0, sizeof composite);
    uint32_t count = 0;
    for (uint32_t i = 2; i < LIMIT; i++) {
        if (composite[i]) continue;
        count++;
        for (uint32_t j = i * 2; j < LIMIT; j += i) composite[j] = 1;
    }
    return count;
}

static uint32_t adler(void) {
    static uint8_t data[1 << 18];
    for (uint32_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 31 + (i >> 7));
    uint32_t a = 1, b = 0;
    for (int round = 0; round < 4; round++)
        for (uint32_t i = 0; i < sizeof data; i++) {
            a = (a + data[i]) % 65521;
            b = (b + a) % 65521;
        }
    return b << 16 | a;
}

static uint32_t collatz(void) {
    uint32_t longest = 0, at = 0;
    for (uint32_t start = 1; start < 30000; start++) {
        uint64_t n = start;
        uint32_t steps = 0;
        while (n != 1) {
            n = n & 1 ? 3 * n + 1 : n / 2;
            steps++;
        }
        if (steps > longest) longest = steps, at = start;
    }
    return mix(longest, at);
}

static uint32_t hash_table(void) {
    enum { SLOTS = 1 << 16 };
    static uint32_t keys[SLOTS], values[SLOTS];
    memset(keys, 0, sizeof keys);
    memset(values, 0, sizeof values);
    seed = 12345;
    uint32_t found = 0;
    for (int i = 0; i < 120000; i++) {
        uint32_t key = (next_random() % 40000) + 1, slot = key * 0x9e3779b1u >> 16;
        while (keys[slot] && keys[slot] != key) slot = (slot + 1) & (SLOTS - 1);
        found += keys[slot] == key;
        keys[slot] = key;
        values[slot] += (uint32_t)i;
    }
    uint32_t check = found;
    for (int i = 0; i < SLOTS; i++) check = mix(check, values[i]);
    return check;
}

static void heap_sort(uint32_t *v, uint32_t n) {
    for (uint32_t end = n, top = n / 2; end > 1;) {
        uint32_t value;
        if (top > 0) value = v[--top];
        else value = v[--end], v[end] = v[0];
        uint32_t hole = top;
        for (uint32_t child; (child = 2 * hole + 1) < end; hole = child) {
            if (child + 1 < end && v[child + 1] > v[child]) child++;
            if (v[child] <= value) break;
            v[hole] = v[child];
        }
        v[hole] = value;
    }
}
static uint32_t sort(void) {
    enum { N = 60000 };
    static uint32_t v[N];
    seed = 99;
    for (int i = 0; i < N; i++) v[i] = next_random();
    heap_sort(v, N);
    uint32_t check = 0;
    for (int i = 0; i < N; i += 7) check = mix(check, v[i]);
    return check;
}

/* ---- calls ---- */

static uint32_t ackermann_of(uint32_t m, uint32_t n) {
    if (m == 0) return n + 1;
    return n == 0 ? ackermann_of(m - 1, 1) : ackermann_of(m - 1, ackermann_of(m, n - 1));
}
static uint32_t ackermann(void) {
    return ackermann_of(2, 900) + ackermann_of(3, 6);
}

__attribute__((noinline)) static uint32_t tak_of(int x, int y, int z) {
    return y >= x ? (uint32_t)z : tak_of((int)tak_of(x - 1, y, z), (int)tak_of(y - 1, z, x), (int)tak_of(z - 1, x, y));
}
static uint32_t tak(void) {
    return tak_of(24, 16, 8) * 1000 + tak_of(18, 12, 6);
}

typedef uint32_t operation(uint32_t, uint32_t);
static uint32_t op_add(uint32_t a, uint32_t b) { return a + b; }
static uint32_t op_xor(uint32_t a, uint32_t b) { return a ^ (b << 1); }
static uint32_t op_multiply(uint32_t a, uint32_t b) { return a * (b | 1); }
static uint32_t op_rotate(uint32_t a, uint32_t b) { return a << (b & 31) | a >> (-b & 31); }
static operation *volatile operations[] = {op_add, op_xor, op_multiply, op_rotate};
static uint32_t dispatch(void) {
    uint32_t state = 1;
    for (uint32_t i = 0; i < 1000000; i++) state = operations[(state >> 3 ^ i) & 3](state, i);
    return state;
}

/* ---- memory ---- */

static uint32_t chase(void) {
    enum { N = 1 << 17 };
    static uint32_t next[N];
    static int ready;
    if (!ready) {
        /* One cycle through all cells (Sattolo's shuffle). */
        for (uint32_t i = 0; i < N; i++) next[i] = i;
        seed = 7;
        for (uint32_t i = N - 1; i > 0; i--) {
            uint32_t j = next_random() % i, t = next[i];
            next[i] = next[j];
            next[j] = t;
        }
        ready = 1;
    }
    uint32_t at = 0;
    for (uint32_t i = 0; i < 2 * N; i++) at = next[at];
    for (uint32_t i = 0; i < 1000; i++) at = next[at];
    return at;
}

static uint32_t copy(void) {
    static uint8_t from[1 << 20], to[1 << 20];
    for (uint32_t i = 0; i < sizeof from; i += 64) from[i] = (uint8_t)(i >> 6);
    for (uint32_t round = 0; round < 16; round++) memmove(to + round, from, sizeof from - 16);
    return mix(to[64 * 99 + 15], to[64 * 5000 + 15]);
}

struct node {
    struct node *left, *right;
    uint32_t key;
};
static uint32_t tree(void) {
    enum { N = 20000 };
    static struct node nodes[N];
    struct node *root = 0;
    seed = 2024;
    for (uint32_t i = 0; i < N; i++) {
        nodes[i] = (struct node){0, 0, next_random()};
        struct node **at = &root;
        while (*at) at = nodes[i].key < (*at)->key ? &(*at)->left : &(*at)->right;
        *at = &nodes[i];
    }
    uint32_t check = 0;
    seed = 2024;
    for (uint32_t i = 0; i < N; i++) {
        uint32_t key = next_random(), depth = 0;
        for (struct node *n = root; n->key != key; depth++) n = key < n->key ? n->left : n->right;
        check = mix(check, depth);
    }
    return check;
}

/* ---- floating point ---- */

static uint32_t matrix(void) {
    enum { N = 96 };
    static double a[N][N], b[N][N], c[N][N];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) a[i][j] = i - j * 0.5, b[i][j] = 1.0 / (i + j + 1), c[i][j] = 0;
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++)
            for (int j = 0; j < N; j++) c[i][j] += a[i][k] * b[k][j];
    return mix_real(mix_real(1, c[3][70]), c[95][95]);
}

static uint32_t orbit(void) {
    double x = 1, y = 0, vx = 0, vy = 1;
    for (int i = 0; i < 60000; i++) {
        double r2 = x * x + y * y, r3 = r2 * sqrt(r2), h = 0.001;
        vx -= h * x / r3;
        vy -= h * y / r3;
        x += h * vx;
        y += h * vy;
    }
    return mix_real(mix_real(1, x), y);
}

static uint32_t fractal(void) {
    uint32_t inside = 0;
    for (int row = 0; row < 120; row++)
        for (int column = 0; column < 160; column++) {
            double cx = column / 80.0 - 1.5, cy = row / 60.0 - 1, x = 0, y = 0;
            int n = 0;
            for (; n < 200 && x * x + y * y < 4; n++) {
                double t = x * x - y * y + cx;
                y = 2 * x * y + cy;
                x = t;
            }
            inside = mix(inside, (uint32_t)n);
        }
    return inside;
}

static const struct {
    const char *name;
    uint32_t (*run)(void);
} kernels[] = {
    {"primes", primes},     {"adler", adler},       {"collatz", collatz}, {"hash_table", hash_table}, {"sort", sort},
    {"ackermann", ackermann}, {"tak", tak},         {"dispatch", dispatch}, {"chase", chase},         {"copy", copy},
    {"tree", tree},         {"matrix", matrix},     {"orbit", orbit},     {"fractal", fractal},
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}
static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    enum { MOST = 1000 };
    static double took[MOST];
    const char *which = argc > 1 ? argv[1] : "all";
    double limit = (argc > 2 ? atof(argv[2]) : 300) * 1e6;
    int known = 0;
    for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++) {
        if (strcmp(which, "all") && strcmp(which, kernels[k].name)) continue;
        known = 1;
        uint32_t check = 0;
        int reps = 0;
        for (double begin = now(), at = begin; reps < MOST && (reps < 3 || at - begin < limit); reps++) {
            double from = at;
            check = kernels[k].run();
            at = now();
            took[reps] = at - from;
        }
        double first = took[0];
        qsort(took, (size_t)reps, sizeof *took, by_value);
        printf("%s ns=%.0f first=%.0f reps=%d check=%08x\n", kernels[k].name, took[reps / 2], first, reps, (unsigned)check);
        fflush(stdout);
    }
    if (!known) fprintf(stderr, "kernels: unknown kernel %s\n", which);
    return known ? 0 : 2;
}
