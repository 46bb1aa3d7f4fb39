/* Threads: mutexes, condition variables, join, TLS, thread-directed signals, cancellation. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t full = PTHREAD_COND_INITIALIZER, empty = PTHREAD_COND_INITIALIZER;
static int slot, has, total;
static __thread int mine;
static atomic_int count;

static void *producer(void *p) {
  for (int i = 1; i <= 500; i++) {
    pthread_mutex_lock(&lock);
    while (has) pthread_cond_wait(&empty, &lock);
    slot = i;
    has = 1;
    pthread_cond_signal(&full);
    pthread_mutex_unlock(&lock);
  }
  return p;
}

static void *consumer(void *p) {
  for (int i = 1; i <= 500; i++) {
    pthread_mutex_lock(&lock);
    while (!has) pthread_cond_wait(&full, &lock);
    total += slot;
    has = 0;
    pthread_cond_signal(&empty);
    pthread_mutex_unlock(&lock);
  }
  return p;
}

static void *adder(void *p) {
  mine = (int)(long)p;
  for (int i = 0; i < 10000; i++) atomic_fetch_add(&count, 1);
  return (void *)(long)(mine * 2);
}

static void *spinner(void *p) {
  volatile long *stop = p;
  long n = 0;
  while (!*stop) n++;
  return (void *)(n > 0 ? 1L : 0L);
}

static atomic_int hits;
static void handler(int s) { (void)s; hits++; }
static void *sleeper(void *p) {
  struct timespec t = {5, 0};
  int r = nanosleep(&t, 0);
  return (void *)(long)(r == -1 && errno == EINTR ? 77 : r);
}
static void *forever(void *p) {
  for (;;) sleep(100);
}
static pthread_barrier_t barrier;
static void *at_barrier(void *p) {
  return (void *)(long)(pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD);
}
static pthread_once_t once = PTHREAD_ONCE_INIT;
static void first(void) { puts("once"); }

int main(void) {
  pthread_t a, b, many[8];
  void *r;
  pthread_create(&a, 0, producer, 0);
  pthread_create(&b, 0, consumer, 0);
  pthread_join(a, 0);
  pthread_join(b, 0);
  printf("total %d\n", total);
  for (long i = 0; i < 8; i++) pthread_create(&many[i], 0, adder, (void *)i);
  long sum = 0;
  for (int i = 0; i < 8; i++) pthread_join(many[i], &r), sum += (long)r;
  printf("count %d sum %ld mine %d\n", count, sum, mine);

  volatile long stop = 0;
  pthread_create(&a, 0, spinner, (void *)&stop);
  usleep(20000);
  stop = 1;
  pthread_join(a, &r);
  printf("spinner %d\n", (long)r >= 0);

  struct sigaction sa = {.sa_handler = handler};
  sigaction(SIGUSR1, &sa, 0);
  pthread_create(&a, 0, sleeper, 0);
  // The signal may come before it sleeps: again until it has ended.
  do {
    pthread_kill(a, SIGUSR1);
    usleep(20000);
  } while (pthread_tryjoin_np(a, &r));
  printf("sleeper %ld hit %d\n", (long)r, hits > 0);

  pthread_create(&a, 0, forever, 0);
  usleep(10000);
  pthread_cancel(a);
  pthread_join(a, &r);
  printf("cancelled %d\n", r == PTHREAD_CANCELED);

  pthread_barrier_init(&barrier, 0, 4);
  for (int i = 0; i < 4; i++) pthread_create(&many[i], 0, at_barrier, 0);
  sum = 0;
  for (int i = 0; i < 4; i++) pthread_join(many[i], &r), sum += (long)r;
  printf("serial %ld\n", sum);
  pthread_once(&once, first);
  pthread_once(&once, first);

  sem_t sem;
  sem_init(&sem, 0, 0);
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_nsec += 20000000;
  if (t.tv_nsec >= 1000000000) t.tv_sec++, t.tv_nsec -= 1000000000;
  int e = sem_timedwait(&sem, &t);
  printf("timedwait %d %s\n", e, strerror(errno));

  pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
  pthread_rwlock_rdlock(&rw);
  printf("trywr %s\n", strerror(pthread_rwlock_trywrlock(&rw)));
  pthread_rwlock_unlock(&rw);

  pthread_mutexattr_t ma;
  pthread_mutex_t robust;
  pthread_mutexattr_init(&ma);
  pthread_mutexattr_settype(&ma, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutex_init(&robust, &ma);
  pthread_mutex_lock(&robust);
  printf("relock %s\n", strerror(pthread_mutex_lock(&robust)));
  fflush(stdout);
  pthread_create(&a, 0, forever, 0);
  pthread_detach(a);
  return 5;
}
