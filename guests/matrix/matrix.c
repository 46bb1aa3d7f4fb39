/*
 * Matrix multiplication: an unmodified Linux program in C. `matrix [N [ROUNDS]]` multiplies two N x N matrices (default 4) of integers and
 * of doubles and prints the products when they are small, else checksums.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static void multiply(int n, const long *a, const long *b, long *c) {
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            long sum = 0;
            for (int k = 0; k < n; k++) sum += a[i * n + k] * b[k * n + j];
            c[i * n + j] = sum;
        }
}

static void multiply_real(int n, const double *a, const double *b, double *c) {
    for (int i = 0; i < n * n; i++) c[i] = 0;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++)
            for (int j = 0; j < n; j++) c[i * n + j] += a[i * n + k] * b[k * n + j];
}

static void *need(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (!memory) {
        perror("matrix");
        exit(1);
    }
    return memory;
}

int main(int argc, char **argv) {
    int n = argc > 1 ? atoi(argv[1]) : 4, rounds = argc > 2 ? atoi(argv[2]) : 1;
    if (n < 1 || n > 2000 || rounds < 1) {
        fprintf(stderr, "usage: matrix [N [ROUNDS]]\n");
        return 2;
    }
    size_t cells = (size_t)n * (size_t)n;
    long *a = need(cells, sizeof *a), *b = need(cells, sizeof *b), *c = need(cells, sizeof *c);
    double *x = need(cells, sizeof *x), *y = need(cells, sizeof *y), *z = need(cells, sizeof *z);
    for (size_t i = 0; i < cells; i++) {
        a[i] = (long)(i * 7 % 11) - 5;
        b[i] = (long)(i * 5 % 13) - 6;
        x[i] = (double)a[i] / 8;
        y[i] = 1.0 / (double)(i + 1);
    }
    for (int round = 0; round < rounds; round++) {
        multiply(n, a, b, c);
        multiply_real(n, x, y, z);
    }
    if (n <= 8)
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) printf("%6ld", c[i * n + j]);
            printf("   |");
            for (int j = 0; j < n; j++) printf(" %10.6f", z[i * n + j]);
            printf("\n");
        }
    uint64_t check = 0;
    double sum = 0;
    for (size_t i = 0; i < cells; i++) {
        check = check * 31 + (uint64_t)c[i];
        sum += z[i];
    }
    printf("n %d check %016llx sum %.12g\n", n, (unsigned long long)check, sum);
    free(a), free(b), free(c), free(x), free(y), free(z);
    return 0;
}
