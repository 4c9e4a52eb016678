//! DescribeUserScramCredentials (key 50), version 0: who has SCRAM credentials, and with how many iterations (KIP-554). Salts and
//! passwords are never told.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse, DescribeUserScramCredentialsResult,
    ScramCredentialInfo,
};
use ottla_storage::{ConfigResource, Metadata};

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::{decode_question, without_repetitions};
use crate::request::{Handled, Request};
use crate::scram::{Mechanism, iterations_of};

type Described = DescribeUserScramCredentialsResult<'static>;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: DescribeUserScramCredentialsRequest<'_> = decode_question(&request)?;
    if !context.authorize(Operation::Describe, Resource::Cluster) {
        let error_code = ErrorCode::CLUSTER_AUTHORIZATION_FAILED;
        return request.respond(&DescribeUserScramCredentialsResponse { error_code, ..Default::default() });
    }
    let metadata = context.broker().engine().metadata();
    let named: Vec<&str> = message.users.iter().flatten().map(|user| &*user.name).collect();
    let results = if named.is_empty() { all(&metadata) } else { each(&metadata, named) };
    request.respond(&DescribeUserScramCredentialsResponse { results, ..Default::default() })
}

fn all(metadata: &Metadata) -> Vec<Described> {
    let users = metadata.configured().filter_map(|(resource, kept)| match resource {
        ConfigResource::ScramUser(name) => Some(described(name, kept)),
        _ => None,
    });
    users.collect()
}

fn each(metadata: &Metadata, named: Vec<&str>) -> Vec<Described> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in &named {
        *counts.entry(name).or_default() += 1;
    }
    let describe = |name: &str| {
        if counts.get(name).is_some_and(|count| *count > 1) {
            return failed(name, ErrorCode::DUPLICATE_RESOURCE, "the request names this user more than once");
        }
        match metadata.configs(&ConfigResource::ScramUser(Arc::from(name))) {
            Some(kept) => described(name, kept),
            None => failed(name, ErrorCode::RESOURCE_NOT_FOUND, "this user has no credentials"),
        }
    };
    without_repetitions(named).into_iter().map(describe).collect()
}

fn described(name: &str, kept: &BTreeMap<String, String>) -> Described {
    let infos = Mechanism::ALL.into_iter().filter_map(|mechanism| {
        let iterations = iterations_of(kept.get(mechanism.name())?)?;
        Some(ScramCredentialInfo { mechanism: mechanism.code(), iterations })
    });
    Described { user: Cow::Owned(name.to_owned()), credential_infos: infos.collect(), ..Default::default() }
}

fn failed(name: &str, error_code: ErrorCode, reason: &'static str) -> Described {
    Described {
        user: Cow::Owned(name.to_owned()),
        error_code,
        error_message: Some(reason.into()),
        ..Default::default()
    }
}
