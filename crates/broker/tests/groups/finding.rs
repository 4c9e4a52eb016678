//! FindCoordinator: always this broker, at the address that the client reached.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::*;

use crate::client::TestBroker;

#[tokio::test]
async fn one_key() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    for version in 0..4 {
        for key in ["g", ""] {
            let found = client.call(&FindCoordinatorRequest { key: key.into(), ..Default::default() }, version).await;
            let place = (found.error_code, found.node_id, found.host.as_ref(), found.port);
            assert_eq!(place, (ErrorCode::NONE, 1, "127.0.0.1", i32::from(broker.port())), "version {version}");
            // The reference broker's word where there is no error.
            assert_eq!(found.error_message.as_deref(), Some(if version == 0 { "" } else { "NONE" }));
        }
    }
    for (version, key_type) in [(1, 2), (3, 7)] {
        let request = FindCoordinatorRequest { key: "g".into(), key_type, ..Default::default() };
        let refused = client.call(&request, version).await;
        let place = (refused.error_code, refused.node_id, refused.host.as_ref(), refused.port);
        assert_eq!(place, (ErrorCode::INVALID_REQUEST, -1, "", -1));
    }
}

#[tokio::test]
async fn several_keys() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    for version in 4..=6 {
        for (key_type, error) in [(0, ErrorCode::NONE), (1, ErrorCode::NONE), (2, ErrorCode::INVALID_REQUEST)] {
            let coordinator_keys = vec!["g".into(), "".into(), "h".into()];
            let request = FindCoordinatorRequest { key_type, coordinator_keys, ..Default::default() };
            let found = client.call(&request, version).await.coordinators;
            assert_eq!(found.iter().map(|c| c.key.as_ref()).collect::<Vec<_>>(), ["g", "", "h"]);
            let (node, host, port) =
                if error.is_none() { (1, "127.0.0.1", i32::from(broker.port())) } else { (-1, "", -1) };
            for place in found {
                assert_eq!((place.error_code, place.node_id), (error, node));
                assert_eq!((place.host.as_ref(), place.port), (host, port));
            }
        }
        let none = client.call(&FindCoordinatorRequest::default(), version).await;
        assert_eq!(none.coordinators, []);
    }
}
