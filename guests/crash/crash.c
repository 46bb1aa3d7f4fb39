/* A hyperapp that does what it must not: the demo shows that only it dies. */
#include "hedra.h"

static uint64_t *volatile nowhere = (uint64_t *)0x10;

int hedra_main(void) {
    hedra_print("About to write to address 0x10\n");
    *nowhere = 1;
    hedra_print("This must never appear\n");
    return 0;
}
