//! Ranges of files that go to a socket without passing through our memory, and what is needed to do that without ever
//! waiting for the disk: asking for the page cache, reading only from it, filling it.

#[cfg(target_os = "linux")]
pub(super) use linux::*;
#[cfg(not(target_os = "linux"))]
pub(super) use nowhere::*;

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::File;
    use std::io;
    use std::num::NonZeroU64;
    use std::os::fd::BorrowedFd;
    use std::os::unix::fs::FileExt;
    use std::sync::OnceLock;

    use rustix::fs::{Advice, fadvise, sendfile};
    use rustix::io::{Errno, ReadWriteFlags, preadv2};

    use super::super::cachestat::cached_pages;

    /// What a load reads at once: it only has to pass through somewhere.
    const SCRATCH_BYTES: usize = 128 << 10;

    fn page_bytes() -> u64 {
        static PAGE_BYTES: OnceLock<u64> = OnceLock::new();
        *PAGE_BYTES.get_or_init(|| rustix::param::page_size() as u64)
    }

    /// Whether this system answers for its page cache: old kernels have no such call, and containers may forbid it.
    pub(in super::super) fn is_possible(file: &File) -> bool {
        static IS_POSSIBLE: OnceLock<bool> = OnceLock::new();
        let is_possible = *IS_POSSIBLE.get_or_init(|| match cached_pages(file, 0, 1) {
            Ok(_) => true,
            Err(error) => {
                tracing::debug!(%error, "the page cache cannot be asked; records are read into memory and not sent from files");
                false
            }
        });
        // What the reactor may find in the cache is what was written or loaded, never what the system is still about to read.
        is_possible && fadvise(file, 0, None, Advice::Random).is_ok()
    }

    pub(in super::super) fn is_cached(file: &File, offset: u64, bytes: u64) -> bool {
        if bytes == 0 {
            return true;
        }
        let (first, last) = (offset / page_bytes(), (offset + bytes - 1) / page_bytes());
        cached_pages(file, offset, bytes).is_ok_and(|cached| cached > last - first)
    }

    pub(in super::super) fn read_cached_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            match preadv2(file, &mut [io::IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT) {
                Err(Errno::INTR) => {}
                // File systems that do not know the flag.
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Err(io::ErrorKind::WouldBlock.into()),
                result => return result.map_err(io::Error::from),
            }
        }
    }

    pub(in super::super) fn send_at(
        file: &File,
        socket: BorrowedFd<'_>,
        mut offset: u64,
        bytes: usize,
    ) -> io::Result<usize> {
        loop {
            match sendfile(socket, file, Some(&mut offset), bytes) {
                Err(Errno::INTR) => {}
                result => return result.map_err(io::Error::from),
            }
        }
    }

    pub(in super::super) fn load(file: &File, offset: u64, bytes: u64) -> io::Result<()> {
        // All of it is asked for at once; the reads then wait for it. An advice that is not taken only makes them slower.
        let _ = fadvise(file, offset, NonZeroU64::new(bytes), Advice::WillNeed);
        let mut scratch = vec![0; SCRATCH_BYTES];
        let (mut at, end) = (offset, offset + bytes);
        while at < end {
            let wanted = SCRATCH_BYTES.min(usize::try_from(end - at).unwrap_or(SCRATCH_BYTES));
            match file.read_at(scratch.get_mut(..wanted).unwrap_or_default(), at) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => at += count as u64,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(in super::super) fn unload(file: &File, offset: u64, bytes: u64) {
        // Only advice; what others still send or have not written yet stays.
        let _ = fadvise(file, offset, NonZeroU64::new(bytes), Advice::DontNeed);
    }
}

#[cfg(not(target_os = "linux"))]
mod nowhere {
    use std::fs::File;
    use std::io;
    use std::os::fd::BorrowedFd;

    pub(in super::super) fn is_possible(_: &File) -> bool {
        false
    }

    pub(in super::super) fn is_cached(_: &File, _: u64, _: u64) -> bool {
        false
    }

    pub(in super::super) fn read_cached_at(_: &File, _: &mut [u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    pub(in super::super) fn send_at(_: &File, _: BorrowedFd<'_>, _: u64, _: usize) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(in super::super) fn load(_: &File, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    pub(in super::super) fn unload(_: &File, _: u64, _: u64) {}
}
