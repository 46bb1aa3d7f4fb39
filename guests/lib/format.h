/* Decimal and hexadecimal output for programs without a C library. */
#ifndef HEDRA_FORMAT_H
#define HEDRA_FORMAT_H
#include "hedra.h"

static inline void print_unsigned(uint64_t value) {
    char text[21];
    unsigned at = sizeof text;
    text[--at] = 0;
    do text[--at] = (char)('0' + value % 10);
    while (value /= 10);
    hedra_print(text + at);
}
static inline void print_hex(uint64_t value) {
    char text[19];
    unsigned at = sizeof text;
    text[--at] = 0;
    do text[--at] = "0123456789abcdef"[value & 15];
    while (value >>= 4);
    text[--at] = 'x';
    text[--at] = '0';
    hedra_print(text + at);
}

#endif
