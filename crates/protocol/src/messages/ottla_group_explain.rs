//! OttlaGroupExplain (key 20000): why a group stands where it stands. Ottla's own; `docs/explain.md` has the shape of the JSON.

use crate::{Blob, ErrorCode, Str};

messages! {
    api OttlaGroupExplain<'a>, versions 0..=0, flexible 0;

    /// Asks for one view of one group, or of all.
    request OttlaGroupExplainRequest<'a> {
        /// Empty: all groups; only for the view `status`.
        group_id: Str<'a> [0..],
        /// `status`, `why`, `timeline`, `events` or `lag`.
        view: Str<'a> [0..],
        /// Events from this moment on, in milliseconds since 1970; -1 for all. Only for `timeline` and `events`.
        since_ms: i64 [0.., default -1],
    }

    /// The view.
    response OttlaGroupExplainResponse<'a> {
        throttle_time_ms: i32 [0..],
        error_code: ErrorCode [0..],
        error_message: Option<Str<'a>> [0..],
        /// Text in UTF-8, which may be longer than a string; empty with an error.
        json: Blob<'a> [0..],
    }
}
