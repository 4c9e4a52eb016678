//! DescribeConfigs (key 32), versions 1 to 4.
//!
//! Version 1 adds sources and synonyms (KIP-226), 3 types and documentation (KIP-569), 4 the flexible encoding.
//!
//! Served for topics (type 2), this broker (type 4), its loggers (type 8), subscriptions to client metrics (type 16) and groups (type 32), of which the last two need not exist. Of the broker it shows what is served, and what else was given; Kafka
//! shows all of its some 300 properties. Flags, `--set` and the file are all "static broker config". The empty name shows what is set
//! for all brokers while they run.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    CLIENT_METRICS_RESOURCE, DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};

use ottla_storage::ConfigResource;

use crate::config::client_metrics::CLIENT_METRICS;
use crate::config::group::GROUP;
use crate::config::topic::table::TOPIC;
use crate::config::{BrokerConfig, Change, Class, Property, Source, Values, inherited, table};
use crate::context::{Context, Operation, Resource};
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};
use crate::topics::check_topic_name;

/// DescribeConfigs' number for topics.
pub(crate) const TOPIC_RESOURCE: i8 = 2;
/// DescribeConfigs' number for brokers.
pub(crate) const BROKER_RESOURCE: i8 = 4;
/// DescribeConfigs' number for the levels of logs.
pub(crate) const BROKER_LOGGER_RESOURCE: i8 = 8;
/// DescribeConfigs' number for groups.
pub(crate) const GROUP_RESOURCE: i8 = 32;

/// The value was set on the topic itself.
const SOURCE_TOPIC: i8 = 1;
/// The value was set on the group itself.
const SOURCE_GROUP: i8 = 8;

/// The value was set on the subscription itself.
const SOURCE_CLIENT_METRICS: i8 = 7;
/// The level of a logger.
const SOURCE_LOGGER: i8 = 6;

/// The longest name of a group or a subscription: no member could join a group with a longer id.
const MAX_NAME_BYTES: usize = i16::MAX as usize;

/// Where a broker's value comes from, by DescribeConfigs' numbers.
const fn source_code(source: Source) -> i8 {
    match source {
        Source::ThisBroker => 2,
        Source::AllBrokers => 3,
        Source::Static => 4,
        Source::Default => 5,
    }
}

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: DescribeConfigsRequest<'_> = decode_question(&request)?;
    let wanted = Wanted { synonyms: message.include_synonyms, documentation: message.include_documentation };
    let results = message.resources.iter().map(|resource| describe(&context, resource, wanted)).collect();
    request.respond(&DescribeConfigsResponse { results, ..Default::default() })
}

/// What the client wants besides the values.
#[derive(Clone, Copy)]
struct Wanted {
    synonyms: bool,
    documentation: bool,
}

type Configs = Vec<DescribeConfigsResourceResult<'static>>;
type Failure = (ErrorCode, Cow<'static, str>);

fn describe<'a>(
    context: &Context,
    resource: &'a DescribeConfigsResource<'_>,
    wanted: Wanted,
) -> DescribeConfigsResult<'a> {
    let described = match resource.resource_type {
        TOPIC_RESOURCE => describe_topic(context, resource, wanted),
        BROKER_RESOURCE => describe_broker(context, resource, wanted),
        GROUP_RESOURCE => describe_group(context, resource, wanted),
        CLIENT_METRICS_RESOURCE => describe_client_metrics(context, resource, wanted),
        BROKER_LOGGER_RESOURCE => describe_loggers(context, resource),
        other => Err((ErrorCode::INVALID_REQUEST, not_served(other).into())),
    };
    let (error_code, error_message, configs) = match described {
        Ok(configs) => (ErrorCode::NONE, Cow::Borrowed(""), configs),
        Err((code, reason)) => (code, reason, Vec::new()),
    };
    DescribeConfigsResult {
        error_code,
        error_message: Some(error_message),
        resource_type: resource.resource_type,
        resource_name: Cow::Borrowed(&resource.resource_name),
        configs,
    }
}

