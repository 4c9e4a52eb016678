//! DescribeClientQuotas (key 48), versions 0 and 1: which quotas users, client ids and addresses have (KIP-546). Version 1 has the
//! flexible encoding.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    ClientQuotaEntity, ClientQuotaValue, DescribeClientQuotasComponent, DescribeClientQuotasEntry,
    DescribeClientQuotasRequest, DescribeClientQuotasResponse,
};
use ottla_storage::{ConfigResource, Metadata};

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::decode_question;
use crate::quotas::{self, CLIENT_ID, Entity, IP, USER};
use crate::request::{Handled, Request};

const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const ANY: i8 = 2;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: DescribeClientQuotasRequest<'_> = decode_question(&request)?;
    let filter = match context.authorize(Operation::DescribeConfigs, Resource::Cluster) {
        true => Filter::of(&message.components, message.strict),
        false => Err((ErrorCode::CLUSTER_AUTHORIZATION_FAILED, "not allowed to see quotas".to_owned())),
    };
    request.respond(&match filter {
        Ok(filter) => {
            let entries = Some(filter.entries(&context.broker().engine().metadata()));
            DescribeClientQuotasResponse { entries, ..Default::default() }
        }
        Err((error_code, reason)) => {
            let error_message = Some(Cow::Owned(reason));
            DescribeClientQuotasResponse { error_code, error_message, entries: None, ..Default::default() }
        }
    })
}

/// Which name a part of an entity must have.
enum Wanted<'a> {
    Name(&'a str),
    Default,
    Any,
}

/// Which entities are asked for.
struct Filter<'a> {
    parts: BTreeMap<&'a str, Wanted<'a>>,
    /// An entity may have no other parts.
    strict: bool,
}

impl<'a> Filter<'a> {
    fn of(components: &'a [DescribeClientQuotasComponent<'_>], strict: bool) -> Result<Self, (ErrorCode, String)> {
        let invalid = |reason: &str| (ErrorCode::INVALID_REQUEST, reason.to_owned());
        let mut parts = BTreeMap::new();
        for component in components {
            let kind = &*component.entity_type;
            if kind.is_empty() {
                return Err(invalid("the type of an entity is empty"));
            } else if ![USER, CLIENT_ID, IP].contains(&kind) {
                let reason = "quotas are for a user, a client-id or an ip, and nothing else".to_owned();
                return Err((ErrorCode::UNSUPPORTED_VERSION, reason));
            }
            let wanted = match (component.match_type, component.match_name.as_deref()) {
                (EXACT, Some(name)) => Wanted::Name(name),
                (DEFAULT, None) => Wanted::Default,
                (ANY, None) => Wanted::Any,
                (EXACT, None) => return Err(invalid("a match by name (0) needs a name")),
                (DEFAULT | ANY, Some(_)) => return Err(invalid("only a match by name (0) has a name")),
                _ => return Err(invalid("a match is by name (0), of the default (1) or of any (2)")),
            };
            if parts.insert(kind, wanted).is_some() {
                return Err(invalid("a type of entity is named more than once"));
            }
        }
        match parts.contains_key(IP) && parts.len() > 1 {
            true => Err(invalid("an ip cannot be combined with a user or a client-id")),
            false => Ok(Filter { parts, strict }),
        }
    }

    fn entries(&self, metadata: &Metadata) -> Vec<DescribeClientQuotasEntry<'static>> {
        let kept = metadata.configured().filter_map(|(resource, kept)| match resource {
            ConfigResource::ClientQuota(name) => Some((Entity::from_name(name)?, kept)),
            _ => None,
        });
        kept.filter(|(entity, _)| self.matches(entity)).map(|(entity, kept)| entry(entity, kept)).collect()
    }

    fn matches(&self, entity: &Entity) -> bool {
        let matches = |(kind, wanted): (&&str, &Wanted<'_>)| match (entity.0.get(*kind), wanted) {
            (Some(Some(name)), Wanted::Name(wanted)) => name == wanted,
            (Some(None), Wanted::Default) | (Some(_), Wanted::Any) => true,
            _ => false,
        };
        let others = entity.0.len() > self.parts.len();
        self.parts.iter().all(matches) && !(self.strict && others)
    }
}

fn entry(entity: Entity, kept: &BTreeMap<String, String>) -> DescribeClientQuotasEntry<'static> {
    let part = |(kind, name): (String, Option<String>)| ClientQuotaEntity {
        entity_type: Cow::Owned(kind),
        entity_name: name.map(Cow::Owned),
    };
    let value = |(key, value): (&String, &String)| {
        Some(ClientQuotaValue { key: Cow::Owned(key.clone()), value: quotas::from_config(value)? })
    };
    DescribeClientQuotasEntry {
        entity: entity.0.into_iter().map(part).collect(),
        values: kept.iter().filter_map(value).collect(),
    }
}
