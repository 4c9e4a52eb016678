//! SaslAuthenticate (key 36): the steps of a SASL mechanism (KIP-152). Version 1: how long it holds (KIP-368).

use crate::{Blob, ErrorCode, Str};

messages! {
    api SaslAuthenticate<'a>, versions 0..=2, flexible 2;

    /// The client's step.
    request SaslAuthenticateRequest<'a> {
        auth_bytes: Blob<'a> [0..],
    }

    /// The broker's step.
    response SaslAuthenticateResponse<'a> {
        error_code: ErrorCode [0..],
        error_message: Option<Str<'a>> [0.., default Some(Str::default())],
        auth_bytes: Blob<'a> [0..],
        /// 0: as long as the connection.
        session_lifetime_ms: i64 [1..],
    }
}