/// Why configs of a resource of this type are refused.
pub(crate) fn not_served(resource_type: i8) -> String {
    format!(
        "resource type {resource_type} has no configs; there are topics (2), brokers (4), broker loggers (8), client metrics (16) \
         and groups (32)"
    )
}

/// That a subscription to metrics of clients may be called so.
///
/// # Errors
/// Why not.
pub(crate) fn check_subscription(name: &str) -> Result<(), &'static str> {
    match name.len() {
        0 => Err("a client metrics subscription has a name"),
        1..=MAX_NAME_BYTES => Ok(()),
        _ => Err("the name of a client metrics subscription has at most 32767 bytes"),
    }
}

/// That a group may be called so.
///
/// # Errors
/// Why not.
pub(crate) fn check_group_id(group_id: &str) -> Result<(), &'static str> {
    match group_id.len() {
        0 => Err("there are no configs of all groups; name a group, or set the broker's (group.*) instead"),
        1..=MAX_NAME_BYTES => Ok(()),
        _ => Err("the id of a group has at most 32767 bytes"),
    }
}

/// Whether the client asked for this property: for all of them with a null, and with an empty list as well.
fn is_asked_for(resource: &DescribeConfigsResource<'_>, name: &str) -> bool {
    let keys = resource.configuration_keys.as_deref().unwrap_or_default();
    keys.is_empty() || keys.iter().any(|key| key == name)
}

fn describe_topic(
    context: &Context,
    resource: &DescribeConfigsResource<'_>,
    wanted: Wanted,
) -> Result<Configs, Failure> {
    let name = &*resource.resource_name;
    if !context.authorize(Operation::DescribeConfigs, Resource::Topic(name)) {
        return Err((ErrorCode::TOPIC_AUTHORIZATION_FAILED, "not allowed to see this topic's configs".into()));
    }
    check_topic_name(name).map_err(|reason| (ErrorCode::INVALID_TOPIC_EXCEPTION, reason.into()))?;
    let broker = context.broker();
    let metadata = broker.engine().metadata();
    let topic = metadata.by_name(name).ok_or((ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "no such topic".into()))?;
    let config = broker.config();
    let described = topic_configs(&topic.configs, &config)
        .filter(|config| is_asked_for(resource, config.property.name))
        .map(|config| config.described(wanted));
    Ok(described.collect())
}

fn describe_group(
    context: &Context,
    resource: &DescribeConfigsResource<'_>,
    wanted: Wanted,
) -> Result<Configs, Failure> {
    let group_id = &*resource.resource_name;
    if !context.authorize(Operation::DescribeConfigs, Resource::Group(group_id)) {
        return Err((ErrorCode::GROUP_AUTHORIZATION_FAILED, "not allowed to see this group's configs".into()));
    }
    check_group_id(group_id).map_err(|reason| (ErrorCode::INVALID_REQUEST, reason.into()))?;
    let broker = context.broker();
    let (metadata, config) = (broker.engine().metadata(), broker.config());
    let own = metadata.configs(&ConfigResource::Group(Arc::from(group_id))).cloned().unwrap_or_default();
    let known = GROUP.iter().map(|known| (&known.property, Some(known.broker)));
    let described = own_configs(known, &own, SOURCE_GROUP, &config)
        .filter(|config| is_asked_for(resource, config.property.name))
        .map(|config| config.described(wanted));
    Ok(described.collect())
}

fn describe_client_metrics(
    context: &Context,
    resource: &DescribeConfigsResource<'_>,
    wanted: Wanted,
) -> Result<Configs, Failure> {
    if !context.authorize(Operation::DescribeConfigs, Resource::Cluster) {
        return Err((ErrorCode::CLUSTER_AUTHORIZATION_FAILED, "not allowed to see client metrics".into()));
    }
    let name = &*resource.resource_name;
    check_subscription(name).map_err(|reason| (ErrorCode::INVALID_REQUEST, reason.into()))?;
    let broker = context.broker();
    let (metadata, config) = (broker.engine().metadata(), broker.config());
    let own = metadata.configs(&ConfigResource::ClientMetrics(Arc::from(name))).cloned().unwrap_or_default();
    let known = CLIENT_METRICS.iter().map(|property| (property, None));
    let described = own_configs(known, &own, SOURCE_CLIENT_METRICS, &config)
        .filter(|config| is_asked_for(resource, config.property.name))
        .map(|config| config.described(wanted));
    Ok(described.collect())
}

