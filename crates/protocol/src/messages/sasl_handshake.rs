//! SaslHandshake (key 17): agrees on a SASL mechanism. Never got the flexible encoding. Version 1: what follows travels in
//! SaslAuthenticate (KIP-152).

use crate::{ErrorCode, NEVER_FLEXIBLE, Str};

messages! {
    api SaslHandshake<'a>, versions 0..=1, flexible NEVER_FLEXIBLE;

    /// Names a mechanism.
    request SaslHandshakeRequest<'a> {
        mechanism: Str<'a> [0..],
    }

    /// What the broker has.
    response SaslHandshakeResponse<'a> {
        error_code: ErrorCode [0..],
        mechanisms: Vec<Str<'a>> [0..],
    }
}
