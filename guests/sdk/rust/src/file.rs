use crate::{sel, Error, Hedron};

/// An open file of the fs service, closed when dropped.
pub struct File {
    descriptor: u32,
}

/// How to open; the values are Linux's.
#[derive(Clone, Copy)]
pub struct OpenFlags(pub u32);
impl OpenFlags {
    pub const READ: OpenFlags = OpenFlags(0);
    pub const READ_WRITE: OpenFlags = OpenFlags(2);
    pub const CREATE: OpenFlags = OpenFlags(0o102);
    pub const TRUNCATE: OpenFlags = OpenFlags(0o1102);
    pub const APPEND: OpenFlags = OpenFlags(0o2102);
}

const OPEN: u8 = 0;
const READ: u8 = 1;
const SEEK: u8 = 2;
const WRITE: u8 = 3;
const CLOSE: u8 = 4;
/// Variant of the data of a write: an address.
const BY_ADDRESS: u8 = 0;
/// The path must fit a message with the rest of the request.
const PATH_MAX: usize = 4000;

impl Hedron {
    /// Opens a file of the guest's tree; `CREATE` makes missing directories as well. None when it cannot be opened.
    pub fn open(&mut self, path: &str, flags: OpenFlags) -> Option<File> {
        if path.len() > PATH_MAX {
            return None;
        }
        let length = path.len() as u16;
        // A varint of two bytes holds up to 14 bits.
        let varint = [length as u8 & 0x7f | 0x80, (length >> 7) as u8];
        let tail = flags.0.to_le_bytes().into_iter().chain(0o644u16.to_le_bytes());
        self.send(sel::FS, [OPEN].into_iter().chain(varint).chain(path.bytes()).chain(tail)).ok()?;
        let descriptor = self.word(0) as u32;
        (descriptor as i32 >= 0).then_some(File { descriptor })
    }
}

impl File {
    fn request(&self, hedron: &mut Hedron, operation: u8, tail: impl Iterator<Item = u8>) -> core::result::Result<usize, Error> {
        hedron.send(sel::FS, [operation].into_iter().chain(self.descriptor.to_le_bytes()).chain(tail))?;
        Ok(hedron.word(0) as usize)
    }

    /// Bytes read; 0 at the end.
    pub fn read(&mut self, hedron: &mut Hedron, into: &mut [u8]) -> core::result::Result<usize, Error> {
        let words = [into.as_mut_ptr() as u64, into.len() as u64].map(u64::to_le_bytes);
        self.request(hedron, READ, words.into_iter().flatten())
    }

    /// Bytes written.
    pub fn write(&mut self, hedron: &mut Hedron, from: &[u8]) -> core::result::Result<usize, Error> {
        let words = [from.as_ptr() as u64, from.len() as u64].map(u64::to_le_bytes);
        self.request(hedron, WRITE, [BY_ADDRESS].into_iter().chain(words.into_iter().flatten()))
    }

    /// From the file's beginning.
    pub fn seek(&mut self, hedron: &mut Hedron, offset: u64) -> crate::Result {
        self.request(hedron, SEEK, offset.to_le_bytes().into_iter()).map(|_| ())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = self.request(&mut Hedron::new(), CLOSE, core::iter::empty());
    }
}
