//! One declaration per message, from which structs, defaults, decoding, encoding and test values are derived.
//!
//! ```text
//! messages! {
//!     api Heartbeat<'a>, versions 0..=4, flexible 4;
//!
//!     /// What the request is for.
//!     request HeartbeatRequest<'a> {
//!         group_id: Str<'a> [0..],
//!         group_instance_id: Option<Str<'a>> [3..],
//!     }
//!
//!     /// ...
//!     response HeartbeatResponse { ... }
//!
//!     /// A struct inside of another.
//!     part Something { ... }
//! }
//! ```
//!
//! In the brackets: the versions that carry the field, then in this order and as needed
//! * `null 7..`: the versions in which an `Option` may be null (without it: all that carry the field),
//! * `tag 0`: a tagged field (KIP-482) with this number, left out at its default,
//! * `default -1`: the default, where it is not the type's own,
//! * `absent dropped`: a request may be written in a version without the field although it is set (Kafka: ignorable).

use std::fmt;

use crate::decoder::Decoder;
use crate::{ApiKey, Field};

/// For an API that never got the flexible encoding.
pub const NEVER_FLEXIBLE: i16 = i16::MAX;

/// Versions from `min` to `max`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRange {
    /// The first version.
    pub min: i16,
    /// The last version.
    pub max: i16,
}

impl VersionRange {
    /// Whether `version` is one of them.
    pub fn contains(self, version: i16) -> bool {
        (self.min..=self.max).contains(&version)
    }

    /// All of them, in order.
    pub fn iter(self) -> impl Iterator<Item = i16> {
        self.min..=self.max
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.min, self.max)
    }
}

/// A whole request or response body. [`Field::read`] and [`Field::write`] are its codec; [`crate::frame`] adds the checks
/// that belong around it (served version, encoding, nothing left over).
pub trait Message<'a>: Field<'a> + Default + Clone + fmt::Debug + PartialEq {
    /// The API it belongs to.
    const API: ApiKey;
    /// The struct's name, for logs.
    const NAME: &'static str;
    /// The versions that are declared.
    const VERSIONS: VersionRange;
    /// The first version in the flexible encoding.
    const FLEXIBLE_FROM: i16;

    /// Sets `throttle_time_ms`, for how long a client shall be silent; nothing where the message has no such field. (KIP-219.)
    fn set_throttle_time_ms(&mut self, throttle_ms: i32);

    /// Whether this version has the flexible encoding.
    fn is_flexible(version: i16) -> bool {
        version >= Self::FLEXIBLE_FROM
    }
}

/// A message that a client sends.
pub trait Request<'a>: Message<'a> {
    /// What the broker answers.
    type Response<'r>: Message<'r>;
}

/// Reads tagged fields: calls `known` for each; it returns false for a tag it does not know, which is then skipped.
#[doc(hidden)]
pub fn read_tagged_fields<'a>(
    decoder: &mut Decoder<'a>,
    mut known: impl FnMut(u32, &mut Decoder<'a>) -> Result<bool, crate::DecodeError>,
) -> Result<(), crate::DecodeError> {
    for _ in 0..decoder.unsigned_varint()? {
        let tag = decoder.unsigned_varint()?;
        let size = decoder.unsigned_varint()? as usize;
        let rest = decoder.narrow(size)?;
        if !known(tag, decoder)? {
            decoder.take(size)?;
        }
        decoder.widen(rest)?;
    }
    Ok(())
}

