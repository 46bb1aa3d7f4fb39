// Flags that nothing in the program reads, as the handlers of faults and system calls see them: in code that has run often enough to be
// translated, where every flag is overwritten before a conditional jump could look at it.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#define ROUNDS 6000
// C, P, A, Z, S, O; without A, which AND and shifts leave undefined; C and O.
#define ALL 0x8d5
#define NO_A 0x8c5
#define C_O 0x801

// f(p, a, b): RDI = address that is read and faults at last, RSI and RDX = operands.
#define FUNCTION(name, body) asm(".text\n.globl " #name "\n.type " #name ",@function\n" #name ":\n" body)
#define DEAD "xor %ecx, %ecx\n ret\n"

FUNCTION(after_cmp, "cmp %rdx, %rsi\n mov (%rdi), %eax\n" DEAD);
FUNCTION(after_cmp_value, "cmpl $-5, %esi\n mov $7, %esi\n mov (%rdi), %eax\n" DEAD);
FUNCTION(after_add, "add %rdx, %rsi\n mov (%rdi), %eax\n" DEAD);
FUNCTION(after_add_byte, "add %dl, %sil\n mov %edx, %esi\n mov (%rdi), %eax\n" DEAD);
FUNCTION(after_sub_self, "sub %esi, %edx\n mov %edx, %esi\n mov $0, %edx\n mov (%rdi), %eax\n" DEAD);
FUNCTION(after_neg, "neg %si\n mov (%rdi), %eax\n" DEAD);
FUNCTION(after_adc, "cmp %rsi, %rdx\n adc %rdx, %rsi\n mov (%rdi), %eax\n" DEAD);
FUNCTION(after_sbb, "cmp %rsi, %rdx\n sbb %edx, %esi\n mov (%rdi), %eax\n" DEAD);
FUNCTION(after_inc, "cmp %rsi, %rdx\n inc %rsi\n mov (%rdi), %eax\n" DEAD);
FUNCTION(after_dec, "add %rsi, %rdx\n dec %dl\n mov $1, %edx\n mov (%rdi), %eax\n" DEAD);
FUNCTION(after_test, "test %rdx, %rsi\n mov $1, %edx\n mov (%rdi), %eax\n" DEAD);
FUNCTION(after_and, "and %edx, %esi\n mov (%rdi), %eax\n" DEAD);
FUNCTION(after_shl, "shl $3, %rsi\n mov (%rdi), %eax\n" DEAD);
FUNCTION(after_shift_by_cl, "cmp %rsi, %rdx\n mov %edx, %ecx\n sar %cl, %esi\n mov (%rdi), %eax\n" DEAD);
FUNCTION(after_shift_by_zero, "cmp %rsi, %rdx\n mov $64, %ecx\n shr %cl, %rsi\n mov (%rdi), %eax\n" DEAD);
FUNCTION(after_rol_by_result, "mov %edx, %ecx\n and $1, %ecx\n rol %cl, %esi\n mov (%rdi), %eax\n" DEAD);
FUNCTION(after_ror, "cmp %rsi, %rdx\n ror $1, %rsi\n mov (%rdi), %eax\n" DEAD);
FUNCTION(after_bt, "cmp %rdx, %rsi\n bt $3, %rsi\n stc\n cmc\n mov (%rdi), %eax\n" DEAD);
FUNCTION(after_imul, "imul %rdx, %rsi\n mov (%rdi), %eax\n" DEAD);
FUNCTION(after_ucomisd, "cvtsi2sd %rsi, %xmm0\n cvtsi2sd %rdx, %xmm1\n ucomisd %xmm1, %xmm0\n mov (%rdi), %eax\n" DEAD);
FUNCTION(after_store, "cmp %rdx, %rsi\n movb $1, (%rdi)\n" DEAD);
FUNCTION(after_modify, "cmp %rdx, %rsi\n addl $0, (%rdi)\n" DEAD);
// Through a call, a return, a jump, joined paths, and round a loop.
FUNCTION(through_call, "cmp %rdx, %rsi\n call load\n" DEAD "load: push %rbx\n mov (%rdi), %eax\n pop %rbx\n" DEAD);
FUNCTION(through_return, "call compare\n mov $0, %esi\n mov (%rdi), %eax\n" DEAD "compare: cmp %rdx, %rsi\n ret\n");
FUNCTION(through_jump, "lea 1f(%rip), %rax\n cmp %rdx, %rsi\n jmp *%rax\n ud2\n 1: mov $0, %esi\n mov (%rdi), %eax\n" DEAD);
FUNCTION(joined, "test %esi, %esi\n js 1f\n add %rsi, %rdx\n mov $0, %esi\n jmp 2f\n 1: sub %rdx, %rsi\n 2: mov (%rdi), %eax\n" DEAD);
FUNCTION(joined_by_bits, "test %esi, %esi\n js 1f\n bt $2, %rdx\n jmp 2f\n 1: shl $2, %rdx\n 2: mov (%rdi), %eax\n" DEAD);
FUNCTION(in_loop, "mov $4, %ecx\n lea -12(%rdi), %rdi\n 1: mov (%rdi), %eax\n add $4, %rdi\n sub $1, %ecx\n jne 1b\n" DEAD);
FUNCTION(in_loop_of_dec, "mov $4, %ecx\n lea -12(%rdi), %rdi\n cmp %rdx, %rsi\n 1: mov (%rdi), %eax\n lea 4(%rdi), %rdi\n dec %ecx\n jne 1b\n" DEAD);
// Other ways to be seen.
FUNCTION(at_ud2, "cmp %rdx, %rsi\n cmpb $0, (%rdi)\n jne 1f\n cmp %rsi, %rdx\n ud2\n 1: " DEAD);
FUNCTION(at_int3, "cmpb $0, (%rdi)\n jne 1f\n add %rsi, %rdx\n int3\n 1: " DEAD);
FUNCTION(at_div, "mov %rdx, %rax\n mov (%rdi), %ecx\n cmp %rdx, %rsi\n xchg %rcx, %rsi\n cqo\n idiv %esi\n" DEAD);

