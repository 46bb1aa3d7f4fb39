/*
 * A roottask for `hedra boot` that shows the whole interface in little: it starts two hyperapps in protection domains of their own, serves
 * their output, and serves a program that knows only Linux's system calls, as a personality does. The programs are parts of this image,
 * mapped into their domains read-only and executable; each has its own stack and UTCB.
 */
#include "hedron.h"
#include "start.h"
#include "uart.h"

enum { SEL_PRINT = 40, SEL_DONE = 41, SEL_LINUX = 50, LINUX_WRITE = 1, LINUX_EXIT_GROUP = 231 };
#define PROGRAM_UTCB (USER_ADDR - PAGE_SIZE)
#define PROGRAM_STACK 0x70000000ul
#define POOL 0x40000000ul

/* ---- the programs: they touch nothing but their stack, their UTCB and what is read-only ---- */

static struct utcb *const own = (struct utcb *)PROGRAM_UTCB;

static void print(const char *text) {
    word n = 0;
    for (; text[n]; n++) ((uint8_t *)own->data)[n] = (uint8_t)text[n];
    ((uint8_t *)own->data)[n] = 0;
    own->untyped = (uint16_t)(n / 8 + 1);
    own->typed = 0;
    call(SEL_PRINT);
}
static void program_end(void) {
    sm_up(SEL_DONE);
    reply();
}
static void first_app(void) {
    print("hyperapp 1: hello from a protection domain of my own\n");
    program_end();
}
static void second_app(void) {
    print("hyperapp 2: reading memory that I was not given ...\n");
    (void)*(volatile word *)POOL;
    print("this is never printed\n");
}
static word linux_call(word number, word a, word b, word c) {
    __asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return number;
}
static void linux_program(void) {
    static const char text[] = "linux program: hello through write(1)\n";
    linux_call(LINUX_WRITE, 1, (word)text, sizeof text - 1);
    linux_call(LINUX_EXIT_GROUP, 7, 0, 0);
}

/* ---- the roottask ---- */

struct program {
    const char *name;
    void (*code)(void);
    word foreign;
};
static const struct program programs[] = {{"hyperapp 1", first_app, 0}, {"hyperapp 2", second_app, 0}, {"linux", linux_program, SEL_LINUX << 1 | 1}};
enum { PROGRAMS = sizeof programs / sizeof *programs, SEL_HANDLER = 100, SEL_SERVICES = 101, SEL_SLEEP = 102, FIRST = 200, EACH = 64, SC = 62 };
/* Portal ids: 64 * program + event, output or foreign call. */
enum { ID_PRINT = 32, ID_LINUX = 33 };
static struct utcb *handler_utcb = (struct utcb *)0x60000000, *service_utcb = (struct utcb *)0x60001000;
static word handler_stack[512] __attribute__((aligned(16))), service_stack[512] __attribute__((aligned(16)));

static void finished(unsigned program) {
    put("roottask: ");
    put(programs[program].name);
    sm_up(SEL_SLEEP);
}

/* Text of a client below the end of the page: programs are mapped at the addresses that they have here. */
static void linux_personality(unsigned program, struct state *s) {
    word result = (word)-38; /* -ENOSYS */
    s->mtd = MTD_RIP | MTD_RSP | MTD_ACDB;
    s->rip = s->rcx;
    s->rsp = s->r11;
    if (s->rax == LINUX_WRITE && s->rsi >= 0x400000 && s->rsi + s->rdx <= (word)image_end && s->rsi + s->rdx >= s->rsi) {
        for (word i = 0; i < s->rdx; i++) put_char(((const char *)s->rsi)[i]);
        result = s->rdx;
    } else if (s->rax == LINUX_EXIT_GROUP) {
        finished(program);
        put(" called exit_group(");
        put_number(s->rdi);
        put(")\n");
        /* Without its SC the program stops, once this handler has used it to the end. */
        revoke(obj(FIRST + program * EACH + SC, 0, 31), REVOKE_SELF, 0, 0);
    }
    s->rax = result;
}

