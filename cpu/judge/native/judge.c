/*
 * Native judge: runs machine code on the host's own x86-64 processor and reports the state it leaves.
 *
 * The cases of a batch run inside one signal handler: the exception that ends a case (the #UD of its end marker, or whatever it
 * raises) delivers the complete state; the handler records it, loads the next case into the signal frame and returns into it. So a case
 * costs one signal delivery and one sigreturn. The handler touches no thread-local data, because FS belongs to the case.
 *
 * Protocol and layout: cpu/judge/protocol.ts. stdin: baseline image of all areas, then batches (u32 bytes, cases); stdout: for each batch
 * u32 bytes, results.
 */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

enum { PAGE = 4096, PAGES = 8, IMAGE = PAGES * PAGE };
enum { HAS_FP = 1, FX_BYTES = 512, FX_USED = 416, YMM_BYTES = 256, XSTATE_BV = 512, YMM_AT = 576 };
enum { SYSCALL_VECTOR = 0x80, TIMEOUT_VECTOR = 0xff };

struct area {
  u64 address;
  u32 first_page, pages;
  int prot;
};
static const struct area AREAS[] = {
  {0x10000000, 0, 2, PROT_READ | PROT_EXEC},
  {0x20000000, 2, 2, PROT_READ | PROT_WRITE},
  {0x20004000, 4, 1, PROT_READ},
  {0x30000000, 5, 1, PROT_READ | PROT_WRITE},
  {0x40000000, 6, 2, PROT_READ | PROT_WRITE | PROT_EXEC},
};
enum { CODE_BYTES = 2 * PAGE };

struct test_case {
  u32 size, flags, code_offset, code_len, pokes_len, entry;
  u64 gpr[16], rflags, fs, gs;
  u8 rest[]; /* FXSAVE image and upper YMM halves (HAS_FP), code, pokes; each padded to 8 bytes */
};
struct result {
  u32 size, flags, vector, error;
  u64 cr2, gpr[16], rip, rflags, fs, gs;
  u8 rest[]; /* FXSAVE image and upper YMM halves (HAS_FP), changed words */
};
struct word {
  u32 offset, pad;
  u64 value;
};

