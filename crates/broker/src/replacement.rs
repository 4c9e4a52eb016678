//! Changes of what is kept as configs of a resource and is none of a client's configs: credentials and quotas.
//!
//! As in [`crate::alteration`] a change is worked out from what is there, and anew where somebody else was faster.

use std::collections::BTreeMap;

use ottla_protocol::ErrorCode;
use ottla_storage::{ConfigChange, ConfigResource, MetadataError, Pending};

use crate::context::Context;
use crate::errors;

/// What is kept of one resource.
pub(crate) type Kept = BTreeMap<String, String>;
/// Why it was not changed; the sentence is for the client.
pub(crate) type Failure = (ErrorCode, String);

/// A change of one resource, as a function of what is there.
pub(crate) struct Replacement<F> {
    /// Whose.
    pub(crate) resource: ConfigResource,
    /// What shall be there instead.
    pub(crate) work_out: F,
}

/// Changes each resource by itself; one result for each, in order. All are begun before the first wait: one flush serves many. The caller
/// holds the order of its connection.
pub(crate) async fn replace_all<F>(context: &Context, replacements: Vec<Replacement<F>>) -> Vec<Result<(), Failure>>
where
    F: Fn(&Kept) -> Result<Kept, Failure>,
{
    let begun: Vec<_> = replacements.iter().map(|replacement| replacement.begin(context)).collect();
    let mut results = Vec::with_capacity(begun.len());
    for (replacement, begun) in replacements.iter().zip(begun) {
        results.push(replacement.finish(context, begun).await);
    }
    results
}

/// `None` where all is already as it shall be.
type Begun = Result<Option<Pending<(), MetadataError>>, Failure>;

impl<F: Fn(&Kept) -> Result<Kept, Failure>> Replacement<F> {
    fn begin(&self, context: &Context) -> Begun {
        let engine = context.broker().engine();
        let before = engine.metadata().configs(&self.resource).cloned().unwrap_or_default();
        let after = (self.work_out)(&before)?;
        let change = ConfigChange { resource: self.resource.clone(), before, after };
        Ok((change.before != change.after).then(|| engine.alter_configs(change)))
    }

    async fn finish(&self, context: &Context, mut begun: Begun) -> Result<(), Failure> {
        loop {
            let Some(under_way) = begun? else { return Ok(()) };
            match under_way.await {
                Ok(()) => return Ok(()),
                // Each time somebody else has succeeded, so this ends.
                Err(MetadataError::Changed) => begun = self.begin(context),
                Err(error) => return Err((errors::of_metadata(&error), errors::message_of_metadata(&error))),
            }
        }
    }
}
