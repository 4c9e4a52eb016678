//! How much of a range of a file is in the page cache (`cachestat`, Linux 6.5).
//!
//! No library of ours wraps this call, and there is no other way to ask without mapping the file or copying from it.
#![allow(
    unsafe_code,
    reason = "a system call without a wrapper; the two structures it reads and writes live on our stack"
)]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// The same number on all architectures that Rust's standard library supports on Linux.
const CACHESTAT: libc::c_long = 451;

#[repr(C)]
struct Range {
    offset: u64,
    bytes: u64,
}

#[repr(C)]
#[derive(Default)]
struct Stat {
    cached: u64,
    dirty: u64,
    writeback: u64,
    evicted: u64,
    recently_evicted: u64,
}

/// How many pages of the range are in the cache.
pub(super) fn cached_pages(file: &File, offset: u64, bytes: u64) -> io::Result<u64> {
    let range = Range { offset, bytes };
    let mut stat = Stat::default();
    // SAFETY: the call reads one `Range` and writes one `Stat`, both laid out as the kernel declares them and alive until
    // it returns; the descriptor is open as long as `file` is borrowed.
    let result = unsafe { libc::syscall(CACHESTAT, file.as_raw_fd(), &raw const range, &raw mut stat, 0) };
    if result == 0 { Ok(stat.cached) } else { Err(io::Error::last_os_error()) }
}
