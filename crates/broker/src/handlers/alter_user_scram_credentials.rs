//! AlterUserScramCredentials (key 51), version 0: sets and deletes SCRAM credentials (KIP-554).
//!
//! A request may change one credential of each user; other users are changed all the same. They are kept durably (see [`crate::scram`])
//! and listed; nobody can log in with them yet.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse, AlterUserScramCredentialsResult,
};
use ottla_storage::ConfigResource;

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::decode_question;
use crate::replacement::{Failure, Kept, Replacement, replace_all};
use crate::request::{Handled, Request};
use crate::scram::{Credential, Mechanism};

/// What shall become of one credential of a user: kept as this, or gone.
type Wish = (Mechanism, Option<String>);

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: AlterUserScramCredentialsRequest<'_> = decode_question(&request)?;
    let _in_order = context.hold_order();
    let wishes = match context.authorize(Operation::Alter, Resource::Cluster) {
        true => wishes(&message),
        false => refuse_all(&message),
    };
    let replacements = wishes.iter().filter_map(|(name, wish)| {
        let (mechanism, credential) = wish.clone().ok()?;
        let work_out = move |kept: &Kept| changed(kept, mechanism, credential.as_ref());
        Some(Replacement { resource: ConfigResource::ScramUser(Arc::from(*name)), work_out })
    });
    let mut done = replace_all(&context, replacements.collect()).await.into_iter();
    let mut results = Vec::with_capacity(wishes.len());
    for (name, wish) in wishes {
        // One answer for each that was begun.
        let outcome = wish.and_then(|_| done.next().unwrap_or(Ok(())));
        if outcome.is_ok() {
            tracing::info!(user = name, "SCRAM credentials changed");
        }
        results.push(result(name, outcome));
    }
    request.respond(&AlterUserScramCredentialsResponse { results, ..Default::default() })
}

/// One for each user, in the order of the request. The first thing that is wrong with a user's counts.
fn wishes<'m>(message: &'m AlterUserScramCredentialsRequest<'_>) -> Vec<(&'m str, Result<Wish, Failure>)> {
    let deletions = message.deletions.iter().map(|asked| (&*asked.name, asked.mechanism, None));
    let upsertions = message.upsertions.iter().map(|asked| {
        let credential =
            Credential { iterations: asked.iterations, salt: &asked.salt, salted_password: &asked.salted_password };
        (&*asked.name, asked.mechanism, Some(credential))
    });
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut wishes: Vec<(&str, Result<Wish, Failure>)> = Vec::new();
    for (name, mechanism, credential) in deletions.chain(upsertions) {
        let wish = check(name, mechanism, credential);
        let place = *places.entry(name).or_insert(wishes.len());
        match wishes.get_mut(place) {
            None => wishes.push((name, wish)),
            Some((_, before @ Ok(_))) => *before = wish.and_then(|_| Err(twice())),
            Some(_) => {}
        }
    }
    wishes
}

fn check(name: &str, mechanism: i8, credential: Option<Credential<'_>>) -> Result<Wish, Failure> {
    let unacceptable = |reason| (ErrorCode::UNACCEPTABLE_CREDENTIAL, reason);
    if name.is_empty() {
        return Err(unacceptable("a user needs a name".to_owned()));
    }
    let mechanism = Mechanism::of(mechanism).ok_or_else(|| {
        let reason = format!("mechanism {mechanism} is neither SCRAM-SHA-256 (1) nor SCRAM-SHA-512 (2)");
        (ErrorCode::UNSUPPORTED_SASL_MECHANISM, reason)
    })?;
    let Some(credential) = credential else { return Ok((mechanism, None)) };
    credential.check().map_err(unacceptable)?;
    Ok((mechanism, Some(credential.to_config())))
}

fn twice() -> Failure {
    (ErrorCode::DUPLICATE_RESOURCE, "one request may change one credential of a user".to_owned())
}

fn refuse_all<'m>(message: &'m AlterUserScramCredentialsRequest<'_>) -> Vec<(&'m str, Result<Wish, Failure>)> {
    let refused = || Err((ErrorCode::CLUSTER_AUTHORIZATION_FAILED, "not allowed to change credentials".to_owned()));
    wishes(message).into_iter().map(|(name, _)| (name, refused())).collect()
}

fn changed(kept: &Kept, mechanism: Mechanism, credential: Option<&String>) -> Result<Kept, Failure> {
    let mut after = kept.clone();
    match credential {
        Some(credential) => {
            after.insert(mechanism.name().to_owned(), credential.clone());
        }
        None if after.remove(mechanism.name()).is_none() => {
            let reason = format!("this user has no credential of {}", mechanism.name());
            return Err((ErrorCode::RESOURCE_NOT_FOUND, reason));
        }
        None => {}
    }
    Ok(after)
}

fn result(name: &str, outcome: Result<(), Failure>) -> AlterUserScramCredentialsResult<'_> {
    let (error_code, error_message) = match outcome {
        Ok(()) => (ErrorCode::NONE, None),
        Err((code, reason)) => (code, Some(Cow::Owned(reason))),
    };
    AlterUserScramCredentialsResult { user: Cow::Borrowed(name), error_code, error_message }
}
