//! What a broker without security answers to the requests of security: SASL, ACLs, delegation tokens. And SCRAM credentials, which are
//! kept and listed.

mod client;

use std::sync::Arc;

use client::{Client, TestBroker};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    AclCreation, AlterUserScramCredentialsRequest, ApiVersionsRequest, CreatableRenewers, CreateAclsRequest,
    CreateDelegationTokenRequest, DeleteAclsFilter, DeleteAclsRequest, DescribeAclsRequest,
    DescribeDelegationTokenRequest, DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsUser,
    ExpireDelegationTokenRequest, RenewDelegationTokenRequest, SaslAuthenticateRequest, SaslHandshakeRequest,
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use ottla_storage::local::disk::SystemDisk;
use ottla_storage::local::{LocalEngine, LocalOptions};

#[tokio::test]
async fn sasl_is_not_spoken_and_the_connection_goes_on() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    for version in 0..=1 {
        let response = client.call(&SaslHandshakeRequest { mechanism: "PLAIN".into() }, version).await;
        assert_eq!((response.error_code, response.mechanisms.len()), (ErrorCode::ILLEGAL_SASL_STATE, 0));
    }
    for version in 0..=2 {
        let response = client.call(&SaslAuthenticateRequest { auth_bytes: b"\0a\0b"[..].into() }, version).await;
        assert_eq!((response.error_code, response.auth_bytes.len()), (ErrorCode::ILLEGAL_SASL_STATE, 0));
        assert!(response.error_message.is_some_and(|reason| reason.contains("PLAINTEXT")));
    }
    assert_eq!(client.call(&ApiVersionsRequest::default(), 0).await.error_code, ErrorCode::NONE);
}

#[tokio::test]
async fn there_are_no_rules_of_who_may_do_what() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let disabled = ErrorCode::SECURITY_DISABLED;
    for version in 1..=3 {
        let response = client.call(&DescribeAclsRequest::default(), version).await;
        assert_eq!((response.error_code, response.resources.len()), (disabled, 0));
        assert!(response.error_message.is_some_and(|reason| reason.contains("no authorizer")));
        let two = CreateAclsRequest { creations: vec![AclCreation::default(); 2] };
        let codes: Vec<_> = client.call(&two, version).await.results.iter().map(|one| one.error_code).collect();
        assert_eq!(codes, [disabled; 2]);
        let two = DeleteAclsRequest { filters: vec![DeleteAclsFilter::default(); 2] };
        let codes: Vec<_> = client.call(&two, version).await.filter_results.iter().map(|one| one.error_code).collect();
        assert_eq!(codes, [disabled; 2]);
    }
}

#[tokio::test]
async fn nobody_gets_a_token() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let refused = ErrorCode::DELEGATION_TOKEN_REQUEST_NOT_ALLOWED;
    let renewers = vec![CreatableRenewers { principal_type: "User".into(), principal_name: "r".into() }];
    for version in 1..=3 {
        let mut request = CreateDelegationTokenRequest { renewers: renewers.clone(), ..Default::default() };
        if version >= 3 {
            (request.owner_principal_type, request.owner_principal_name) = (Some("User".into()), Some("o".into()));
        }
        let response = client.call(&request, version).await;
        let (owner, requester) = if version >= 3 { ("o", "ANONYMOUS") } else { ("ANONYMOUS", "") };
        assert_eq!((response.error_code, &*response.principal_name), (refused, owner));
        assert_eq!(&*response.token_requester_principal_name, requester);
        assert_eq!(
            (response.issue_timestamp_ms, response.expiry_timestamp_ms, response.max_timestamp_ms),
            (-1, -1, -1)
        );
        assert_eq!((&*response.token_id, response.hmac.len()), ("", 0));
        let response = client.call(&DescribeDelegationTokenRequest { owners: None }, version).await;
        assert_eq!((response.error_code, response.tokens.len()), (refused, 0));
    }
    let hmac = || b"ab"[..].into();
    for version in 1..=2 {
        let renewed = client.call(&RenewDelegationTokenRequest { hmac: hmac(), renew_period_ms: 1 }, version).await;
        assert_eq!((renewed.error_code, renewed.expiry_timestamp_ms), (refused, -1));
        let expired =
            client.call(&ExpireDelegationTokenRequest { hmac: hmac(), expiry_time_period_ms: -1 }, version).await;
        assert_eq!((expired.error_code, expired.expiry_timestamp_ms), (refused, -1));
    }
}

fn deletion(name: &str, mechanism: i8) -> ScramCredentialDeletion<'_> {
    ScramCredentialDeletion { name: name.into(), mechanism }
}

fn upsertion(name: &str, mechanism: i8, iterations: i32) -> ScramCredentialUpsertion<'_> {
    let (salt, salted_password) = (b"salt"[..].into(), [7; 32][..].to_owned().into());
    ScramCredentialUpsertion { name: name.into(), mechanism, iterations, salt, salted_password }
}

async fn alter(
    client: &mut Client,
    deletions: Vec<ScramCredentialDeletion<'_>>,
    upsertions: Vec<ScramCredentialUpsertion<'_>>,
) -> Vec<(String, ErrorCode)> {
    let response = client.call(&AlterUserScramCredentialsRequest { deletions, upsertions }, 0).await;
    let results = response.results.iter().map(|one| {
        assert_eq!(one.error_message.is_some(), one.error_code != ErrorCode::NONE, "{one:?}");
        (one.user.to_string(), one.error_code)
    });
    results.collect()
}

