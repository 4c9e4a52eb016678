//! AlterClientQuotas and DescribeClientQuotas.

mod client;

use std::sync::Arc;

use client::{Client, TestBroker};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    AlterClientQuotasEntry, AlterClientQuotasOp, AlterClientQuotasRequest, ClientQuotaEntity,
    DescribeClientQuotasComponent, DescribeClientQuotasRequest,
};
use ottla_storage::local::disk::SystemDisk;
use ottla_storage::local::{LocalEngine, LocalOptions};

type Parts<'a> = &'a [(&'a str, Option<&'a str>)];
type Ops<'a> = &'a [(&'a str, Option<f64>)];

fn entry<'a>(parts: Parts<'a>, ops: Ops<'a>) -> AlterClientQuotasEntry<'a> {
    let part = |(kind, name): &(&'a str, Option<&'a str>)| ClientQuotaEntity {
        entity_type: (*kind).into(),
        entity_name: name.map(Into::into),
    };
    let op = |(key, value): &(&'a str, Option<f64>)| AlterClientQuotasOp {
        key: (*key).into(),
        value: value.unwrap_or_default(),
        remove: value.is_none(),
    };
    AlterClientQuotasEntry { entity: parts.iter().map(part).collect(), ops: ops.iter().map(op).collect() }
}

async fn alter(
    client: &mut Client,
    entries: Vec<AlterClientQuotasEntry<'_>>,
    validate_only: bool,
) -> Vec<(String, ErrorCode)> {
    let response = client.call(&AlterClientQuotasRequest { entries, validate_only }, 1).await;
    let results = response.entries.iter().map(|one| {
        assert_eq!(one.error_message.is_some(), one.error_code != ErrorCode::NONE, "{one:?}");
        (shown(&one.entity), one.error_code)
    });
    results.collect()
}

async fn set(client: &mut Client, parts: Parts<'_>, ops: Ops<'_>) -> ErrorCode {
    alter(client, vec![entry(parts, ops)], false).await[0].1
}

fn shown(entity: &[ClientQuotaEntity<'_>]) -> String {
    let parts =
        entity.iter().map(|part| format!("{}={}", part.entity_type, part.entity_name.as_deref().unwrap_or("*")));
    parts.collect::<Vec<_>>().join(" ")
}

async fn ask(
    client: &mut Client,
    components: &[(&str, i8, Option<&str>)],
    strict: bool,
) -> Result<Vec<(String, Vec<(String, f64)>)>, ErrorCode> {
    let components = components.iter().map(|(kind, match_type, name)| DescribeClientQuotasComponent {
        entity_type: (*kind).to_owned().into(),
        match_type: *match_type,
        match_name: name.map(|name| name.to_owned().into()),
    });
    let request = DescribeClientQuotasRequest { components: components.collect(), strict };
    let response = client.call(&request, 1).await;
    let Some(entries) = response.entries else { return Err(response.error_code) };
    let values = |entry: &ottla_protocol::messages::DescribeClientQuotasEntry<'_>| {
        entry.values.iter().map(|one| (one.key.to_string(), one.value)).collect()
    };
    Ok(entries.iter().map(|entry| (shown(&entry.entity), values(entry))).collect())
}

async fn names(client: &mut Client, components: &[(&str, i8, Option<&str>)], strict: bool) -> Vec<String> {
    let mut names: Vec<_> =
        ask(client, components, strict).await.expect("entries").into_iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    names
}

const NONE: ErrorCode = ErrorCode::NONE;
const INVALID: ErrorCode = ErrorCode::INVALID_REQUEST;
const USER: (&str, Option<&str>) = ("user", Some("u"));
const CLIENT: (&str, Option<&str>) = ("client-id", Some("c"));

#[tokio::test]
async fn quotas_are_set_and_found_by_their_entities() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    assert_eq!(ask(&mut client, &[], false).await, Ok(vec![]));
    let rate: Ops<'_> = &[("producer_byte_rate", Some(1_000.0))];
    let of_clients: [Parts<'_>; 6] = [
        &[USER],
        &[CLIENT],
        &[USER, CLIENT],
        &[("user", None)],
        &[("client-id", None), ("user", None)],
        &[USER, ("client-id", None)],
    ];
    for parts in of_clients {
        assert_eq!(set(&mut client, parts, rate).await, NONE, "{parts:?}");
    }
    for address in [Some("10.0.0.1"), Some("::1"), None] {
        assert_eq!(set(&mut client, &[("ip", address)], &[("connection_creation_rate", Some(5.0))]).await, NONE);
    }
    assert_eq!(names(&mut client, &[], false).await.len(), 9);
    assert_eq!(names(&mut client, &[], true).await, [""; 0]);
    let of_u = ["client-id=* user=u", "client-id=c user=u", "user=u"];
    assert_eq!(names(&mut client, &[("user", 0, Some("u"))], false).await, of_u);
    assert_eq!(names(&mut client, &[("user", 0, Some("u"))], true).await, ["user=u"]);
    assert_eq!(names(&mut client, &[("user", 1, None)], false).await, ["client-id=* user=*", "user=*"]);
    assert_eq!(names(&mut client, &[("user", 2, None)], true).await, ["user=*", "user=u"]);
    let both = [("user", 2, None), ("client-id", 2, None)];
    assert_eq!(
        names(&mut client, &both, false).await,
        ["client-id=* user=*", "client-id=* user=u", "client-id=c user=u"]
    );
    let exact = [("user", 0, Some("u")), ("client-id", 1, None)];
    assert_eq!(names(&mut client, &exact, true).await, ["client-id=* user=u"]);
    assert_eq!(names(&mut client, &[("ip", 2, None)], false).await, ["ip=*", "ip=10.0.0.1", "ip=::1"]);
    assert_eq!(names(&mut client, &[("ip", 0, Some("10.0.0.2"))], false).await, [""; 0]);
}

#[tokio::test]
async fn values_are_changed_one_by_one_and_go_when_the_last_is_removed() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let first: Ops<'_> = &[("request_percentage", Some(12.5)), ("consumer_byte_rate", Some(5.0))];
    assert_eq!(set(&mut client, &[USER], first).await, NONE);
    let second: Ops<'_> = &[("controller_mutation_rate", Some(0.1)), ("consumer_byte_rate", None), ("nope", None)];
    assert_eq!(set(&mut client, &[USER], second).await, NONE);
    let values = vec![("controller_mutation_rate".to_owned(), 0.1), ("request_percentage".to_owned(), 12.5)];
    assert_eq!(ask(&mut client, &[], false).await, Ok(vec![("user=u".to_owned(), values.clone())]));
    for version in 0..=1 {
        let entries = client.call(&DescribeClientQuotasRequest::default(), version).await.entries.expect("entries");
        assert_eq!(entries[0].values.len(), 2);
    }
    assert_eq!(set(&mut client, &[("user", Some("nobody"))], &[("consumer_byte_rate", None)]).await, NONE);
    assert_eq!(
        alter(&mut client, vec![entry(&[USER], &[("request_percentage", Some(1.0))])], true).await,
        [("user=u".to_owned(), NONE)]
    );
    assert_eq!(ask(&mut client, &[], false).await, Ok(vec![("user=u".to_owned(), values)]), "it was only checked");
    assert_eq!(
        set(&mut client, &[USER], &[("controller_mutation_rate", None), ("request_percentage", None)]).await,
        NONE
    );
    assert_eq!(ask(&mut client, &[], false).await, Ok(vec![]));
}