static void event(unsigned program, unsigned vector, struct state *s) {
    if (vector == EVENT_STARTUP) {
        s->mtd = MTD_RIP | MTD_RSP;
        s->rip = (word)programs[program].code;
        s->rsp = PROGRAM_STACK + PAGE_SIZE - 8;
        return;
    }
    finished(program);
    put(" ended by exception ");
    put_number(vector);
    put(" at address ");
    put_hex(s->qual[1]);
    put("\n");
    /* The answer is a program that stops: reply in a global EC. */
    s->mtd = MTD_RIP;
    s->rip = (word)reply;
}

void portal_dispatch(word id);
void portal_dispatch(word id) {
    unsigned program = (unsigned)(id / EACH), what = (unsigned)(id % EACH);
    if (what == ID_PRINT) put((const char *)service_utcb->data);
    else if (what == ID_LINUX) linux_personality(program, &service_utcb->state);
    else event(program, what, &handler_utcb->state);
}

static word failed;
static void must(word status) { failed |= status; }
static void offer(word sel, word ec, word mtd, word id, word pd, word to) {
    must(create_pt(sel, ROOT_PD, ec, mtd, portal_entry));
    must(pt_ctrl(sel, id));
    must(delegate(ROOT_PD, obj(sel, 0, 2), pd, obj(to, 0, 31), META_DELEGATE));
}

static void start_program(unsigned n) {
    word base = FIRST + n * EACH, pd = base + 60, ec = base + 61, sc = base + SC, stack = POOL + (n + 1) * PAGE_SIZE;
    must(create_pd(pd, ROOT_PD, 0, programs[n].foreign));
    for (word a = 0x400000; a < (word)image_end; a += PAGE_SIZE) must(delegate(ROOT_PD, mem(a, 0, R | X), pd, mem(a, 0, R | X), META_DELEGATE));
    must(delegate(ROOT_PD, mem(stack, 0, R | W), pd, mem(PROGRAM_STACK, 0, R | W), META_DELEGATE | META_HYPERVISOR));
    for (word v = 0; v < 32; v++) offer(base + v, SEL_HANDLER, MTD_DEFAULT, n * EACH + v, pd, v);
    offer(base + 32, SEL_SERVICES, 0, n * EACH + ID_PRINT, pd, SEL_PRINT);
    must(delegate(ROOT_PD, obj(SEL_SLEEP, 0, 1), pd, obj(SEL_DONE, 0, 31), META_DELEGATE));
    if (programs[n].foreign) offer(base + 33, SEL_SERVICES, MTD_DEFAULT, n * EACH + ID_LINUX, pd, SEL_LINUX);
    must(create_ec(ec, EC_GLOBAL, pd, PROGRAM_UTCB, 0, 0));
    must(create_sc(sc, ROOT_PD, ec, 1, 10000));
}

__attribute__((noreturn)) void roottask(void);
void roottask(void) {
    must(uart_init());
    put("roottask: Hedron API ");
    put_number(hip32(HIP_API));
    put(", serial port ");
    put_hex(uart_port);
    put("\n");
    must(create_ec(SEL_HANDLER, 0, ROOT_PD, (word)handler_utcb, (word)(handler_stack + 512), 0));
    must(create_ec(SEL_SERVICES, 0, ROOT_PD, (word)service_utcb, (word)(service_stack + 512), 0));
    must(create_sm(SEL_SLEEP, ROOT_PD, 0, 0));
    for (unsigned n = 0; n < PROGRAMS; n++) start_program(n);
    put(failed ? "roottask: a hypercall failed\n" : "roottask: started all programs\n");
    for (unsigned n = 0; n < PROGRAMS; n++) sm_down(SEL_SLEEP, 0, 0);
    put("roottask: all programs have ended\n");
    for (;;) sm_down(SEL_SLEEP, 0, 0);
}
