/* Looks names up, and connects to what it finds: "NAME PORT" pairs. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found, *each;
        int error = getaddrinfo(argv[i], argv[i + 1], &hints, &found);
        if (error != 0) {
            printf("%s: %s\n", argv[i], gai_strerror(error));
            continue;
        }
        for (each = found; each != NULL; each = each->ai_next) {
            char host[200];
            getnameinfo(each->ai_addr, each->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST);
            int fd = socket(each->ai_family, SOCK_STREAM, 0);
            printf("%s: %s %s\n", argv[i], host, connect(fd, each->ai_addr, each->ai_addrlen) == 0 ? "connected" : "refused");
            close(fd);
        }
        freeaddrinfo(found);
    }
}
