/* A hybrid: a Linux program that uses Hedron where there is one. */
#include <stdio.h>
#include "hedra.h"

int main(void) {
    if (!hedra_detect()) {
        puts("Hello from plain Linux");
        return 0;
    }
    hedra_print("Hello from my hybrid\n");
    return 0;
}
