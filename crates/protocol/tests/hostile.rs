//! What a hostile peer may send: a million mutated frames through headers, bodies and record batches. Nothing panics, and
//! no frame makes us allocate 8 times its size plus 4 KiB.
//!
//! `OTTLA_HOSTILE_FRAMES` sets another count, `OTTLA_HOSTILE_SEED` another seed.
#![allow(unsafe_code)] // The counting allocator.
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ottla_protocol::frame::{decode_any, split_request};
use ottla_protocol::messages::{AnyRequest, DECLARED_APIS};
use ottla_protocol::records::{self, BatchBuilder, BatchError, HEADER_BYTES, WORKSPACE_BYTES};
use ottla_protocol::sample::Generator;
use ottla_protocol::{ApiKey, Encoder, Field};

/// Counts what each thread holds. Growing a buffer counts the old and the new one, because both may be there at once.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.set(LIVE.get() + layout.size() as isize);
        PEAK.set(PEAK.get().max(LIVE.get()));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get() - layout.size() as isize);
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `work` held at most at one time.
fn peak_bytes<R>(work: impl FnOnce() -> R) -> (usize, R) {
    let before = LIVE.get();
    PEAK.set(before);
    let result = work();
    ((PEAK.get() - before) as usize, result)
}

fn allowed_bytes(frame: &[u8]) -> usize {
    8 * frame.len() + 4096
}

#[expect(clippy::disallowed_methods, reason = "the settings of a test")]
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect(name))
}

fn seed() -> u64 {
    setting("OTTLA_HOSTILE_SEED", 20_261_122)
}

/// Valid requests of every API and version: small ones mostly, and a few long ones.
fn valid_frames() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for declared in DECLARED_APIS {
        for version in declared.versions.iter() {
            for seed in [1, 2, 3, 4, 5, 6] {
                let request = AnyRequest::sample(&mut Generator::new(seed), declared.key, version).unwrap();
                let mut encoder = Encoder::for_request();
                declared.key.code().write(&mut encoder, 0).unwrap();
                version.write(&mut encoder, 0).unwrap();
                7i32.write(&mut encoder, 0).unwrap();
                "hostile".write_plain(&mut encoder);
                encoder.set_flexible(version >= declared.flexible_from);
                if encoder.is_flexible() {
                    encoder.put_unsigned_varint(0);
                }
                request.write(&mut encoder, version).unwrap();
                let frame = encoder.finish().concat();
                if frame.len() < 2_000 || (seed == 2 && frame.len() < 20_000) {
                    frames.push(frame);
                }
            }
        }
    }
    frames
}

trait WritePlain {
    fn write_plain(&self, encoder: &mut Encoder);
}

impl WritePlain for str {
    fn write_plain(&self, encoder: &mut Encoder) {
        encoder.put_slice(&(self.len() as i16).to_be_bytes());
        encoder.put_slice(self.as_bytes());
    }
}

/// Lengths and counts that have broken decoders.
fn hostile_number(generator: &mut Generator, left: usize) -> u32 {
    match generator.below(10) {
        0 => u32::MAX,
        1 => u32::MAX - 1,
        2 => i32::MAX as u32,
        3 => i32::MIN as u32,
        4 => left as u32,
        5 => left as u32 + 1,
        6 => (left / 2) as u32,
        7 => 0x7fff,
        8 => 1 << generator.below(32),
        _ => generator.bits() as u32,
    }
}

