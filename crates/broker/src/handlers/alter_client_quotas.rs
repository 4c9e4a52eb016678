//! AlterClientQuotas (key 49), versions 0 and 1: gives users, client ids and addresses quotas (KIP-546). Version 1 has the flexible
//! encoding.
//!
//! Each entity is changed by itself. An entity or a quota that is named twice is INVALID_REQUEST; removing a quota that nobody has, or that
//! does not exist, is fine, as in Kafka. A changed quota holds once it is answered.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    AlterClientQuotasEntry, AlterClientQuotasEntryResult, AlterClientQuotasOp, AlterClientQuotasRequest,
    AlterClientQuotasResponse, ClientQuotaEntity,
};
use ottla_storage::ConfigResource;

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::decode_question;
use crate::quotas::{self, Entity};
use crate::replacement::{Failure, Kept, Replacement, replace_all};
use crate::request::{Handled, Request};

/// What shall become of an entity's quotas: their values by name, `None` for those that go.
type Wish = BTreeMap<String, Option<String>>;
/// An entity as it was named, and what shall become of it.
type Asked<'m> = (Cow<'m, [ClientQuotaEntity<'m>]>, Result<(Entity, Wish), Failure>);

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: AlterClientQuotasRequest<'_> = decode_question(&request)?;
    let _in_order = context.hold_order();
    let mut asked = once_each(&message.entries);
    if !context.authorize(Operation::AlterConfigs, Resource::Cluster) {
        let refused = || (ErrorCode::CLUSTER_AUTHORIZATION_FAILED, "not allowed to change quotas".to_owned());
        asked.iter_mut().for_each(|(_, wish)| *wish = Err(refused()));
    }
    let replacements = asked.iter().filter(|_| !message.validate_only).filter_map(|(_, wish)| {
        let (entity, wish) = wish.as_ref().ok()?;
        let resource = ConfigResource::ClientQuota(entity.to_name().into());
        Some(Replacement { resource, work_out: move |kept: &Kept| Ok(changed(kept, wish)) })
    });
    let replacements: Vec<_> = replacements.collect();
    let mut done = replace_all(&context, replacements).await.into_iter();
    let mut entries = Vec::with_capacity(asked.len());
    for (parts, wish) in &asked {
        let outcome = match wish {
            Err(failure) => Err(failure.clone()),
            // One answer for each that was begun; none where all was only checked.
            Ok(_) => done.next().unwrap_or(Ok(())),
        };
        entries.push(result(parts, outcome));
    }
    request.respond(&AlterClientQuotasResponse { entries, ..Default::default() })
}

/// Each entity once, in the order of the request.
fn once_each<'m>(entries: &'m [AlterClientQuotasEntry<'m>]) -> Vec<Asked<'m>> {
    let mut places: BTreeMap<Entity, usize> = BTreeMap::new();
    let mut asked: Vec<Asked<'m>> = Vec::with_capacity(entries.len());
    for entry in entries {
        let parts = entry.entity.iter().map(|part| (&*part.entity_type, part.entity_name.as_deref()));
        let invalid = |reason| (ErrorCode::INVALID_REQUEST, reason);
        let entity = match Entity::of(parts) {
            Ok(entity) => entity,
            Err(reason) => {
                asked.push((Cow::Borrowed(&entry.entity[..]), Err(invalid(reason))));
                continue;
            }
        };
        let place = *places.entry(entity.clone()).or_insert(asked.len());
        if let Some((_, before)) = asked.get_mut(place) {
            *before = Err(invalid("the request names this entity more than once".to_owned()));
            continue;
        }
        let wish = wish(&entity, &entry.ops).map_err(invalid);
        asked.push((Cow::Owned(parts_of(&entity)), wish.map(|wish| (entity, wish))));
    }
    asked
}

fn parts_of(entity: &Entity) -> Vec<ClientQuotaEntity<'static>> {
    let part = |(kind, name): (&String, &Option<String>)| ClientQuotaEntity {
        entity_type: Cow::Owned(kind.clone()),
        entity_name: name.clone().map(Cow::Owned),
    };
    entity.0.iter().map(part).collect()
}

fn wish(entity: &Entity, operations: &[AlterClientQuotasOp<'_>]) -> Result<Wish, String> {
    let mut seen = BTreeSet::new();
    let mut wish = Wish::new();
    for AlterClientQuotasOp { key, value, remove } in operations {
        if !seen.insert(&**key) {
            return Err("the request names a quota of this entity more than once".to_owned());
        }
        if !remove {
            quotas::check(entity, key, *value)?;
        }
        wish.insert(key.to_string(), (!remove).then(|| quotas::to_config(*value)));
    }
    Ok(wish)
}

fn changed(kept: &Kept, wish: &Wish) -> Kept {
    let mut after = kept.clone();
    for (key, value) in wish {
        match value {
            Some(value) => after.insert(key.clone(), value.clone()),
            None => after.remove(key),
        };
    }
    after
}

fn result<'m>(entity: &[ClientQuotaEntity<'m>], outcome: Result<(), Failure>) -> AlterClientQuotasEntryResult<'m> {
    let (error_code, error_message) = match outcome {
        Ok(()) => (ErrorCode::NONE, None),
        Err((code, reason)) => (code, Some(Cow::Owned(reason))),
    };
    AlterClientQuotasEntryResult { error_code, error_message, entity: entity.to_vec() }
}
