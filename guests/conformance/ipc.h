/* Calls and replies (7.1, 7.2). */
struct regs handler_entry;
static word raw_stack[64] __attribute__((aligned(16))), raw_pt;
void raw_entry(void);
/* Records its registers and replies with RSP moved by 64. */
__asm__("raw_entry:\n mov %rax, handler_entry\n mov %rcx, handler_entry + 8\n mov %rdx, handler_entry + 16\n mov %rbx, handler_entry + 24\n"
        "mov %rsp, handler_entry + 32\n mov %rdi, handler_entry + 56\n mov %r11, handler_entry + 88\n mov %r15, handler_entry + 120\n"
        "pushfq\n pop handler_entry + 128\n sub $64, %rsp\n mov $77, %ebx\n inc %r15\n mov $1, %edi\n syscall\n ud2\n");

static word got_items, got_first, got_last, got_id;
static void doubles(struct utcb *u, word id) {
    got_items = u->items;
    got_first = u->data[0];
    got_last = u->data[507];
    got_id = id;
    u->data[0] *= 2;
}
static word inner_pt, nested_status;
static void nests(struct utcb *u, word id) {
    (void)id;
    word kept = u->data[0];
    u->data[0] = kept + 1;
    nested_status = call(inner_pt);
    u->data[0] += 1000;
}
static word busy_status, busy_pt;
static void calls_busy(struct utcb *u, word id) {
    (void)u, (void)id;
    busy_status = hypercall(op(HC_CALL, CALL_NONBLOCKING, busy_pt), 0, 0, 0, 0);
}

static void suite_ipc(void) {
    section = "call 7.1";
    struct local l = {fresh(), (word)(raw_stack + 60), (struct utcb *)fresh_va(1)};
    create_ec(l.ec, 0, ROOT_PD, (word)l.utcb, l.stack_top, 0);
    create_pt(raw_pt = fresh(), ROOT_PD, l.ec, 0, raw_entry);
    pt_ctrl(raw_pt, 0x123456789abcdef0);
    root_utcb->items = 0;
    struct regs r = patterned(op(HC_CALL, 0, raw_pt), 1, 2, 3, 4);
    syscall_with(&r);
    expect("RDI comes back unchanged", r.rdi, op(HC_CALL, 0, raw_pt));
    check("all other registers by convention", conventional(&r) && r.rsi == 1 && r.rdx == 2 && r.rax == 3);
    expect("handler: RDI is the portal's id", handler_entry.rdi, 0x123456789abcdef0);
    expect("handler: RCX is the entry", handler_entry.rcx, (word)raw_entry);
    expect("handler: R11", handler_entry.r11, 0x200);
    expect("handler: RFLAGS", handler_entry.rflags, 0x202);
    expect("handler: RSP is create_ec's argument", handler_entry.rsp, l.stack_top);
    check("handler: other registers are zero at first", handler_entry.rax == 0 && handler_entry.rdx == 0 && handler_entry.rbx == 0);
    r = patterned(op(HC_CALL, 4, raw_pt), 1, 2, 3, 4);
    syscall_with(&r);
    expect("flags also come back in RDI", r.rdi, op(HC_CALL, 4, raw_pt));
    expect("handler: RSP is that of its last reply", handler_entry.rsp, l.stack_top - 64);
    check("and so are the other registers", handler_entry.rbx == 77 && handler_entry.r15 == 1);
    expect("no portal", call(ROOT_EC), BAD_CAP);
    expect("null", call(99), BAD_CAP);
    struct local d = local_ec();
    word pt = portal(d, 0, doubles), ctrl_only = fresh();
    give(ROOT_PD, pt, ctrl_only, 1);
    expect("call needs no right", call(ctrl_only), 0);
    for (unsigned i = 0; i < 508; i++) root_utcb->data[i] = i + 7, d.utcb->data[i] = 0;
    root_utcb->items = 2;
    d.utcb->tls = root_utcb->tls = 5;
    root_utcb->xlt = root_utcb->del = 0;
    d.utcb->xlt = 0x1000;
    call(pt);
    expect("items reach the handler", got_items, 2);
    expect("words reach the handler", got_first, 7);
    expect("as many as were sent", d.utcb->data[1], 8);
    expect("and no more", d.utcb->data[2], 0);
    expect("the reply reaches the caller", root_utcb->data[0], 14);
    expect("header fields do not", root_utcb->xlt, 0);
    root_utcb->items = 600;
    call(pt);
    expect("the count itself is not clamped", got_items, 600);
    expect("at most 508 words", got_last, 507 + 7);
    root_utcb->items = 0;

    section = "nesting 7.1";
    struct local n = local_ec();
    inner_pt = pt;
    word outer = portal(n, 0, nests);
    root_utcb->items = 1;
    root_utcb->data[0] = 20;
    call(outer);
    expect("a handler calls another", root_utcb->data[0], 42 + 1000);
    busy_pt = portal(n, 0, calls_busy);
    word busy2 = busy_pt;
    call(busy2);
    expect("a busy handler without blocking: COM_TIM", busy_status, COM_TIM);
    root_utcb->items = 0;
}
