/* A service that may kill services: kills the Linux personality once the program steady and the service of that name run, and tries what it must not do. */
#include "steady.h"

int hedra_main(void) {
    if (!steady_wait(2)) return 1;
    if (hedra_kill("nobody") != -2) return 2;
    int status = hedra_kill("linux");
    hedra_print(status == 0 ? "killed the Linux personality\n" : "FAIL: could not kill the Linux personality\n");
    return status == 0 ? 0 : 3;
}