static const int GREGS[16] = {
  REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
  REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static u8 *image;               /* writable alias of all areas */
static u8 baseline[IMAGE];
static u8 *input, *output;      /* the batch, its results */
static u32 input_bytes, output_bytes;
static u32 next_case;           /* offset in input */
static struct test_case *running;
static u32 case_number, tick_number;
static greg_t selectors;        /* a case may load others */
enum { BUFFER = 256 << 20 };

static long sys3(long n, long a, long b, long c) {
  long r;
  __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return r;
}
static void leave(int code) {
  for (;;) sys3(SYS_exit_group, code, 0, 0);
}
static void read_all(void *to, u64 bytes) {
  for (u64 done = 0; done < bytes;) {
    long n = sys3(SYS_read, 0, (long)to + done, bytes - done);
    if (n <= 0) leave(done == 0 ? 0 : 3);
    done += n;
  }
}
static void write_all(const void *from, u64 bytes) {
  for (u64 done = 0; done < bytes;) {
    long n = sys3(SYS_write, 1, (long)from + done, bytes - done);
    if (n <= 0) leave(4);
    done += n;
  }
}
static u64 get_fs(void) { u64 v; __asm__ volatile("rdfsbase %0" : "=r"(v)); return v; }
static u64 get_gs(void) { u64 v; __asm__ volatile("rdgsbase %0" : "=r"(v)); return v; }
static void set_fs(u64 v) { __asm__ volatile("wrfsbase %0" : : "r"(v)); }
static void set_gs(u64 v) { __asm__ volatile("wrgsbase %0" : : "r"(v)); }
static u32 padded(u32 n) { return (n + 7) & ~7u; }

static void finish(ucontext_t *uc) {
  struct result *r = (struct result *)(output + output_bytes);
  greg_t *g = uc->uc_mcontext.gregs;
  u8 *fx = (u8 *)uc->uc_mcontext.fpregs;
  u8 *p = r->rest;
  r->flags = running->flags;
  r->vector = g[REG_TRAPNO];
  r->error = g[REG_ERR];
  r->cr2 = g[REG_CR2];
  for (int n = 0; n < 16; n++) r->gpr[n] = g[GREGS[n]];
  r->rip = g[REG_RIP];
  r->rflags = g[REG_EFL];
  r->fs = get_fs();
  r->gs = get_gs();
  if (running->flags & HAS_FP) {
    memcpy(p, fx, FX_USED);
    memset(p + FX_USED, 0, FX_BYTES - FX_USED);
    if (*(u64 *)(fx + XSTATE_BV) & 4) memcpy(p + FX_BYTES, fx + YMM_AT, YMM_BYTES);
    else memset(p + FX_BYTES, 0, YMM_BYTES);
    p += FX_BYTES + YMM_BYTES;
  }
  /* Words that differ from the baseline; then the baseline again. */
  for (u32 page = CODE_BYTES; page < IMAGE; page += PAGE) {
    if (memcmp(image + page, baseline + page, PAGE) == 0) continue;
    for (u32 at = page; at < page + PAGE; at += 8) {
      u64 now = *(u64 *)(image + at);
      if (now == *(u64 *)(baseline + at)) continue;
      struct word w = {at, 0, now};
      memcpy(p, &w, sizeof w);
      p += sizeof w;
    }
    memcpy(image + page, baseline + page, PAGE);
  }
  memcpy(image + running->code_offset, baseline + running->code_offset, running->code_len);
  r->size = p - (u8 *)r;
  output_bytes += r->size;
}

static void next_batch(void) {
  if (running) {
    write_all(&output_bytes, 4);
    write_all(output, output_bytes);
  }
  output_bytes = 0;
  next_case = 0;
  read_all(&input_bytes, 4);
  if (input_bytes > BUFFER) leave(5);
  read_all(input, input_bytes);
}

static void start(ucontext_t *uc) {
  while (next_case >= input_bytes || !input_bytes) next_batch();
  struct test_case *c = running = (struct test_case *)(input + next_case);
  next_case += c->size;
  case_number++;
  greg_t *g = uc->uc_mcontext.gregs;
  u8 *fx = (u8 *)uc->uc_mcontext.fpregs;
  const u8 *p = c->rest;
  for (int n = 0; n < 16; n++) g[GREGS[n]] = c->gpr[n];
  g[REG_CSGSFS] = selectors;
  g[REG_EFL] = c->rflags;
  g[REG_RIP] = c->entry;
  /* What the signal frame does not restore (ID), a case may have changed. */
  __asm__ volatile("pushq $2\n\tpopfq" : : : "cc", "memory");
  set_fs(c->fs);
  set_gs(c->gs);
  *(u64 *)(fx + XSTATE_BV) |= 7;
  if (c->flags & HAS_FP) {
    memcpy(fx, p, FX_USED);
    memcpy(fx + YMM_AT, p + FX_BYTES, YMM_BYTES);
    p += FX_BYTES + YMM_BYTES;
  } else {
    memset(fx, 0, FX_USED);
    *(uint16_t *)fx = 0x37f;      /* FCW */
    *(u32 *)(fx + 24) = 0x1f80;   /* MXCSR */
    *(u32 *)(fx + 28) = 0xffff;
    memset(fx + YMM_AT, 0, YMM_BYTES);
  }
  memcpy(image + c->code_offset, p, c->code_len);
  p += padded(c->code_len);
  for (const u8 *end = p + c->pokes_len; p < end;) {
    const u32 *poke = (const u32 *)p;
    memcpy(image + poke[0], p + 8, poke[1]);
    p += 8 + padded(poke[1]);
  }
}

static void on_signal(int sig, siginfo_t *info, void *context) {
  (void)info;
  ucontext_t *uc = context;
  if (sig == SIGALRM) {
    if (case_number != tick_number) {
      tick_number = case_number;
      return;
    }
    uc->uc_mcontext.gregs[REG_TRAPNO] = TIMEOUT_VECTOR;
  }
  if (sig == SIGSYS) uc->uc_mcontext.gregs[REG_TRAPNO] = SYSCALL_VECTOR;
  if (running) finish(uc);
  else selectors = uc->uc_mcontext.gregs[REG_CSGSFS];
  start(uc);
}

/* System calls of the cases (below 4 GiB, where this program is not) become signals instead of reaching the kernel. */
static int guard(void) {
  struct sock_filter code[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof code / sizeof *code, code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(void) {
  int fd = memfd_create("judge", 0);
  if (fd < 0 || ftruncate(fd, IMAGE)) return 1;
  image = mmap(0, IMAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  for (unsigned n = 0; n < sizeof AREAS / sizeof *AREAS; n++) {
    const struct area *a = &AREAS[n];
    void *at = mmap((void *)a->address, a->pages * PAGE, a->prot, MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_POPULATE, fd, a->first_page * PAGE);
    if (at != (void *)a->address) return 2;
  }
  input = mmap(0, BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  output = mmap(0, BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  read_all(baseline, IMAGE);
  memcpy(image, baseline, IMAGE);

  stack_t stack = {.ss_sp = mmap(0, 1 << 18, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), .ss_size = 1 << 18};
  sigaltstack(&stack, 0);
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigfillset(&action.sa_mask);
  static const int SIGNALS[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGALRM, SIGSYS};
  for (unsigned n = 0; n < sizeof SIGNALS / sizeof *SIGNALS; n++) sigaction(SIGNALS[n], &action, 0);
  if (guard()) return 6;
  struct itimerval every = {{0, 300000}, {0, 300000}};
  setitimer(ITIMER_REAL, &every, 0);
  __asm__ volatile("ud2");
  return 0;
}
