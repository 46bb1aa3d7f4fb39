/* Messages of the key-value service: word 0 operation or result, word 1 value, then the key, zero-padded. */
#ifndef KV_H
#define KV_H
#include "format.h"

enum { KV_ECHO, KV_GET, KV_PUT, KV_CRASH };
enum { KV_OK, KV_MISSING, KV_FULL, KV_BAD };
enum { KV_KEY = 32, KV_WORDS = 2 + KV_KEY / 8 };

/* Status of the call (HC_*); the service's result and value stand in words 0 and 1 of the UTCB. */
static inline uint64_t kv_call(uint64_t portal, uint64_t operation, const char *key, uint64_t value) {
    volatile struct hedra_utcb *utcb = hedra_utcb();
    utcb->word[0] = operation;
    utcb->word[1] = value;
    size_t length = hedra_strlen(key);
    for (unsigned i = 0; i < KV_KEY; i++) utcb->byte[16 + i] = i < length ? (uint8_t)key[i] : 0;
    return hedra_call(portal, KV_WORDS);
}
#endif