#[tokio::test]
async fn what_cannot_be_a_quota_is_refused_and_the_others_are_set() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let rate = |value| [("producer_byte_rate", Some(value))];
    for value in [0.0, -1.0, 1.5, f64::NAN, f64::INFINITY, 1e30] {
        assert_eq!(set(&mut client, &[USER], &rate(value)).await, INVALID, "{value}");
    }
    let bad: [Parts<'_>; 6] = [
        &[],
        &[("user", Some(""))],
        &[("group", Some("g"))],
        &[("ip", None), USER],
        &[("ip", Some("localhost"))],
        &[("ip", Some("10.0.0.1"))],
    ];
    for parts in bad {
        assert_eq!(set(&mut client, parts, &rate(1.0)).await, INVALID, "{parts:?}");
    }
    assert_eq!(set(&mut client, &[USER], &[("connection_creation_rate", Some(1.0))]).await, INVALID);
    assert_eq!(
        set(&mut client, &[USER], &[("producer_byte_rate", Some(1.0)), ("producer_byte_rate", None)]).await,
        INVALID
    );
    let (one, two) = (rate(1.0), rate(-2.0));
    let entries = vec![
        entry(&[USER, CLIENT], &one),
        entry(&[("user", Some("v"))], &one),
        entry(&[CLIENT, USER], &one),
        entry(&[CLIENT], &two),
    ];
    let results = alter(&mut client, entries, false).await;
    let told = |name: &str, code| (name.to_owned(), code);
    assert_eq!(results, [told("client-id=c user=u", INVALID), told("user=v", NONE), told("client-id=c", INVALID)]);
    assert_eq!(names(&mut client, &[], false).await, ["user=v"]);
}

#[tokio::test]
async fn a_question_that_nobody_could_answer_is_refused() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let bad: [&[(&str, i8, Option<&str>)]; 9] = [
        &[("user", 3, None)],
        &[("user", -1, Some("u"))],
        &[("user", 0, None)],
        &[("user", 1, Some("u"))],
        &[("user", 2, Some("u"))],
        &[("user", 0, Some("u")), ("user", 0, Some("v"))],
        &[("", 0, Some("u"))],
        &[("ip", 2, None), ("user", 2, None)],
        &[("client-id", 2, None), ("ip", 1, None)],
    ];
    for components in bad {
        assert_eq!(ask(&mut client, components, false).await, Err(INVALID), "{components:?}");
    }
    assert_eq!(ask(&mut client, &[("group", 0, Some("g"))], false).await, Err(ErrorCode::UNSUPPORTED_VERSION));
}

#[tokio::test]
async fn quotas_outlive_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    for round in 0..2 {
        let options = LocalOptions::new(folder.path(), 1, Arc::new(|| 0));
        let engine = Arc::new(LocalEngine::open(options, Arc::new(SystemDisk)).expect("it opens"));
        let broker = TestBroker::over(engine, &[]).await;
        let mut client = broker.connect().await;
        if round == 0 {
            assert_eq!(
                set(&mut client, &[USER, ("client-id", None)], &[("request_percentage", Some(12.5))]).await,
                NONE
            );
        }
        let kept = vec![("client-id=* user=u".to_owned(), vec![("request_percentage".to_owned(), 12.5)])];
        assert_eq!(ask(&mut client, &[], false).await, Ok(kept));
        broker.engine.close().await.expect("closes");
    }
}