/// See the module's documentation.
#[doc(hidden)]
#[macro_export]
macro_rules! messages {
    // Structs that travel inside of another message's bytes, with a version of their own.
    (embedded<$a:lifetime>; $($parts:tt)*) => {
        $crate::messages! { api ApiVersions<$a>, versions 0..=0, flexible $crate::NEVER_FLEXIBLE; $($parts)* }
    };
    (
        api $api:ident<$a:lifetime>, versions $min:literal ..= $max:literal, flexible $flexible:expr;
        $(
            $(#[$meta:meta])*
            $kind:ident $name:ident $(<$life:lifetime>)? {
                $(
                    $(#[$field_meta:meta])*
                    $field:ident : $type:ty [
                        $range:expr
                        $(, null $null:expr)?
                        $(, tag $tag:literal)?
                        $(, default $default:expr)?
                        $(, absent $absent:ident)?
                    ]
                ),* $(,)?
            }
        )*
    ) => { $(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name $(<$life>)? {
            $(
                $(#[$field_meta])*
                #[doc = concat!("Versions `", stringify!($range), "`.")]
                pub $field: $type,
            )*
        }

        impl $(<$life>)? Default for $name $(<$life>)? {
            fn default() -> Self {
                $name { $($field: $crate::default_of!($($default)?),)* }
            }
        }

        impl<$a> $crate::Field<$a> for $name $(<$life>)? {
            #[allow(unused_variables)]
            fn min_bytes(version: i16, flexible: bool) -> usize {
                let mut bytes = usize::from(flexible);
                $(
                    if $crate::is_untagged!($($tag)?) && ($range).contains(&version) {
                        bytes += <$type as $crate::Field>::min_bytes(version, flexible);
                    }
                )*
                bytes
            }

            fn read(decoder: &mut $crate::Decoder<$a>, version: i16) -> Result<Self, $crate::DecodeError> {
                #[allow(unused_mut)]
                let mut value = Self::default();
                $(
                    if $crate::is_untagged!($($tag)?) && ($range).contains(&version) {
                        value.$field = <$type as $crate::Field>::read(decoder, version)
                            .map_err(|error| error.in_field(stringify!($field)))?;
                        $(
                            if !($null).contains(&version) && $crate::Field::is_null(&value.$field) {
                                let error = $crate::DecodeError::from($crate::DecodeErrorKind::UnexpectedNull);
                                return Err(error.in_field(stringify!($field)));
                            }
                        )?
                    }
                )*
                if decoder.is_flexible() {
                    $crate::__private::read_tagged_fields(decoder, |tag, decoder| {
                        $($(
                            if tag == $tag && ($range).contains(&version) {
                                value.$field = <$type as $crate::Field>::read(decoder, version)
                                    .map_err(|error| error.in_field(stringify!($field)))?;
                                return Ok(true);
                            }
                        )?)*
                        let _ = (tag, decoder);
                        Ok(false)
                    })?;
                }
                Ok(value)
            }

            fn write(&self, encoder: &mut $crate::Encoder, version: i16) -> Result<(), $crate::EncodeError> {
                $(
                    if !($range).contains(&version) {
                        if encoder.is_strict() && !$crate::is_droppable!($($absent)?) {
                            let default: $type = $crate::default_of!($($default)?);
                            if self.$field != default {
                                let field = stringify!($field);
                                return Err($crate::EncodeError::FieldNotInVersion { field, version });
                            }
                        }
                    } else if $crate::is_untagged!($($tag)?) {
                        if $crate::may_be_null!(version, $($null)?) || !$crate::Field::is_null(&self.$field) {
                            $crate::Field::write(&self.$field, encoder, version)?;
                        } else if encoder.is_strict() {
                            let field = stringify!($field);
                            return Err($crate::EncodeError::NullNotInVersion { field, version });
                        } else {
                            <$type as $crate::Field>::write_empty(encoder, version)?;
                        }
                    }
                )*
                if encoder.is_flexible() {
                    #[allow(unused_mut)]
                    let mut tagged = 0;
                    $(
                        let $field = !$crate::is_untagged!($($tag)?) && ($range).contains(&version) && {
                            let default: $type = $crate::default_of!($($default)?);
                            encoder.wants_tagged(self.$field != default)
                        };
                        tagged += u32::from($field);
                    )*
                    let unknown = encoder.begin_tagged(tagged);
                    $($(
                        if $field {
                            encoder.put_tagged($tag, |encoder| $crate::Field::write(&self.$field, encoder, version))?;
                        }
                    )?)*
                    encoder.end_tagged(unknown);
                }
                Ok(())
            }

            fn write_empty(encoder: &mut $crate::Encoder, version: i16) -> Result<(), $crate::EncodeError> {
                $crate::Field::write(&Self::default(), encoder, version)
            }
        }

        $crate::sampled! {
            $name $(<$life>)? { $($field: [$range] [$($null)?],)* }
        }

        $crate::whole_message!($kind $a $name $(<$life>)?, $api, $min, $max, $flexible; $($field)*);
    )* };
}

/// The default of a field: as declared, else the type's.
#[doc(hidden)]
#[macro_export]
macro_rules! default_of {
    () => {
        Default::default()
    };
    ($default:expr) => {
        $default
    };
}

/// Whether a field is declared without a tag.
#[doc(hidden)]
#[macro_export]
macro_rules! is_untagged {
    () => {
        true
    };
    ($tag:literal) => {
        false
    };
}

/// Whether a request may lose the field in versions without it.
#[doc(hidden)]
#[macro_export]
macro_rules! is_droppable {
    () => {
        false
    };
    (dropped) => {
        true
    };
}

/// Whether a field may be null in a version.
#[doc(hidden)]
#[macro_export]
macro_rules! may_be_null {
    ($version:ident,) => {
        true
    };
    ($version:ident, $null:expr) => {
        ($null).contains(&$version)
    };
}

/// Makes requests and responses messages; parts of them are not.
#[doc(hidden)]
#[macro_export]
macro_rules! whole_message {
    (part $($rest:tt)*) => {};
    ($kind:ident $a:lifetime $name:ident $(<$life:lifetime>)?, $api:ident, $min:literal, $max:literal, $flexible:expr; $($field:ident)*) => {
        impl<$a> $crate::Message<$a> for $name $(<$life>)? {
            const API: $crate::ApiKey = $crate::ApiKey::$api;
            const NAME: &'static str = stringify!($name);
            const VERSIONS: $crate::VersionRange = $crate::VersionRange { min: $min, max: $max };
            const FLEXIBLE_FROM: i16 = $flexible;

            #[allow(unused_variables)]
            fn set_throttle_time_ms(&mut self, throttle_ms: i32) {
                $($crate::set_throttle_time!(self, $field, throttle_ms);)*
            }
        }
    };
}

/// Sets the field if it is the one that tells a client to be silent.
#[doc(hidden)]
#[macro_export]
macro_rules! set_throttle_time {
    ($message:ident, throttle_time_ms, $value:ident) => {
        $message.throttle_time_ms = $value
    };
    ($message:ident, $other:ident, $value:ident) => {};
}

/// Test values of every declared struct: see `sample`.
#[doc(hidden)]
#[macro_export]
#[cfg(feature = "sample")]
macro_rules! sampled {
    ($name:ident $(<$life:lifetime>)? { $($field:ident: [$range:expr] [$($null:expr)?],)* }) => {
        impl $(<$life>)? $crate::sample::Sample for $name $(<$life>)? {
            #[allow(unused_mut, unused_variables)]
            fn sample(generator: &mut $crate::sample::Generator, version: i16) -> Self {
                let mut value = Self::default();
                $(
                    if ($range).contains(&version) {
                        value.$field = if $crate::may_be_null!(version, $($null)?) {
                            $crate::sample::Sample::sample(generator, version)
                        } else {
                            $crate::sample::Sample::sample_present(generator, version)
                        };
                    }
                )*
                value
            }
        }
    };
}

/// Nothing, without the feature.
#[doc(hidden)]
#[macro_export]
#[cfg(not(feature = "sample"))]
macro_rules! sampled {
    ($($anything:tt)*) => {};
}
