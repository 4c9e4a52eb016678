//! Topics that are being created: who asks for the same name meanwhile waits for the same creation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ottla_storage::{EngineGone, MetadataError, NewTopic, Topic};
use tokio::sync::watch;

use crate::Broker;

type Outcome = Result<Arc<Topic>, MetadataError>;
type Told = watch::Receiver<Option<Outcome>>;

/// All creations under way, by name. An engine says "exists" of a topic that is not durable yet; this is where to wait until
/// it is.
#[derive(Debug, Default)]
pub(crate) struct Creations {
    under_way: Mutex<HashMap<String, Told>>,
}

/// One's share in a creation.
#[derive(Debug)]
pub(crate) struct Creating {
    told: Told,
    ours: bool,
}

impl Creations {
    /// Starts to create a topic, or joins the creation of that name that is under way. Nobody has to wait for it: it goes
    /// on when the returned value is dropped.
    pub(crate) fn begin(&self, broker: &Arc<Broker>, new: NewTopic) -> Creating {
        let mut under_way = self.lock();
        if let Some(told) = under_way.get(&new.name) {
            return Creating { told: told.clone(), ours: false };
        }
        let name = new.name.clone();
        let (tell, told) = watch::channel(None);
        under_way.insert(name.clone(), told.clone());
        let created = broker.engine().create_topic(new);
        let broker = broker.clone();
        tokio::spawn(async move {
            let outcome = created.await;
            if let Ok(topic) = &outcome {
                tracing::info!(topic = &*topic.name, partitions = topic.partitions, "topic created");
            }
            broker.creations.lock().remove(&name);
            tell.send_replace(Some(outcome));
        });
        Creating { told, ours: true }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Told>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Creating {
    /// The topic, once it is durable, whoever began to create it.
    ///
    /// # Errors
    /// What the engine says, also to who only joined.
    pub(crate) async fn topic(mut self) -> Outcome {
        match self.told.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or_else(|| Err(EngineGone.into())),
            Err(_) => Err(EngineGone.into()),
        }
    }

    /// The topic for who wants to be the one that created it.
    ///
    /// # Errors
    /// As [`Creating::topic`], and that it exists where somebody else began to create it.
    pub(crate) async fn only_ours(self) -> Outcome {
        let ours = self.ours;
        match self.topic().await {
            Ok(_) if !ours => Err(MetadataError::TopicExists),
            outcome => outcome,
        }
    }
}
