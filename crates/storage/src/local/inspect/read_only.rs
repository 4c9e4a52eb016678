//! A disk that changes nothing, whatever is asked of it: what is said here about a data folder must never depend on having
//! written to it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::local::disk::{Disk, DiskFile, FolderEntry, LockHeld, OpenHow};

/// Passes reads on and refuses everything else; flushes, which change nothing, do nothing.
pub(super) struct ReadOnlyDisk<'a>(pub(super) &'a dyn Disk);

struct ReadOnlyFile(Arc<dyn DiskFile>);

fn refused<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "nothing is changed while a data folder is looked at"))
}

impl Disk for ReadOnlyDisk<'_> {
    fn create_folder(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    /// Whatever it is opened for, it is opened for reading.
    fn open(&self, path: &Path, _: OpenHow) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(ReadOnlyFile(self.0.open(path, OpenHow::READ)?)))
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        refused()
    }

    fn remove_file(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    fn remove_folder(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<FolderEntry>> {
        self.0.list(path)
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    /// Only where the file is there already.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockHeld>> {
        self.0.open(path, OpenHow::READ)?;
        self.0.lock(path)
    }
}

impl DiskFile for ReadOnlyFile {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn write_at(&self, _: &[u8], _: u64, _: bool) -> io::Result<()> {
        refused()
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&self, _: u64) -> io::Result<()> {
        refused()
    }

    fn reserve(&self, _: u64) -> io::Result<()> {
        refused()
    }
}
