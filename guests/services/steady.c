/* A Linux program that runs for ever: a service, or a client of the Linux personality that sees it killed. Its argument is its name. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "../services/steady.h"

int main(int argc, char **argv) {
    int log = open(STEADY_LOG, O_WRONLY | O_CREAT | O_APPEND, 0644);
    printf("%s: started\n", argc > 1 ? argv[1] : "steady");
    fflush(stdout);
    if (log < 0 || write(log, ".", 1) != 1 || close(log) != 0) return 1;
    for (;;) usleep(10000);
}
