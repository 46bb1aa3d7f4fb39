/* Code that a program writes and runs: many small functions, an immediate that the loop itself changes, W^X flips. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
int main(void){ unsigned char *p=mmap(0,8192,7,MAP_PRIVATE|MAP_ANONYMOUS,-1,0); unsigned s=0;
 for(int i=0;i<3000;i++){ unsigned char c[]={0xb8,0,0,0,0,0x01,0xf8,0xc3}; memcpy(c+1,&i,4); memcpy(p+(i%16)*8,c,8); s=s*3+((int(*)(int))(p+(i%16)*8))(i); }
 printf("%u\n",s);
 // self-modifying inside a hot loop
 unsigned char l[]={0x31,0xc0,0xb9,0xe8,0x03,0,0, 0x05,1,0,0,0, 0xff,0x47,0x00, 0xff,0xc9,0x75,0xf4,0xc3}; memcpy(p+4096,l,sizeof l);
 // add eax, imm32 at +7 (imm at +8), inc dword [rdi] ; rdi = &imm
 int r=0; for(int k=0;k<50;k++) r+=((int(*)(void*))(p+4096))(p+4096+8); printf("%d\n",r);
 for(int k=0;k<2000;k++){ mprotect(p,4096,3); p[1]=k; p[0]=0xb8; p[2]=p[3]=p[4]=0; p[5]=0xc3; mprotect(p,4096,5); r+=((int(*)(void))p)(); } printf("%d\n",r);
 return 0; }
