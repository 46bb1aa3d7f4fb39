/*
 * A service as a guest binary: a key-value store behind one portal. Roottask starts it from the manifest (/etc/services.toml); clients get
 * its portal by name. Requests and replies: kv.h.
 */
#include "kv.h"

#define SERVER_UTCB 0x10000000ul
enum { SERVER_EC = SEL_FREE, SERVER_PT, FOREVER, ENTRIES = 64 };

static uint64_t server_stack[512] __attribute__((aligned(16)));
static struct { char key[KV_KEY]; uint64_t value; int used; } table[ENTRIES];
static uint64_t *volatile nowhere = (uint64_t *)0x10;

static int same(const char *a, const volatile uint8_t *b) {
    for (unsigned i = 0; i < KV_KEY; i++)
        if (a[i] != (char)b[i]) return 0;
    return 1;
}

__attribute__((used)) static void serve(void) {
    volatile struct hedra_utcb *utcb = (volatile struct hedra_utcb *)SERVER_UTCB;
    volatile uint8_t *key = utcb->byte + 16;
    uint64_t operation = utcb->word[0], value = utcb->word[1], result = KV_MISSING;
    unsigned words = utcb->untyped;
    if (operation == KV_ECHO) return; /* the reply is the request */
    if (operation == KV_CRASH) *nowhere = 1;
    if (words < KV_WORDS) result = KV_BAD;
    else if (operation == KV_GET || operation == KV_PUT) {
        int at = -1, unused = -1;
        for (int i = 0; i < ENTRIES; i++) {
            if (table[i].used && same(table[i].key, key)) at = i;
            if (!table[i].used && unused < 0) unused = i;
        }
        if (operation == KV_GET && at >= 0) {
            value = table[at].value;
            result = KV_OK;
        } else if (operation == KV_PUT) {
            if (at < 0) at = unused;
            result = at < 0 ? KV_FULL : KV_OK;
            if (at >= 0) {
                for (unsigned i = 0; i < KV_KEY; i++) table[at].key[i] = (char)key[i];
                table[at].value = value;
                table[at].used = 1;
            }
        }
    } else result = KV_BAD;
    utcb->word[0] = result;
    utcb->word[1] = value;
    utcb->untyped = 2;
}
__attribute__((naked, used)) static void serve_entry(void) {
    __asm__("call serve\n lea server_stack+4096(%rip), %rsp\n mov $1, %edi\n syscall\n ud2");
}

int hedra_main(void) {
    if (hedra_create_local_ec(SERVER_EC, SERVER_UTCB, (uint64_t)(uintptr_t)(server_stack + 512)) != HC_SUCCESS) return 1;
    if (hedra_create_pt(SERVER_PT, SERVER_EC, serve_entry) != HC_SUCCESS) return 2;
    if (hedra_offer(SERVER_PT) != 0) return 3;
    hedra_print("kv: ready\n");
    hedra_create_sm(FOREVER, 0);
    for (;;) hedra_sm_down(FOREVER, 0);
}
