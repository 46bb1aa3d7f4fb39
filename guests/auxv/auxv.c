/* Prints what the kernel put on the initial stack: arguments, environment and auxiliary vector. */
#include <elf.h>
#include <stdio.h>
#include <string.h>

static const struct {
    unsigned long key;
    const char *name;
    enum { NUMBER, HEX, TEXT, PRESENT } how;
} rows[] = {
    {AT_PHDR, "AT_PHDR", HEX},       {AT_PHENT, "AT_PHENT", NUMBER},       {AT_PHNUM, "AT_PHNUM", NUMBER},
    {AT_PAGESZ, "AT_PAGESZ", NUMBER}, {AT_BASE, "AT_BASE", HEX},            {AT_FLAGS, "AT_FLAGS", HEX},
    {AT_ENTRY, "AT_ENTRY", HEX},     {AT_UID, "AT_UID", NUMBER},           {AT_EUID, "AT_EUID", NUMBER},
    {AT_GID, "AT_GID", NUMBER},      {AT_EGID, "AT_EGID", NUMBER},         {AT_PLATFORM, "AT_PLATFORM", TEXT},
    {AT_HWCAP, "AT_HWCAP", HEX},     {AT_CLKTCK, "AT_CLKTCK", NUMBER},     {AT_SECURE, "AT_SECURE", NUMBER},
    {AT_RANDOM, "AT_RANDOM", PRESENT}, {AT_HWCAP2, "AT_HWCAP2", HEX},       {AT_EXECFN, "AT_EXECFN", TEXT},
    {AT_SYSINFO_EHDR, "AT_SYSINFO_EHDR", PRESENT}, {AT_MINSIGSTKSZ, "AT_MINSIGSTKSZ", NUMBER},
};

int main(int argc, char **argv, char **envp) {
    printf("argc %d\n", argc);
    for (int i = 0; i < argc; i++) printf("argv[%d] %s\n", i, argv[i]);
    printf("argv[argc] %s\n", argv[argc] ? "not NULL" : "NULL");
    printf("envp follows argv: %s\n", envp == argv + argc + 1 ? "yes" : "no");
    int count = 0;
    for (; envp[count]; count++) printf("envp[%d] %s\n", count, envp[count]);
    for (const unsigned long *entry = (const unsigned long *)(envp + count + 1); entry[0] != AT_NULL; entry += 2) {
        size_t row = 0;
        while (row < sizeof rows / sizeof *rows && rows[row].key != entry[0]) row++;
        if (row == sizeof rows / sizeof *rows) {
            printf("auxv %lu\n", entry[0]);
            continue;
        }
        printf("auxv %s", rows[row].name);
        switch (rows[row].how) {
            case NUMBER: printf(" %lu\n", entry[1]); break;
            case HEX: printf(" 0x%lx\n", entry[1]); break;
            case TEXT: printf(" \"%s\"\n", entry[1] ? (const char *)entry[1] : ""); break;
            default: printf(" %s\n", entry[1] ? "present" : "absent");
        }
    }
    return 0;
}