fn varint(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn overwrite(frame: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let at = at.min(frame.len());
    let end = frame.len().min(at + bytes.len());
    frame.splice(at..end, bytes.iter().copied());
}

fn mutate(frame: &mut Vec<u8>, generator: &mut Generator) {
    for _ in 0..=generator.below(3) {
        let at = generator.below(frame.len().max(1)).min(frame.len());
        let left = frame.len() - at;
        match generator.below(12) {
            0 => frame.truncate(at),
            1 => overwrite(frame, at, &[generator.bits() as u8]),
            2 => overwrite(frame, at, &[[0, 1, 0x7f, 0x80, 0xff][generator.below(5)]]),
            3 => {
                let number = hostile_number(generator, left);
                overwrite(frame, at, &number.to_be_bytes());
            }
            4 => {
                let number = hostile_number(generator, left);
                overwrite(frame, at, &varint(number));
            }
            5 => {
                let number = hostile_number(generator, left) as u16;
                overwrite(frame, at, &number.to_be_bytes());
            }
            6 => {
                let end = at + generator.below(left + 1);
                frame.drain(at..end);
            }
            7 => {
                let end = at + generator.below(left + 1).min(500);
                let again = frame[at..end].to_vec();
                frame.splice(at..at, again);
            }
            // Another API or version than the body was written for.
            8 => overwrite(frame, 0, &[0, generator.below(95) as u8, 0, generator.below(20) as u8]),
            9 => overwrite(frame, 2, &(generator.bits() as u16).to_be_bytes()),
            // As many tiny elements as fit: a count, and a tail that reads as nothing but empty ones.
            10 => {
                let count = generator.below(3_000);
                let filler = [0u8, 1, 2][generator.below(3)];
                frame.truncate(at);
                if generator.below(2) == 0 {
                    frame.extend((count as u32).to_be_bytes());
                } else {
                    frame.extend(varint(count as u32));
                }
                frame.extend(std::iter::repeat_n(filler, count * (1 + generator.below(4))));
            }
            _ => frame.extend((0..generator.below(200)).map(|_| generator.bits() as u8)),
        }
    }
}

/// Decodes a frame, and the batches in it, as a broker does.
fn decode(frame: &[u8]) -> bool {
    let Ok((header, body)) = split_request(frame) else { return false };
    let Some(key) = ApiKey::from_code(header.api_key) else { return false };
    let Ok(request) = decode_any(key, header.api_version, body) else { return false };
    if let AnyRequest::Produce(produce) = request {
        for partition in produce.topic_data.iter().flat_map(|topic| &topic.partition_data) {
            look_at_batches(partition.records.as_deref().unwrap_or_default());
        }
    }
    true
}

fn look_at_batches(blob: &[u8]) {
    let _ = records::validate(blob);
    for batch in records::batches(blob).flatten() {
        let _ = (batch.header.last_offset(), batch.header.next_offset(), batch.header.last_sequence());
        if batch.header.compression() == Ok(records::Compression::None) {
            let _ = open_all(batch.bytes, 0);
        }
    }
}

/// Reads every record and header of a batch.
fn open_all(batch: &[u8], max_bytes: usize) -> Result<usize, BatchError> {
    let opened = records::open(batch, max_bytes)?;
    let mut seen = 0;
    for record in opened.records() {
        seen += 1 + record?.headers.iter().count();
    }
    Ok(seen)
}

#[test]
fn the_measure_sees_what_a_trusting_decoder_would_allocate() {
    let frame = [0u8; 100];
    let (peak, _) = peak_bytes(|| std::hint::black_box(Vec::<u64>::with_capacity(1_000)));
    assert!(peak > allowed_bytes(&frame));
    let (peak, _) = peak_bytes(|| {
        let mut grown = std::hint::black_box(vec![0u8; 3_000]);
        grown.reserve_exact(3_000);
        grown
    });
    assert_eq!(peak, 9_000, "the old and the new buffer");
}

#[test]
fn mutated_requests_neither_panic_nor_allocate_much() {
    let frames = valid_frames();
    for frame in &frames {
        let (peak, decoded) = peak_bytes(|| decode(frame));
        assert!(decoded && peak < allowed_bytes(frame), "a valid frame");
    }
    let count = setting("OTTLA_HOSTILE_FRAMES", 1_000_000);
    let (mut accepted, mut largest) = (0u64, 0);
    let mut generator = Generator::new(seed());
    let mut frame = Vec::new();
    for round in 0..count {
        frame.clone_from(&frames[generator.below(frames.len())]);
        mutate(&mut frame, &mut generator);
        let (peak, decoded) = peak_bytes(|| decode(&frame));
        let allowed = allowed_bytes(&frame);
        assert!(peak < allowed, "round {round}: {peak} bytes for a frame of {}: {frame:02x?}", frame.len());
        accepted += u64::from(decoded);
        largest = largest.max(peak * 100 / allowed);
    }
    println!("{count} frames, {accepted} still decode, at most {largest} % of the memory allowed");
    // The mutations are neither so mild that nothing is refused nor so wild that nothing gets past the header.
    assert!(accepted > count / 100 && accepted < count / 2, "{accepted} of {count} still decode");
}

#[test]
fn produced_and_fetched_records_cost_no_memory_of_their_own() {
    use bytes::Bytes;
    use ottla_protocol::frame::{decode_body, encode_response_frame};
    use ottla_protocol::messages::*;

    let records = Bytes::from(vec![7u8; 1 << 20]);
    let partition = PartitionProduceData { index: 0, records: Some(records.as_ref().into()) };
    let topic = TopicProduceData { partition_data: vec![partition], ..TopicProduceData::default() };
    let request = ProduceRequest { topic_data: vec![topic], ..ProduceRequest::default() };
    let mut encoder = Encoder::for_request();
    encoder.set_flexible(true);
    request.write(&mut encoder, 13).unwrap();
    let body = encoder.finish().concat();
    let (peak, read) = peak_bytes(|| decode_body::<ProduceRequest>(&body, 13));
    assert!(read.is_ok() && peak < 200, "{peak} bytes to read");

    let partition = PartitionData { records: Some(records.into()), ..PartitionData::default() };
    let topic = FetchableTopicResponse { partitions: vec![partition], ..FetchableTopicResponse::default() };
    let response = FetchResponse { responses: vec![topic], ..FetchResponse::default() };
    let (peak, written) = peak_bytes(|| encode_response_frame(1, 13, &response));
    assert!(written.is_ok() && peak < 1_000, "{peak} bytes to write");
}

fn batch_from_reference() -> Vec<Vec<u8>> {
    let digits = |hex: &str| -> Vec<u8> {
        hex.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    };
    let lines = include_str!("captured/reference.txt").lines().filter(|line| line.starts_with("Batch"));
    lines.map(|line| digits(line.rsplit(' ').next().unwrap())).collect()
}

fn with_records_replaced(batch: &[u8], records: &[u8]) -> Vec<u8> {
    let mut replaced = batch[..HEADER_BYTES].to_vec();
    replaced.extend_from_slice(records);
    let length = replaced.len() as i32 - 12;
    replaced[8..12].copy_from_slice(&length.to_be_bytes());
    replaced
}

#[test]
fn mutated_batches_neither_panic_nor_allocate_much() {
    let mut batches = batch_from_reference();
    let mut builder = BatchBuilder::new();
    (0..20).for_each(|place| builder.push(place, Some(b"key"), Some(b"value"), &[("h", None), ("h", Some(b"1"))]));
    batches.push(builder.build().to_vec());
    for batch in &batches {
        assert!(records::validate(batch).is_ok() && open_all(batch, 1 << 20).is_ok());
    }
    let count = setting("OTTLA_HOSTILE_FRAMES", 1_000_000) / 10;
    let mut generator = Generator::new(seed());
    let (mut opened, mut largest) = (0u64, 0);
    for round in 0..count {
        // The long ones are slow to open; the short ones reach as much of the code.
        let short = batches.iter().filter(|batch| batch.len() < 1_000 || generator.below(20) == 0);
        let candidates: Vec<_> = short.collect();
        let batch = candidates[generator.below(candidates.len())];
        let mutated = if generator.below(4) == 0 {
            let mut mutated = batch.clone();
            mutate(&mut mutated, &mut generator);
            mutated
        } else {
            let mut content = batch[HEADER_BYTES..].to_vec();
            mutate(&mut content, &mut generator);
            with_records_replaced(batch, &content)
        };
        let (peak, ()) = peak_bytes(|| look_at_batches(&mutated));
        assert!(peak < allowed_bytes(&mutated), "round {round}: {peak} bytes");
        let max_bytes = [100, 8 * mutated.len(), 1 << 20][generator.below(3)];
        let (peak, result) = peak_bytes(|| open_all(&mutated, max_bytes));
        assert!(peak < 4 * max_bytes + WORKSPACE_BYTES, "round {round}: {peak} bytes for {max_bytes}");
        largest = largest.max(peak.saturating_sub(4 * max_bytes));
        opened += u64::from(result.is_ok());
    }
    println!("{count} batches, {opened} still open, at most {largest} bytes of workspace");
    assert!(opened > count / 100 && opened < count / 2, "{opened} of {count} still open");
}

/// Zeros without end, in the codec's densest form.
fn bomb(compression: records::Compression) -> Vec<u8> {
    use std::io::Write;
    let zeros = vec![0u8; 32 << 20];
    match compression {
        records::Compression::None => zeros,
        records::Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(&zeros).unwrap();
            encoder.finish().unwrap()
        }
        records::Compression::Snappy => snap::raw::Encoder::new().compress_vec(&zeros).unwrap(),
        records::Compression::Lz4 => {
            let mut frame = vec![0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73];
            for _ in 0..8 {
                let block = lz4_flex::block::compress(&zeros[..4 << 20]);
                frame.extend((block.len() as u32).to_le_bytes());
                frame.extend(block);
            }
            frame.extend([0; 4]);
            frame
        }
        records::Compression::Zstd => {
            // Blocks that repeat one byte 128 KiB times, in four bytes each.
            let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3];
            for last in (0..256).map(|block| u32::from(block == 255)) {
                let header = 0x2_0000u32 << 3 | 1 << 1 | last;
                frame.extend(&header.to_le_bytes()[..3]);
                frame.push(0);
            }
            frame
        }
    }
}

#[test]
fn bombs_are_stopped_at_the_bound() {
    let mut builder = BatchBuilder::new();
    builder.push(0, None, Some(b"value"), &[]);
    let empty = builder.build();
    for number in 1..=4 {
        let compression = records::Compression::from_number(number).unwrap();
        let content = bomb(compression);
        let mut batch = with_records_replaced(&empty, &content);
        batch[22] = number as u8;
        for max_bytes in [0, 1_000, 1 << 20, 10 << 20] {
            let (peak, result) = peak_bytes(|| records::open(&batch, max_bytes).map(|_| ()));
            assert_eq!(result, Err(BatchError::TooLarge { max_bytes }), "{compression}");
            assert!(peak < 4 * max_bytes + WORKSPACE_BYTES, "{compression}: {peak} bytes for {max_bytes}");
        }
        let opened = records::open(&batch, 32 << 20).unwrap();
        assert_eq!(opened.record_bytes().len(), 32 << 20, "{compression}: the bomb is a real one");
    }
}
