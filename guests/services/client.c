/* Uses the key-value service, sees it die in the middle of a call, and connects again. The exit status is the number of failures. */
#include "kv.h"

enum { KV = SEL_FREE };
static unsigned failures;

static void check(const char *what, uint64_t got, uint64_t expected) {
    hedra_print(got == expected ? "ok    " : "FAIL  ");
    hedra_print(what);
    if (got != expected) {
        hedra_print(": ");
        print_unsigned(got);
        failures++;
    }
    hedra_print("\n");
}

/* The reply of the last call: printing uses the UTCB, too. */
static uint64_t result, value;
static uint64_t ask(uint64_t operation, const char *key, uint64_t argument) {
    uint64_t status = kv_call(KV, operation, key, argument);
    result = hedra_utcb()->word[0];
    value = hedra_utcb()->word[1];
    return status;
}

int hedra_main(void) {
    check("connect to kv", (uint64_t)-hedra_connect("kv", KV), 0);
    check("a name that nobody has is refused", (uint64_t)-hedra_connect("nobody", KV + 1), 2);
    check("put", ask(KV_PUT, "answer", 42), HC_SUCCESS);
    check("get", ask(KV_GET, "answer", 0), HC_SUCCESS);
    check("the value is there", value, 42);
    check("the service dies in our call: COM_ABT", ask(KV_CRASH, "", 0), HC_COM_ABT);
    check("its portal has gone: BAD_CAP", ask(KV_GET, "answer", 0), HC_BAD_CAP);
    check("connect again", (uint64_t)-hedra_connect("kv", KV), 0);
    check("get from the new one", ask(KV_GET, "answer", 0), HC_SUCCESS);
    check("it has no memory of the old one", result, KV_MISSING);
    check("put again", ask(KV_PUT, "answer", 43), HC_SUCCESS);
    return (int)failures;
}
