//! The real disk. Linux is the system that is measured and tested; elsewhere the same calls do without direct writes.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Volume;

use super::{BLOCK_BYTES, Disk, DiskFile, FlushedWhole, FolderEntry, LockHeld, OpenHow, sending};

/// The operating system's files.
#[derive(Clone, Copy, Default, Debug)]
pub struct SystemDisk;

impl Disk for SystemDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir_all(path)
    }

    fn open(&self, path: &Path, how: OpenHow) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(how.write).create(how.create).truncate(how.truncate);
        if how.direct {
            set_direct(&mut options)?;
        }
        Ok(Arc::new(SystemFile { file: options.open(path)?, direct: how.direct }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<FolderEntry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string() {
                entries.push(FolderEntry { name, is_folder: entry.file_type()?.is_dir() });
            }
        }
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn flushed_whole(&self, folder: &Path) -> Option<Box<dyn FlushedWhole>> {
        File::open(folder).ok().filter(can_flush_whole).map(|folder| Box::new(OnFileSystem(folder)) as _)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockHeld>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(HeldFile { _file: file })),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn volume(&self, folder: &Path) -> Option<Volume> {
        let told = rustix::fs::statvfs(folder).ok()?;
        // What only root may still use does not count as free.
        let bytes = |blocks: u64| blocks.checked_mul(told.f_frsize);
        Some(Volume { total_bytes: bytes(told.f_blocks)?, usable_bytes: bytes(told.f_bavail)? })
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
    }
}

/// The lock goes with the open file.
struct HeldFile {
    _file: File,
}

impl LockHeld for HeldFile {}

/// Any open file of a file system stands for all of it.
struct OnFileSystem(File);

impl FlushedWhole for OnFileSystem {
    #[cfg(target_os = "linux")]
    fn sync(&self) -> io::Result<()> {
        loop {
            match rustix::fs::syncfs(&self.0) {
                Err(rustix::io::Errno::INTR) => {}
                result => return result.map_err(io::Error::from),
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn sync(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Whether one call makes everything durable there, or tells that it could not.
#[cfg(target_os = "linux")]
fn can_flush_whole(folder: &File) -> bool {
    whole_flush_tells_errors() && whole_flush_reaches_disk(folder)
}

/// Linux tells `syncfs` of failed writes since 5.8, and of what the file system itself could not do since 5.17; before that, a
/// flush could fail and nobody would hear of it.
#[cfg(target_os = "linux")]
fn whole_flush_tells_errors() -> bool {
    let system = rustix::system::uname();
    let release = system.release().to_string_lossy();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|part| part.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(5), Some(17))
}

/// Whether `syncfs` reaches the disk there. Of these file systems it is known; FUSE, for one, may answer that all is well without
/// asking the process behind it.
#[cfg(target_os = "linux")]
fn whole_flush_reaches_disk(folder: &File) -> bool {
    const EXT: u64 = 0xef53;
    const XFS: u64 = 0x5846_5342;
    const BTRFS: u64 = 0x9123_683e;
    const F2FS: u64 = 0xf2f5_2010;
    rustix::fs::fstatfs(folder)
        .is_ok_and(|found| [EXT, XFS, BTRFS, F2FS].contains(&(found.f_type as u64 & 0xffff_ffff)))
}

#[cfg(not(target_os = "linux"))]
fn can_flush_whole(_: &File) -> bool {
    false
}

struct SystemFile {
    file: File,
    direct: bool,
}

impl DiskFile for SystemFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        // A direct read may only begin at a block, so where one ends within a block, the file ends.
        while done < buffer.len() && !(self.direct && done % BLOCK_BYTES != 0) {
            match self.file.read_at(&mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, data: &[u8], offset: u64, durable: bool) -> io::Result<()> {
        if durable { write_durably(&self.file, data, offset) } else { self.file.write_all_at(data, offset) }
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.file.set_len(size)
    }

    fn reserve(&self, bytes: u64) -> io::Result<()> {
        reserve(&self.file, bytes)
    }

    fn is_sendable(&self) -> bool {
        sending::is_possible(&self.file)
    }

    fn is_cached(&self, offset: u64, bytes: u64) -> bool {
        sending::is_cached(&self.file, offset, bytes)
    }

    fn read_cached_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        sending::read_cached_at(&self.file, buffer, offset)
    }

    fn send_at(&self, socket: BorrowedFd<'_>, offset: u64, bytes: usize) -> io::Result<usize> {
        sending::send_at(&self.file, socket, offset, bytes)
    }

    fn load(&self, offset: u64, bytes: u64) -> io::Result<()> {
        sending::load(&self.file, offset, bytes)
    }

    fn unload(&self, offset: u64, bytes: u64) {
        sending::unload(&self.file, offset, bytes);
    }
}

#[cfg(target_os = "linux")]
#[expect(clippy::unnecessary_wraps, reason = "other systems refuse")]
fn set_direct(options: &mut OpenOptions) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    options.custom_flags(rustix::fs::OFlags::DIRECT.bits().cast_signed());
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn set_direct(_: &mut OpenOptions) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// One call that writes and flushes just these bytes; where the kernel or the file system has no such call, two.
#[cfg(target_os = "linux")]
fn write_durably(file: &File, data: &[u8], offset: u64) -> io::Result<()> {
    use rustix::io::{Errno, ReadWriteFlags, pwritev2};
    let mut done = 0;
    while done < data.len() {
        match pwritev2(file, &[io::IoSlice::new(&data[done..])], offset + done as u64, ReadWriteFlags::DSYNC) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => done += count,
            Err(Errno::INTR) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                file.write_all_at(&data[done..], offset + done as u64)?;
                return file.sync_data();
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn write_durably(file: &File, data: &[u8], offset: u64) -> io::Result<()> {
    file.write_all_at(data, offset)?;
    file.sync_data()
}

#[cfg(target_os = "linux")]
fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    loop {
        return match fallocate(file, FallocateFlags::empty(), 0, bytes) {
            Err(Errno::INTR) => continue,
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(error) => Err(error.into()),
        };
    }
}

#[cfg(not(target_os = "linux"))]
fn reserve(_: &File, _: u64) -> io::Result<()> {
    Ok(())
}
