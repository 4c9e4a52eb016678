//! Whose data folder it is: `meta.properties`, as Kafka calls it, with the cluster id that was drawn when the folder was new.
//!
//! Read and written only after the engine has opened the folder, and so under its lock.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use ottla_broker::Entropy;
use ottla_storage::local::inspect::Damage;

use crate::exit::Failure;

/// The file's name in the data folder.
const FILE: &str = "meta.properties";
/// The version of its format. Kafka's file of that name is at 1 as well, with the same keys.
const VERSION: &str = "1";

/// A fresh cluster id: 128 random bits in Kafka's form.
pub(crate) fn new_cluster_id(entropy: &dyn Entropy) -> String {
    let mut bits = [0; 16];
    entropy.fill(&mut bits);
    bits[6] = bits[6] & 0x0f | 0x40;
    bits[8] = bits[8] & 0x3f | 0x80;
    base64_url(bits)
}

/// 22 letters for 16 bytes, without padding (RFC 4648, section 5).
fn base64_url(bytes: [u8; 16]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let number = u128::from_be_bytes(bytes);
    // Six bits a letter from the top; the last letter holds the two that are left.
    let letter = |at: u32| {
        let shifted = if at < 21 { number >> (122 - 6 * at) } else { number << 4 };
        char::from(LETTERS[(shifted & 63) as usize])
    };
    (0..22).map(letter).collect()
}

/// The cluster id of a data folder; a new folder gets one, durably.
///
/// # Errors
/// The file cannot be read or written, or it is not ours.
pub(crate) fn cluster_id(folder: &Path, node_id: i32, entropy: &dyn Entropy) -> Result<String, Failure> {
    let path = folder.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let id = new_cluster_id(entropy);
            write(folder, &id, node_id).map_err(|error| {
                let path = path.display();
                Failure::Runtime(format!("could not write {path}: {error}; make the folder writable and start again"))
            })?;
            return Ok(id);
        }
        Err(error) => {
            let path = path.display();
            return Err(Failure::Runtime(format!("could not read {path}: {error}; make it readable and start again")));
        }
    };
    parse(&text).map(str::to_owned).ok_or_else(|| {
        Failure::Runtime(format!(
            "{} does not name a cluster.id in version {VERSION}; restore the file, or choose another folder with --data",
            path.display()
        ))
    })
}

/// The cluster id that the file names.
fn parse(text: &str) -> Option<&str> {
    let value =
        |key: &str| text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('=')).map(str::trim);
    let id = value("cluster.id").filter(|id| !id.is_empty() && id.len() <= 255);
    id.filter(|_| value("version") == Some(VERSION))
}

/// What is wrong with the file, without changing it. It is no fault where a new folder has none yet.
pub(crate) fn check(folder: &Path, is_new: bool) -> Option<Damage> {
    let (what, prevents_start) = match fs::read_to_string(folder.join(FILE)) {
        Ok(text) if parse(&text).is_some() => return None,
        Ok(_) => (format!("it does not name a cluster.id in version {VERSION}"), true),
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_new => return None,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            ("it is missing, so the next start gives the cluster another id".to_owned(), false)
        }
        Err(error) => (format!("it cannot be read: {error}"), true),
    };
    Some(Damage { path: FILE.into(), byte: None, what, lost: Vec::new(), prevents_start })
}

/// Writes the file so that it is there whole or not at all, also after a power cut.
fn write(folder: &Path, cluster_id: &str, node_id: i32) -> io::Result<()> {
    let unfinished = folder.join(format!("{FILE}.new"));
    let mut file = File::create(&unfinished)?;
    write!(file, "version={VERSION}\ncluster.id={cluster_id}\nnode.id={node_id}\n")?;
    file.sync_all()?;
    fs::rename(unfinished, folder.join(FILE))?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Counting(std::sync::atomic::AtomicU8);

    impl Entropy for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill_with(|| self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        }
    }

    fn entropy() -> Counting {
        Counting(std::sync::atomic::AtomicU8::new(7))
    }

    #[test]
    fn ids_are_written_as_the_standard_says() {
        assert_eq!(base64_url([0; 16]), "A".repeat(22));
        assert_eq!(base64_url([255; 16]), format!("{}w", "_".repeat(21)));
        assert_eq!(base64_url(*b"any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw");
    }

    #[test]
    fn a_folder_keeps_its_id() {
        let folder = tempfile::tempdir().expect("a folder");
        let random = entropy();
        let first = cluster_id(folder.path(), 1, &random).expect("an id");
        assert_eq!(first.len(), 22);
        assert_eq!(cluster_id(folder.path(), 1, &random), Ok(first));
    }

    #[test]
    fn a_file_that_is_not_ours_is_refused() {
        for content in ["", "version=2\ncluster.id=x\n", "version=1\n", "version=1\ncluster.id=\n"] {
            let folder = tempfile::tempdir().expect("a folder");
            fs::write(folder.path().join(FILE), content).expect("a file");
            let error = cluster_id(folder.path(), 1, &entropy()).expect_err("not ours");
            assert!(error.to_string().contains("choose another folder with --data"), "{error}");
        }
    }
}
