//! DescribeUserScramCredentials (key 50): who has a SCRAM password, not which (KIP-554).

use crate::{ErrorCode, Str};

messages! {
    api DescribeUserScramCredentials<'a>, versions 0..=0, flexible 0;

    /// Asks for users; `None` or empty: all.
    request DescribeUserScramCredentialsRequest<'a> {
        users: Option<Vec<DescribeUserScramCredentialsUser<'a>>> [0.., default Some(Vec::new())],
    }

    /// One user.
    part DescribeUserScramCredentialsUser<'a> {
        name: Str<'a> [0..],
    }

    /// The users.
    response DescribeUserScramCredentialsResponse<'a> {
        throttle_time_ms: i32 [0..],
        error_code: ErrorCode [0..],
        error_message: Option<Str<'a>> [0.., default Some(Str::default())],
        results: Vec<DescribeUserScramCredentialsResult<'a>> [0..],
    }

    /// One user.
    part DescribeUserScramCredentialsResult<'a> {
        user: Str<'a> [0..],
        error_code: ErrorCode [0..],
        error_message: Option<Str<'a>> [0.., default Some(Str::default())],
        credential_infos: Vec<ScramCredentialInfo> [0..],
    }

    /// What is told of one credential.
    part ScramCredentialInfo {
        /// 1: SCRAM-SHA-256; 2: SCRAM-SHA-512.
        mechanism: i8 [0..],
        iterations: i32 [0..],
    }
}
