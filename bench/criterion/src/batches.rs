//! Record batches as a producer would send them.

use bytes::Bytes;
use ottla_protocol::records::BatchBuilder;

/// A batch of exactly that many bytes with its header: one record, uncompressed, without a key. Neither the codec nor the
/// engine looks behind the header, so more records would change nothing but the offsets.
///
/// # Panics
/// Where no value makes a batch of that size.
pub fn batch_of(bytes: usize) -> Bytes {
    // How many bytes a length takes depends on the length: the first guess is too small, the second is right.
    let guess = bytes - around_value_of(bytes);
    let batch = batch_with_value(bytes - around_value_of(guess));
    assert_eq!(batch.len(), bytes, "no single value makes a batch of that size");
    batch
}

fn around_value_of(value_bytes: usize) -> usize {
    batch_with_value(value_bytes).len() - value_bytes
}

fn batch_with_value(value_bytes: usize) -> Bytes {
    // No two neighbours are alike, as in real records; what they are makes no difference.
    let value: Vec<u8> = (0..value_bytes).map(|at| (at * 31 + at / 251) as u8).collect();
    let mut builder = BatchBuilder::new();
    builder.push(0, None, Some(&value), &[]);
    builder.build()
}
