//! `ottla group reset` and `ottla group undo`: what would change or has changed, partition by partition.

pub(super) mod plan;
pub(super) mod report;
pub(crate) mod target;

use ottla_client::{ErrorCode, GroupReset, PartitionOffset, PartitionReset, ResetOutcome};

use super::Said;
use super::arguments::{GroupOutput, How, ResetArguments, UndoArguments};
use super::document::{list, text};
use super::problem::Problem;
use super::session::{Session, View};
use crate::exit::Failure;
use crate::local_time::LocalTime;
use plan::Step;
use report::Report;

/// Sets offsets, or shows what would be set.
///
/// # Errors
/// No answer, or a target that there is not.
pub(super) async fn reset(
    session: &mut Session,
    wanted: &ResetArguments,
    output: GroupOutput,
) -> Result<Said, Problem> {
    if wanted.how.online {
        session.needs_ottla("a group's members to go on from other offsets")?;
    }
    let state = state(session, &wanted.group).await?;
    let lag = session.view(View::Lag, &wanted.group).await?;
    let steps = plan::make(&mut session.admin, wanted, &lag.json, &lag.time).await?;
    let offset =
        |step: &Step| PartitionOffset { topic: step.key.0.clone(), partition: step.key.1, offset: step.offset };
    let reset = request(&wanted.group, wanted.how, false, steps.iter().map(offset).collect());
    let outcome = match session.is_ottla() {
        true => session.admin.reset_group(&reset).await?,
        false => commit(session, &reset, &state, &lag.json).await?,
    };
    Ok(said(session, &reset, &state, &outcome, &steps, &lag.time, output))
}

/// Brings the former offsets back, or shows which.
///
/// # Errors
/// No answer.
pub(super) async fn undo(session: &mut Session, wanted: &UndoArguments, output: GroupOutput) -> Result<Said, Problem> {
    session.needs_ottla("which offsets a reset replaced")?;
    let state = state(session, &wanted.group).await?;
    let reset = request(&wanted.group, wanted.how, true, Vec::new());
    let outcome = session.admin.reset_group(&reset).await?;
    let time = session.time.clone();
    Ok(said(session, &reset, &state, &outcome, &[], &time, output))
}

fn request(group: &str, how: How, undo: bool, offsets: Vec<PartitionOffset>) -> GroupReset {
    GroupReset { group: group.to_owned(), online: how.online, validate_only: how.dry_run, undo, offsets }
}

async fn state(session: &mut Session, group: &str) -> Result<String, Problem> {
    let status = session.view(View::Status, group).await?;
    Ok(list(&status.json, "groups").first().map(|group| text(group, "state")).unwrap_or_default())
}

fn said(
    session: &Session,
    reset: &GroupReset,
    state: &str,
    outcome: &ResetOutcome,
    steps: &[Step],
    time: &LocalTime,
    output: GroupOutput,
) -> Said {
    let report = Report { reset, state, outcome, steps, keeps_former: session.is_ottla(), time };
    let failure = (!outcome.is_done()).then(|| Failure::Runtime(report.refusal()));
    let text = match output {
        GroupOutput::Json => format!("{}\n", report.json()),
        GroupOutput::Table if failure.is_some() => String::new(),
        GroupOutput::Table => report.text(),
    };
    Said { text, failure }
}

/// The same by Kafka's own requests, which know commits from outside only for a group without members.
async fn commit(
    session: &mut Session,
    reset: &GroupReset,
    state: &str,
    lag: &serde_json::Value,
) -> Result<ResetOutcome, Problem> {
    if !matches!(state, "Empty" | "Dead") {
        return Ok(ResetOutcome { code: ErrorCode::NON_EMPTY_GROUP, ..ResetOutcome::default() });
    }
    let mut refused = Vec::new();
    if !reset.validate_only {
        let (away, set): (Vec<_>, Vec<_>) = reset.offsets.iter().cloned().partition(|one| one.offset < 0);
        if !set.is_empty() {
            refused = session.admin.commit_offsets(&reset.group, &set).await?;
        }
        if !away.is_empty() {
            let away: Vec<(String, i32)> = away.into_iter().map(|one| (one.topic, one.partition)).collect();
            refused.extend(session.admin.delete_offsets(&reset.group, &away).await?);
        }
    }
    let committed = |topic: &str, partition: i32| {
        let same = |row: &&serde_json::Value| row["topic"] == topic && row["partition"] == partition;
        list(lag, "partitions").iter().find(same).and_then(|row| row["committed"].as_i64())
    };
    let code = |topic: &str, partition: i32| {
        let refusal = refused.iter().find(|one| one.topic == topic && one.partition == partition);
        refusal.map_or(ErrorCode::NONE, |one| one.code)
    };
    let partition = |one: &PartitionOffset| PartitionReset {
        topic: one.topic.clone(),
        partition: one.partition,
        code: code(&one.topic, one.partition),
        message: None,
        from: committed(&one.topic, one.partition),
        to: Some(one.offset).filter(|offset| *offset >= 0),
    };
    Ok(ResetOutcome { partitions: reset.offsets.iter().map(partition).collect(), ..ResetOutcome::default() })
}
