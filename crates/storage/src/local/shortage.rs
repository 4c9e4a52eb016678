//! What the system may run out of and have again later: disk space, file descriptors, memory.
//!
//! A call that fails for want of these has done nothing, so trying again is fine. Flushes are the exception: after one that
//! failed it is not known what is on the disk, whatever the reason was.

use std::io;

use rustix::io::Errno;

/// Whether a call that opens, lists or writes without a flush failed for want of something that may be there again later.
pub(super) fn is_shortage(error: &io::Error) -> bool {
    let kind = error.kind();
    let full = matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::OutOfMemory);
    full || lacks_descriptors(error)
}

/// Whether no file could be opened because too many are open already, in this process or on this machine. No flush fails
/// with these: where a call opens and flushes, it did not come to the flush.
pub(super) fn lacks_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error().map(Errno::from_raw_os_error), Some(Errno::MFILE | Errno::NFILE))
}

/// What helps, as a part of a sentence.
pub(super) fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free disk space",
        io::ErrorKind::OutOfMemory => "free memory",
        _ if lacks_descriptors(error) => "raise the limit of open files (ulimit -n) or close connections",
        _ => "check the disk",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_passes_from_what_does_not() {
        let error = |errno: Errno| io::Error::from_raw_os_error(errno.raw_os_error());
        for errno in [Errno::NOSPC, Errno::DQUOT, Errno::MFILE, Errno::NFILE, Errno::NOMEM] {
            assert!(is_shortage(&error(errno)), "{errno}");
            assert_ne!(remedy(&error(errno)), "check the disk", "{errno}");
        }
        for errno in [Errno::IO, Errno::ROFS, Errno::ACCESS, Errno::NOENT] {
            assert!(!is_shortage(&error(errno)), "{errno}");
        }
        assert!(lacks_descriptors(&error(Errno::NFILE)) && !lacks_descriptors(&error(Errno::NOMEM)));
    }
}
