/*
 * A tour of everything that a hyperapp can use: the services of the roottask (stdout, stderr, allocate, fs, echo, raw echo) and objects of
 * its own (semaphore, local EC, portal). Prints one line per stop; the exit status is the number of stops that failed.
 */
#include "format.h"

static unsigned failures;

static void stop(const char *what, int good) {
    hedra_print(good ? "  ok    " : "  FAIL  ");
    hedra_print(what);
    hedra_print("\n");
    if (!good) failures++;
}

static void tour_echo(void) {
    const uint64_t portals[] = {SEL_ECHO, SEL_RAW_ECHO};
    const char *const names[] = {"echo returns 64 words unchanged", "raw echo returns 64 words unchanged"};
    for (unsigned p = 0; p < 2; p++) {
        for (unsigned i = 0; i < 64; i++) hedra_utcb()->word[i] = 0x0123456789abcdef * (i + 1);
        int good = hedra_call(portals[p], 64) == HC_SUCCESS && hedra_utcb()->untyped == 64;
        for (unsigned i = 0; i < 64; i++) good &= hedra_utcb()->word[i] == 0x0123456789abcdef * (i + 1);
        stop(names[p], good);
    }
}

static void tour_allocate(void) {
    enum { BYTES = 1 << 20 };
    uint64_t *memory = hedra_allocate(BYTES, 4096);
    int good = memory != 0 && ((uintptr_t)memory & 4095) == 0;
    for (unsigned i = 0; good && i < BYTES / 8; i += 512) good = memory[i] == 0;
    stop("allocate gives 1 MiB of zeroed pages", good);
    if (!good) return;
    for (unsigned i = 0; i < BYTES / 8; i++) memory[i] = i * 3;
    uint64_t sum = 0;
    for (unsigned i = 0; i < BYTES / 8; i++) sum += memory[i];
    stop("they keep what was written", sum == 3ull * (BYTES / 8) * (BYTES / 8 - 1) / 2);
    hedra_free(memory, BYTES, 4096);
    void *again = hedra_allocate(4096, 4096);
    stop("allocate works after free", again != 0);
}

static void tour_files(void) {
    static const char text[] = "Hedron's roottask keeps files for hyperapps\n";
    char back[64] = {0};
    stop("open of a missing file fails", hedra_open("/tmp/hedra-tour-none", HEDRA_O_RDWR, 0) < 0);
    int fd = hedra_open("/tmp/hedra-tour", HEDRA_O_RDWR | HEDRA_O_CREAT | HEDRA_O_TRUNC, 0600);
    stop("open creates a file", fd >= 3);
    stop("write takes all bytes", hedra_write(fd, text, sizeof text - 1) == sizeof text - 1);
    hedra_seek(fd, 0);
    size_t n = hedra_read(fd, back, sizeof back);
    int same = n == sizeof text - 1;
    for (size_t i = 0; same && i < n; i++) same = back[i] == text[i];
    stop("read gives them back", same);
    hedra_seek(fd, 9);
    stop("lseek moves", hedra_read(fd, back, 8) == 8 && back[0] == 'r' && back[7] == 'k');
    hedra_close(fd);
    stop("a closed descriptor reads nothing", hedra_read(fd, back, 8) == 0);
}

static void tour_semaphore(void) {
    stop("create_sm makes a semaphore with count 1", hedra_create_sm(SEL_FREE + 10, 1) == HC_SUCCESS);
    stop("create_sm refuses a selector in use", hedra_create_sm(SEL_FREE + 10, 1) == HC_BAD_CAP);
    stop("down takes the count", hedra_sm_down(SEL_FREE + 10, 0) == HC_SUCCESS);
    stop("down with a past deadline times out", hedra_sm_down(SEL_FREE + 10, 1) == HC_COM_TIM);
    hedra_sm_up(SEL_FREE + 10);
    stop("up lets down through again", hedra_sm_down(SEL_FREE + 10, 0) == HC_SUCCESS);
    stop("up of a null selector is BAD_CAP", hedra_sm_up(SEL_FREE + 11) == HC_BAD_CAP);
}

/* A service of our own: answers with the sum of two words and the portal's id. */
static uint64_t service_stack[512];
#define SERVICE_UTCB 0x10000000ul
__attribute__((used)) static void service(uint64_t id) {
    volatile struct hedra_utcb *utcb = (volatile struct hedra_utcb *)SERVICE_UTCB;
    utcb->word[0] += utcb->word[1];
    utcb->word[1] = id;
    utcb->untyped = 2;
}
/* The kernel enters with the portal's id in RDI; `reply` is hypercall 1, with the stack as it shall be at the next call. */
__attribute__((naked, used)) static void service_entry(void) {
    __asm__("call service\n lea service_stack+4096(%rip), %rsp\n mov $1, %edi\n syscall\n ud2");
}

static void tour_portal(void) {
    uint64_t ec = SEL_FREE + 20, pt = SEL_FREE + 21;
    stop("create_ec makes a local EC with a UTCB of its own",
         hedra_create_local_ec(ec, SERVICE_UTCB, (uint64_t)(uintptr_t)(service_stack + 512)) == HC_SUCCESS);
    stop("create_pt makes a portal to it", hedra_create_pt(pt, ec, service_entry) == HC_SUCCESS);
    stop("pt_ctrl sets its id", hedra_pt_ctrl(pt, 77) == HC_SUCCESS);
    int good = 1;
    for (uint64_t i = 0; i < 1000; i++) {
        hedra_utcb()->word[0] = i;
        hedra_utcb()->word[1] = 1000000;
        good &= hedra_call(pt, 2) == HC_SUCCESS && hedra_utcb()->word[0] == 1000000 + i && hedra_utcb()->word[1] == 77;
    }
    stop("1000 calls within this PD", good);
}

int hedra_main(void) {
    hedra_print("A tour of the services that a hyperapp has\n");
    tour_echo();
    tour_allocate();
    tour_files();
    tour_semaphore();
    tour_portal();
    hedra_write_bytes(SEL_STDERR, "tour: one line on stderr\n", 25);
    print_unsigned(failures);
    hedra_print(failures == 1 ? " stop failed\n" : " stops failed\n");
    return (int)failures;
}
