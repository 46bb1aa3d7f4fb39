/* The vDSO: the clocks without a system call. One page, code and data; the TSC counts nanoseconds since boot.
 *
 * gcc -shared -nostdlib -Wl,-soname,linux-vdso.so.1,--hash-style=both,--build-id=none,-z,max-page-size=4096,-T,vdso.lds vdso.S -o vdso.so
 */
	.text
	.balign 64
	.globl	__vdso_clock_gettime, __vdso_gettimeofday, __vdso_time, __vdso_getcpu
	.type	__vdso_clock_gettime, @function
	.type	__vdso_gettimeofday, @function
	.type	__vdso_time, @function
	.type	__vdso_getcpu, @function

	/* Seconds in RAX, nanoseconds in RDX; changes RCX and XMM0. Exact: the TSC stays below 2^53. */
split:	rdtsc
	shlq	$32, %rdx
	orq	%rdx, %rax
	movq	%rax, %rdx
	cvtsi2sdq %rax, %xmm0
	mulsd	billionth(%rip), %xmm0
	cvttsd2siq %xmm0, %rax
	imulq	$1000000000, %rax, %rcx
	subq	%rcx, %rdx
	jns	1f
	decq	%rax
	addq	$1000000000, %rdx
1:	cmpq	$1000000000, %rdx
	jb	2f
	incq	%rax
	subq	$1000000000, %rdx
2:	ret

	/* The same for the wall clock. */
wall:	call	split
	addq	boot_seconds(%rip), %rax
	addq	boot_nanoseconds(%rip), %rdx
	cmpq	$1000000000, %rdx
	jb	1f
	incq	%rax
	subq	$1000000000, %rdx
1:	ret

__vdso_clock_gettime:
	cmpl	$11, %edi
	ja	3f
	movl	$0xd2, %eax		/* MONOTONIC, RAW, MONOTONIC_COARSE, BOOTTIME: bits 1, 4, 6, 7 */
	btl	%edi, %eax
	jc	1f
	movl	$0x821, %eax		/* REALTIME, REALTIME_COARSE, TAI: bits 0, 5, 11 */
	btl	%edi, %eax
	jnc	3f
	call	wall
	jmp	2f
1:	call	split
2:	movq	%rax, (%rsi)
	movq	%rdx, 8(%rsi)
	xorl	%eax, %eax
	ret
3:	movl	$228, %eax
	syscall
	ret

__vdso_gettimeofday:
	testq	%rdi, %rdi
	jz	1f
	call	wall
	movq	%rax, (%rdi)
	imulq	$274877907, %rdx, %rdx	/* n / 1000 for n < 2^30 */
	shrq	$38, %rdx
	movq	%rdx, 8(%rdi)
1:	testq	%rsi, %rsi
	jz	2f
	movq	$0, (%rsi)
2:	xorl	%eax, %eax
	ret

__vdso_time:
	call	wall
	testq	%rdi, %rdi
	jz	1f
	movq	%rax, (%rdi)
1:	ret

__vdso_getcpu:
	testq	%rdi, %rdi
	jz	1f
	movl	$0, (%rdi)
1:	testq	%rsi, %rsi
	jz	2f
	movl	$0, (%rsi)
2:	xorl	%eax, %eax
	ret

	.balign	8
billionth:
	.double	1e-9
	/* Written by the personality: the wall clock at boot. */
	.ascii	"WALLTIME"
boot_seconds:
	.quad	0
boot_nanoseconds:
	.quad	0
	.section .note.GNU-stack, "", @progbits
