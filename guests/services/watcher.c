/*
 * Waits until the Linux program and service steady has been started three times, or as often as the file /etc/starts says. It may not kill
 * anything itself.
 */
#include "steady.h"

int hedra_main(void) {
    static char text[8];
    size_t length = read_file("/etc/starts", text, sizeof text), starts = length ? 0 : 3;
    for (size_t i = 0; i < length && text[i] >= '0' && text[i] <= '9'; i++) starts = 10 * starts + (size_t)(text[i] - '0');
    if (hedra_kill("linux") != -1) return 1;
    if (!steady_wait(starts)) return 2;
    hedra_print("Linux programs run again\n");
    return 0;
}
