/*
 * Conformance suite of the Hedron interface, run as a roottask: one line per check, in the order of the interface description. It
 * knows nothing of the kernel's sources. Build with -DAPI=5004 or -DAPI=13002.
 */
#include "harness.h"
#include "boot.h"
#include "basics.h"
#include "create.h"
#if __has_include("delegation.h")
#include "delegation.h"
#include "ipc.h"
#include "events.h"
#include "semaphores.h"
#include "foreign.h"
#include "vectors.h"
#include "messages.h"
#include "trees.h"
#endif

__attribute__((noreturn)) void roottask(void);
void roottask(void) {
    if (uart_init() != SUCCESS) __builtin_trap();
    delegate(ROOT_PD, mem(POOL, POOL_ORDER, 31), ROOT_PD, mem(POOL, POOL_ORDER, 31), META_DELEGATE | META_HYPERVISOR);
    suite_boot();
    suite_hip();
    events_init();
    suite_convention();
    suite_pd_ctrl();
    suite_create();
    suite_small_calls();
    suite_unprivileged();
#if __has_include("delegation.h")
    suite_delegation();
    suite_translation();
    suite_revocation();
    suite_ports();
    suite_ipc();
    suite_exceptions();
    suite_threads();
    suite_semaphores();
    suite_scheduling();
    suite_foreign();
    suite_death();
    suite_vectors();
    suite_pager();
    suite_reply_items();
    suite_bases();
    suite_reply_semaphore();
    suite_helping();
    suite_event_base();
    suite_trees();
    suite_waiting();
    suite_time();
#endif
    put("conformance: ");
    put_number(checks);
    put(" checks, ");
    put_number(failures);
    put(" failed\n");
    word never = fresh();
    create_sm(never, ROOT_PD, 0, 0);
    for (;;) sm_down(never, 0, 0);
}
