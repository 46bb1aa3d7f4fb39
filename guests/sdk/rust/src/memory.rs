use crate::{sel, Hedron};
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

/// Zeroed memory from the allocate service, given back when dropped.
pub struct Memory {
    start: NonNull<u8>,
    bytes: usize,
}

const TAKE: u8 = 0;
const FREE: u8 = 1;

impl Hedron {
    /// None when there is not so much.
    pub fn allocate(&mut self, bytes: usize) -> Option<Memory> {
        let size = (bytes as u64).to_le_bytes();
        self.send(sel::ALLOCATE, [TAKE].into_iter().chain(size).chain(1u64.to_le_bytes())).ok()?;
        Some(Memory { start: NonNull::new(self.word(0) as *mut u8)?, bytes })
    }
}

impl Memory {
    pub(crate) fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }
}

impl Deref for Memory {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: the service has mapped so many readable and writable bytes for this value alone.
        unsafe { core::slice::from_raw_parts(self.start.as_ptr(), self.bytes) }
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`.
        unsafe { core::slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let words = [self.start.as_ptr() as u64, self.bytes as u64, 1].map(u64::to_le_bytes);
        // Whoever drops it runs on the first EC: a Memory is not Send, and threads are given none.
        let _ = Hedron::new().send(sel::ALLOCATE, [FREE].into_iter().chain(words.into_iter().flatten()));
    }
}