/// The levels of the log, which Kafka treats as configs of a broker (KIP-412).
fn describe_loggers(context: &Context, resource: &DescribeConfigsResource<'_>) -> Result<Configs, Failure> {
    if !context.authorize(Operation::DescribeConfigs, Resource::Cluster) {
        return Err((ErrorCode::CLUSTER_AUTHORIZATION_FAILED, "not allowed to see the broker's loggers".into()));
    }
    let broker = context.broker();
    check_logger_owner(broker.identity().node_id, &resource.resource_name)
        .map_err(|reason| (ErrorCode::INVALID_REQUEST, reason.into()))?;
    let levels = broker.loggers().levels();
    let described = levels.into_iter().filter(|(logger, _)| is_asked_for(resource, logger)).map(|(logger, level)| {
        DescribeConfigsResourceResult {
            name: Cow::Borrowed(logger),
            value: Some(Cow::Borrowed(level.name())),
            config_source: SOURCE_LOGGER,
            ..Default::default()
        }
    });
    Ok(described.collect())
}

/// That loggers of this broker are meant.
///
/// # Errors
/// Why not.
pub(crate) fn check_logger_owner(node_id: i32, name: &str) -> Result<(), String> {
    match name.parse() == Ok(node_id) {
        true => Ok(()),
        false => Err(format!("there is only broker {node_id} here, and its loggers")),
    }
}

fn describe_broker(
    context: &Context,
    resource: &DescribeConfigsResource<'_>,
    wanted: Wanted,
) -> Result<Configs, Failure> {
    if !context.authorize(Operation::DescribeConfigs, Resource::Cluster) {
        return Err((ErrorCode::CLUSTER_AUTHORIZATION_FAILED, "not allowed to see the broker's configs".into()));
    }
    let broker = context.broker();
    let node_id = broker.identity().node_id;
    let config = broker.config();
    let values = config.values();
    match resource.resource_name.parse::<i32>() {
        _ if resource.resource_name.is_empty() => return Ok(all_brokers(values, resource, wanted)),
        Ok(id) if id == node_id => {}
        _ => {
            let reason = format!("there is only broker {node_id} here");
            return Err((ErrorCode::INVALID_REQUEST, reason.into()));
        }
    }
    let described = table::all()
        .filter(|property| property.class == Class::Served || values.is_set(property.name))
        .filter(|property| is_asked_for(resource, property.name))
        .map(|property| broker_property(property, values, wanted));
    Ok(described.collect())
}

/// What is set for all brokers while they run, and nothing else.
fn all_brokers(values: &Values, resource: &DescribeConfigsResource<'_>, wanted: Wanted) -> Configs {
    let set = values.dynamic().all_brokers().filter(|set| is_asked_for(resource, set.name));
    let described = set.filter_map(|set| {
        let source = source_code(set.source);
        let synonyms = if wanted.synonyms { vec![synonym(set.name, set.value, source)] } else { Vec::new() };
        let value = Some(Cow::Owned(set.value.to_owned()));
        Some(described(table::find(set.name)?, value, source, synonyms, wanted))
    });
    described.collect()
}

fn broker_property(
    property: &'static Property,
    values: &Values,
    wanted: Wanted,
) -> DescribeConfigsResourceResult<'static> {
    let effective = values.effective(property);
    let value = effective.value.map(|value| Cow::Owned(value.into_owned()));
    let synonyms = if wanted.synonyms { broker_synonyms(property, values) } else { Vec::new() };
    described(property, value, source_code(effective.source), synonyms, wanted)
}

