/* The shortest hyperapp: one message to the roottask's stdout service. */
#include "hedra.h"

int hedra_main(void) {
    hedra_print("Hello from a hyperapp: one call through portal 36, no Linux involved.\n");
    return 0;
}
