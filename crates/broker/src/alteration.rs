//! Changes of configs, from what a client wishes to the engine: what AlterConfigs and IncrementalAlterConfigs share.
//!
//! A change is worked out from what is set ([`change::changed`]) and given to the engine together with that. Where somebody
//! else was faster the engine refuses, and it is worked out anew, so nothing is lost between two that change at the same time.

use std::collections::HashSet;
use std::sync::Arc;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::CLIENT_METRICS_RESOURCE;
use ottla_storage::{ConfigChange, ConfigResource, MetadataError, Pending};

use crate::config::change::{self, Configs, Operation, Owner, Refusal};
use crate::config::{self, Class, Shown};
use crate::context::{self, Context, Resource};
use crate::handlers::describe_configs;
use crate::topics::check_topic_name;
use crate::{errors, loggers};

/// Why a resource was not changed; the sentence is for the client.
pub(crate) type Failure = (ErrorCode, String);

/// What shall become of one resource.
pub(crate) struct Wish<'a> {
    /// Its type, by DescribeConfigs' numbers.
    pub(crate) resource_type: i8,
    /// Its name.
    pub(crate) resource_name: &'a str,
    /// Whether what is not named is kept; else it is unset.
    pub(crate) keeps_others: bool,
    /// What to do, or why that cannot be read.
    pub(crate) operations: Result<Vec<(&'a str, Operation<'a>)>, Failure>,
}

/// Changes each resource by itself; one result for each wish, in order. Later requests of the connection come after it.
pub(crate) async fn alter(context: &Context, wishes: &[Wish<'_>], validate_only: bool) -> Vec<Result<(), Failure>> {
    let _in_order = context.hold_order();
    let mut seen = HashSet::with_capacity(wishes.len());
    let again: HashSet<_> = wishes.iter().map(Wish::key).filter(|key| !seen.insert(*key)).collect();
    let begin = |wish: &Wish<'_>| match again.contains(&wish.key()) {
        true => Err((ErrorCode::INVALID_REQUEST, "the request names this resource more than once".to_owned())),
        false if wish.resource_type == describe_configs::BROKER_LOGGER_RESOURCE => {
            loggers::alter(context, wish, validate_only).map(|()| None)
        }
        false => plan(context, wish).map(|planned| planned.filter(|_| !validate_only).map(|plan| plan.begin(context))),
    };
    // All are begun before the first wait: one flush serves many.
    let begun: Vec<_> = wishes.iter().map(begin).collect();
    let mut results = Vec::with_capacity(begun.len());
    for (wish, begun) in wishes.iter().zip(begun) {
        results.push(match begun {
            Ok(Some(under_way)) => finish(context, wish, under_way).await,
            Ok(None) => Ok(()),
            Err(failure) => Err(failure),
        });
    }
    results
}

impl Wish<'_> {
    fn key(&self) -> (i8, &str) {
        (self.resource_type, self.resource_name)
    }
}

/// A change that was checked.
struct Plan {
    owner: Owner,
    change: ConfigChange,
}

/// A change that the engine has.
struct UnderWay {
    plan: Plan,
    outcome: Pending<(), MetadataError>,
}

impl Plan {
    fn begin(self, context: &Context) -> UnderWay {
        UnderWay { outcome: context.broker().engine().alter_configs(self.change.clone()), plan: self }
    }
}

/// What to change now; `None` where all is already as it shall be.
fn plan(context: &Context, wish: &Wish<'_>) -> Result<Option<Plan>, Failure> {
    let (owner, resource) = find(context, wish)?;
    let operations = wish.operations.as_ref().map_err(Failure::clone)?;
    let broker = context.broker();
    let before = broker.engine().metadata().configs(&resource).cloned().unwrap_or_default();
    let nothing = Configs::new();
    let start = if wish.keeps_others { &before } else { &nothing };
    let after = change::changed(owner, start, operations, &broker.config()).map_err(|refusal| match refusal {
        Refusal::Request(reason) => (ErrorCode::INVALID_REQUEST, reason),
        Refusal::Config(reason) => (ErrorCode::INVALID_CONFIG, reason),
    })?;
    let change = ConfigChange { resource, before, after };
    Ok((change.before != change.after).then_some(Plan { owner, change }))
}

async fn finish(context: &Context, wish: &Wish<'_>, mut under_way: UnderWay) -> Result<(), Failure> {
    loop {
        let UnderWay { plan: done, outcome } = under_way;
        match outcome.await {
            Ok(()) => {
                tell(wish, &done);
                return Ok(());
            }
            // Each time somebody else has succeeded, so this ends.
            Err(MetadataError::Changed) => match plan(context, wish)? {
                Some(plan) => under_way = plan.begin(context),
                None => return Ok(()),
            },
            Err(error) => return Err((errors::of_metadata(&error), errors::message_of_metadata(&error))),
        }
    }
}

