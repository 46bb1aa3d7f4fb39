/* YMM registers through signals and fork; functions of the C library that choose AVX2. */
#include <immintrin.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum { FX_BYTES = 512, XSTATE_HEADER = 64, SW_BYTES = 464 };

/* Clobbers YMM5 and YMM15; changes what YMM15 will be afterwards. */
static void handler(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)info;
  char *image = (char *)((ucontext_t *)context)->uc_mcontext.fpregs;
  unsigned *upper = (unsigned *)(image + FX_BYTES + XSTATE_HEADER);
  __m256i sevens = _mm256_set1_epi32(7);
  __asm__ volatile("vmovdqa %0, %%ymm5\n vmovdqa %0, %%ymm15" : : "m"(sevens) : "xmm5", "xmm15");
  printf("magic %x, upper half of ymm5 begins with %u\n", *(unsigned *)(image + SW_BYTES), upper[4 * 5]);
  upper[4 * 15] = 0x1234;
}
/* A context without FPU state. */
static void forgetting(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)info;
  __m256i sevens = _mm256_set1_epi32(7);
  __asm__ volatile("vmovdqa %0, %%ymm5" : : "m"(sevens) : "xmm5");
  ((ucontext_t *)context)->uc_mcontext.fpregs = 0;
}
static void print(const char *what, __m256i v) {
  unsigned e[8];
  memcpy(e, &v, sizeof e);
  printf("%s: %x %x %x %x %x %x %x %x\n", what, e[0], e[1], e[2], e[3], e[4], e[5], e[6], e[7]);
}

int main(void) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGTRAP, &action, 0);
  __m256i x = _mm256_setr_epi32(1, 2, 3, 4, 5, 6, 7, 8), y, z;
  __asm__ volatile("vmovdqa %2, %%ymm5\n vmovdqa %2, %%ymm15\n int3\n vmovdqa %%ymm5, %0\n vmovdqa %%ymm15, %1"
                   : "=m"(y), "=m"(z) : "m"(x) : "xmm5", "xmm15");
  print("ymm5", y), print("ymm15", z);
  action.sa_sigaction = forgetting;
  sigaction(SIGTRAP, &action, 0);
  __asm__ volatile("vmovdqa %1, %%ymm5\n int3\n vmovdqa %%ymm5, %0" : "=m"(y) : "m"(x) : "xmm5");
  print("forgotten", y);
  fflush(stdout);
  int pid = 57; /* fork */
  __asm__ volatile("vmovdqa %2, %%ymm15\n syscall\n vmovdqa %%ymm15, %0" : "=m"(z), "+a"(pid) : "m"(x) : "xmm15", "rcx", "r11", "memory");
  if (pid != 0) waitpid(pid, 0, 0);
  print(pid == 0 ? "child" : "parent", z);
  if (pid == 0) return fflush(stdout), 0;

  static char text[5000];
  memset(text, 'x', sizeof text - 1);
  size_t lengths = 0;
  for (int n = 0; n < 2000; n++) lengths += strlen(text + n) + (strchr(text + n, 'y') != 0) + (size_t)!memcmp(text, text + n, 2000);
  double sum = 0, fused = 0;
  for (int n = 1; n < 3000; n++) sum += sin(n) + exp(1.0 / n) + pow(n, 0.3), fused = fma(fused, 0.999, sum);
  printf("%zu %.17g %.17g\n", lengths, sum, fused);
  return 0;
}
