//! Hyperapps and hybrid programs: hypercalls, the UTCB, portals, roottask's services. Numbers: docs/guest-runtime.md.
//!
//! A hyperapp (feature `hyperapp`) calls [`entry!`] and gets a [`Hedron`]. A hybrid (feature `hybrid`) asks [`Hedron::detect`], which gives
//! none on plain Linux, so that the same binary runs there. In a hybrid the native system call toggle is on for the one instruction of a
//! hypercall only: no caller can leave it on, whether by an early return, a panic, or an error.
#![no_std]
#[cfg(not(any(feature = "hyperapp", feature = "hybrid")))]
compile_error!("choose the feature hyperapp or hybrid");
#[cfg(all(feature = "hyperapp", feature = "hybrid"))]
compile_error!("choose one of the features hyperapp and hybrid");
#[cfg(feature = "hybrid")]
extern crate std;

use core::arch::asm;

#[cfg(feature = "hyperapp")]
mod file;
#[cfg(feature = "hyperapp")]
mod libc;
#[cfg(feature = "hyperapp")]
mod memory;
mod semaphore;
#[cfg(feature = "hyperapp")]
mod service;
#[cfg(feature = "hyperapp")]
mod thread;
#[cfg(feature = "hyperapp")]
pub use file::{File, OpenFlags};
#[cfg(feature = "hyperapp")]
pub use memory::Memory;
pub use semaphore::{Handle, Semaphore};
#[cfg(feature = "hyperapp")]
pub use service::{Message, Service};
#[cfg(feature = "hyperapp")]
pub use thread::Thread;

/// The UTCB of a process's first EC.
const UTCB: *mut u8 = 0x7fff_ffff_e000 as *mut u8;
/// Offset of the data area.
const DATA: usize = 0x20;
/// Words of the data area.
pub const MAX_WORDS: usize = 508;

/// Capabilities at the start of every process.
pub mod sel {
    pub const PD: u64 = 32;
    pub const ALLOCATE: u64 = 35;
    pub const STDOUT: u64 = 36;
    pub const STDERR: u64 = 37;
    pub const FS: u64 = 38;
    pub const ECHO: u64 = 39;
    pub const RAW_ECHO: u64 = 40;
    pub const EXIT: u64 = 41;
    pub const BROKER: u64 = 42;
    /// The program's own from here on, up to [`TAKEN`].
    pub const FREE: u64 = 1000;
    /// The objects of this crate have the selectors from here on.
    pub const TAKEN: u64 = 0x10_0000;
}

/// Selectors that nothing has, `count` of them, aligned to their number (a power of two).
fn take_selectors(count: u64) -> u64 {
    use core::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(sel::TAKEN);
    NEXT.fetch_add(2 * count, Ordering::Relaxed).next_multiple_of(count)
}

/// Takes a capability back from this program, and with it from whomever it was passed on to. Not a call: no UTCB is involved.
fn revoke(selector: u64) {
    const REVOKE_SELF: u64 = 7 | 1 << 8;
    let _ = hypercall(UTCB, REVOKE_SELF, 0, [selector << 12 | 0x1f << 2 | 3, 0, 0, 0]);
}

/// Status of a hypercall (ABI 6.2) other than success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error(pub u8);
impl Error {
    pub const COM_TIM: Error = Error(1);
    pub const COM_ABT: Error = Error(2);
    pub const BAD_CAP: Error = Error(4);
    /// Not the kernel's: the allocate service has nothing.
    pub const NO_MEMORY: Error = Error(255);
}
pub type Result = core::result::Result<(), Error>;

/// The native system call toggle, on as long as this lives. Private: only `hypercall` makes one.
#[cfg(feature = "hybrid")]
struct Native(*mut u8);
#[cfg(feature = "hybrid")]
impl Native {
    fn on(utcb: *mut u8) -> Native {
        // SAFETY: a Hedron exists only where the UTCB does; bit 0 of its first word is the toggle.
        unsafe { utcb.cast::<u32>().write_volatile(1) };
        Native(utcb)
    }
}
#[cfg(feature = "hybrid")]
impl Drop for Native {
    fn drop(&mut self) {
        // SAFETY: as in `on`.
        unsafe { self.0.cast::<u32>().write_volatile(0) };
    }
}

/// `number` of the hypercall with its flags; RSI, RDX, RAX, R8. `utcb`: of the calling EC.
fn hypercall(utcb: *mut u8, number: u64, selector: u64, args: [u64; 4]) -> Result {
    let status: u64;
    #[cfg(feature = "hybrid")]
    let native = Native::on(utcb);
    #[cfg(feature = "hyperapp")]
    let _ = utcb;
    // SAFETY: the kernel changes these registers and the UTCB, which nothing else refers to.
    unsafe {
        asm!("syscall", inlateout("rdi") number | selector << 12 => status, inlateout("rsi") args[0] => _,
             inlateout("rdx") args[1] => _, inlateout("rax") args[2] => _, inlateout("r8") args[3] => _, out("rcx") _, out("r11") _);
    }
    #[cfg(feature = "hybrid")]
    drop(native);
    match status as u8 {
        0 => Ok(()),
        error => Err(Error(error)),
    }
}

