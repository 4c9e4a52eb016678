//! Frames, versions, order and the end of connections, over real sockets.

mod client;

use client::{TestBroker, batch, fetch_partition, fetch_request, produce_request, values};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, FetchResponse, MetadataRequest, MetadataResponse, ProduceResponse,
};

fn api_versions() -> ApiVersionsRequest<'static> {
    ApiVersionsRequest { client_software_name: "test".into(), client_software_version: "1.0".into() }
}

#[tokio::test]
async fn api_versions_tells_what_is_served_in_each_version() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    for version in 0..=4 {
        let response = client.call(&api_versions(), version).await;
        assert_eq!(response.error_code, ErrorCode::NONE);
        let produce = response.api_keys.first().expect("something is served");
        assert_eq!((produce.api_key, produce.min_version, produce.max_version), (0, 0, 13));
        let finalized: Vec<_> =
            response.finalized_features.iter().map(|f| (f.name.as_ref(), f.max_version_level)).collect();
        assert_eq!(
            finalized,
            if version >= 3 { vec![("group.version", 1), ("transaction.version", 2)] } else { vec![] }
        );
        let supported = response.supported_features.first().map(|f| (f.name.as_ref(), f.min_version, f.max_version));
        // A level of 0 cannot be told before version 4.
        assert_eq!(supported, (version >= 4).then_some(("group.version", 0, 1)));
    }
}

#[tokio::test]
async fn api_versions_above_ours_is_refused_in_version_0_and_the_connection_goes_on() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    // Key 18, version 99, correlation id 7, then a header that nobody here can read.
    client.write(&[0, 0, 0, 12, 0, 18, 0, 99, 0, 0, 0, 7, 0xff, 0xee, 0xdd, 0xcc]).await;
    let response: ApiVersionsResponse<'_> = client.receive(7, 0).await;
    assert_eq!(response.error_code, ErrorCode::UNSUPPORTED_VERSION);
    let keys: Vec<_> = response.api_keys.iter().map(|api| (api.api_key, api.min_version, api.max_version)).collect();
    assert_eq!(keys, [(18, 0, 4)]);
    assert_eq!(client.call(&api_versions(), 3).await.error_code, ErrorCode::NONE);
}

#[tokio::test]
async fn a_software_name_with_spaces_is_refused() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let request = ApiVersionsRequest { client_software_name: "a b".into(), client_software_version: "1".into() };
    assert_eq!(client.call(&request, 3).await.error_code, ErrorCode::INVALID_REQUEST);
}

#[tokio::test]
async fn what_is_not_served_closes_the_connection() {
    let broker = TestBroker::start(&[]).await;
    let key_99 = [0, 0, 0, 10, 0, 99, 0, 0, 0, 0, 0, 1, 0xff, 0xff];
    let produce_2 = [0, 0, 0, 10, 0, 0, 0, 2, 0, 0, 0, 1, 0xff, 0xff];
    let api_versions_minus_1 = [0, 0, 0, 10, 0, 18, 0xff, 0xff, 0, 0, 0, 1, 0xff, 0xff];
    let too_short = [0, 0, 0, 3, 0, 18, 0];
    let metadata_cut_off = [0, 0, 0, 14, 0, 3, 0, 5, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff];
    for frame in [&key_99[..], &produce_2, &api_versions_minus_1, &too_short, &metadata_cut_off] {
        let mut client = broker.connect().await;
        client.write(frame).await;
        client.expect_close().await;
    }
    let mut client = broker.connect().await;
    assert_eq!(client.call(&api_versions(), 3).await.error_code, ErrorCode::NONE, "others go on");
}

#[tokio::test]
async fn a_frame_over_the_limit_closes_before_its_body_comes() {
    let broker = TestBroker::start(&[("socket.request.max.bytes", "1024")]).await;
    for size in [1025i32, i32::MAX, -1, i32::MIN] {
        let mut client = broker.connect().await;
        client.write(&size.to_be_bytes()).await;
        client.expect_close().await;
    }
}

