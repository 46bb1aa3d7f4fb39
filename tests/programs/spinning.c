/* Threads that hand over by spinning: with sched_yield, PAUSE, both, sleeps of nothing, spin locks. Each wait must let the others run. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 3, TURNS = 1000 };

static atomic_int turn;
static pthread_spinlock_t lock;
static long counter;

static void yields(void) { sched_yield(); }
static void pauses(void) { __builtin_ia32_pause(); }
static void both(void) {
  for (int i = 0; i < 30; i++) __builtin_ia32_pause();
  sched_yield();
}
static void sleeps(void) { nanosleep(&(struct timespec){0, 1}, 0); }
static void sleeps_not(void) { usleep(0); }

static const struct {
  const char *name;
  void (*wait)(void);
  int turns;
} ways[] = {{"yields", yields, TURNS},         {"pauses", pauses, TURNS / 100},   {"both", both, TURNS},
            {"sleeps", sleeps, TURNS / 10}, {"sleeps not", sleeps_not, TURNS / 10}};
static int way;

static void *hand_over(void *p) {
  for (int i = 0; i < ways[way].turns; i++) {
    while (atomic_load(&turn) != (int)(long)p) ways[way].wait();
    counter++;
    atomic_store(&turn, ((int)(long)p + 1) % THREADS);
  }
  return p;
}

static void *count_up(void *p) {
  for (int i = 0; i < 20 * TURNS; i++) {
    pthread_spin_lock(&lock);
    counter++;
    pthread_spin_unlock(&lock);
  }
  return p;
}

static void all(const char *name, void *(*body)(void *)) {
  pthread_t threads[THREADS];
  counter = 0;
  for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], 0, body, (void *)i);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], 0);
  printf("%s: %ld\n", name, counter);
}

int main(void) {
  for (way = 0; way < (int)(sizeof ways / sizeof *ways); way++) all(ways[way].name, hand_over);
  pthread_spin_init(&lock, 0);
  all("spin lock", count_up);
  return 0;
}
