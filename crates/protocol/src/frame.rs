//! Whole frames: a size of four bytes, a header, a body.
//!
//! Sizes are read by whoever reads the socket, before the frame; the functions here take a frame without its size and give
//! frames with it.

use std::borrow::Cow;

use bytes::Bytes;

use crate::encoder::here;
use crate::messages::{self, AnyRequest};
use crate::{ApiKey, Chunk, DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder, Field, Message, Str};

/// The start of every request: header version 1, or 2 (with tagged fields) where the body is flexible.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestHeader<'a> {
    /// Number of the API; [`ApiKey::from_code`] knows it or not.
    pub api_key: i16,
    /// Version of the API.
    pub api_version: i16,
    /// Comes back in the response.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<Str<'a>>,
}

impl<'a> RequestHeader<'a> {
    /// Reads a header. An API that is not declared is read with header version 1, so that a log line can name the client.
    ///
    /// # Errors
    /// When the bytes are no header.
    pub fn read(decoder: &mut Decoder<'a>) -> Result<Self, DecodeError> {
        decoder.set_flexible(false);
        let mut header = RequestHeader {
            api_key: i16::read(decoder, 0)?,
            api_version: i16::read(decoder, 0)?,
            correlation_id: i32::read(decoder, 0)?,
            client_id: None,
        };
        // The client id kept its plain encoding in header version 2.
        header.client_id = Option::read(decoder, 0).map_err(|error: DecodeError| error.in_field("client_id"))?;
        if is_flexible(header.api_key, header.api_version) {
            decoder.skip_tagged_fields()?;
        }
        Ok(header)
    }
}

fn is_flexible(api_key: i16, version: i16) -> bool {
    ApiKey::from_code(api_key).and_then(messages::declared).is_some_and(|declared| version >= declared.flexible_from)
}

/// Splits a request (without its size) into header and body.
///
/// # Errors
/// When the bytes do not begin with a header.
pub fn split_request(frame: &[u8]) -> Result<(RequestHeader<'_>, &[u8]), DecodeError> {
    let mut decoder = Decoder::new(frame);
    let header = RequestHeader::read(&mut decoder)?;
    Ok((header, decoder.remaining()))
}

/// Decodes a body, borrowing from it.
///
/// # Errors
/// When the version is not declared, the bytes are no such message, or bytes are left over.
pub fn decode_body<'a, M: Message<'a>>(body: &'a [u8], version: i16) -> Result<M, DecodeError> {
    read_whole(Decoder::new(body), version)
}

/// Decodes a body and looks at nothing that comes after it, as Kafka does: librdkafka asks for the metadata of all topics with three
/// bytes more than the request has.
///
/// # Errors
/// When the version is not declared, or the bytes do not begin with such a message.
pub fn decode_leading<'a, M: Message<'a>>(body: &'a [u8], version: i16) -> Result<M, DecodeError> {
    read(&mut Decoder::new(body), version)
}

fn read_whole<'a, M: Message<'a>>(mut decoder: Decoder<'a>, version: i16) -> Result<M, DecodeError> {
    let message = read(&mut decoder, version)?;
    decoder.finish()?;
    Ok(message)
}

fn read<'a, M: Message<'a>>(decoder: &mut Decoder<'a>, version: i16) -> Result<M, DecodeError> {
    if !M::VERSIONS.contains(version) {
        return Err(DecodeErrorKind::UnsupportedVersion(version).into());
    }
    decoder.set_flexible(M::is_flexible(version));
    M::read(decoder, version)
}

/// Decodes the body of a request of any declared API.
///
/// # Errors
/// As [`decode_body`].
pub fn decode_any<'a>(key: ApiKey, version: i16, body: &'a [u8]) -> Result<AnyRequest<'a>, DecodeError> {
    match messages::declared(key) {
        Some(declared) if declared.versions.contains(version) => {
            let mut decoder = Decoder::new(body);
            decoder.set_flexible(version >= declared.flexible_from);
            let request = AnyRequest::read(&mut decoder, key, version)?;
            decoder.finish()?;
            Ok(request)
        }
        _ => Err(DecodeErrorKind::UnsupportedVersion(version).into()),
    }
}

/// Encodes a response as a frame with its size. Fields that the version lacks are left out. Records that lie elsewhere keep
/// their place among the chunks, none of which is empty.
///
/// # Errors
/// When the version is not declared, or a value is too long for the wire.
pub fn encode_response_frame<'a, M: Message<'a>>(
    correlation_id: i32,
    version: i16,
    body: &M,
) -> Result<Vec<Chunk>, EncodeError> {
    let mut encoder = Encoder::for_response();
    encoder.reserve_size();
    correlation_id.write(&mut encoder, 0)?;
    // A client reads the answer to ApiVersions before it knows what the broker speaks: its header stays at version 0.
    if M::is_flexible(version) && M::API != ApiKey::ApiVersions {
        encoder.put_unsigned_varint(0);
    }
    write_body(&mut encoder, version, body)?;
    encoder.finish_frame()
}

fn write_body<'a, M: Message<'a>>(encoder: &mut Encoder, version: i16, body: &M) -> Result<(), EncodeError> {
    if !M::VERSIONS.contains(version) {
        return Err(EncodeError::UnsupportedVersion(version));
    }
    encoder.set_flexible(M::is_flexible(version));
    body.write(encoder, version)
}

/// Encodes a request as a frame with its size.
///
/// # Errors
/// When the version is not declared or cannot carry a value, or a value is too long for the wire.
pub fn encode_request_frame<'a, M: Message<'a>>(
    correlation_id: i32,
    version: i16,
    client_id: Option<&str>,
    body: &M,
) -> Result<Vec<Bytes>, EncodeError> {
    let mut encoder = Encoder::for_request();
    encoder.reserve_size();
    M::API.code().write(&mut encoder, 0)?;
    version.write(&mut encoder, 0)?;
    correlation_id.write(&mut encoder, 0)?;
    client_id.map(Cow::Borrowed).write(&mut encoder, 0)?;
    if M::is_flexible(version) {
        encoder.put_unsigned_varint(0);
    }
    write_body(&mut encoder, version, body)?;
    encoder.finish_frame().map(here)
}

/// Encodes a body alone, with the strictness of `encoder` ([`Encoder::for_request`] or [`Encoder::for_response`]).
///
/// # Errors
/// When the version is not declared or cannot carry a value, or a value is too long for the wire.
pub fn encode_body<'a, M: Message<'a>>(
    mut encoder: Encoder,
    version: i16,
    body: &M,
) -> Result<Vec<Bytes>, EncodeError> {
    write_body(&mut encoder, version, body)?;
    Ok(encoder.finish())
}

/// Decodes a response (without its size): correlation id and body. Record bytes become slices of `frame`.
///
/// # Errors
/// When the version is not declared, the bytes are no such response, or bytes are left over.
pub fn decode_response<'a, M: Message<'a>>(frame: &'a Bytes, version: i16) -> Result<(i32, M), DecodeError> {
    let mut decoder = Decoder::for_response(frame);
    let correlation_id = i32::read(&mut decoder, 0)?;
    if M::is_flexible(version) && M::API != ApiKey::ApiVersions {
        decoder.skip_tagged_fields()?;
    }
    Ok((correlation_id, read_whole(decoder, version)?))
}

/// Decodes a response's body alone.
///
/// # Errors
/// As [`decode_response`].
pub fn decode_response_body<'a, M: Message<'a>>(body: &'a Bytes, version: i16) -> Result<M, DecodeError> {
    read_whole(Decoder::for_response(body), version)
}