async fn describe(client: &mut Client, users: Option<&[&str]>) -> Vec<(String, ErrorCode, Vec<(i8, i32)>)> {
    let user = |name: &&str| DescribeUserScramCredentialsUser { name: (*name).to_owned().into() };
    let users = users.map(|users| users.iter().map(user).collect());
    let response = client.call(&DescribeUserScramCredentialsRequest { users }, 0).await;
    assert_eq!(response.error_code, ErrorCode::NONE);
    let results = response.results.iter().map(|one| {
        let infos = one.credential_infos.iter().map(|info| (info.mechanism, info.iterations)).collect();
        (one.user.to_string(), one.error_code, infos)
    });
    results.collect()
}

fn told(name: &str, code: ErrorCode) -> (String, ErrorCode) {
    (name.to_owned(), code)
}

const NONE: ErrorCode = ErrorCode::NONE;

#[tokio::test]
async fn scram_credentials_are_kept_and_listed() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    assert_eq!(describe(&mut client, None).await, []);
    let set = vec![upsertion("ü", 2, 8_192), upsertion("u", 1, 4_096)];
    assert_eq!(alter(&mut client, vec![], set).await, [told("ü", NONE), told("u", NONE)]);
    assert_eq!(alter(&mut client, vec![], vec![upsertion("u", 2, 5_000)]).await, [told("u", NONE)]);
    let u = ("u".to_owned(), NONE, vec![(1, 4_096), (2, 5_000)]);
    let other = ("ü".to_owned(), NONE, vec![(2, 8_192)]);
    for all in [None, Some(&[][..])] {
        assert_eq!(describe(&mut client, all).await, [u.clone(), other.clone()]);
    }
    let nobody = ("nobody".to_owned(), ErrorCode::RESOURCE_NOT_FOUND, vec![]);
    let twice = ("ü".to_owned(), ErrorCode::DUPLICATE_RESOURCE, vec![]);
    assert_eq!(describe(&mut client, Some(&["ü", "u", "nobody", "ü"])).await, [twice, u, nobody]);

    assert_eq!(
        alter(&mut client, vec![deletion("u", 1)], vec![upsertion("ü", 2, 4_097)]).await,
        [told("u", NONE), told("ü", NONE)]
    );
    let changed = [("u".to_owned(), NONE, vec![(2, 5_000)]), ("ü".to_owned(), NONE, vec![(2, 4_097)])];
    assert_eq!(describe(&mut client, None).await, changed);
    assert_eq!(alter(&mut client, vec![deletion("u", 2)], vec![]).await, [told("u", NONE)]);
    assert_eq!(describe(&mut client, None).await, changed[1..]);
}

#[tokio::test]
async fn a_credential_that_is_refused_leaves_the_other_users_alone() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let unacceptable = ErrorCode::UNACCEPTABLE_CREDENTIAL;
    let (mechanism, missing, twice) =
        (ErrorCode::UNSUPPORTED_SASL_MECHANISM, ErrorCode::RESOURCE_NOT_FOUND, ErrorCode::DUPLICATE_RESOURCE);
    let set = vec![
        upsertion("good", 1, 4_096),
        upsertion("few", 1, 4_095),
        upsertion("many", 1, 16_385),
        upsertion("none", 0, 4_096),
        upsertion("three", 3, 4_096),
        upsertion("", 1, 4_096),
        upsertion("twice", 1, 4_096),
        upsertion("twice", 2, 4_096),
        ScramCredentialUpsertion { salted_password: [][..].into(), ..upsertion("empty", 1, 4_096) },
    ];
    let results = alter(&mut client, vec![deletion("gone", 1), deletion("good", 1)], set.clone()).await;
    let expected = [
        told("gone", missing),
        told("good", twice),
        told("few", unacceptable),
        told("many", unacceptable),
        told("none", mechanism),
        told("three", mechanism),
        told("", unacceptable),
        told("twice", twice),
        told("empty", unacceptable),
    ];
    assert_eq!(results, expected);
    assert_eq!(describe(&mut client, None).await, []);
    let results = alter(&mut client, vec![deletion("gone", 1), deletion("gone", 1), deletion("three", 9)], set).await;
    assert_eq!(results[..3], [told("gone", twice), told("three", mechanism), told("good", NONE)]);
    assert_eq!(describe(&mut client, None).await, [("good".to_owned(), NONE, vec![(1, 4_096)])]);
}

#[tokio::test]
async fn credentials_outlive_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    for round in 0..2 {
        let options = LocalOptions::new(folder.path(), 1, Arc::new(|| 0));
        let engine = Arc::new(LocalEngine::open(options, Arc::new(SystemDisk)).expect("it opens"));
        let broker = TestBroker::over(engine, &[]).await;
        let mut client = broker.connect().await;
        if round == 0 {
            assert_eq!(alter(&mut client, vec![], vec![upsertion("u", 2, 4_096)]).await, [told("u", NONE)]);
        }
        assert_eq!(describe(&mut client, None).await, [("u".to_owned(), NONE, vec![(2, 4_096)])]);
        broker.engine.close().await.expect("closes");
    }
}