/// Says in the log what was changed, and what of it has no effect.
fn tell(wish: &Wish<'_>, Plan { owner, change }: &Plan) {
    let (resource, name) = match (owner, wish.resource_name) {
        (Owner::Topic, name) => ("topic", name),
        (Owner::Group, name) => ("group", name),
        (Owner::ClientMetrics, name) => ("client metrics", name),
        (Owner::Broker, "") => ("all brokers", ""),
        (Owner::Broker, name) => ("broker", name),
    };
    for name_of_config in change.before.keys().filter(|config| !change.after.contains_key(*config)) {
        tracing::info!(resource, name, "{} is no longer set", Shown(name_of_config));
    }
    for (config, value) in change.after.iter().filter(|(config, value)| change.before.get(*config) != Some(value)) {
        tracing::info!(resource, name, "{config}={}", Shown(value));
        let class = match owner {
            Owner::Topic => config::topic::table::find(config).map(|known| known.property.class),
            Owner::Group => config::group::find(config).map(|known| known.property.class),
            Owner::ClientMetrics => config::client_metrics::find(config).map(|property| property.class),
            Owner::Broker => config::table::find(config).map(|property| property.class),
        };
        match class {
            Some(Class::NotYet) => tracing::warn!(resource, name, "{config} has no effect in this version"),
            Some(Class::WithoutMeaning) => tracing::warn!(resource, name, "{config} has no meaning here"),
            Some(Class::Served) | None => {}
        }
    }
}

fn find(context: &Context, wish: &Wish<'_>) -> Result<(Owner, ConfigResource), Failure> {
    match wish.resource_type {
        describe_configs::TOPIC_RESOURCE => find_topic(context, wish.resource_name),
        describe_configs::BROKER_RESOURCE => find_broker(context, wish.resource_name),
        describe_configs::GROUP_RESOURCE => find_group(context, wish.resource_name),
        CLIENT_METRICS_RESOURCE => find_client_metrics(context, wish.resource_name),
        other => Err((ErrorCode::INVALID_REQUEST, describe_configs::not_served(other))),
    }
}

fn find_topic(context: &Context, name: &str) -> Result<(Owner, ConfigResource), Failure> {
    if !context.authorize(context::Operation::AlterConfigs, Resource::Topic(name)) {
        return Err((ErrorCode::TOPIC_AUTHORIZATION_FAILED, "not allowed to change this topic's configs".to_owned()));
    }
    if name.is_empty() {
        let reason = "there are no configs of all topics; set the broker's (log.*) instead";
        return Err((ErrorCode::INVALID_REQUEST, reason.to_owned()));
    }
    check_topic_name(name).map_err(|reason| (ErrorCode::INVALID_TOPIC_EXCEPTION, reason))?;
    let metadata = context.broker().engine().metadata();
    match metadata.by_name(name) {
        Some(topic) => Ok((Owner::Topic, ConfigResource::Topic(topic.id))),
        None => Err((ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, format!("there is no topic {name}"))),
    }
}

fn find_broker(context: &Context, name: &str) -> Result<(Owner, ConfigResource), Failure> {
    if !context.authorize(context::Operation::AlterConfigs, Resource::Cluster) {
        return Err((ErrorCode::CLUSTER_AUTHORIZATION_FAILED, "not allowed to change the broker's configs".to_owned()));
    }
    let node_id = context.broker().identity().node_id.to_string();
    if name.is_empty() || name == node_id {
        return Ok((Owner::Broker, ConfigResource::Broker(Arc::from(name))));
    }
    Err((ErrorCode::INVALID_REQUEST, format!("there is only broker {node_id} here, and the empty name for all")))
}

/// A subscription is there as soon as something of it is set.
fn find_client_metrics(context: &Context, name: &str) -> Result<(Owner, ConfigResource), Failure> {
    if !context.authorize(context::Operation::AlterConfigs, Resource::Cluster) {
        return Err((ErrorCode::CLUSTER_AUTHORIZATION_FAILED, "not allowed to change client metrics".to_owned()));
    }
    describe_configs::check_subscription(name).map_err(|reason| (ErrorCode::INVALID_REQUEST, reason.to_owned()))?;
    Ok((Owner::ClientMetrics, ConfigResource::ClientMetrics(Arc::from(name))))
}

/// Groups have configs whether they exist or not.
fn find_group(context: &Context, name: &str) -> Result<(Owner, ConfigResource), Failure> {
    if !context.authorize(context::Operation::AlterConfigs, Resource::Group(name)) {
        return Err((ErrorCode::GROUP_AUTHORIZATION_FAILED, "not allowed to change this group's configs".to_owned()));
    }
    describe_configs::check_group_id(name).map_err(|reason| (ErrorCode::INVALID_REQUEST, reason.to_owned()))?;
    Ok((Owner::Group, ConfigResource::Group(Arc::from(name))))
}
