//! What a file holds: as processes see it, and as it is on the medium.

use crate::prng::Prng;

/// One file's content.
#[derive(Clone, Default)]
pub(super) struct Content {
    cached: Vec<u8>,
    durable: Vec<u8>,
    /// What leads from one to the other, in order.
    unflushed: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write {
        at: u64,
        data: Vec<u8>,
        /// The device was writing it, past the cache, when the power was cut.
        under_way: bool,
    },
    Size(u64),
}

/// What survives a power cut of that which was not flushed.
pub(super) struct Survival<'a> {
    rng: &'a mut Prng,
    /// Of sixteen pieces, about so many.
    of_sixteen: u64,
    piece_bytes: usize,
}

impl<'a> Survival<'a> {
    pub(super) fn draw(rng: &'a mut Prng) -> Self {
        let of_sixteen = match rng.between(0, 4) {
            0 => 0,
            1 => 16,
            2 => 8,
            _ => rng.between(1, 15),
        };
        let piece_bytes = if rng.once_in(2) { 512 } else { 4096 };
        Self { rng, of_sixteen, piece_bytes }
    }

    /// Whether the next piece survives.
    pub(super) fn survives(&mut self) -> bool {
        self.rng.between(0, 15) < self.of_sixteen
    }
}

impl Content {
    pub(super) fn size(&self) -> u64 {
        self.cached.len() as u64
    }

    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> usize {
        let rest = self.cached.get(offset as usize..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        length
    }

    pub(super) fn write(&mut self, data: &[u8], at: u64) {
        self.note(data, at, false);
        put(&mut self.cached, data, at);
    }

    pub(super) fn write_under_way(&mut self, data: &[u8], at: u64) {
        self.note(data, at, true);
        put(&mut self.cached, data, at);
    }

    fn note(&mut self, data: &[u8], at: u64, under_way: bool) {
        self.grow(at + data.len() as u64);
        self.unflushed.push(Change::Write { at, data: data.to_vec(), under_way });
    }

    fn grow(&mut self, size: u64) {
        if size > self.size() {
            self.cached.resize(size as usize, 0);
            self.unflushed.push(Change::Size(size));
        }
    }

    /// A write that is on the medium when it is done, and with it the file's size. What else was not flushed still is not.
    pub(super) fn write_durably(&mut self, data: &[u8], at: u64) {
        self.grow(at + data.len() as u64);
        let (start, end) = (at, at + data.len() as u64);
        for change in std::mem::take(&mut self.unflushed) {
            match change {
                Change::Size(size) => self.durable.resize(size as usize, 0),
                Change::Write { at, data, under_way } => {
                    for (at, data) in outside(at, &data, start, end) {
                        self.unflushed.push(Change::Write { at, data, under_way });
                    }
                }
            }
        }
        put(&mut self.cached, data, at);
        put(&mut self.durable, data, at);
    }

    pub(super) fn sync(&mut self) {
        for change in std::mem::take(&mut self.unflushed) {
            match change {
                Change::Size(size) => self.durable.resize(size as usize, 0),
                Change::Write { at, data, .. } => put_within(&mut self.durable, &data, at),
            }
        }
    }

    /// Some of it is written, and the rest forgotten; the size is metadata and is not.
    pub(super) fn fail_to_sync(&mut self, rng: &mut Prng) {
        let mut sizes = Vec::new();
        let mut survival = Survival::draw(rng);
        for change in std::mem::take(&mut self.unflushed) {
            match change {
                Change::Size(size) => sizes.push(Change::Size(size)),
                Change::Write { at, data, .. } => {
                    // What is written needs its place in the file.
                    let end = (at as usize + data.len()).max(self.durable.len());
                    self.durable.resize(end, 0);
                    overlay(&mut self.durable, at, &data, false, &mut survival);
                }
            }
        }
        self.unflushed = sizes;
        if survival.rng.once_in(2) {
            // The cache lets go of it, and reads show the medium.
            let size = self.cached.len();
            self.cached.clone_from(&self.durable);
            self.cached.resize(size, 0);
        }
    }

    /// Changes the size. What was written to the part that goes away may have come to the medium before.
    pub(super) fn resize(&mut self, size: u64, rng: &mut Prng) {
        if size >= self.size() {
            self.grow(size);
            return;
        }
        self.cached.truncate(size as usize);
        for change in std::mem::take(&mut self.unflushed) {
            match change {
                Change::Write { at, data, under_way } if at + data.len() as u64 > size => {
                    if rng.once_in(2) {
                        put_within(&mut self.durable, &data, at);
                    }
                    let kept = size.saturating_sub(at) as usize;
                    if kept > 0 {
                        self.unflushed.push(Change::Write { at, data: data[..kept].to_vec(), under_way });
                    }
                }
                other => self.unflushed.push(other),
            }
        }
        self.unflushed.push(Change::Size(size));
    }

    /// The power was cut.
    pub(super) fn lose_unflushed(&mut self, survival: &mut Survival<'_>) {
        for change in std::mem::take(&mut self.unflushed) {
            match change {
                Change::Size(size) if survival.survives() => self.durable.resize(size as usize, 0),
                Change::Size(_) => {}
                Change::Write { at, data, under_way } => overlay(&mut self.durable, at, &data, under_way, survival),
            }
        }
        self.cached.clone_from(&self.durable);
    }

    pub(super) fn flip(&mut self, byte: u64, bit: u8) {
        for bytes in [&mut self.cached, &mut self.durable] {
            if let Some(byte) = bytes.get_mut(byte as usize) {
                *byte ^= 1 << bit;
            }
        }
    }
}

fn put(target: &mut Vec<u8>, data: &[u8], at: u64) {
    let end = at as usize + data.len();
    target.resize(target.len().max(end), 0);
    target[at as usize..end].copy_from_slice(data);
}

/// What of it lies within the file's size.
fn put_within(target: &mut [u8], data: &[u8], at: u64) {
    let size = target.len();
    let (start, end) = ((at as usize).min(size), (at as usize + data.len()).min(size));
    target[start..end].copy_from_slice(&data[..end - start]);
}

/// Those pieces of it that survive, within the file's size.
fn overlay(target: &mut [u8], at: u64, data: &[u8], under_way: bool, survival: &mut Survival<'_>) {
    let mut start = 0;
    while start < data.len() {
        let place = at + start as u64;
        let to_boundary = survival.piece_bytes - place as usize % survival.piece_bytes;
        let end = (start + to_boundary).min(data.len());
        if under_way && survival.rng.once_in(4) {
            let noise: Vec<u8> = (start..end).map(|_| survival.rng.next() as u8).collect();
            put_within(target, &noise, place);
        } else if survival.survives() {
            put_within(target, &data[start..end], place);
        }
        start = end;
    }
}

/// What of a write lies before and behind a range.
fn outside(at: u64, data: &[u8], start: u64, end: u64) -> Vec<(u64, Vec<u8>)> {
    let data_end = at + data.len() as u64;
    let before = start.clamp(at, data_end);
    let behind = end.clamp(at, data_end);
    let parts = [(at, &data[..(before - at) as usize]), (behind, &data[(behind - at) as usize..])];
    parts.into_iter().filter(|(_, data)| !data.is_empty()).map(|(at, data)| (at, data.to_vec())).collect()
}
