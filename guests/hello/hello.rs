//! The shortest hyperapp in Rust: no standard library, one message to the roottask's stdout service.
#![no_std]
#![no_main]

use core::arch::{asm, global_asm};

// The note that marks a hyperapp (docs/guest-runtime.md, section 1).
global_asm!(
    ".section .note.Hedron, \"a\", @note", ".balign 4", ".long 7", ".long 4", ".long 1", ".asciz \"Hedron\"", ".balign 4", ".long 5004", ".text",
);

const UTCB: *mut u8 = 0x7fff_ffff_e000 as *mut u8;
const STDOUT: u64 = 36;
const EXIT: u64 = 41;

/// Hypercall 0, `call`: sends the first `bytes` bytes of the data area through a portal.
fn call(portal: u64, bytes: usize) {
    // SAFETY: the runtime maps this EC's UTCB at UTCB, and nothing else refers to it.
    unsafe {
        UTCB.add(4).cast::<u32>().write_volatile(bytes.div_ceil(8) as u32);
        asm!("syscall", inlateout("rdi") portal << 12 => _, out("rcx") _, out("r11") _);
    }
}

fn print(text: &str) {
    for piece in text.as_bytes().chunks(127) {
        // A varint below 128 is one byte.
        for (i, byte) in core::iter::once(&(piece.len() as u8)).chain(piece).enumerate() {
            // SAFETY: at most 128 bytes of the data area, which begins at 0x20.
            unsafe { UTCB.add(0x20 + i).write_volatile(*byte) };
        }
        call(STDOUT, piece.len() + 1);
    }
}

fn exit(status: u64) -> ! {
    // SAFETY: as in `call`.
    unsafe { UTCB.add(0x20).cast::<u64>().write_volatile(status) };
    call(EXIT, 8);
    loop {
        core::hint::spin_loop();
    }
}

#[no_mangle]
pub extern "C" fn start() -> ! {
    print("Hello from a hyperapp in Rust, without its standard library.\n");
    exit(0)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    exit(101)
}
