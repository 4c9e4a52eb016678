//! Seeded test values for every declared message: extremes, nulls, empties, and what other programs' encoders may add.
//! Only with the feature `sample`; the tests of this crate and of others use it.

use std::borrow::Cow;

use bytes::Bytes;

use crate::field::{Blob, Chunk, RecordChunks, Str};
use crate::{ErrorCode, Uuid};

/// A small seeded generator (splitmix64) with a shape that all values of one message follow.
#[derive(Clone, Debug)]
pub struct Generator {
    state: u64,
    shape: Shape,
    depth: u32,
}

/// What the values of one message have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Null where there is one, else zero and empty.
    Null,
    /// Zero and empty, never null.
    Empty,
    /// The largest numbers, long strings and arrays.
    Maximum,
    /// Any of these, and everything between.
    Mixed,
}

impl Generator {
    /// The same seed gives the same values.
    pub fn new(seed: u64) -> Self {
        let shape = match seed % 16 {
            0 => Shape::Null,
            1 => Shape::Empty,
            2 => Shape::Maximum,
            _ => Shape::Mixed,
        };
        Generator { state: seed, shape, depth: 0 }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which must not be zero.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound as u64) as usize
    }

    fn integer(&mut self, min: i64, max: i64) -> i64 {
        match self.shape {
            Shape::Null | Shape::Empty => 0,
            Shape::Maximum => max,
            Shape::Mixed => match self.below(8) {
                0 => 0,
                1 => -1,
                2 => 1,
                3 => min,
                4 => max,
                _ => (self.bits() as i64).clamp(min, max),
            },
        }
    }

    fn length(&mut self, maximum: usize) -> usize {
        match self.shape {
            Shape::Null | Shape::Empty => 0,
            Shape::Maximum if self.depth == 0 => maximum,
            Shape::Maximum => maximum.min(3),
            Shape::Mixed => {
                let long = self.depth == 0 && self.below(40) == 0;
                self.below(if long { maximum } else { 5 })
            }
        }
    }

    fn null(&mut self) -> bool {
        match self.shape {
            Shape::Null => true,
            Shape::Empty | Shape::Maximum => false,
            Shape::Mixed => self.below(4) == 0,
        }
    }
}

/// A value made from a seed, with only the fields that the version has.
pub trait Sample: Sized {
    /// Any value.
    fn sample(generator: &mut Generator, version: i16) -> Self;

    /// Any value that is not null.
    fn sample_present(generator: &mut Generator, version: i16) -> Self {
        Self::sample(generator, version)
    }
}

impl<T: Sample> Sample for Option<T> {
    fn sample(generator: &mut Generator, version: i16) -> Self {
        if generator.null() { None } else { Self::sample_present(generator, version) }
    }

    fn sample_present(generator: &mut Generator, version: i16) -> Self {
        Some(T::sample(generator, version))
    }
}

impl<T: Sample> Sample for crate::OptionalStruct<T> {
    fn sample(generator: &mut Generator, version: i16) -> Self {
        crate::OptionalStruct(Option::sample(generator, version))
    }
}

impl<T: Sample> Sample for Vec<T> {
    fn sample(generator: &mut Generator, version: i16) -> Self {
        let count = generator.length(150);
        generator.depth += 1;
        let elements = (0..count).map(|_| T::sample(generator, version)).collect();
        generator.depth -= 1;
        elements
    }
}

macro_rules! integers {
    ($($type:ty),*) => { $(
        impl Sample for $type {
            fn sample(generator: &mut Generator, _version: i16) -> Self {
                generator.integer(<$type>::MIN as i64, <$type>::MAX as i64) as $type
            }
        }
    )* };
}

integers!(i8, i16, u16, i32, i64);

impl Sample for f64 {
    fn sample(generator: &mut Generator, _version: i16) -> Self {
        // Halves, so that the bits of a fraction count; never NaN, which equals nothing.
        generator.integer(i64::MIN, i64::MAX) as f64 / 2.0
    }
}

impl Sample for bool {
    fn sample(generator: &mut Generator, _version: i16) -> Self {
        generator.integer(0, 1) != 0
    }
}

impl Sample for ErrorCode {
    fn sample(generator: &mut Generator, version: i16) -> Self {
        ErrorCode(i16::sample(generator, version))
    }
}

impl Sample for Uuid {
    fn sample(generator: &mut Generator, version: i16) -> Self {
        let (high, low) = (i64::sample(generator, version) as u64, i64::sample(generator, version) as u64);
        Uuid((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
    }
}

impl Sample for Str<'_> {
    fn sample(generator: &mut Generator, _version: i16) -> Self {
        const LETTERS: [char; 8] = ['a', 'Z', '0', '.', '-', 'ß', '語', '🦦'];
        let length = match generator.shape {
            Shape::Maximum if generator.depth > 0 => 40,
            _ => generator.length(8_191),
        };
        let bits = generator.bits() as usize;
        Cow::Owned((0..length).map(|place| LETTERS[(bits >> (place % 16)) % LETTERS.len()]).collect())
    }
}

fn sample_bytes(generator: &mut Generator) -> Vec<u8> {
    let length = generator.length(40_000);
    let bits = generator.bits();
    (0..length).map(|place| (bits >> (place % 57)) as u8).collect()
}

impl Sample for Blob<'_> {
    fn sample(generator: &mut Generator, _version: i16) -> Self {
        Cow::Owned(sample_bytes(generator))
    }
}

impl Sample for RecordChunks {
    fn sample(generator: &mut Generator, _version: i16) -> Self {
        let bytes = Bytes::from(sample_bytes(generator));
        let middle = generator.below(bytes.len() + 1);
        RecordChunks(vec![Chunk::Here(bytes.slice(..middle)), Chunk::Here(bytes.slice(middle..))])
    }
}

/// What an encoder other than ours may legally write.
#[derive(Clone, Debug, Default)]
pub struct Quirks {
    /// Tagged fields also when they are at their default.
    pub write_defaults: bool,
    /// A source of tagged fields that nobody knows, in every struct.
    pub unknown_tags: Option<Generator>,
}

impl Quirks {
    pub(crate) fn plan_unknown_tags(&mut self) -> u32 {
        self.unknown_tags.as_mut().map_or(0, |generator| generator.below(3) as u32)
    }

    pub(crate) fn unknown_tags(&mut self, count: u32) -> Vec<(u32, Vec<u8>)> {
        let Some(generator) = &mut self.unknown_tags else { return Vec::new() };
        // Above every tag that Kafka has given out, and rising, as the protocol demands.
        (0..count).map(|place| (900 + place * 40_000, vec![0xab; generator.below(200)])).collect()
    }
}
