/* Another client of the kv service's machine that must notice nothing: keeps calling the roottask's echo. */
#include "format.h"

int hedra_main(void) {
    for (uint64_t i = 0; i < 200; i++) {
        hedra_utcb()->word[0] = i;
        if (hedra_call(SEL_RAW_ECHO, 1) != HC_SUCCESS || hedra_utcb()->word[0] != i) return 1;
        hedra_sleep(100000);
    }
    hedra_print("200 calls to echo, undisturbed\n");
    return 0;
}
