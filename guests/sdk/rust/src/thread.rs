use crate::service::{take_utcb, STACK_BYTES};
use crate::semaphore::Handle;
use crate::{revoke, sel, take_selectors, Error, Hedron, Memory, Semaphore};

const CREATE_EC_GLOBAL: u64 = 3 | 1 << 8;
const CREATE_EC: u64 = 3;
const CREATE_SC: u64 = 4;
const CREATE_PT: u64 = 5;
const PT_CTRL: u64 = 11;
const DELEGATE: u64 = 8 | 2 << 8;
/// Event offset of the startup message, and how many events there are.
const STARTUP: u64 = 30;
const EVENTS: u64 = 32;
const PRIORITY: u64 = 1;
const QUANTUM_US: u64 = 10_000;

/// What a starting thread is told.
#[repr(C)]
struct Header {
    run: unsafe fn(*mut u8, &mut Hedron),
    utcb: *mut u8,
    /// UTCB of the EC that answers the startup message.
    starter: *mut u8,
    stack: u64,
    done: Handle,
}

/// A thread of this program with an EC and a scheduling context of its own. It ends when dropped, wherever it is.
pub struct Thread {
    objects: [u64; 4],
    done: Semaphore,
    /// Stack and closure.
    _memory: Memory,
}

const CLOSURE: usize = 64;

impl Hedron {
    /// Starts a thread. Its exceptions end the program, as the first thread's do.
    pub fn spawn<F: FnOnce(&mut Hedron) + Send + 'static>(&mut self, code: F) -> core::result::Result<Thread, Error> {
        const { assert!(core::mem::size_of::<F>() <= 4096 - CLOSURE && core::mem::align_of::<F>() <= CLOSURE) };
        unsafe fn run<F: FnOnce(&mut Hedron)>(closure: *mut u8, hedron: &mut Hedron) {
            // SAFETY: `spawn` has put one there; a thread starts once.
            unsafe { closure.cast::<F>().read()(hedron) }
        }
        let memory = self.allocate(STACK_BYTES).ok_or(Error::NO_MEMORY)?;
        let done = self.semaphore(0)?;
        let (events, ec, sc, starter) = (take_selectors(EVENTS), take_selectors(1), take_selectors(1), take_selectors(1));
        let base = memory.start();
        // A quarter of the memory is the starter's stack, the upper part the thread's.
        let header = Header {
            run: run::<F>,
            utcb: take_utcb(),
            starter: take_utcb(),
            stack: base as u64 + STACK_BYTES as u64 - 8,
            done: done.handle(),
        };
        let (utcb, starter_utcb) = (header.utcb as u64, header.starter as u64);
        // SAFETY: STACK_BYTES lie there.
        unsafe {
            base.cast::<Header>().write(header);
            base.add(CLOSURE).cast::<F>().write(code);
        }
        let thread = Thread { objects: [sc, ec, starter, events + STARTUP], done, _memory: memory };
        // Roottask's portals for exceptions: events 0 to 15, 16 to 23, 24 to 27, 28 and 29.
        for (first, order) in [(0, 4), (16, 3), (24, 2), (28, 1)] {
            let range = |selector: u64| selector << 12 | order << 7 | 0x1f << 2 | 3;
            self.hypercall(DELEGATE, sel::PD, [sel::PD, range(first), 1, range(events + first)])?;
        }
        self.hypercall(CREATE_EC, starter, [sel::PD, starter_utcb, base as u64 + STACK_BYTES as u64 / 4, 0])?;
        self.hypercall(CREATE_PT, events + STARTUP, [sel::PD, starter, 0, hedra_starter_entry as *const () as u64])?;
        self.hypercall(PT_CTRL, events + STARTUP, [base as u64, 0, 0, 0])?;
        self.hypercall(CREATE_EC_GLOBAL, ec, [sel::PD, utcb, 0, events])?;
        self.hypercall(CREATE_SC, sc, [sel::PD, ec, PRIORITY | QUANTUM_US << 12, 0])?;
        Ok(thread)
    }
}

impl Thread {
    /// Waits until it has ended.
    pub fn join(self, hedron: &mut Hedron) -> crate::Result {
        self.done.down(hedron)
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.objects.into_iter().for_each(revoke);
    }
}

/// Answers the startup message: where the thread begins, its stack, and in RDI its header.
extern "C" fn hedra_start(header: *mut Header) {
    const MTD_RIP_RSP_BSD: u64 = 1 << 3 | 1 << 2 | 1 << 1;
    // SAFETY: the portal's id is the header; offsets in the UTCB: Hedron ABI 4.3.
    unsafe {
        let Header { starter, stack, .. } = *header;
        for (offset, value) in [
            (0x20, MTD_RIP_RSP_BSD),
            (0x30, hedra_thread as *const () as u64),
            (0x78, stack),
            (0x80, 0),
            (0x88, 0),
            (0x90, header as u64),
        ] {
            starter.add(offset).cast::<u64>().write_volatile(value);
        }
        starter.add(4).cast::<u32>().write_volatile(0);
    }
}

extern "C" fn hedra_thread(header: *mut Header) -> ! {
    // SAFETY: as in `hedra_start`.
    let Header { run, utcb, done, .. } = unsafe { core::ptr::read(header) };
    let mut hedron = Hedron { utcb };
    // SAFETY: the closure stands behind the header.
    unsafe { run(header.cast::<u8>().add(CLOSURE), &mut hedron) };
    const REPLY: u64 = 1;
    let _ = done.up(&mut hedron);
    // A global EC that replies stops for ever.
    let _ = hedron.hypercall(REPLY, 0, [0; 4]);
    unreachable!()
}

extern "C" {
    fn hedra_starter_entry();
}
core::arch::global_asm!(
    ".text", ".globl hedra_starter_entry", "hedra_starter_entry:", "mov rbx, rsp", "call {start}", "mov rsp, rbx", "mov edi, 1", "syscall", "ud2",
    start = sym hedra_start,
);
