use crate::{revoke, sel, take_selectors, Error, Hedron, Result};
use core::ops::Deref;

/// A semaphore of this program. It goes when dropped; who waits on it then gets `BAD_CAP`.
pub struct Semaphore {
    handle: Handle,
    /// In a hybrid the toggle is the first thread's: nothing may happen on another one.
    #[cfg(feature = "hybrid")]
    _first_thread: core::marker::PhantomData<*const ()>,
}

/// What another thread needs of a semaphore. When that has gone, everything gives `BAD_CAP`.
#[derive(Clone, Copy)]
pub struct Handle {
    pub selector: u64,
}

const CREATE_SM: u64 = 6;
const UP: u64 = 12;
const DOWN: u64 = 12 | 1 << 8;

impl Semaphore {
    pub(crate) fn new(hedron: &mut Hedron, count: u64) -> core::result::Result<Semaphore, Error> {
        let selector = take_selectors(1);
        hedron.hypercall(CREATE_SM, selector, [sel::PD, count, 0, 0])?;
        Ok(Semaphore {
            handle: Handle { selector },
            #[cfg(feature = "hybrid")]
            _first_thread: core::marker::PhantomData,
        })
    }

    pub fn handle(&self) -> Handle {
        self.handle
    }
}

impl Deref for Semaphore {
    type Target = Handle;
    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl Handle {
    /// Wakes who waits longest, or counts.
    pub fn up(&self, hedron: &mut Hedron) -> Result {
        hedron.hypercall(UP, self.selector, [0; 4])
    }

    /// Waits until the counter is not zero, and takes one off.
    pub fn down(&self, hedron: &mut Hedron) -> Result {
        self.down_until(hedron, 0)
    }

    /// The same, but no longer than until the time-stamp counter is `deadline` (0 = for ever): then `COM_TIM`.
    pub fn down_until(&self, hedron: &mut Hedron, deadline: u64) -> Result {
        hedron.hypercall(DOWN, self.selector, [deadline >> 32, deadline & 0xffff_ffff, 0, 0])
    }
}

impl Drop for Semaphore {
    fn drop(&mut self) {
        revoke(self.handle.selector);
    }
}
