/* Deep and mutual recursion, setjmp/longjmp in a loop, jump tables, large structures by value. */
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <setjmp.h>
static int depth(int n, volatile char *p){ char b[64]; memset(b,n,64); if(n==0) return b[3]+*p; int r=depth(n-1,b); return r+b[n&63]; }
static long ack(long m,long n){ return m==0? n+1 : n==0? ack(m-1,1) : ack(m-1,ack(m,n-1)); }
static jmp_buf jb; static void thrower(int i){ if(i%3==0) longjmp(jb,i+1); }
static int sw(int x){ switch(x%11){case 0:return 3;case 1:return x*2;case 2:return x^5;case 3:return x-9;case 4:return x/3;case 5:return 77;case 6:return x<<2;case 7:return x>>1;case 8:return -x;case 9:return x|1;default:return x&12;} }
struct big{double d[40];}; static struct big mk(struct big a,int i){ a.d[i%40]+=i; return a; }
int main(void){ char c=1; long s=0; for(int i=0;i<200;i++) s+=depth(5000+i,&c); printf("%ld\n",s);
 printf("%ld\n",depth(60000,&c)); printf("%ld %ld\n",ack(2,300),ack(3,7));
 volatile int cnt=0; for(int i=0;i<100000;i++){ int r=setjmp(jb); if(r==0) thrower(i); else cnt+=r; } printf("%d\n",cnt);
 unsigned h=0; for(int i=0;i<3000000;i++) h=h*31+sw(i); printf("%u\n",h);
 struct big b={{0}}; for(int i=0;i<100000;i++) b=mk(b,i); double t=0; for(int i=0;i<40;i++) t+=b.d[i]*i; printf("%.17g\n",t);
 int *a=malloc(4*100000); for(int i=0;i<100000;i++) a[i]=(i*7919)%100003; int cmp(const void*x,const void*y){return *(int*)x-*(int*)y;} qsort(a,100000,4,cmp); printf("%d %d\n",a[0],a[99999]); return 0; }
