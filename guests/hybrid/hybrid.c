/*
 * A hybrid in C: one static Linux binary that uses Linux's system calls everywhere and, when a Hedron lies below, Hedron's as well. On a
 * plain Linux it says so and ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "hedra.h"

#define LOCAL_UTCB 0xdeadb000ul
#define LOCAL_EC (SEL_FREE + 0)
#define LOCAL_PT (SEL_FREE + 1)
#define SEMAPHORE (SEL_FREE + 2)

static uint64_t local_stack[256] __attribute__((aligned(16)));

/* Our own portal: doubles word 0. */
__attribute__((used)) static void twice(void) {
    volatile struct hedra_utcb *utcb = (volatile struct hedra_utcb *)LOCAL_UTCB;
    utcb->word[0] *= 2;
}
__attribute__((naked, used)) static void twice_entry(void) {
    __asm__("call twice\n lea local_stack+2048(%rip), %rsp\n mov $1, %edi\n syscall\n ud2");
}

static int failures;
static void show(const char *what, uint64_t got, uint64_t expected) {
    printf("  %-52s %s (%llu)\n", what, got == expected ? "ok" : "FAIL", (unsigned long long)got);
    failures += got != expected;
}

int main(void) {
    printf("Hello from the Linux side of a hybrid in C\n");
    if (!getenv("LINUX_UNDER_HEDRON")) {
        printf("There is no Hedron below: Linux only\n");
        return 0;
    }
    printf("There is a Hedron below: using both\n");
    fflush(stdout); /* what follows goes through the roottask, not through stdio */
    hedra_print("Hello from the Hedron side, through portal 36\n");
    show("create_sm", hedra_create_sm(SEMAPHORE, 3), HC_SUCCESS);
    show("sm_ctrl down", hedra_sm_down(SEMAPHORE, 0), HC_SUCCESS);
    show("sm_ctrl down of a null selector is BAD_CAP", hedra_sm_down(SEMAPHORE + 50, 0), HC_BAD_CAP);
    show("create_ec", hedra_create_local_ec(LOCAL_EC, LOCAL_UTCB, (uint64_t)(local_stack + 256)), HC_SUCCESS);
    /* In a foreign PD the local EC's `reply` is a native call only with its own toggle set. */
    ((volatile struct hedra_utcb *)LOCAL_UTCB)->syscall_flags = 1;
    show("create_pt", hedra_create_pt(LOCAL_PT, LOCAL_EC, twice_entry), HC_SUCCESS);
    hedra_utcb()->word[0] = 21;
    hedra_call(LOCAL_PT, 1);
    show("a call to our own portal doubles 21", hedra_utcb()->word[0], 42);
    hedra_utcb()->word[0] = 4711;
    hedra_call(SEL_RAW_ECHO, 1);
    show("a call to the roottask's raw echo gives 4711", hedra_utcb()->word[0], 4711);
    printf("%s: Linux calls still work, getppid() %s\n", failures ? "FAILED" : "Done", getppid() >= 0 ? "answers" : "fails");
    return failures;
}
