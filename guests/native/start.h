/* Entry of a roottask, the system call with all registers, and the portal stub. Included once per program. */
#ifndef START_H
#define START_H
#include "hedron.h"

word entry_registers[16], entry_rflags, entry_cs, entry_ss;
static word boot_stack[1024] __attribute__((aligned(16), used));

__asm__(
    ".section .text.start,\"ax\"\n"
    ".globl _start\n"
    "_start:\n"
    "mov %rax, entry_registers\n mov %rcx, entry_registers + 8\n mov %rdx, entry_registers + 16\n mov %rbx, entry_registers + 24\n"
    "mov %rsp, entry_registers + 32\n mov %rbp, entry_registers + 40\n mov %rsi, entry_registers + 48\n mov %rdi, entry_registers + 56\n"
    "mov %r8, entry_registers + 64\n mov %r9, entry_registers + 72\n mov %r10, entry_registers + 80\n mov %r11, entry_registers + 88\n"
    "mov %r12, entry_registers + 96\n mov %r13, entry_registers + 104\n mov %r14, entry_registers + 112\n mov %r15, entry_registers + 120\n"
    "mov $boot_stack + 8192, %rsp\n"
    "pushfq\n pop entry_rflags\n"
    "mov %cs, entry_cs\n mov %ss, entry_ss\n"
    "call roottask\n"
    "ud2\n"
    ".text\n"
    ".globl syscall_with\n"
    "syscall_with:\n"
    "push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n push %rdi\n"
    "pushq 128(%rdi)\n popfq\n"
    "mov 0(%rdi), %rax\n mov 16(%rdi), %rdx\n mov 24(%rdi), %rbx\n mov 40(%rdi), %rbp\n mov 48(%rdi), %rsi\n"
    "mov 64(%rdi), %r8\n mov 72(%rdi), %r9\n mov 80(%rdi), %r10\n mov 96(%rdi), %r12\n mov 104(%rdi), %r13\n mov 112(%rdi), %r14\n"
    "mov 120(%rdi), %r15\n mov %rsp, 32(%rdi)\n mov 56(%rdi), %rdi\n"
    "syscall\n"
    ".globl syscall_return\n"
    "syscall_return:\n"
    "pushfq\n push %rdi\n mov 16(%rsp), %rdi\n"
    "mov %rax, 0(%rdi)\n mov %rcx, 8(%rdi)\n mov %rdx, 16(%rdi)\n mov %rbx, 24(%rdi)\n mov %rbp, 40(%rdi)\n mov %rsi, 48(%rdi)\n"
    "mov %r8, 64(%rdi)\n mov %r9, 72(%rdi)\n mov %r10, 80(%rdi)\n mov %r11, 88(%rdi)\n mov %r12, 96(%rdi)\n mov %r13, 104(%rdi)\n"
    "mov %r14, 112(%rdi)\n mov %r15, 120(%rdi)\n"
    "popq 56(%rdi)\n popq 128(%rdi)\n mov %rsp, %rax\n sub 32(%rdi), %rax\n mov %rax, 32(%rdi)\n" /* RSP: difference, 0 when restored */
    "pop %rdi\n pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n cld\n ret\n"
    ".globl portal_entry\n"
    "portal_entry:\n"
    "mov %rsp, %rbx\n call portal_dispatch\n mov %rbx, %rsp\n mov $1, %edi\n syscall\n ud2\n");

#endif