/// Proof that there is a Hedron below, and the right to use one EC's UTCB. Not `Send`: the UTCB belongs to its thread.
pub struct Hedron {
    utcb: *mut u8,
}

impl Hedron {
    /// A hyperapp always has one. For `entry!`.
    #[cfg(feature = "hyperapp")]
    #[doc(hidden)]
    pub fn new() -> Hedron {
        Hedron { utcb: UTCB }
    }

    /// None on plain Linux, and on other threads than the first, whose UTCB is elsewhere.
    #[cfg(feature = "hybrid")]
    pub fn detect() -> Option<Hedron> {
        let below = std::env::var_os("LINUX_UNDER_HEDRON").is_some();
        (below && linux(39) == linux(186)).then_some(Hedron { utcb: UTCB }) // getpid, gettid
    }

    /// `number` of the hypercall with its flags; RSI, RDX, RAX, R8. For what has no safe wrapper here.
    pub fn hypercall(&mut self, number: u64, selector: u64, args: [u64; 4]) -> Result {
        hypercall(self.utcb, number, selector, args)
    }

    fn data(&self) -> *mut u64 {
        // SAFETY: a UTCB is a page.
        unsafe { self.utcb.add(DATA).cast() }
    }

    pub fn word(&self, i: usize) -> u64 {
        assert!(i < MAX_WORDS);
        // SAFETY: within the data area.
        unsafe { self.data().add(i).read_volatile() }
    }

    pub fn set_word(&mut self, i: usize, value: u64) {
        assert!(i < MAX_WORDS);
        // SAFETY: within the data area.
        unsafe { self.data().add(i).write_volatile(value) }
    }

    /// Sends the first `words` words of the data area through a portal; the reply stands in the same place.
    pub fn call(&mut self, portal: u64, words: usize) -> Result {
        assert!(words <= MAX_WORDS);
        // SAFETY: the item counts stand at offset 4.
        unsafe { self.utcb.add(4).cast::<u32>().write_volatile(words as u32) };
        self.hypercall(0, portal, [0; 4])
    }

    /// Sends bytes from the beginning of the data area on.
    pub(crate) fn send(&mut self, portal: u64, bytes: impl Iterator<Item = u8>) -> Result {
        let mut length = 0;
        for byte in bytes.take(MAX_WORDS * 8) {
            // SAFETY: `take` keeps it within the data area.
            unsafe { self.data().cast::<u8>().add(length).write_volatile(byte) };
            length += 1;
        }
        self.call(portal, length.div_ceil(8))
    }

    pub fn print(&mut self, text: &str) -> Result {
        for piece in text.as_bytes().chunks(127) {
            // The length is a varint: below 128 one byte.
            self.send(sel::STDOUT, core::iter::once(piece.len() as u8).chain(piece.iter().copied()))?;
        }
        Ok(())
    }

    /// A new semaphore.
    pub fn semaphore(&mut self, count: u64) -> core::result::Result<Semaphore, Error> {
        Semaphore::new(self, count)
    }

    #[cfg(feature = "hyperapp")]
    pub fn exit(&mut self, status: u8) -> ! {
        self.set_word(0, status.into());
        let _ = self.call(sel::EXIT, 1);
        loop {
            core::hint::spin_loop();
        }
    }
}

impl core::fmt::Write for Hedron {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.print(text).map_err(|_| core::fmt::Error)
    }
}

/// The time-stamp counter, which runs at 1 GHz: what deadlines are given in.
pub fn now() -> u64 {
    // SAFETY: RDTSC is allowed everywhere.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// A Linux system call without arguments.
#[cfg(feature = "hybrid")]
fn linux(number: u64) -> u64 {
    let result;
    // SAFETY: getpid and gettid change nothing but RAX.
    unsafe { asm!("syscall", inlateout("rax") number => result, out("rcx") _, out("r11") _) };
    result
}

/// Makes `main`, a function from `&mut Hedron` to the exit status, the program's entry point.
#[cfg(feature = "hyperapp")]
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        #[no_mangle]
        pub extern "C" fn start() -> ! {
            let mut hedron = $crate::Hedron::new();
            let status: u8 = $main(&mut hedron);
            hedron.exit(status)
        }
    };
}

// The note that marks a hyperapp (docs/guest-runtime.md, section 1).
#[cfg(feature = "hyperapp")]
core::arch::global_asm!(
    ".section .note.Hedron, \"a\", @note", ".balign 4", ".long 7", ".long 4", ".long 1", ".asciz \"Hedron\"", ".balign 4", ".long 5004", ".text",
);

/// A panic is told on stdout and ends the hyperapp with 101, as Rust's programs end.
#[cfg(feature = "hyperapp")]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    use core::fmt::Write;
    let mut hedron = Hedron::new();
    let _ = writeln!(hedron, "{info}");
    hedron.exit(101)
}
