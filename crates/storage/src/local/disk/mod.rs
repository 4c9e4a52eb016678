//! The disk as the local engine sees it: a small trait, so that tests can put one that fails in its place.
//!
//! All input and output of the engine goes through here; nothing else in the engine names a file system call.

mod aligned;
#[cfg(target_os = "linux")]
mod cachestat;
mod sending;
mod system;

use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Volume;
pub use aligned::{AlignedBuffer, BLOCK_BYTES};
pub use system::SystemDisk;

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenHow {
    /// For writing too; otherwise for reading only.
    pub write: bool,
    /// Make it where it does not exist.
    pub create: bool,
    /// Empty it.
    pub truncate: bool,
    /// Bypass the page cache (`O_DIRECT`): buffers, offsets and lengths must be multiples of [`BLOCK_BYTES`].
    pub direct: bool,
}

impl OpenHow {
    /// An existing file, for reading.
    pub const READ: Self = Self { write: false, create: false, truncate: false, direct: false };
    /// An existing file, for reading and writing.
    pub const WRITE: Self = Self { write: true, create: false, truncate: false, direct: false };
    /// A file made where it is missing, for reading and writing.
    pub const CREATE: Self = Self { write: true, create: true, truncate: false, direct: false };
    /// A new or emptied file, for reading and writing.
    pub const CREATE_EMPTY: Self = Self { write: true, create: true, truncate: true, direct: false };

    /// The same, past the page cache where `direct` holds.
    #[must_use]
    pub const fn direct(self, direct: bool) -> Self {
        Self { direct, ..self }
    }
}

/// One name in a folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FolderEntry {
    /// The name; names that are not UTF-8 are not ours and are left out.
    pub name: String,
    /// Whether it is a folder.
    pub is_folder: bool,
}

/// Holds a lock until dropped.
pub trait LockHeld: Send + Sync {}

/// A whole file system that can be flushed at once.
pub trait FlushedWhole: Send + Sync {
    /// Makes everything durable that was written to the file system, all files, folders and sizes.
    ///
    /// # Errors
    /// Whatever could not be written since this handle was made, also where the system had tried before this call: an error
    /// is told, even where a flush of the single file would have been the one to hear of it.
    fn sync(&self) -> io::Result<()>;
}

/// A file system. Every method may block.
pub trait Disk: Send + Sync {
    /// Makes a folder and its parents; it may exist already.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Opens a file.
    fn open(&self, path: &Path, how: OpenHow) -> io::Result<Arc<dyn DiskFile>>;
    /// Gives a file a new name, replacing a file of that name atomically. Durable only after [`Disk::sync_folder`].
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;
    /// What lies in a folder, in the order of names.
    fn list(&self, path: &Path) -> io::Result<Vec<FolderEntry>>;
    /// Makes new, renamed and removed names in a folder durable.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// A handle to flush the whole file system of a folder with one call, where the system has a call that tells of every
    /// error. It hears of errors from now on.
    fn flushed_whole(&self, _folder: &Path) -> Option<Box<dyn FlushedWhole>> {
        None
    }
    /// Takes an exclusive lock between processes on a file, made where it is missing;
    /// [`io::ErrorKind::WouldBlock`] where another holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockHeld>>;
    /// How large a folder's file system is, and how much of it is free; `None` where nobody tells.
    fn volume(&self, _folder: &Path) -> Option<Volume> {
        None
    }
    /// The path from the root on; as it is where the current folder is not known.
    fn absolute(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }
}

/// An open file. Positions are given with each call, so that threads can share it.
pub trait DiskFile: Send + Sync {
    /// Its size in bytes.
    fn size(&self) -> io::Result<u64>;
    /// Reads at an offset until the buffer is full or the file ends; answers how much was read.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `data` at an offset; with `durable`, it is on the medium before the call returns.
    fn write_at(&self, data: &[u8], offset: u64, durable: bool) -> io::Result<()>;
    /// Makes all that was written, and the size, durable.
    fn sync(&self) -> io::Result<()>;
    /// Sets the size.
    fn truncate(&self, size: u64) -> io::Result<()>;
    /// Takes disk space for `bytes` bytes from the start of the file, so that writing there cannot run out of it; the size
    /// grows to that. Where the file system cannot, it does nothing.
    fn reserve(&self, bytes: u64) -> io::Result<()>;

    /// Whether ranges of it can be sent to a socket, and asked whether they are in memory. The five calls after this one
    /// belong to that; a disk without it needs none of them.
    fn is_sendable(&self) -> bool {
        false
    }
    /// Whether all of a range is in the system's page cache.
    fn is_cached(&self, offset: u64, bytes: u64) -> bool {
        let _ = (offset, bytes);
        false
    }
    /// [`DiskFile::read_at`] that does not wait for the disk: [`io::ErrorKind::WouldBlock`] where it would have to. May read
    /// less than there is.
    fn read_cached_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let _ = (buffer, offset);
        Err(io::ErrorKind::WouldBlock.into())
    }
    /// Sends bytes from an offset to a socket, as many as it takes; 0 where the file ends there.
    fn send_at(&self, socket: BorrowedFd<'_>, offset: u64, bytes: usize) -> io::Result<usize> {
        let _ = (socket, offset, bytes);
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Brings a range into the page cache, and waits until it is there.
    fn load(&self, offset: u64, bytes: u64) -> io::Result<()> {
        let _ = (offset, bytes);
        Ok(())
    }
    /// Says that a range will not be wanted again soon, so that it does not keep other things out of the page cache.
    fn unload(&self, offset: u64, bytes: u64) {
        let _ = (offset, bytes);
    }
}

/// Removes a folder with all that is in it; it may be gone already.
pub fn remove_tree(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    let entries = match disk.list(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        listed => listed?,
    };
    for entry in entries {
        let inner = path.join(&entry.name);
        if entry.is_folder {
            remove_tree(disk, &inner)?;
        } else {
            disk.remove_file(&inner)?;
        }
    }
    disk.remove_folder(path)
}

/// Reads exactly `buffer.len()` bytes; a file that ends before is an [`io::ErrorKind::UnexpectedEof`].
pub fn read_exact_at(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    if file.read_at(buffer, offset)? < buffer.len() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file ends before what it should hold"));
    }
    Ok(())
}
