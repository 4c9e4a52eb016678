//! A bit of what is on the medium turns over. Either it does not matter, or what needs it is refused with a sentence that names
//! the file; never is it taken for the end of the log, and never is anything else answered.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_storage::local::simulation::SteppedEngine;

use super::checks::read_all;
use super::disk::SimulatedDisk;
use super::model::Promise;
use super::world::{Life, World};

impl World {
    /// Damages the disk, looks at what comes of it, and undoes everything.
    pub(super) fn damage(&self, disk: &SimulatedDisk) {
        if self.lock().violation.is_some() {
            return;
        }
        let Some((path, byte, bit)) = self.choose(disk) else { return };
        let before = disk.save();
        disk.flip(&path, byte, bit);
        let (options, model) = {
            let mut shared = self.lock();
            shared.note(|| format!("bit {bit} of byte {byte} of {} turns over", path.display()));
            shared.life = Life::calm();
            let random = shared.rng.next();
            (shared.setup.options(random, &self.clock), shared.model.clone())
        };
        let opened = SteppedEngine::open(options, Arc::new(disk.clone()));
        let promise = match opened {
            Err(error) => is_named(&path, &error.to_string()),
            Ok(engine) => self.survives(&path, &Arc::new(engine), model),
        };
        disk.end();
        disk.restore(before);
        let mut shared = self.lock();
        let what = format!("bit {bit} of byte {byte} of {} turned over", path.display());
        shared.check(promise.map_err(|problem| format!("{what}: {problem}")));
    }

    fn survives(&self, path: &Path, engine: &Arc<SteppedEngine>, mut model: super::model::Model) -> Promise {
        let power_cut = self.lock().power_cut;
        model.recovered(power_cut, engine.engine())?;
        read_all(engine, &model, &|sentence| is_named(path, sentence).is_ok())
    }

    /// A place where damage must not go unnoticed.
    fn choose(&self, disk: &SimulatedDisk) -> Option<(PathBuf, u64, u8)> {
        let files: Vec<_> = disk.files().into_iter().filter(|(_, size)| *size > 0).collect();
        let mut shared = self.lock();
        for _ in 0..20 {
            let number = shared.rng.between(0, files.len().checked_sub(1)? as u64) as usize;
            let (path, size) = &files[number];
            // Files of the log are mostly zeros at the end.
            let size = if shared.rng.once_in(2) { (*size).min(12 << 10) } else { *size };
            let byte = shared.rng.between(0, size - 1);
            let bit = shared.rng.between(0, 7) as u8;
            if disk.is_vouched_for(path, byte) && !is_not_covered(&disk.content(path), path, byte) {
                return Some((path.clone(), byte, bit));
            }
        }
        None
    }
}

/// Whether a byte of a segment is one whose damage may go unnoticed: the base offset of a batch, which its checksum does not cover
/// (as in Kafka), where compaction has left gaps between batches. In all other segments offsets must go on without one.
fn is_not_covered(content: &[u8], path: &Path, byte: u64) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_compacted_log = name.ends_with(".log") && name.split('.').count() > 2;
    let mut at = 64;
    while is_compacted_log && let Some(length) = content.get(at + 8..at + 12) {
        let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        match (byte as usize).checked_sub(at) {
            Some(0..8) => return true,
            Some(behind) if length > 0 && behind >= 12 + length => at += 12 + length,
            _ => return false,
        }
    }
    false
}

/// Whether a sentence names the damaged file. Damage in the log is found where the log stops making sense, which may be the file
/// before.
fn is_named(path: &Path, sentence: &str) -> Promise {
    let name = match path.extension() {
        Some(extension) if extension == "wal" => "/data/wal".to_owned(),
        _ => path.display().to_string(),
    };
    if sentence.contains(&name) { Ok(()) } else { Err(format!("the refusal does not name the file: {sentence}")) }
}
