/* A function unmaps what its caller has just read and reads again: the second access must fault. */
#include <stdio.h>
#include <sys/mman.h>
#include <signal.h>
#include <setjmp.h>
#include <string.h>
static sigjmp_buf jb; static void h(int s){ siglongjmp(jb,1); }
__attribute__((noinline)) void drop(char*p){ munmap(p+0x40000,0x40000); }
__attribute__((noinline)) int use(char*p,int cut){ int s=p[0x50000]; if(cut) drop(p); s+=p[0x50000]; p[0x50000]=9; return s; }
int main(void){ signal(SIGSEGV,h); int faults=0,sum=0; for(int r=0;r<300;r++){ char*p=mmap(0,0x100000,3,MAP_PRIVATE|MAP_ANONYMOUS,-1,0); memset(p,1,0x100000); for(int i=0;i<300;i++) sum+=use(p,0);
 if(sigsetjmp(jb,1)==0){ sum+=use(p,1); } else faults++; munmap(p,0x40000); munmap(p+0x80000,0x80000);} printf("%d %d\n",faults,sum); return 0; }
