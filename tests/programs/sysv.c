/* System V shared memory, semaphores and message queues: every result, for good and bad arguments. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "try.h"
union semun { int val; struct semid_ds *buf; unsigned short *array; };
static key_t key;
static void nobody(void) { if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534)) puts("cannot become nobody"); }
static void shm(void) {
  TRY(shmget(key, 100, 0));
  TRY(shmget(key, 0, IPC_CREAT | 0600));
  TRY(shmget(key, -1, IPC_CREAT | 0600));
  int id = MADE(shmget(key, 10000, IPC_CREAT | IPC_EXCL | 0600));
  TRY(shmget(key, 10000, IPC_CREAT | IPC_EXCL | 0600));
  TRY(shmget(key, 10001, 0));
  TRY(shmget(key, 100, 0) == id);
  TRY(shmget(key, 0, 0666) == id);
  char *a = MADE(shmat(id, 0, 0)), *b = MADE(shmat(id, 0, SHM_RDONLY));
  strcpy(a + 5000, "shared");
  printf("  %s\n", b + 5000);
  TRY(mprotect(b, 4096, PROT_READ | PROT_WRITE));
  TRY(shmat(id, a + 1, 0));
  TRY(shmat(id, a, 0));
  TRY((char *)shmat(id, a + 100, SHM_RND | SHM_REMAP) == a);
  TRY(shmat(id, 0, SHM_REMAP));
  TRY(shmat(-1, 0, 0));
  TRY(shmat(id + 1000000, 0, 0));
  struct shmid_ds ds;
  TRY(shmctl(id, IPC_STAT, &ds));
  printf("  size %zu mode %o uid %d nattch %lu cpid %d lpid %d key %d times %d %d %d\n", ds.shm_segsz, ds.shm_perm.mode, ds.shm_perm.uid,
         ds.shm_nattch, ds.shm_cpid == getpid(), ds.shm_lpid == getpid(), ds.shm_perm.__key == key, ds.shm_atime > 0, ds.shm_dtime > 0,
         ds.shm_ctime > 0);
  fflush(stdout);
  int pid = fork();
  if (!pid) {
    shmctl(id, IPC_STAT, &ds);
    printf("  nattch of two processes %lu\n", ds.shm_nattch);
    strcpy(a, "from the child");
    fflush(stdout);
    _exit(0);
  }
  wait(0);
  shmctl(id, IPC_STAT, &ds);
  printf("  nattch %lu, %s\n", ds.shm_nattch, b);
  TRY(munmap(a + 4096, 4096));
  shmctl(id, IPC_STAT, &ds);
  printf("  nattch after a hole %lu\n", ds.shm_nattch);
  TRY(shmdt(a + 8192));
  TRY(shmdt(a));
  TRY(shmdt(a));
  TRY(shmdt(b + 1));
  ds.shm_perm.mode = 0640;
  ds.shm_perm.uid = 5;
  TRY(shmctl(id, IPC_SET, &ds));
  TRY(shmctl(id, IPC_STAT, &ds));
  printf("  mode %o uid %d nattch %lu\n", ds.shm_perm.mode, ds.shm_perm.uid, ds.shm_nattch);
  TRY(shmctl(id, 99, &ds));
  TRY(shmctl(-1, IPC_STAT, &ds));
  TRY(shmctl(id, IPC_STAT, 0));
  TRY(shmctl(id, SHM_LOCK, 0));
  TRY(shmctl(id, SHM_UNLOCK, 0));
  fflush(stdout);
  pid = fork();
  if (!pid) {
    nobody();
    TRY(shmget(key, 0, 0) == id);
    TRY(shmget(key, 0, 0400));
    TRY(shmat(id, 0, SHM_RDONLY));
    TRY(shmctl(id, IPC_STAT, &ds));
    TRY(shmctl(id, IPC_SET, &ds));
    TRY(shmctl(id, IPC_RMID, 0));
    fflush(stdout);
    _exit(0);
  }
  wait(0);
  TRY(shmctl(id, IPC_RMID, 0));
  TRY(shmctl(id, IPC_STAT, &ds));
  TRY(shmget(key, 0, 0));
  printf("  still there: %s\n", b + 5000);
  TRY(shmdt(b));
  TRY(shmctl(id, IPC_RMID, 0));
}
static int semid;
static struct sembuf op(int n, int by, int flags) { return (struct sembuf){n, by, flags}; }
static void late(int ms, struct sembuf o, int count, int times) {
  (void)count;
  if (fork()) return;
  for (int i = 0; i < times; i++) usleep(1000 * ms), semop(semid, &o, 1);
  _exit(0);
}
static void onAlarm(int s) { (void)s; }
static void sem(void) {
  TRY(semget(key, 3, 0));
  TRY(semget(key, 0, IPC_CREAT | 0600));
  TRY(semget(key, -1, IPC_CREAT | 0600));
  TRY(semget(key, 100000, IPC_CREAT | 0600));
  semid = MADE(semget(key, 3, IPC_CREAT | IPC_EXCL | 0600));
  TRY(semget(key, 3, IPC_CREAT | IPC_EXCL | 0600));
  TRY(semget(key, 4, 0));
  TRY(semget(key, 0, 0) == semid);
  TRY(semctl(semid, 0, SETVAL, 2));
  TRY(semctl(semid, 0, SETVAL, -1));
  TRY(semctl(semid, 0, SETVAL, 32768));
  TRY(semctl(semid, 3, SETVAL, 2));
  TRY(semctl(semid, 0, GETVAL));
  TRY(semctl(semid, 0, GETPID) == getpid());
  TRY(semctl(semid, -1, GETVAL));
  unsigned short all[3] = {1, 2, 3};
  TRY(semctl(semid, 0, SETALL, all));
  memset(all, 0, sizeof all);
  TRY(semctl(semid, 0, GETALL, all));
  printf("  %d %d %d\n", all[0], all[1], all[2]);
  all[0] = 40000;
  TRY(semctl(semid, 0, SETALL, all));
  TRY(semctl(semid, 0, GETALL, (void *)1));
  struct sembuf ops[3] = {op(0, -1, 0), op(1, -2, 0), op(2, 5, 0)};
  TRY(semop(semid, ops, 3));
  struct sembuf zero[2] = {op(0, 0, IPC_NOWAIT), op(1, 0, IPC_NOWAIT)};
  TRY(semop(semid, zero, 2));
  ops[0] = op(2, -1, 0), ops[1] = op(0, -1, IPC_NOWAIT);
  TRY(semop(semid, ops, 2));
  TRY(semctl(semid, 2, GETVAL));
  TRY(semop(semid, ops, 0));
  TRY(semop(semid, ops, 501));
  TRY(semop(semid, (void *)8, 1));
  TRY(semop(-1, ops, 1));
  TRY(semop(semid + 1000000, ops, 1));
  ops[0] = op(3, 1, 0);
  TRY(semop(semid, ops, 1));
  ops[0] = op(0, 32767, 0);
  TRY(semop(semid, ops, 1));
  ops[0] = op(0, 1, 0);
  TRY(semop(semid, ops, 1));
  ops[0] = op(0, -32767, 0);
  TRY(semop(semid, ops, 1));
  struct timespec soon = {0, 1000000}, bad = {0, 2000000000}, none = {0, 0};
  ops[0] = op(0, -1, 0);
  TRY(semtimedop(semid, ops, 1, &soon));
  TRY(semtimedop(semid, ops, 1, &bad));
  TRY(semtimedop(semid, ops, 1, &none));
  fflush(stdout);
  late(50, op(0, 1, 0), 1, 1);
  TRY(semop(semid, ops, 1));
  wait(0);
  // Undo at the end of a process.
  int pid = fork();
  if (!pid) {
    struct sembuf u[2] = {op(1, 7, SEM_UNDO), op(2, -3, SEM_UNDO)};
    semop(semid, u, 2);
    _exit(0);
  }
  waitpid(pid, 0, 0);
  TRY(semctl(semid, 1, GETVAL));
  TRY(semctl(semid, 2, GETVAL));
  TRY(semctl(semid, 2, GETPID) == pid);
  pid = fork();
  if (!pid) {
    struct sembuf u = op(1, 7, SEM_UNDO);
    semop(semid, &u, 1);
    semctl(semid, 1, SETVAL, 3);
    _exit(0);
  }
  waitpid(pid, 0, 0);
  TRY(semctl(semid, 1, GETVAL));
  // Who waits, and for what.
  int waiters[2];
  for (int i = 0; i < 2; i++) {
    waiters[i] = fork();
    if (waiters[i]) continue;
    struct sembuf o = op(1, i ? 0 : -10, 0);
    int r = semop(semid, &o, 1);
    usleep(100000);
    printf("  waiter %d: %d %s\n", i, r, r ? strerrorname_np(errno) : "");
    fflush(stdout);
    _exit(0);
  }
  while (semctl(semid, 1, GETNCNT) < 1 || semctl(semid, 1, GETZCNT) < 1) usleep(1000);
  TRY(semctl(semid, 1, GETNCNT));
  TRY(semctl(semid, 1, GETZCNT));
  fflush(stdout);
  ops[0] = op(1, -3, 0);
  TRY(semop(semid, ops, 1));
  fflush(stdout);
  waitpid(waiters[1], 0, 0);
  TRY(semctl(semid, 0, IPC_RMID));
  fflush(stdout);
  waitpid(waiters[0], 0, 0);
  TRY(semctl(semid, 0, IPC_RMID));
  semid = MADE(semget(IPC_PRIVATE, 1, 0600));
  struct sigaction sa = {.sa_handler = onAlarm, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &sa, 0);
  ualarm(20000, 0);
  ops[0] = op(0, -1, 0);
  TRY(semop(semid, ops, 1));
  struct semid_ds ds;
  union semun arg = {.buf = &ds};
  TRY(semctl(semid, 0, IPC_STAT, arg));
  printf("  nsems %lu mode %o\n", ds.sem_nsems, ds.sem_perm.mode);
  ds.sem_perm.mode = 0444;
  TRY(semctl(semid, 0, IPC_SET, arg));
  TRY(semctl(semid, 0, 77, arg));
  fflush(stdout);
  pid = fork();
  if (pid) {
    waitpid(pid, 0, 0);
    TRY(semctl(semid, 0, IPC_RMID));
    return;
  }
  nobody();
  TRY(semctl(semid, 0, GETVAL));
  TRY(semctl(semid, 0, SETVAL, 1));
  TRY(semop(semid, ops, 1));
  ops[0] = op(0, 0, 0);
  TRY(semop(semid, ops, 1));
  TRY(semctl(semid, 0, IPC_RMID));
  fflush(stdout);
  _exit(0);
}
static struct { long type; char text[9000]; } m;
static int post(int id, long type, const char *text, int flags) {
  m.type = type;
  strcpy(m.text, text);
  return msgsnd(id, &m, strlen(text) + 1, flags);
}
static int fetch(int id, int size, long type, int flags) {
  memset(&m, 0, sizeof m);
  int r = msgrcv(id, &m, size, type, flags);
  if (r >= 0) printf("  got %ld %s\n", m.type, m.text);
  return r;
}
static void msg(void) {
  TRY(msgget(key, 0));
  int id = MADE(msgget(key, IPC_CREAT | IPC_EXCL | 0600));
  TRY(msgget(key, IPC_CREAT | IPC_EXCL | 0600));
  TRY(post(id, 0, "x", 0));
  TRY(post(id, -5, "x", 0));
  TRY(msgsnd(id, &m, 8193, 0));
  TRY(msgsnd(id, &m, -1, 0));
  TRY(msgsnd(id, (void *)1, 1, 0));
  TRY(msgsnd(-1, &m, 1, 0));
  TRY(post(id, 3, "three", 0));
  TRY(post(id, 1, "one", 0));
  TRY(post(id, 2, "two", 0));
  TRY(post(id, 3, "drei", 0));
  TRY(fetch(id, 3, 0, 0));
  TRY(fetch(id, 3, 0, MSG_NOERROR));
  TRY(fetch(id, 100, -2, 0));
  TRY(fetch(id, 100, 3, MSG_EXCEPT));
  TRY(fetch(id, 100, 9, IPC_NOWAIT));
  TRY(fetch(id, -1, 9, IPC_NOWAIT));
  TRY(fetch(id, 100, 0, 0));
  TRY(fetch(id, 100, 0, IPC_NOWAIT));
  TRY(fetch(id, 100, 0, 040000));
  TRY(post(id, 7, "copied", 0));
  TRY(fetch(id, 100, 0, 040000 | IPC_NOWAIT));
  TRY(fetch(id, 100, 1, 040000 | IPC_NOWAIT));
  TRY(fetch(id, 100, 0, 0));
  m.type = 1;
  TRY(msgsnd(id, &m, 8000, 0));
  TRY(msgsnd(id, &m, 8000, IPC_NOWAIT));
  TRY(msgsnd(id, &m, 8000, IPC_NOWAIT));
  struct msqid_ds ds;
  TRY(msgctl(id, IPC_STAT, &ds));
  printf("  qnum %lu cbytes %lu qbytes %lu mode %o pids %d %d\n", ds.msg_qnum, ds.__msg_cbytes, ds.msg_qbytes, ds.msg_perm.mode,
         ds.msg_lspid == getpid(), ds.msg_lrpid == getpid());
  fflush(stdout);
  int pid = fork();
  if (!pid) {
    usleep(50000);
    msgrcv(id, &m, 9000, 0, 0);
    _exit(0);
  }
  TRY(msgsnd(id, &m, 8000, 0));
  waitpid(pid, 0, 0);
  while (msgrcv(id, &m, 9000, 0, IPC_NOWAIT) >= 0);
  pid = fork();
  if (!pid) {
    usleep(50000);
    post(id, 2, "not yours", 0);
    usleep(50000);
    post(id, 4, "yours", 0);
    _exit(0);
  }
  TRY(fetch(id, 100, 4, 0));
  waitpid(pid, 0, 0);
  struct sigaction sa = {.sa_handler = onAlarm, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &sa, 0);
  ualarm(20000, 0);
  TRY(fetch(id, 100, 4, 0));
  ds.msg_qbytes = 100;
  ds.msg_perm.mode = 0622;
  TRY(msgctl(id, IPC_SET, &ds));
  TRY(msgsnd(id, &m, 101, IPC_NOWAIT));
  TRY(msgctl(id, 77, &ds));
  fflush(stdout);
  pid = fork();
  if (!pid) {
    nobody();
    TRY(post(id, 1, "nobody's", 0));
    TRY(fetch(id, 100, 0, 0));
    TRY(msgctl(id, IPC_STAT, &ds));
    TRY(msgctl(id, IPC_RMID, 0));
    fflush(stdout);
    _exit(0);
  }
  waitpid(pid, 0, 0);
  int ready[2];
  if (pipe(ready)) return;
  pid = fork();
  if (!pid) {
    if (write(ready[1], "", 1) != 1) return;
    int r = fetch(id, 100, 77, 0), e = errno;
    usleep(100000);
    printf("  %d %s\n", r, strerrorname_np(e));
    fflush(stdout);
    _exit(0);
  }
  char c;
  if (read(ready[0], &c, 1) != 1) return;
  usleep(200000);
  TRY(msgctl(id, IPC_RMID, 0));
  fflush(stdout);
  waitpid(pid, 0, 0);
  TRY(msgctl(id, IPC_RMID, 0));
}
int main(void) {
  setbuf(stdout, 0);
  key = getpid() * 7919 + 0x5000000;
  in("shared memory", shm);
  in("semaphores", sem);
  in("messages", msg);
  return 0;
}
