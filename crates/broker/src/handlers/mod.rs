//! One file per request.

pub(crate) mod api_versions;