/// What was set for a broker's property and its coarser ones, the first one counts, and the default at the end: of the
/// coarsest, where there are several units, as in Kafka.
fn broker_synonyms(property: &'static Property, values: &Values) -> Vec<DescribeConfigsSynonym<'static>> {
    let set = values.candidates(property).map(|set| synonym(set.name, set.value, source_code(set.source)));
    let default = match property.coarser.last() {
        Some(coarsest) => table::find(coarsest.name).and_then(|coarsest| Some((coarsest.name, coarsest.default?))),
        None => property.default.map(|default| (property.name, default)),
    };
    let default = default.map(|(name, default)| synonym(name, default, source_code(Source::Default)));
    let mut synonyms: Vec<_> = set.chain(default).collect();
    if property.kind.is_sensitive() {
        synonyms.iter_mut().for_each(|synonym| synonym.value = None);
    }
    synonyms
}

fn synonym(name: &'static str, value: &str, source: i8) -> DescribeConfigsSynonym<'static> {
    DescribeConfigsSynonym { name: Cow::Borrowed(name), value: Some(Cow::Owned(value.to_owned())), source }
}

fn described(
    property: &'static Property,
    value: Option<Cow<'static, str>>,
    config_source: i8,
    synonyms: Vec<DescribeConfigsSynonym<'static>>,
    wanted: Wanted,
) -> DescribeConfigsResourceResult<'static> {
    let is_sensitive = property.kind.is_sensitive();
    DescribeConfigsResourceResult {
        name: Cow::Borrowed(property.name),
        value: value.filter(|_| !is_sensitive),
        read_only: property.change == Change::AtStart,
        config_source,
        is_sensitive,
        synonyms,
        config_type: property.kind.wire_code(),
        documentation: wanted.documentation.then(|| Cow::Owned(property.documentation())),
    }
}

/// One config of a topic or a group as it counts.
pub(super) struct OwnConfig<'a> {
    /// Its declaration.
    pub(super) property: &'static Property,
    /// What counts.
    pub(super) value: Cow<'a, str>,
    /// Where that comes from, by DescribeConfigs' numbers.
    pub(super) source: i8,
    own: Option<&'a String>,
    own_source: i8,
    broker: Option<&'static str>,
    config: &'a BrokerConfig,
}

/// Every config of a topic with these own values, by name.
pub(super) fn topic_configs<'a>(
    configs: &'a BTreeMap<String, String>,
    config: &'a BrokerConfig,
) -> impl Iterator<Item = OwnConfig<'a>> {
    own_configs(TOPIC.iter().map(|known| (&known.property, known.broker)), configs, SOURCE_TOPIC, config)
}

/// Every config out of a table, each with its broker property, of what has these own values.
fn own_configs<'a>(
    known: impl Iterator<Item = (&'static Property, Option<&'static str>)>,
    configs: &'a BTreeMap<String, String>,
    own_source: i8,
    config: &'a BrokerConfig,
) -> impl Iterator<Item = OwnConfig<'a>> {
    known.map(move |(property, broker)| {
        let own = configs.get(property.name).filter(|own| property.kind.check(own).is_ok());
        let (value, source) = match own {
            Some(own) => (Cow::Borrowed(own.as_str()), own_source),
            None => {
                let (inherited, source) = inherited(property, broker, config.values());
                (inherited, source_code(source))
            }
        };
        OwnConfig { property, value, source, own, own_source, broker, config }
    })
}

impl OwnConfig<'_> {
    fn described(self, wanted: Wanted) -> DescribeConfigsResourceResult<'static> {
        let synonyms = if wanted.synonyms { self.synonyms() } else { Vec::new() };
        described(self.property, Some(Cow::Owned(self.value.into_owned())), self.source, synonyms, wanted)
    }

    /// The own value, then what the broker's property has.
    fn synonyms(&self) -> Vec<DescribeConfigsSynonym<'static>> {
        let own = self.own.map(|own| synonym(self.property.name, own, self.own_source));
        let broker = self.broker.and_then(table::find).map(|property| broker_synonyms(property, self.config.values()));
        own.into_iter().chain(broker.into_iter().flatten()).collect()
    }
}
