// Records what a running Apache Kafka 4.3 answers, for the tests beside this file. See README.md.
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.SimpleRecord;

public class RecordBytes {
    static final String TOPIC = "recorded";
    static final String GROUP = "recorder";
    static Socket socket;
    static int correlation = 1;
    // Off while waiting for the broker to be ready.
    static boolean recording = true;

    static String hex(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    // Sends one request, prints its body and the body of the answer, and returns the answer.
    static <T extends ApiMessage> T ask(ApiKeys key, int version, Message request, T answer) throws Exception {
        short v = (short) version;
        RequestHeaderData header = new RequestHeaderData().setRequestApiKey(key.id).setRequestApiVersion(v)
            .setCorrelationId(correlation++).setClientId("recorder");
        ByteBuffer head = MessageUtil.toByteBufferAccessor(header, key.requestHeaderVersion(v)).buffer();
        ByteBuffer body = MessageUtil.toByteBufferAccessor(request, v).buffer();
        if (recording) System.out.println(key.name + "Request " + version + " " + hex(body.duplicate()));
        DataOutputStream out = new DataOutputStream(socket.getOutputStream());
        out.writeInt(head.remaining() + body.remaining());
        out.write(head.array(), head.arrayOffset() + head.position(), head.remaining());
        out.write(body.array(), body.arrayOffset() + body.position(), body.remaining());
        out.flush();
        DataInputStream in = new DataInputStream(socket.getInputStream());
        ByteBuffer response = ByteBuffer.wrap(in.readNBytes(in.readInt()));
        new ResponseHeaderData(new ByteBufferAccessor(response), key.responseHeaderVersion(v));
        if (recording) System.out.println(key.name + "Response " + version + " " + hex(response.duplicate()));
        answer.read(new ByteBufferAccessor(response), v);
        return answer;
    }

    static SimpleRecord[] records(int count) {
        SimpleRecord[] records = new SimpleRecord[count];
        for (int i = 0; i < count; i++) {
            Header[] headers = { new RecordHeader("h", "1".getBytes(StandardCharsets.UTF_8)), new RecordHeader("h", null) };
            byte[] key = i % 3 == 0 ? null : ("key-" + i).getBytes(StandardCharsets.UTF_8);
            byte[] value = i % 5 == 4 ? null : ("value ".repeat(i % 7) + i).getBytes(StandardCharsets.UTF_8);
            records[i] = new SimpleRecord(1_700_000_000_000L + i, key, value, i % 2 == 0 ? headers : new Header[0]);
        }
        return records;
    }

    static MemoryRecords batch(Compression compression, int count) {
        return MemoryRecords.withRecords(compression, records(count));
    }

    // A member of a group of the consumer protocol: joins, waits for what it reads, has it, is described, leaves.
    static void consumerProtocol() throws Exception {
        String group = GROUP + "-consumers";
        String member = "m".repeat(22);
        ConsumerGroupHeartbeatResponseData joined = ask(ApiKeys.CONSUMER_GROUP_HEARTBEAT, 0,
            new ConsumerGroupHeartbeatRequestData().setGroupId(group).setMemberId(member).setMemberEpoch(0).setInstanceId("i")
                .setRackId("r").setRebalanceTimeoutMs(60_000).setSubscribedTopicNames(List.of(TOPIC)).setServerAssignor("range")
                .setTopicPartitions(List.of()), new ConsumerGroupHeartbeatResponseData());
        var owned = joined.assignment().topicPartitions().stream().map(topic ->
            new ConsumerGroupHeartbeatRequestData.TopicPartitions().setTopicId(topic.topicId()).setPartitions(topic.partitions())).toList();
        ask(ApiKeys.CONSUMER_GROUP_HEARTBEAT, 1, new ConsumerGroupHeartbeatRequestData().setGroupId(group).setMemberId(member)
            .setInstanceId("i").setMemberEpoch(joined.memberEpoch()).setSubscribedTopicRegex(TOPIC + ".*").setTopicPartitions(owned),
            new ConsumerGroupHeartbeatResponseData());
        for (int version = 0; version <= 1; version++)
            ask(ApiKeys.CONSUMER_GROUP_DESCRIBE, version, new ConsumerGroupDescribeRequestData().setGroupIds(List.of(group, "nobody"))
                .setIncludeAuthorizedOperations(true), new ConsumerGroupDescribeResponseData());
        ask(ApiKeys.CONSUMER_GROUP_HEARTBEAT, 1, new ConsumerGroupHeartbeatRequestData().setGroupId(group).setMemberId(member)
            .setInstanceId("i").setMemberEpoch(-1), new ConsumerGroupHeartbeatResponseData());
        ask(ApiKeys.CONSUMER_GROUP_HEARTBEAT, 1, new ConsumerGroupHeartbeatRequestData().setGroupId(group).setMemberId(member)
            .setMemberEpoch(5), new ConsumerGroupHeartbeatResponseData());
    }

    public static void main(String[] args) throws Exception {
        Compression[] compressions = { Compression.NONE, Compression.gzip().build(), Compression.snappy().build(),
            Compression.lz4().build(), Compression.zstd().build() };
        for (Compression compression : compressions) {
            // Long enough for several blocks of every codec's frame.
            for (int count : compression == Compression.NONE ? new int[] { 1, 3 } : new int[] { 1, 3_000 })
                System.out.println("Batch " + count + " " + hex(batch(compression, count).buffer().duplicate()));
        }
        socket = new Socket("127.0.0.1", Integer.parseInt(args[0]));
        topics();
        Uuid topic = metadata();
        records(topic);
        epochs();
        groups(topic);
        transactions();
        cluster();
        security();
        quotas();
        administration(topic);
    }

    static void topics() throws Exception {
        ask(ApiKeys.API_VERSIONS, 4, new ApiVersionsRequestData().setClientSoftwareName("recorder").setClientSoftwareVersion("1"),
            new ApiVersionsResponseData());
        CreateTopicsRequestData create = new CreateTopicsRequestData();
        CreateTopicsRequestData.CreatableTopic wanted =
            new CreateTopicsRequestData.CreatableTopic().setName(TOPIC).setNumPartitions(2).setReplicationFactor((short) 1);
        wanted.configs().add(new CreateTopicsRequestData.CreatableTopicConfig().setName("retention.ms").setValue("86400000"));
        create.topics().add(wanted);
        ask(ApiKeys.CREATE_TOPICS, 7, create, new CreateTopicsResponseData());
    }

    static Uuid metadata() throws Exception {
        MetadataRequestData request = new MetadataRequestData()
            .setTopics(List.of(new MetadataRequestData.MetadataRequestTopic().setName(TOPIC)));
        recording = false;
        while (ask(ApiKeys.METADATA, 13, request, new MetadataResponseData()).topics().iterator().next().partitions().size() != 2)
            Thread.sleep(50);
        recording = true;
        return ask(ApiKeys.METADATA, 13, request, new MetadataResponseData()).topics().iterator().next().topicId();
    }

    static void records(Uuid topic) throws Exception {
        ask(ApiKeys.INIT_PRODUCER_ID, 5,
            new InitProducerIdRequestData().setTransactionalId(null).setTransactionTimeoutMs(60_000), new InitProducerIdResponseData());
        ProduceRequestData.TopicProduceDataCollection data = new ProduceRequestData.TopicProduceDataCollection();
        data.add(new ProduceRequestData.TopicProduceData().setTopicId(topic).setPartitionData(List.of(
            new ProduceRequestData.PartitionProduceData().setIndex(0).setRecords(batch(Compression.NONE, 3)),
            new ProduceRequestData.PartitionProduceData().setIndex(7).setRecords(batch(Compression.NONE, 1)))));
        ProduceRequestData produce = new ProduceRequestData().setAcks((short) -1).setTimeoutMs(10_000).setTopicData(data);
        ask(ApiKeys.PRODUCE, 13, produce, new ProduceResponseData());
        FetchRequestData fetch = new FetchRequestData().setMaxWaitMs(100).setMinBytes(1).setSessionEpoch(0)
            .setTopics(List.of(new FetchRequestData.FetchTopic().setTopicId(topic).setPartitions(List.of(
                new FetchRequestData.FetchPartition().setPartition(0).setPartitionMaxBytes(1 << 20),
                new FetchRequestData.FetchPartition().setPartition(1).setFetchOffset(9).setPartitionMaxBytes(1 << 20)))));
        ask(ApiKeys.FETCH, 18, fetch, new FetchResponseData());
        for (long timestamp : new long[] { -1, -2, -3, -4, -5, -6, 1_700_000_000_001L }) {
            ListOffsetsRequestData list = new ListOffsetsRequestData().setReplicaId(-1).setTimeoutMs(5_000)
                .setTopics(List.of(new ListOffsetsRequestData.ListOffsetsTopic().setName(TOPIC).setPartitions(List.of(
                    new ListOffsetsRequestData.ListOffsetsPartition().setPartitionIndex(0).setTimestamp(timestamp),
                    new ListOffsetsRequestData.ListOffsetsPartition().setPartitionIndex(9).setTimestamp(timestamp)))));
            ask(ApiKeys.LIST_OFFSETS, 11, list, new ListOffsetsResponseData());
        }
    }

    static void epochs() throws Exception {
        OffsetForLeaderEpochRequestData.OffsetForLeaderTopicCollection topics =
            new OffsetForLeaderEpochRequestData.OffsetForLeaderTopicCollection();
        topics.add(new OffsetForLeaderEpochRequestData.OffsetForLeaderTopic().setTopic(TOPIC).setPartitions(List.of(
            new OffsetForLeaderEpochRequestData.OffsetForLeaderPartition().setPartition(0).setCurrentLeaderEpoch(0).setLeaderEpoch(0),
            new OffsetForLeaderEpochRequestData.OffsetForLeaderPartition().setPartition(9).setLeaderEpoch(3))));
        ask(ApiKeys.OFFSET_FOR_LEADER_EPOCH, 4, new OffsetForLeaderEpochRequestData().setReplicaId(-1).setTopics(topics),
            new OffsetForLeaderEpochResponseData());
    }

    static void groups(Uuid topic) throws Exception {
        FindCoordinatorRequestData find = new FindCoordinatorRequestData().setCoordinatorKeys(List.of(GROUP, "other"));
        recording = false;
        while (ask(ApiKeys.FIND_COORDINATOR, 6, find, new FindCoordinatorResponseData()).coordinators().get(0).errorCode() != 0)
            Thread.sleep(100);
        recording = true;
        ask(ApiKeys.FIND_COORDINATOR, 6, find, new FindCoordinatorResponseData());
        JoinGroupRequestData join = new JoinGroupRequestData().setGroupId(GROUP).setSessionTimeoutMs(30_000)
            .setRebalanceTimeoutMs(30_000).setProtocolType("consumer").setReason("recording");
        join.protocols().add(new JoinGroupRequestData.JoinGroupRequestProtocol().setName("range").setMetadata(new byte[] { 0, 1, 2 }));
        recording = false;
        JoinGroupResponseData joined = ask(ApiKeys.JOIN_GROUP, 9, join, new JoinGroupResponseData());
        while (joined.memberId().isEmpty()) {
            Thread.sleep(100);
            joined = ask(ApiKeys.JOIN_GROUP, 9, join, new JoinGroupResponseData());
        }
        recording = true;
        joined = ask(ApiKeys.JOIN_GROUP, 9, join.setMemberId(joined.memberId()), new JoinGroupResponseData());
        String member = joined.memberId();
        int generation = joined.generationId();
        ask(ApiKeys.SYNC_GROUP, 5, new SyncGroupRequestData().setGroupId(GROUP).setGenerationId(generation).setMemberId(member)
            .setProtocolType("consumer").setProtocolName("range").setAssignments(List.of(
                new SyncGroupRequestData.SyncGroupRequestAssignment().setMemberId(member).setAssignment(new byte[] { 3, 4 }))),
            new SyncGroupResponseData());
        ask(ApiKeys.HEARTBEAT, 4, new HeartbeatRequestData().setGroupId(GROUP).setGenerationId(generation).setMemberId(member),
            new HeartbeatResponseData());
        commits(topic, member, generation);
        ask(ApiKeys.DESCRIBE_GROUPS, 6, new DescribeGroupsRequestData().setGroups(List.of(GROUP, "unknown")).setIncludeAuthorizedOperations(true),
            new DescribeGroupsResponseData());
        ask(ApiKeys.LIST_GROUPS, 5, new ListGroupsRequestData().setStatesFilter(List.of("Stable")).setTypesFilter(List.of("classic")),
            new ListGroupsResponseData());
        ask(ApiKeys.LEAVE_GROUP, 5, new LeaveGroupRequestData().setGroupId(GROUP).setMembers(List.of(
            new LeaveGroupRequestData.MemberIdentity().setMemberId(member).setReason("done"))), new LeaveGroupResponseData());
    }

    static void commits(Uuid topic, String member, int generation) throws Exception {
        OffsetCommitRequestData commit = new OffsetCommitRequestData().setGroupId(GROUP).setMemberId(member)
            .setGenerationIdOrMemberEpoch(generation).setTopics(List.of(
                new OffsetCommitRequestData.OffsetCommitRequestTopic().setTopicId(topic).setPartitions(List.of(
                    new OffsetCommitRequestData.OffsetCommitRequestPartition().setPartitionIndex(0).setCommittedOffset(2)
                        .setCommittedLeaderEpoch(0).setCommittedMetadata("where I was"),
                    new OffsetCommitRequestData.OffsetCommitRequestPartition().setPartitionIndex(1).setCommittedOffset(0)
                        .setCommittedMetadata(null))),
                new OffsetCommitRequestData.OffsetCommitRequestTopic().setTopicId(new Uuid(1, 2)).setPartitions(List.of(
                    new OffsetCommitRequestData.OffsetCommitRequestPartition().setPartitionIndex(5).setCommittedOffset(6)))));
        ask(ApiKeys.OFFSET_COMMIT, 10, commit, new OffsetCommitResponseData());
        OffsetFetchRequestData fetch = new OffsetFetchRequestData().setRequireStable(true).setGroups(List.of(
            new OffsetFetchRequestData.OffsetFetchRequestGroup().setGroupId(GROUP).setTopics(null),
            new OffsetFetchRequestData.OffsetFetchRequestGroup().setGroupId(GROUP).setMemberId("nobody").setMemberEpoch(4)
                .setTopics(List.of()),
            new OffsetFetchRequestData.OffsetFetchRequestGroup().setGroupId(GROUP).setTopics(List.of(
                new OffsetFetchRequestData.OffsetFetchRequestTopics().setTopicId(topic).setPartitionIndexes(List.of(0, 1, 2)),
                new OffsetFetchRequestData.OffsetFetchRequestTopics().setTopicId(new Uuid(1, 2)).setPartitionIndexes(List.of(5))))));
        ask(ApiKeys.OFFSET_FETCH, 10, fetch, new OffsetFetchResponseData());
    }

    // A transaction from its first partition to its end, with commits of a group.
    static void transactions() throws Exception {
        InitProducerIdRequestData init = new InitProducerIdRequestData().setTransactionalId("recording").setTransactionTimeoutMs(60_000);
        recording = false;
        // Whoever asks where the coordinator is has its topic created.
        ask(ApiKeys.FIND_COORDINATOR, 6, new FindCoordinatorRequestData().setKeyType((byte) 1).setCoordinatorKeys(List.of("recording")),
            new FindCoordinatorResponseData());
        InitProducerIdResponseData producer = ask(ApiKeys.INIT_PRODUCER_ID, 5, init, new InitProducerIdResponseData());
        while (producer.errorCode() != 0) {
            Thread.sleep(100);
            producer = ask(ApiKeys.INIT_PRODUCER_ID, 5, init, new InitProducerIdResponseData());
        }
        recording = true;
        long id = producer.producerId();
        short epoch = producer.producerEpoch();
        AddPartitionsToTxnRequestData.AddPartitionsToTxnTopicCollection topics =
            new AddPartitionsToTxnRequestData.AddPartitionsToTxnTopicCollection();
        topics.add(new AddPartitionsToTxnRequestData.AddPartitionsToTxnTopic().setName(TOPIC).setPartitions(List.of(0, 1)));
        ask(ApiKeys.ADD_PARTITIONS_TO_TXN, 3, new AddPartitionsToTxnRequestData().setV3AndBelowTransactionalId("recording")
            .setV3AndBelowProducerId(id).setV3AndBelowProducerEpoch(epoch).setV3AndBelowTopics(topics), new AddPartitionsToTxnResponseData());
        AddPartitionsToTxnRequestData.AddPartitionsToTxnTransactionCollection several =
            new AddPartitionsToTxnRequestData.AddPartitionsToTxnTransactionCollection();
        several.add(new AddPartitionsToTxnRequestData.AddPartitionsToTxnTransaction().setTransactionalId("recording").setProducerId(id)
            .setProducerEpoch(epoch).setVerifyOnly(true).setTopics(topics.duplicate()));
        ask(ApiKeys.ADD_PARTITIONS_TO_TXN, 5, new AddPartitionsToTxnRequestData().setTransactions(several), new AddPartitionsToTxnResponseData());
        ask(ApiKeys.ADD_OFFSETS_TO_TXN, 4, new AddOffsetsToTxnRequestData().setTransactionalId("recording").setProducerId(id)
            .setProducerEpoch(epoch).setGroupId(GROUP), new AddOffsetsToTxnResponseData());
        ask(ApiKeys.TXN_OFFSET_COMMIT, 5, new TxnOffsetCommitRequestData().setTransactionalId("recording").setProducerId(id)
            .setProducerEpoch(epoch).setGroupId(GROUP).setTopics(List.of(new TxnOffsetCommitRequestData.TxnOffsetCommitRequestTopic()
                .setName(TOPIC).setPartitions(List.of(new TxnOffsetCommitRequestData.TxnOffsetCommitRequestPartition()
                    .setPartitionIndex(0).setCommittedOffset(2).setCommittedMetadata("pending"))))), new TxnOffsetCommitResponseData());
        ask(ApiKeys.DESCRIBE_TRANSACTIONS, 0, new DescribeTransactionsRequestData().setTransactionalIds(List.of("recording", "unknown")),
            new DescribeTransactionsResponseData());
        ask(ApiKeys.LIST_TRANSACTIONS, 2, new ListTransactionsRequestData().setStateFilters(List.of("Ongoing", "Never"))
            .setProducerIdFilters(List.of(id)).setTransactionalIdPattern("rec.*"), new ListTransactionsResponseData());
        ask(ApiKeys.END_TXN, 5, new EndTxnRequestData().setTransactionalId("recording").setProducerId(id).setProducerEpoch(epoch)
            .setCommitted(true), new EndTxnResponseData());
        for (int version = 1; version <= 2; version++)
            ask(ApiKeys.WRITE_TXN_MARKERS, version, new WriteTxnMarkersRequestData().setMarkers(List.of(
                new WriteTxnMarkersRequestData.WritableTxnMarker().setProducerId(id).setProducerEpoch((short) (epoch + version))
                    .setTransactionVersion((byte) 2).setTopics(List.of(new WriteTxnMarkersRequestData.WritableTxnMarkerTopic().setName(TOPIC).setPartitionIndexes(List.of(0, 9)))))),
                new WriteTxnMarkersResponseData());
        ask(ApiKeys.DESCRIBE_PRODUCERS, 0, new DescribeProducersRequestData().setTopics(List.of(
            new DescribeProducersRequestData.TopicRequest().setName(TOPIC).setPartitionIndexes(List.of(0, 9)))), new DescribeProducersResponseData());
    }

    static void cluster() throws Exception {
        ask(ApiKeys.DESCRIBE_LOG_DIRS, 5, new DescribeLogDirsRequestData().setTopics(null), new DescribeLogDirsResponseData());
        AlterReplicaLogDirsRequestData.AlterReplicaLogDirTopicCollection moved =
            new AlterReplicaLogDirsRequestData.AlterReplicaLogDirTopicCollection();
        moved.add(new AlterReplicaLogDirsRequestData.AlterReplicaLogDirTopic().setName(TOPIC).setPartitions(List.of(0)));
        AlterReplicaLogDirsRequestData move = new AlterReplicaLogDirsRequestData();
        move.dirs().add(new AlterReplicaLogDirsRequestData.AlterReplicaLogDir().setPath("/nowhere").setTopics(moved));
        ask(ApiKeys.ALTER_REPLICA_LOG_DIRS, 2, move, new AlterReplicaLogDirsResponseData());
        ElectLeadersRequestData elect = new ElectLeadersRequestData().setTimeoutMs(5_000);
        elect.topicPartitions().add(new ElectLeadersRequestData.TopicPartitions().setTopic(TOPIC).setPartitions(List.of(0, 9)));
        ask(ApiKeys.ELECT_LEADERS, 2, elect, new ElectLeadersResponseData());
        ask(ApiKeys.ALTER_PARTITION_REASSIGNMENTS, 1, new AlterPartitionReassignmentsRequestData().setTopics(List.of(
            new AlterPartitionReassignmentsRequestData.ReassignableTopic().setName(TOPIC).setPartitions(List.of(
                new AlterPartitionReassignmentsRequestData.ReassignablePartition().setPartitionIndex(0).setReplicas(List.of(5)),
                new AlterPartitionReassignmentsRequestData.ReassignablePartition().setPartitionIndex(1).setReplicas(null))))),
            new AlterPartitionReassignmentsResponseData());
        ask(ApiKeys.LIST_PARTITION_REASSIGNMENTS, 0, new ListPartitionReassignmentsRequestData().setTopics(List.of(
            new ListPartitionReassignmentsRequestData.ListPartitionReassignmentsTopics().setName(TOPIC).setPartitionIndexes(List.of(0)))),
            new ListPartitionReassignmentsResponseData());
        ask(ApiKeys.DESCRIBE_QUORUM, 2, new DescribeQuorumRequestData().setTopics(List.of(new DescribeQuorumRequestData.TopicData()
            .setTopicName("__cluster_metadata").setPartitions(List.of(new DescribeQuorumRequestData.PartitionData().setPartitionIndex(0))))),
            new DescribeQuorumResponseData());
        for (int version = 1; version <= 2; version++) {
            UpdateFeaturesRequestData update = new UpdateFeaturesRequestData().setValidateOnly(true);
            update.featureUpdates().add(new UpdateFeaturesRequestData.FeatureUpdateKey().setFeature("transaction.version").setMaxVersionLevel((short) 9));
            ask(ApiKeys.UPDATE_FEATURES, version, update, new UpdateFeaturesResponseData());
        }
        ask(ApiKeys.LIST_CONFIG_RESOURCES, 1, new ListConfigResourcesRequestData().setResourceTypes(List.of((byte) 2, (byte) 4)),
            new ListConfigResourcesResponseData());
        ask(ApiKeys.DESCRIBE_TOPIC_PARTITIONS, 0, new DescribeTopicPartitionsRequestData().setResponsePartitionLimit(1).setTopics(List.of(
            new DescribeTopicPartitionsRequestData.TopicRequest().setName(TOPIC), new DescribeTopicPartitionsRequestData.TopicRequest().setName("unknown")))
            .setCursor(new DescribeTopicPartitionsRequestData.Cursor().setTopicName(TOPIC).setPartitionIndex(0)), new DescribeTopicPartitionsResponseData());
    }

    static void security() throws Exception {
        ask(ApiKeys.SASL_HANDSHAKE, 1, new SaslHandshakeRequestData().setMechanism("PLAIN"), new SaslHandshakeResponseData());
        ask(ApiKeys.SASL_AUTHENTICATE, 2, new SaslAuthenticateRequestData().setAuthBytes(new byte[] { 0, 1 }), new SaslAuthenticateResponseData());
        ask(ApiKeys.DESCRIBE_ACLS, 3, new DescribeAclsRequestData().setResourceTypeFilter((byte) 1).setResourceNameFilter(null)
            .setPatternTypeFilter((byte) 1).setPrincipalFilter(null).setHostFilter("*").setOperation((byte) 1).setPermissionType((byte) 1),
            new DescribeAclsResponseData());
        ask(ApiKeys.CREATE_ACLS, 3, new CreateAclsRequestData().setCreations(List.of(new CreateAclsRequestData.AclCreation()
            .setResourceType((byte) 2).setResourceName(TOPIC).setResourcePatternType((byte) 3).setPrincipal("User:somebody").setHost("*")
            .setOperation((byte) 3).setPermissionType((byte) 3))), new CreateAclsResponseData());
        ask(ApiKeys.DELETE_ACLS, 3, new DeleteAclsRequestData().setFilters(List.of(new DeleteAclsRequestData.DeleteAclsFilter()
            .setResourceTypeFilter((byte) 2).setResourceNameFilter(null).setPatternTypeFilter((byte) 1).setPrincipalFilter("User:somebody")
            .setHostFilter(null).setOperation((byte) 1).setPermissionType((byte) 1))), new DeleteAclsResponseData());
        ask(ApiKeys.CREATE_DELEGATION_TOKEN, 3, new CreateDelegationTokenRequestData().setOwnerPrincipalType("User").setOwnerPrincipalName("somebody")
            .setRenewers(List.of(new CreateDelegationTokenRequestData.CreatableRenewers().setPrincipalType("User").setPrincipalName("other")))
            .setMaxLifetimeMs(-1), new CreateDelegationTokenResponseData());
        ask(ApiKeys.RENEW_DELEGATION_TOKEN, 2, new RenewDelegationTokenRequestData().setHmac(new byte[] { 1, 2 }).setRenewPeriodMs(5_000),
            new RenewDelegationTokenResponseData());
        ask(ApiKeys.EXPIRE_DELEGATION_TOKEN, 2, new ExpireDelegationTokenRequestData().setHmac(new byte[] { 1, 2 }).setExpiryTimePeriodMs(-1),
            new ExpireDelegationTokenResponseData());
        ask(ApiKeys.DESCRIBE_DELEGATION_TOKEN, 3, new DescribeDelegationTokenRequestData().setOwners(List.of(
            new DescribeDelegationTokenRequestData.DescribeDelegationTokenOwner().setPrincipalType("User").setPrincipalName("somebody"))),
            new DescribeDelegationTokenResponseData());
        ask(ApiKeys.ALTER_USER_SCRAM_CREDENTIALS, 0, new AlterUserScramCredentialsRequestData()
            .setDeletions(List.of(new AlterUserScramCredentialsRequestData.ScramCredentialDeletion().setName("nobody").setMechanism((byte) 2)))
            .setUpsertions(List.of(new AlterUserScramCredentialsRequestData.ScramCredentialUpsertion().setName("somebody").setMechanism((byte) 1)
                .setIterations(4_096).setSalt(new byte[] { 1, 2, 3 }).setSaltedPassword(new byte[32]))), new AlterUserScramCredentialsResponseData());
        DescribeUserScramCredentialsRequestData users = new DescribeUserScramCredentialsRequestData().setUsers(List.of(
            new DescribeUserScramCredentialsRequestData.UserName().setName("somebody"),
            new DescribeUserScramCredentialsRequestData.UserName().setName("nobody")));
        recording = false;
        while (ask(ApiKeys.DESCRIBE_USER_SCRAM_CREDENTIALS, 0, users, new DescribeUserScramCredentialsResponseData())
            .results().stream().allMatch(result -> result.errorCode() != 0))
            Thread.sleep(50);
        recording = true;
        ask(ApiKeys.DESCRIBE_USER_SCRAM_CREDENTIALS, 0, users, new DescribeUserScramCredentialsResponseData());
    }

    static void quotas() throws Exception {
        AlterClientQuotasRequestData alter = new AlterClientQuotasRequestData().setEntries(List.of(new AlterClientQuotasRequestData.EntryData()
            .setEntity(List.of(new AlterClientQuotasRequestData.EntityData().setEntityType("user").setEntityName("somebody"),
                new AlterClientQuotasRequestData.EntityData().setEntityType("client-id").setEntityName(null)))
            .setOps(List.of(new AlterClientQuotasRequestData.OpData().setKey("request_percentage").setValue(12.5),
                new AlterClientQuotasRequestData.OpData().setKey("consumer_byte_rate").setRemove(true)))));
        ask(ApiKeys.ALTER_CLIENT_QUOTAS, 1, alter, new AlterClientQuotasResponseData());
        DescribeClientQuotasRequestData describe = new DescribeClientQuotasRequestData().setComponents(List.of(
            new DescribeClientQuotasRequestData.ComponentData().setEntityType("user").setMatchType((byte) 0).setMatch("somebody"),
            new DescribeClientQuotasRequestData.ComponentData().setEntityType("client-id").setMatchType((byte) 1).setMatch(null)));
        recording = false;
        while (ask(ApiKeys.DESCRIBE_CLIENT_QUOTAS, 1, describe, new DescribeClientQuotasResponseData()).entries().isEmpty())
            Thread.sleep(50);
        recording = true;
        ask(ApiKeys.DESCRIBE_CLIENT_QUOTAS, 1, describe, new DescribeClientQuotasResponseData());
    }

    static void administration(Uuid topic) throws Exception {
        ask(ApiKeys.DELETE_RECORDS, 2, new DeleteRecordsRequestData().setTimeoutMs(5_000).setTopics(List.of(
            new DeleteRecordsRequestData.DeleteRecordsTopic().setName(TOPIC).setPartitions(List.of(
                new DeleteRecordsRequestData.DeleteRecordsPartition().setPartitionIndex(0).setOffset(1))))),
            new DeleteRecordsResponseData());
        ask(ApiKeys.DESCRIBE_CONFIGS, 4, new DescribeConfigsRequestData().setIncludeSynonyms(true)
            .setResources(List.of(new DescribeConfigsRequestData.DescribeConfigsResource().setResourceType((byte) 2).setResourceName(TOPIC)
                .setConfigurationKeys(List.of("retention.ms", "compression.type")))), new DescribeConfigsResponseData());
        changes();
        consumerProtocol();
        ask(ApiKeys.DESCRIBE_CLUSTER, 2, new DescribeClusterRequestData().setIncludeFencedBrokers(true), new DescribeClusterResponseData());
        OffsetDeleteRequestData forget = new OffsetDeleteRequestData().setGroupId(GROUP);
        forget.topics().add(new OffsetDeleteRequestData.OffsetDeleteRequestTopic().setName(TOPIC).setPartitions(List.of(
            new OffsetDeleteRequestData.OffsetDeleteRequestPartition().setPartitionIndex(0))));
        ask(ApiKeys.OFFSET_DELETE, 0, forget, new OffsetDeleteResponseData());
        ask(ApiKeys.DELETE_GROUPS, 2, new DeleteGroupsRequestData().setGroupsNames(List.of(GROUP, "unknown")), new DeleteGroupsResponseData());
        ask(ApiKeys.DELETE_TOPICS, 6, new DeleteTopicsRequestData().setTimeoutMs(5_000).setTopics(List.of(
            new DeleteTopicsRequestData.DeleteTopicState().setName(null).setTopicId(topic))), new DeleteTopicsResponseData());
    }

    static void changes() throws Exception {
        IncrementalAlterConfigsRequestData some = new IncrementalAlterConfigsRequestData().setValidateOnly(true);
        IncrementalAlterConfigsRequestData.AlterConfigsResource one =
            new IncrementalAlterConfigsRequestData.AlterConfigsResource().setResourceType((byte) 2).setResourceName(TOPIC);
        one.configs().add(new IncrementalAlterConfigsRequestData.AlterableConfig().setName("cleanup.policy")
            .setConfigOperation((byte) 2).setValue("compact"));
        one.configs().add(new IncrementalAlterConfigsRequestData.AlterableConfig().setName("retention.ms")
            .setConfigOperation((byte) 1).setValue(null));
        some.resources().add(one);
        ask(ApiKeys.INCREMENTAL_ALTER_CONFIGS, 1, some, new IncrementalAlterConfigsResponseData());
        AlterConfigsRequestData all = new AlterConfigsRequestData().setValidateOnly(true);
        AlterConfigsRequestData.AlterConfigsResource other =
            new AlterConfigsRequestData.AlterConfigsResource().setResourceType((byte) 2).setResourceName("unknown");
        other.configs().add(new AlterConfigsRequestData.AlterableConfig().setName("retention.ms").setValue("5"));
        all.resources().add(other);
        ask(ApiKeys.ALTER_CONFIGS, 2, all, new AlterConfigsResponseData());
        CreatePartitionsRequestData more = new CreatePartitionsRequestData().setTimeoutMs(5_000).setValidateOnly(true);
        more.topics().add(new CreatePartitionsRequestData.CreatePartitionsTopic().setName(TOPIC).setCount(3).setAssignments(List.of(
            new CreatePartitionsRequestData.CreatePartitionsAssignment().setBrokerIds(List.of(1)))));
        more.topics().add(new CreatePartitionsRequestData.CreatePartitionsTopic().setName("unknown").setCount(3).setAssignments(null));
        ask(ApiKeys.CREATE_PARTITIONS, 3, more, new CreatePartitionsResponseData());
    }
}
