//! One command's talk with a cluster.

use ottla_client::{Admin, ClientError, Settings};
use serde_json::Value;

use super::arguments::{DEFAULT_BOOTSTRAP, GroupOutput};
use super::document::number;
use super::problem::{Problem, failure, no_such_group};
use super::{Said, kafka};
use crate::exit::Failure;
use crate::local_time::{LocalTime, Moment};

/// What can be asked about a group; see `docs/explain.md`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum View {
    Status,
    Why,
    /// All since then, in milliseconds since 1970; -1 for all.
    Timeline(i64),
    /// The loud ones since then.
    Events(i64),
    Lag,
}

impl View {
    fn name(self) -> &'static str {
        match self {
            View::Status => "status",
            View::Why => "why",
            View::Timeline(_) => "timeline",
            View::Events(_) => "events",
            View::Lag => "lag",
        }
    }

    fn since_ms(self) -> i64 {
        match self {
            View::Timeline(since_ms) | View::Events(since_ms) => since_ms,
            _ => -1,
        }
    }
}

/// A view of the broker: as it came, read, and with its clock.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) raw: String,
    pub(super) json: Value,
    pub(super) time: LocalTime,
}

impl Answer {
    fn new(raw: String, time: &LocalTime) -> Result<Answer, Failure> {
        let json: Value = serde_json::from_str(&raw).map_err(|error| {
            Failure::Runtime(format!("the broker's answer is no JSON ({error}): is it of the same version?"))
        })?;
        let time = time.at(number(&json, "at_ms").unwrap_or_else(|| time.now_ms()));
        Ok(Answer { raw, json, time })
    }

    /// The broker's own words for programs, `render`'s for people.
    pub(super) fn said(self, output: GroupOutput, render: impl FnOnce(&Value, &LocalTime) -> String) -> Said {
        match output {
            GroupOutput::Json => format!("{}\n", self.raw).into(),
            GroupOutput::Table => render(&self.json, &self.time).into(),
        }
    }
}

/// What people may do next are commands, as a rule: they shall do the same here when they are copied. Kafka's own tools always want
/// to know the broker.
fn name_broker(answer: &mut Value, bootstrap: &str) {
    for list in ["waits", "findings"] {
        let entries = answer.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
        for step in entries.filter_map(|entry| entry.get_mut("next")?.as_array_mut()).flatten() {
            let Some(command) = step.as_str() else { continue };
            let is_ours = command.starts_with("ottla ") && bootstrap != DEFAULT_BOOTSTRAP;
            if is_ours || command.starts_with("kafka-") {
                *step = Value::String(format!("{command} --bootstrap-server {bootstrap}"));
            }
        }
    }
}

/// A cluster to ask, and the clock of this machine.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) admin: Admin,
    pub(super) time: LocalTime,
}

impl Session {
    /// Connects.
    pub(super) async fn open(bootstrap: &str, time: LocalTime) -> Result<Session, Failure> {
        match Admin::connect(bootstrap, Settings::default()).await {
            Ok(admin) => Ok(Session { admin, time }),
            Err(error) => Err(failure(&error, None)),
        }
    }

    /// Whether the broker answers Ottla's own requests.
    pub(super) fn is_ottla(&self) -> bool {
        kafka::is_ottla(&self.admin)
    }

    /// For what Kafka's requests cannot tell.
    pub(super) fn needs_ottla(&self, what: &str) -> Result<(), Failure> {
        if self.is_ottla() {
            return Ok(());
        }
        Err(Failure::Runtime(format!(
            "only an Ottla broker can tell {what}, and {} is none; \
             `ottla group describe` and `ottla group lag` work with it",
            self.admin.bootstrap()
        )))
    }

    /// One view of a group, or the status of all where `group` is empty.
    pub(super) async fn view(&mut self, view: View, group: &str) -> Result<Answer, Problem> {
        let raw = match self.is_ottla() {
            true => self.admin.explain(group, view.name(), view.since_ms()).await?,
            false => kafka::view(&mut self.admin, view, group, self.time.now_ms()).await?.to_string(),
        };
        let mut answer = Answer::new(raw, &self.time)?;
        name_broker(&mut answer.json, self.admin.bootstrap());
        Ok(answer)
    }

    /// A typed moment in milliseconds since 1970, by the clock of this machine.
    pub(super) fn moment(&self, moment: Moment) -> Result<i64, Failure> {
        moment_at(&self.time, moment)
    }

    /// The sentence for what went wrong. Where it was the group's name, those that there are are looked at.
    pub(super) async fn failure(&mut self, problem: Problem, group: &str) -> Failure {
        match problem {
            Problem::Said(failure) => failure,
            Problem::Client(error) if is_unknown_group(&error) => {
                let names = self.names().await;
                no_such_group(group, &names)
            }
            Problem::Client(error) => failure(&error, Some(self.admin.bootstrap())),
        }
    }

    /// The groups that there are; none where they cannot be told.
    async fn names(&mut self) -> Vec<String> {
        let groups = self.admin.list_groups().await.unwrap_or_default();
        groups.into_iter().map(|group| group.group).collect()
    }
}

/// A typed moment at a time.
pub(super) fn moment_at(time: &LocalTime, moment: Moment) -> Result<i64, Failure> {
    let unknown =
        || Failure::Usage("there is no such time of day in this machine's zone; write it with a Z, in UTC".to_owned());
    time.resolve(moment).ok_or_else(unknown)
}

fn is_unknown_group(error: &ClientError) -> bool {
    error.code().is_some_and(|code| code == ottla_client::ErrorCode::GROUP_ID_NOT_FOUND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn commands_name_the_broker_that_was_asked() {
        let steps = |bootstrap| {
            let mut answer =
                json!({"findings": [{"next": ["ottla group events g", "kafka-topics.sh", "wait"]}], "waits": []});
            name_broker(&mut answer, bootstrap);
            answer["findings"][0]["next"].to_string()
        };
        assert_eq!(
            steps("localhost:9092"),
            r#"["ottla group events g","kafka-topics.sh --bootstrap-server localhost:9092","wait"]"#
        );
        assert!(steps("far:1").starts_with(r#"["ottla group events g --bootstrap-server far:1","#));
    }
}
