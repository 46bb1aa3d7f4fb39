use crate::{revoke, sel, take_selectors, Error, Hedron, Memory, DATA, MAX_WORDS};
use core::sync::atomic::{AtomicUsize, Ordering};

/// Stack of a handler or thread with what stands below it.
pub(crate) const STACK_BYTES: usize = 32 << 10;
const CREATE_EC: u64 = 3;
const CREATE_PT: u64 = 5;
const PT_CTRL: u64 = 11;

/// A page address that no EC has had for its UTCB.
pub(crate) fn take_utcb() -> *mut u8 {
    static NEXT: AtomicUsize = AtomicUsize::new(0x6000_0000_0000);
    NEXT.fetch_add(4096, Ordering::Relaxed) as *mut u8
}

/// A message on the handler's side: what the caller has sent, and what it gets back.
pub struct Message {
    utcb: *mut u8,
}

impl Message {
    /// Words that the caller has sent.
    pub fn len(&self) -> usize {
        // SAFETY: a UTCB is a page, and the handler's alone while it runs.
        usize::from(unsafe { self.utcb.add(4).cast::<u16>().read_volatile() }).min(MAX_WORDS)
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    pub fn word(&self, i: usize) -> u64 {
        assert!(i < MAX_WORDS);
        // SAFETY: within the data area.
        unsafe { self.utcb.add(DATA).cast::<u64>().add(i).read_volatile() }
    }
    pub fn set_word(&mut self, i: usize, value: u64) {
        assert!(i < MAX_WORDS);
        // SAFETY: within the data area.
        unsafe { self.utcb.add(DATA).cast::<u64>().add(i).write_volatile(value) }
    }
    /// How many words the caller gets.
    pub fn answer(&mut self, words: usize) {
        assert!(words <= MAX_WORDS);
        // SAFETY: the item counts stand at offset 4.
        unsafe { self.utcb.add(4).cast::<u32>().write_volatile(words as u32) }
    }
}

/// What the portal's id points to.
#[repr(C)]
struct Header {
    run: unsafe fn(*mut u8, &mut Message),
    drop: unsafe fn(*mut u8),
    utcb: *mut u8,
}

/// A portal of this program: whoever calls it runs `F` on an EC of its own. Goes when dropped.
pub struct Service {
    ec: u64,
    portal: u64,
    memory: Memory,
}

/// Where the closure lies, behind the header.
const CLOSURE: usize = 64;

impl Hedron {
    /// Makes a portal. What the handler owns must fit a page; while it runs, other callers wait.
    pub fn serve<F: FnMut(&mut Message) + Send + 'static>(&mut self, handler: F) -> core::result::Result<Service, Error> {
        const { assert!(core::mem::size_of::<F>() <= 4096 - CLOSURE && core::mem::align_of::<F>() <= CLOSURE) };
        unsafe fn run<F: FnMut(&mut Message)>(closure: *mut u8, message: &mut Message) {
            // SAFETY: `serve` has put one there, and one EC alone uses it.
            unsafe { (*closure.cast::<F>())(message) }
        }
        unsafe fn drop<F>(closure: *mut u8) {
            // SAFETY: as in `run`; the portal is gone.
            unsafe { core::ptr::drop_in_place(closure.cast::<F>()) }
        }
        let memory = self.allocate(STACK_BYTES).ok_or(Error::NO_MEMORY)?;
        let (ec, portal, utcb) = (take_selectors(1), take_selectors(1), take_utcb());
        let base = memory.start();
        // SAFETY: STACK_BYTES lie there; the stack grows down from their end.
        unsafe {
            base.cast::<Header>().write(Header { run: run::<F>, drop: drop::<F>, utcb });
            base.add(CLOSURE).cast::<F>().write(handler);
        }
        let service = Service { ec, portal, memory };
        self.hypercall(CREATE_EC, ec, [sel::PD, utcb as u64, base as u64 + STACK_BYTES as u64, 0])?;
        self.hypercall(CREATE_PT, portal, [sel::PD, ec, 0, hedra_portal_entry as *const () as u64])?;
        self.hypercall(PT_CTRL, portal, [base as u64, 0, 0, 0])?;
        Ok(service)
    }
}

impl Service {
    /// For calls, and for passing it on.
    pub fn portal(&self) -> u64 {
        self.portal
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        revoke(self.portal);
        revoke(self.ec);
        let base = self.memory.start();
        // SAFETY: no call can come any more.
        unsafe { ((*base.cast::<Header>()).drop)(base.add(CLOSURE)) }
    }
}

extern "C" fn hedra_dispatch(header: *mut u8) {
    // SAFETY: the id of a portal of `serve` is the address of its header.
    unsafe {
        let Header { run, utcb, .. } = *header.cast::<Header>();
        run(header.add(CLOSURE), &mut Message { utcb });
    }
}

extern "C" {
    fn hedra_portal_entry();
}
// RDI: the portal's id. The stack is that of the last reply, so it must be where it was.
core::arch::global_asm!(
    ".text", ".globl hedra_portal_entry", "hedra_portal_entry:", "mov rbx, rsp", "call {dispatch}", "mov rsp, rbx", "mov edi, 1", "syscall", "ud2",
    dispatch = sym hedra_dispatch,
);
