/* Output over the serial line, polled; ports must have been pulled from the kernel with uart_init. */
#ifndef UART_H
#define UART_H
#include "hedron.h"

static inline void out8(uint16_t port, uint8_t value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
static inline uint8_t in8(uint16_t port) {
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static uint16_t uart_port;

/* Takes the serial line's eight ports from the kernel PD and sets up 115200 8N1. */
static inline word uart_init(void) {
    uart_port = serial_port();
    word status = delegate(ROOT_PD, pio(uart_port, 3), ROOT_PD, pio(uart_port, 3), META_DELEGATE | META_HYPERVISOR);
    if (status != SUCCESS) return status;
    out8(uart_port + 1, 0);
    out8(uart_port + 3, 0x80);
    out8(uart_port + 0, 1);
    out8(uart_port + 1, 0);
    out8(uart_port + 3, 0x03);
    out8(uart_port + 2, 0xc7);
    out8(uart_port + 4, 0x0b);
    return status;
}
static inline void put_char(char c) {
    while ((in8(uart_port + 5) & 0x20) == 0) {}
    out8(uart_port, (uint8_t)c);
}
static inline void put(const char *text) {
    while (*text) put_char(*text++);
}
static inline void put_hex(word value) {
    put("0x");
    unsigned shift = 60;
    while (shift > 0 && value >> shift == 0) shift -= 4;
    for (;; shift -= 4) {
        put_char("0123456789abcdef"[value >> shift & 15]);
        if (shift == 0) return;
    }
}
static inline void put_number(word value) {
    if (value >= 10) put_number(value / 10);
    put_char((char)('0' + value % 10));
}

#endif
