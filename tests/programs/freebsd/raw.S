/*
 * A FreeBSD program without a C library: raw system calls, errors by the carry flag, a signal handler and a second thread.
 * Built with gcc -nostdlib -static; the note makes it a FreeBSD program (NT_FREEBSD_ABI_TAG, 14.0).
 */
    .section .note.tag, "a", @note
    .balign 4
    .long 8, 4, 1
    .asciz "FreeBSD"
    .long 1400097

    .set SYS_exit, 1
    .set SYS_write, 4
    .set SYS_close, 6
    .set SYS_kill, 37
    .set SYS_getpid, 20
    .set SYS_sigaction, 416
    .set SYS_thr_exit, 431
    .set SYS_umtx_op, 454
    .set SYS_thr_new, 455
    .set SYS_mmap, 477

    .macro print label
    mov $SYS_write, %eax
    mov $1, %edi
    lea \label(%rip), %rsi
    mov $\label\()_end - \label, %edx
    syscall
    .endm
    .macro text label, string
\label: .ascii "\string\n"
\label\()_end:
    .endm

    .text
    .globl _start
_start:
    cmpq $1, (%rdi)                 /* RDI is the address of argc */
    jb fail
    print hello
    jc fail

    mov $SYS_close, %eax            /* an error: carry set, RAX the positive number EBADF */
    mov $99, %edi
    syscall
    jnc fail
    cmp $9, %eax
    jne fail
    print carry

    mov $SYS_mmap, %eax             /* anonymous memory: MAP_ANON | MAP_PRIVATE */
    xor %edi, %edi
    mov $65536, %esi
    mov $3, %edx
    mov $0x1002, %r10d
    mov $-1, %r8
    xor %r9d, %r9d
    syscall
    jc fail
    mov %rax, stack_base(%rip)
    movq $1, (%rax)

    mov $SYS_sigaction, %eax        /* SIGUSR1 to a handler, through the kernel's trampoline */
    mov $30, %edi
    lea action(%rip), %rsi
    xor %edx, %edx
    syscall
    jc fail
    mov $SYS_getpid, %eax
    syscall
    mov %eax, %edi
    mov $SYS_kill, %eax
    mov $30, %esi
    mov $0x1234, %rbx
    syscall
    jc fail
    cmp $0x1234, %rbx               /* registers come back from the frame */
    jne fail
    cmpl $30, signalled(%rip)
    jne fail
    print signal

    mov $SYS_thr_new, %eax
    lea parameters(%rip), %rdi
    mov $104, %esi
    syscall
    jc fail
wait:
    mov $SYS_umtx_op, %eax          /* UMTX_OP_WAIT_UINT while the word is 0 */
    lea word(%rip), %rdi
    mov $11, %esi
    xor %edx, %edx
    xor %r10d, %r10d
    xor %r8d, %r8d
    syscall
    jc fail
    cmpl $0, word(%rip)
    je wait
    print thread
    mov $SYS_exit, %eax
    mov $3, %edi
    syscall
fail:
    mov $SYS_exit, %eax
    mov $1, %edi
    syscall

handler:
    mov %edi, signalled(%rip)
    xor %ebx, %ebx
    ret

second:
    movl $1, word(%rip)
    mov $SYS_umtx_op, %eax          /* UMTX_OP_WAKE */
    lea word(%rip), %rdi
    mov $3, %esi
    mov $1, %edx
    syscall
    mov $SYS_thr_exit, %eax
    xor %edi, %edi
    syscall
    hlt

    .section .rodata
    text hello "Hello from FreeBSD"
    text carry "an error sets the carry flag"
    text signal "a signal handler ran and returned"
    text thread "a second thread woke the first"

    .data
    .balign 8
action:
    .quad handler
    .long 0
    .zero 20
parameters:                         /* struct thr_param */
    .quad second, 0
stack_base:
    .quad 0
    .quad 65536
    .zero 72
word: .long 0
signalled: .long 0
