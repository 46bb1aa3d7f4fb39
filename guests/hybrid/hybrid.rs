//! A hybrid in Rust: the standard library on Linux's system calls, and Hedron's hypercalls when a Hedron lies below.

use std::arch::asm;
use std::collections::BTreeMap;
use std::process::ExitCode;

const UTCB: *mut u8 = 0x7fff_ffff_e000 as *mut u8;
const SELF_PD: u64 = 32;
const STDOUT: u64 = 36;
const ECHO: u64 = 39;
const SEMAPHORE: u64 = 1000;
const CREATE_SM: u64 = 6;
const SM_UP: u64 = 12;
const SM_DOWN: u64 = 12 | 1 << 8;

/// One hypercall with the native system call toggle set, as docs/guest-runtime.md, section 6 asks for.
fn hypercall(number: u64, selector: u64, rsi: u64, rdx: u64) -> u64 {
    let mut rdi = number | selector << 12;
    // SAFETY: only called under Hedron, where the UTCB of this EC is at UTCB; nothing between the two writes makes a Linux call.
    unsafe {
        UTCB.cast::<u32>().write_volatile(1);
        asm!("syscall", inlateout("rdi") rdi, inlateout("rsi") rsi => _, inlateout("rdx") rdx => _, inlateout("rax") 0u64 => _,
             inlateout("r8") 0u64 => _, out("rcx") _, out("r11") _);
        UTCB.cast::<u32>().write_volatile(0);
    }
    rdi & 0xff
}

/// Sends bytes through a portal and gives back what the data area holds afterwards.
fn call(portal: u64, message: &[u8]) -> Vec<u8> {
    let mut reply = vec![0; message.len()];
    // SAFETY: as above; the data area has room for 4064 bytes.
    unsafe {
        for (i, byte) in message.iter().take(4064).enumerate() {
            UTCB.add(0x20 + i).write_volatile(*byte);
        }
        UTCB.add(4).cast::<u32>().write_volatile(message.len().div_ceil(8) as u32);
        hypercall(0, portal, 0, 0);
        for (i, byte) in reply.iter_mut().take(4064).enumerate() {
            *byte = UTCB.add(0x20 + i).read_volatile();
        }
    }
    reply
}

fn main() -> ExitCode {
    println!("Hello from the Linux side of a hybrid in Rust");
    if std::env::var_os("LINUX_UNDER_HEDRON").is_none() {
        println!("There is no Hedron below: Linux only");
        return ExitCode::SUCCESS;
    }
    println!("There is a Hedron below: using both");
    let text = b"Hello from the Hedron side, through portal 36\n";
    call(STDOUT, &[&[text.len() as u8], &text[..]].concat());
    let pattern: Vec<u8> = (0..=255).cycle().take(4000).collect();
    let results = BTreeMap::from([
        ("create_sm", hypercall(CREATE_SM, SEMAPHORE, SELF_PD, 0) == 0),
        ("echo keeps 4000 bytes", call(ECHO, &pattern) == pattern),
        ("sm_ctrl up", hypercall(SM_UP, SEMAPHORE, 0, 0) == 0),
        ("sm_ctrl down", hypercall(SM_DOWN, SEMAPHORE, 0, 0) == 0),
    ]);
    for (what, good) in &results {
        println!("  {what:<24} {}", if *good { "ok" } else { "FAIL" });
    }
    if results.values().all(|good| *good) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