typedef void function(char *, long, long);
#define LIST(X)                                                                                                                  \
  X(after_cmp, ALL) X(after_cmp_value, ALL) X(after_add, ALL) X(after_add_byte, ALL) X(after_sub_self, ALL) X(after_neg, ALL)   \
  X(after_adc, ALL) X(after_sbb, ALL) X(after_inc, ALL) X(after_dec, ALL) X(after_test, NO_A) X(after_and, NO_A)                \
  X(after_shl, NO_A & ~0x800) X(after_shift_by_cl, NO_A & ~0x800) X(after_shift_by_zero, ALL) X(after_ror, ALL) X(after_bt, 1) \
  X(after_rol_by_result, NO_A)                                                                                                   \
  X(after_imul, C_O) X(after_ucomisd, ALL) X(after_store, ALL) X(after_modify, ALL) X(through_call, ALL) X(through_return, ALL)  \
  X(through_jump, ALL) X(joined, ALL) X(joined_by_bits, 1) X(in_loop, ALL) X(in_loop_of_dec, ALL) X(at_ud2, ALL) X(at_int3, ALL) \
  X(at_div, ALL)
#define DECLARE(name, mask) function name;
LIST(DECLARE)
#define ENTRY(name, mask) {#name, name, mask},
static struct { const char *name; function *f; int mask; } functions[] = {LIST(ENTRY)};

static sigjmp_buf back;
static long seen;
static void on_fault(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)info;
  seen = ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];
  siglongjmp(back, 1);
}

__attribute__((noinline)) static long caught(function *f, char *p, long a, long b) {
  seen = 0;
  if (!sigsetjmp(back, 1)) f(p, a, b);
  return seen;
}

// R11 and the flags after a system call whose stub did not set any.
asm(".text\n.globl stub\nstub: mov $39, %eax\n syscall\n ret\n"
    ".globl flags_of_call\nflags_of_call: push %rbx\n mov %rdi, %rbx\n cmp %rsi, %rbx\n call stub\n"
    "pushfq\n pop %rax\n shl $32, %rax\n or %r11, %rax\n pop %rbx\n ret\n");
unsigned long flags_of_call(long a, long b);

// A timer's signals in a loop that reads no flags: they are always those of the addition that has made R8.
asm(".text\n.globl spin\nspin: xor %r8d, %r8d\n add $1, %r8\n"
    "spin_begin: add $1, %r8\n mov rest(%rip), %ecx\n jrcxz spin_end\n jmp spin_begin\n"
    "spin_end: ret\n");
void spin(void);
extern char spin_begin[], spin_end[];
int rest, wrong;
static void on_alarm(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)info;
  greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
  if (rest == 0 || r[REG_RIP] < (long)spin_begin || r[REG_RIP] >= (long)spin_end) return;
  long n = r[REG_R8], parity = !__builtin_parity(n & 255) << 2, carry_4 = !(n & 15) << 4;
  wrong += (r[REG_EFL] & ALL) != (parity | carry_4);
  rest--;
}

static const long pairs[][2] = {{0, 0}, {1, 2}, {0x10, 1}, {-1, 1}, {0x7fffffffffffffff, -1}, {-0x7fffffffffffffff - 1, 1}, {0x80000000, 0xff}, {-6, 5}, {0x7000000000000001, 0x123456789}};
#define PAIRS (sizeof pairs / sizeof *pairs)

int main(void) {
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
  for (const int *s = (int[]){SIGSEGV, SIGILL, SIGTRAP, SIGFPE, 0}; *s; s++) sigaction(*s, &action, 0);
  char *pages = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(pages, 1, 2048);
  mprotect(pages + 4096, 4096, PROT_NONE);
  for (unsigned k = 0; k < sizeof functions / sizeof *functions; k++) {
    printf("%-20s", functions[k].name);
    for (unsigned n = 0; n < ROUNDS; n++) functions[k].f(pages + 64, 3 + (n & 7), 5);
    for (unsigned n = 0; n < PAIRS; n++) {
      // A page of zeros for those that end by another exception.
      char *last = pages + (strncmp(functions[k].name, "at_", 3) ? 4096 : 2048);
      printf(" %03lx", caught(functions[k].f, last, pairs[n][0], pairs[n][1]) & functions[k].mask);
    }
    printf("\n");
  }
  printf("%-20s", "calls");
  for (unsigned n = 0; n < PAIRS * ROUNDS; n++) {
    unsigned long both = flags_of_call(pairs[n % PAIRS][0], pairs[n % PAIRS][1]);
    if (n >= PAIRS * (ROUNDS - 1)) printf(" %03lx/%03lx", both & ALL, both >> 32 & ALL);
  }
  printf("\n%-20s", "timer");
  struct sigaction alarm = {.sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO};
  sigaction(SIGALRM, &alarm, 0);
  rest = 20;
  setitimer(ITIMER_REAL, &(struct itimerval){{0, 3000}, {0, 3000}}, 0);
  spin();
  setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, 0);
  printf(" %d wrong", wrong);
  printf("\n");
  return 0;
}
