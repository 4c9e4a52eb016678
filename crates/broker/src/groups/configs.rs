//! The configs of single groups, in the core's terms: made once for all coordinators, from the engine's metadata.

use std::sync::{Arc, PoisonError};

use ottla_groups::GroupConfigs;
use ottla_storage::{ConfigResource, Metadata};

use super::Surroundings;
use crate::config::{BrokerConfig, group};

/// What was made last, and from what.
#[derive(Debug, Default)]
pub(super) struct Configured(Option<(Arc<Metadata>, Arc<GroupConfigs>)>);

impl Surroundings {
    /// Today's configs, if they are others than those `known`. Where the metadata changed in something else they are the same.
    pub(super) fn group_configs_unless(&self, known: &Arc<GroupConfigs>) -> Option<Arc<GroupConfigs>> {
        let metadata = self.engine.metadata();
        let mut made = self.configured.lock().unwrap_or_else(PoisonError::into_inner);
        let configs = match &made.0 {
            Some((of, configs)) if Arc::ptr_eq(of, &metadata) => configs.clone(),
            before => {
                let now = in_the_cores_terms(&metadata, &self.config);
                let same = before.as_ref().map(|(_, configs)| configs).filter(|configs| ***configs == now);
                let configs = same.cloned().unwrap_or_else(|| Arc::new(now));
                made.0 = Some((metadata, configs.clone()));
                configs
            }
        };
        (!Arc::ptr_eq(known, &configs)).then_some(configs)
    }
}

fn in_the_cores_terms(metadata: &Metadata, config: &BrokerConfig) -> GroupConfigs {
    let groups = metadata.configured().filter_map(|(resource, configs)| match resource {
        ConfigResource::Group(group_id) => Some((group_id.to_string(), group::config(configs, config))),
        _ => None,
    });
    GroupConfigs::new(groups)
}