#[tokio::test]
async fn a_large_frame_that_comes_in_pieces_is_read_whole() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let value = "x".repeat(700_000);
    let request = batch(&[&value]);
    let frame = ottla_protocol::frame::encode_request_frame(5, 9, None, &produce_request("t", 0, &request, -1));
    for piece in frame.expect("can be written").concat().chunks(50_001) {
        client.write(piece).await;
        tokio::task::yield_now().await;
    }
    let response: ProduceResponse<'_> = client.receive(5, 9).await;
    assert_eq!(response.responses[0].partition_responses[0].error_code, ErrorCode::NONE);
    let response = client.call(&fetch_request("t", vec![fetch_partition(0, 0)], 0), 11).await;
    assert_eq!(values(&response), [(0, 0, value)]);
}

#[tokio::test]
async fn answers_come_in_order_although_the_first_one_waits() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    // The fetch waits for what the produce request behind it appends: effects do not wait for answers.
    let fetch = client.send(&fetch_request("t", vec![fetch_partition(0, 0)], 600_000), 11).await;
    let metadata = client.send(&MetadataRequest { topics: Some(Vec::new()), ..Default::default() }, 9).await;
    let records = batch(&["a"]);
    let produce = client.send(&produce_request("t", 0, &records, -1), 9).await;
    let fetched: FetchResponse<'_> = client.receive(fetch, 11).await;
    assert_eq!(values(&fetched), [(0, 0, "a".to_owned())]);
    let _: MetadataResponse<'_> = client.receive(metadata, 9).await;
    let produced: ProduceResponse<'_> = client.receive(produce, 9).await;
    assert_eq!(produced.responses[0].partition_responses[0].base_offset, 0);
}

#[tokio::test]
async fn many_requests_at_once_keep_their_order() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let mut bytes = Vec::new();
    for id in 0..500 {
        let records = batch(&[&format!("value {id}")]);
        let request = produce_request("t", 0, &records, -1);
        let frame = ottla_protocol::frame::encode_request_frame(id, 9, None, &request).expect("can be written");
        bytes.extend(frame.concat());
    }
    client.write(&bytes).await;
    for id in 0..500 {
        let response: ProduceResponse<'_> = client.receive(id, 9).await;
        assert_eq!(response.responses[0].partition_responses[0].base_offset, i64::from(id));
    }
}

#[tokio::test]
async fn stops_at_once_although_fetches_wait() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let fetch = client.send(&fetch_request("t", vec![fetch_partition(0, 0)], 600_000), 11).await;
    has_arrived(&broker, &mut client).await;
    let shutdown = tokio::spawn(broker.running.shutdown());
    let answered: FetchResponse<'_> = client.receive(fetch, 11).await;
    assert!(values(&answered).is_empty());
    let _: ProduceResponse<'_> = client.receive(fetch + 1, 9).await;
    client.expect_close().await;
    shutdown.await.expect("no panic").expect("the engine closes");
}

/// Resolves once the broker has taken all that the client sent so far: the effect of one more request shows it.
async fn has_arrived(broker: &TestBroker, client: &mut client::Client) {
    broker.topic("arrived", 1, &[]).await;
    let records = batch(&["here"]);
    client.send(&produce_request("arrived", 0, &records, -1), 9).await;
    let mut watcher = broker.connect().await;
    let seen = watcher.call(&fetch_request("arrived", vec![fetch_partition(0, 0)], 600_000), 11).await;
    assert_eq!(values(&seen).len(), 1);
}

#[tokio::test]
async fn silent_connections_are_closed_and_waiting_ones_are_not() {
    let broker = TestBroker::start(&[("connections.max.idle.ms", "100")]).await;
    broker.topic("t", 1, &[]).await;
    let mut silent = broker.connect().await;
    let mut waiting = broker.connect().await;
    let fetch = waiting.send(&fetch_request("t", vec![fetch_partition(0, 0)], 600_000), 11).await;
    silent.expect_close().await;
    let mut producer = broker.connect().await;
    producer.produce("t", 0, &batch(&["a"])).await;
    let fetched: FetchResponse<'_> = waiting.receive(fetch, 11).await;
    assert_eq!(values(&fetched).len(), 1);
}
