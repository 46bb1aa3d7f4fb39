/* A hyperapp: hedra_main is the program, its result the exit status. */
#include "hedra.h"

int hedra_main(void) {
    hedra_print("Hello from my hyperapp\n");
    return 0;
}
