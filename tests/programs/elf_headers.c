/* Starts copies of this program with one header field changed each, and tells what execve says. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
static unsigned char *image;
static long size;
static char path[64];
static void try(const char *what, const unsigned char *bytes, long n, int mode) {
  unlink(path);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  write(fd, bytes, n);
  fchmod(fd, mode);
  close(fd);
  int pid = fork();
  if (!pid) {
    char *a[] = {path, "quick", 0}, *e[] = {0};
    execve(path, a, e);
    dprintf(1, "%s: %s\n", what, strerrorname_np(errno));
    _exit(0);
  }
  int st;
  waitpid(pid, &st, 0);
  if (WIFSIGNALED(st)) printf("%s: signal %d\n", what, WTERMSIG(st));
  else if (WEXITSTATUS(st)) printf("%s: exit %d\n", what, WEXITSTATUS(st));
}
static void field(const char *what, long at, int bytes, unsigned long value) {
  unsigned char *copy = malloc(size);
  memcpy(copy, image, size);
  memcpy(copy + at, &value, bytes);
  char text[100];
  snprintf(text, sizeof text, "%s = 0x%lx", what, value);
  try(text, copy, size, 0700);
  free(copy);
}
int main(int argc, char **argv) {
  if (argc > 1) return 33;
  setbuf(stdout, 0);
  snprintf(path, sizeof path, "/tmp/hedra-elf-%d", getpid());
  int fd = open("/proc/self/exe", O_RDONLY);
  struct stat s;
  fstat(fd, &s);
  size = s.st_size;
  image = malloc(size);
  read(fd, image, size);
  close(fd);
  Elf64_Ehdr *h = (void *)image;
  try("unchanged", image, size, 0700);
  try("not executable", image, size, 0600);
  try("empty", image, 0, 0700);
  try("10 bytes", image, 10, 0700);
  try("63 bytes", image, 63, 0700);
  try("header only", image, 64, 0700);
  try("cut in the program headers", image, 64 + 56, 0700);
  try("text", (void *)"plain text\n", 11, 0700);
  try("script", (void *)"#!/no/such/interpreter\n", 23, 0700);
  try("script without name", (void *)"#!\n", 3, 0700);
  try("script of itself", (void *)"#!/bin/false\n", 13, 0700);
  field("magic", 0, 1, 0x7e);
  field("class", 4, 1, 3);
  field("data", 5, 1, 2);
  field("version", 6, 1, 9);
  field("abi", 7, 1, 77);
  for (int t = 0; t < 5; t++) field("type", 16, 2, t);
  field("machine", 18, 2, 3);
  field("machine", 18, 2, 183);
  field("e_version", 20, 4, 5);
  unsigned long values[] = {0, 1, 0x1000, 0x7fffffffffff, 0x800000000000, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff};
  for (int i = 0; i < 8; i++) field("phoff", 32, 8, values[i]);
  field("phentsize", 54, 2, 0);
  field("phentsize", 54, 2, 55);
  field("phentsize", 54, 2, 0xffff);
  field("phnum", 56, 2, 0);
  field("phnum", 56, 2, 1);
  field("phnum", 56, 2, 0xffff);
  int load = -1;
  Elf64_Phdr *p = (void *)(image + h->e_phoff);
  for (int i = 0; i < h->e_phnum && load < 0; i++) if (p[i].p_type == PT_LOAD) load = i;
  long at = h->e_phoff + load * sizeof *p;
  for (int i = 1; i < 8; i++) {
    field("p_offset", at + 8, 8, values[i]);
    field("p_filesz", at + 32, 8, values[i]);
    field("p_memsz", at + 40, 8, values[i]);
  }
  for (int i = 4; i < 8; i++) field("p_vaddr", at + 16, 8, values[i]);
  field("p_type all", at, 4, 0);
  for (int i = 0; i < h->e_phnum; i++) if (p[i].p_type == PT_NOTE || p[i].p_type == PT_GNU_STACK) {
    long n = h->e_phoff + i * sizeof *p;
    unsigned char *copy = malloc(size);
    memcpy(copy, image, size);
    unsigned int interp = PT_INTERP;
    memcpy(copy + n, &interp, 4);
    unsigned long v[] = {0, 1, 2, 5000, 0xffffffffffffffff};
    for (int k = 0; k < 5; k++) {
      memcpy(copy + n + 32, &v[k], 8);
      char text[64];
      snprintf(text, sizeof text, "interp size 0x%lx", v[k]);
      try(text, copy, size, 0700);
    }
    unsigned long sz = 9, off = size - 9;
    memcpy(copy + n + 32, &sz, 8);
    memcpy(copy + n + 8, &off, 8);
    memcpy(copy + off, "/no/such", 9);
    try("interp missing", copy, size, 0700);
    memcpy(copy + off, "/etc/////", 9);
    try("interp unterminated", copy, size, 0700);
    sz = 5; off = size - 5;
    memcpy(copy + n + 32, &sz, 8);
    memcpy(copy + n + 8, &off, 8);
    memcpy(copy + off, "/etc", 5);
    try("interp directory", copy, size, 0700);
    sz = 10; off = size - 10;
    memcpy(copy + n + 32, &sz, 8);
    memcpy(copy + n + 8, &off, 8);
    memcpy(copy + off, "/bin/cat\0", 10);
    off = size + 100;
    memcpy(copy + n + 8, &off, 8);
    try("interp beyond the end", copy, size, 0700);
    free(copy);
    break;
  }
  unlink(path);
  mkdir(path, 0700);
  char *a[] = {path, 0};
  execve(path, a, 0);
  printf("directory: %s\n", strerrorname_np(errno));
  rmdir(path);
  execve(path, a, 0);
  printf("missing: %s\n", strerrorname_np(errno));
  execve("", a, 0);
  printf("no name: %s\n", strerrorname_np(errno));
  execve("/etc/passwd/x", a, 0);
  printf("not a directory: %s\n", strerrorname_np(errno));
  execve((char *)1, a, 0);
  printf("bad address: %s\n", strerrorname_np(errno));
  char *big = malloc(200000);
  memset(big, 'x', 199999);
  big[199999] = 0;
  char *b[] = {big, big, 0};
  execve("/proc/self/exe", b, 0);
  printf("long argument: %s\n", strerrorname_np(errno));
  return 0;
}
