//! What the compiler may call. In assembly, lest it turn a loop into a call of itself.
use core::arch::asm;

#[no_mangle]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, bytes: usize) -> *mut u8 {
    // SAFETY: the caller's business, as everywhere here.
    unsafe { asm!("rep movsb", inout("rdi") to => _, inout("rsi") from => _, inout("rcx") bytes => _, options(nostack, preserves_flags)) };
    to
}

#[no_mangle]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, bytes: usize) -> *mut u8 {
    if (to as usize).wrapping_sub(from as usize) >= bytes {
        return unsafe { memcpy(to, from, bytes) };
    }
    // They overlap and `to` is the higher one: from the end on.
    unsafe {
        asm!("std", "rep movsb", "cld", inout("rdi") to.wrapping_add(bytes).wrapping_sub(1) => _,
             inout("rsi") from.wrapping_add(bytes).wrapping_sub(1) => _, inout("rcx") bytes => _, options(nostack));
    }
    to
}

#[no_mangle]
unsafe extern "C" fn memset(to: *mut u8, value: i32, bytes: usize) -> *mut u8 {
    unsafe { asm!("rep stosb", inout("rdi") to => _, inout("rcx") bytes => _, in("al") value as u8, options(nostack, preserves_flags)) };
    to
}

#[no_mangle]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, bytes: usize) -> i32 {
    if bytes == 0 {
        return 0;
    }
    let (last_a, last_b): (*const u8, *const u8);
    unsafe {
        asm!("repe cmpsb", inout("rsi") a => last_a, inout("rdi") b => last_b, inout("rcx") bytes => _, options(nostack));
        // Both stand behind the first difference, or behind the end.
        i32::from(*last_a.sub(1)) - i32::from(*last_b.sub(1))
    }
}

#[no_mangle]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, bytes: usize) -> i32 {
    unsafe { memcmp(a, b, bytes) }
}
