//! Looking at a data folder while no broker has it open: whether all is there and intact, and what lies where.
//!
//! 1. Nothing is changed, ever: all goes through a disk that refuses every change.
//! 2. Memory is bounded by the manifest and one piece of one file; no length that a file claims is taken for memory.
//! 3. What is damaged is passed over, so that one look tells all of it.

mod batches;
mod check;
mod dump;
mod frames;
mod read_only;
mod report;
mod segment;
mod strangers;
mod view;

use std::io;
use std::path::Path;

use super::disk::{Disk, LockHeld};
use read_only::ReadOnlyDisk;

pub use check::check;
pub use dump::{DumpWish, Field, Line, dump};
pub use report::{CheckReport, Damage, InspectError, Lost, ManifestFacts, PartitionFacts, Stranger, WalFacts};

/// Takes the folder for reading: as long as the lock is held, no broker changes it.
fn enter<'a>(folder: &Path, disk: &'a dyn Disk) -> Result<(ReadOnlyDisk<'a>, Option<Box<dyn LockHeld>>), InspectError> {
    let disk = ReadOnlyDisk(disk);
    let failed = |error: io::Error| InspectError::Io { path: folder.to_owned(), error: error.to_string() };
    let names = match disk.list(folder) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Vec::new(),
        listed => listed.map_err(failed)?,
    };
    if !names.iter().any(|entry| ["manifest", "wal"].contains(&&*entry.name)) {
        return Err(InspectError::NotADataFolder { folder: folder.to_owned() });
    }
    match disk.lock(&folder.join("lock")) {
        Ok(lock) => Ok((disk, Some(lock))),
        // A copy without it: no broker holds what is not there.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((disk, None)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(InspectError::InUse { folder: folder.to_owned() })
        }
        Err(error) => Err(failed(error)),
    }
}
