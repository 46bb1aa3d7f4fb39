// Steps through code with the trap flag: what SIGTRAP reports after each instruction, compared with a real processor.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <ucontext.h>

#define TF 0x100

extern char code_begin[], code_end[];

static struct step {
  long offset;
  long rax, rcx;
  unsigned flags;
  int code, inside;
} steps[4096];
static volatile int count, inside_steps;
static char source[16] = "abcdefghijklmno", target[16];

static void on_trap(int signal, siginfo_t *info, void *context) {
  greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
  int inside = r[REG_RIP] >= (long)code_begin && r[REG_RIP] <= (long)code_end;
  (void)signal;
  if (!inside) {
    if (++inside_steps > 100000) r[REG_EFL] &= ~TF;
    return;
  }
  if (count == 4096) r[REG_EFL] &= ~TF;
  else {
    struct step *s = &steps[count++];
    s->offset = r[REG_RIP] - (long)code_begin;
    s->rax = r[REG_RAX];
    s->rcx = r[REG_RCX];
    s->flags = r[REG_EFL] & 0xdd5;
    s->code = info->si_code;
  }
}

// Everything that a step can meet: jumps, calls, REP with its iterations, PUSHF and POPF, loads of SS, conditional moves.
__attribute__((noinline)) static void stepped(void) {
  asm volatile(
      "xor %%eax, %%eax\n pushfq\n orq $0x100, (%%rsp)\n popfq\n"
      "code_begin: .globl code_begin\n"
      "nop\n xor %%eax, %%eax\n mov $3, %%ecx\n"
      "1: add $5, %%eax\n dec %%ecx\n jnz 1b\n"
      "call 2f\n jmp 3f\n"
      "2: lea 1(%%rax), %%rax\n ret\n"
      "3: lea %[source], %%rsi\n lea %[target], %%rdi\n mov $4, %%ecx\n cld\n rep movsb\n"
      "mov $0, %%ecx\n rep stosb\n"
      "lea %[source], %%rdi\n mov $'c', %%eax\n mov $9, %%ecx\n repne scasb\n"
      "lea %[source], %%rdi\n lea %[target], %%rsi\n mov $9, %%ecx\n repe cmpsb\n"
      "xor %%eax, %%eax\n"
      "mov %%ss, %%edx\n mov %%edx, %%ss\n nop\n nop\n"
      "push %%rbx\n mov $7, %%ebx\n cmp $7, %%ebx\n cmove %%ebx, %%eax\n pop %%rbx\n"
      "stc\n pushfq\n pop %%rax\n"
      "lea 4f(%%rip), %%rcx\n jmp *%%rcx\n ud2\n"
      "4: mov $2, %%ecx\n 5: loop 5b\n"
      "int3\n"
      "nop\n"
      "pushfq\n andq $~0x100, (%%rsp)\n popfq\n"
      "nop\n nop\n"
      "code_end: .globl code_end\n"
      :
      : [source] "m"(source), [target] "m"(target)
      : "rax", "rcx", "rdx", "rsi", "rdi", "memory", "cc");
}

__attribute__((noinline, noclone)) static long work(int n) {
  long sum = 0;
  asm volatile("");
  for (int i = 0; i < n; i++) sum = sum * 31 + (i ^ sum >> 7);
  return sum;
}

// A loop that is translated by now, stepped from its middle.
static long stepped_work(int n) {
  asm volatile("pushfq\n orq $0x100, (%%rsp)\n popfq" ::: "memory", "cc");
  long sum = work(n);
  asm volatile("pushfq\n andq $~0x100, (%%rsp)\n popfq" ::: "memory", "cc");
  return sum;
}

int main(void) {
  struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
  sigaction(SIGTRAP, &action, 0);
  stepped();
  for (int i = 0; i < count; i++) {
    struct step *s = &steps[i];
    // Addresses differ from run to run.
    printf("%3d: +%ld rax %lx rcx %lx flags %x code %d\n", i, s->offset, s->rax & 0xfff, s->rcx > 0xffff ? 0 : s->rcx, s->flags, s->code);
  }
  printf("%d steps, target %s\n", count, target);

  for (int i = 0; i < 50; i++) work(1000);
  inside_steps = 0;
  long plain = work(300), seen = stepped_work(300);
  printf("%ld %ld: %s, %s\n", plain, seen, plain == seen ? "equal" : "different", inside_steps > 1500 ? "many steps" : "few steps");
  printf("%d outside\n", inside_steps);
  return 0;
}
