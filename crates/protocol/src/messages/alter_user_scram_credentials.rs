//! AlterUserScramCredentials (key 51): sets and deletes SCRAM passwords (KIP-554).

use crate::{Blob, ErrorCode, Str};

messages! {
    api AlterUserScramCredentials<'a>, versions 0..=0, flexible 0;

    /// Changes credentials.
    request AlterUserScramCredentialsRequest<'a> {
        deletions: Vec<ScramCredentialDeletion<'a>> [0..],
        upsertions: Vec<ScramCredentialUpsertion<'a>> [0..],
    }

    /// One that goes.
    part ScramCredentialDeletion<'a> {
        name: Str<'a> [0..],
        /// 1: SCRAM-SHA-256; 2: SCRAM-SHA-512.
        mechanism: i8 [0..],
    }

    /// One that comes, or takes another's place.
    part ScramCredentialUpsertion<'a> {
        name: Str<'a> [0..],
        /// 1: SCRAM-SHA-256; 2: SCRAM-SHA-512.
        mechanism: i8 [0..],
        iterations: i32 [0..],
        salt: Blob<'a> [0..],
        salted_password: Blob<'a> [0..],
    }

    /// Whose credentials were changed.
    response AlterUserScramCredentialsResponse<'a> {
        throttle_time_ms: i32 [0..],
        results: Vec<AlterUserScramCredentialsResult<'a>> [0..],
    }

    /// One user.
    part AlterUserScramCredentialsResult<'a> {
        user: Str<'a> [0..],
        error_code: ErrorCode [0..],
        error_message: Option<Str<'a>> [0.., default Some(Str::default())],
    }
}
