//! The numbers of Kafka's APIs.

use std::fmt;

macro_rules! api_keys {
    ($($code:literal $name:ident;)*) => {
        /// Every API of Kafka 4.3, also those that Ottla does not serve: logs name what a client asked for. And Ottla's own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        pub enum ApiKey {
            $(
                #[doc = concat!("API ", stringify!($code), ".")]
                $name = $code,
            )*
        }

        impl ApiKey {
            /// All of them, by number.
            pub const ALL: &'static [ApiKey] = &[$(ApiKey::$name),*];

            /// The API with this number, if there is one.
            pub fn from_code(code: i16) -> Option<ApiKey> {
                match code {
                    $($code => Some(ApiKey::$name),)*
                    _ => None,
                }
            }

            /// Kafka's name, such as `JoinGroup`.
            pub fn name(self) -> &'static str {
                match self {
                    $(ApiKey::$name => stringify!($name),)*
                }
            }
        }
    };
}

api_keys! {
    0 Produce;
    1 Fetch;
    2 ListOffsets;
    3 Metadata;
    4 LeaderAndIsr;
    5 StopReplica;
    6 UpdateMetadata;
    7 ControlledShutdown;
    8 OffsetCommit;
    9 OffsetFetch;
    10 FindCoordinator;
    11 JoinGroup;
    12 Heartbeat;
    13 LeaveGroup;
    14 SyncGroup;
    15 DescribeGroups;
    16 ListGroups;
    17 SaslHandshake;
    18 ApiVersions;
    19 CreateTopics;
    20 DeleteTopics;
    21 DeleteRecords;
    22 InitProducerId;
    23 OffsetForLeaderEpoch;
    24 AddPartitionsToTxn;
    25 AddOffsetsToTxn;
    26 EndTxn;
    27 WriteTxnMarkers;
    28 TxnOffsetCommit;
    29 DescribeAcls;
    30 CreateAcls;
    31 DeleteAcls;
    32 DescribeConfigs;
    33 AlterConfigs;
    34 AlterReplicaLogDirs;
    35 DescribeLogDirs;
    36 SaslAuthenticate;
    37 CreatePartitions;
    38 CreateDelegationToken;
    39 RenewDelegationToken;
    40 ExpireDelegationToken;
    41 DescribeDelegationToken;
    42 DeleteGroups;
    43 ElectLeaders;
    44 IncrementalAlterConfigs;
    45 AlterPartitionReassignments;
    46 ListPartitionReassignments;
    47 OffsetDelete;
    48 DescribeClientQuotas;
    49 AlterClientQuotas;
    50 DescribeUserScramCredentials;
    51 AlterUserScramCredentials;
    52 Vote;
    53 BeginQuorumEpoch;
    54 EndQuorumEpoch;
    55 DescribeQuorum;
    56 AlterPartition;
    57 UpdateFeatures;
    58 Envelope;
    59 FetchSnapshot;
    60 DescribeCluster;
    61 DescribeProducers;
    62 BrokerRegistration;
    63 BrokerHeartbeat;
    64 UnregisterBroker;
    65 DescribeTransactions;
    66 ListTransactions;
    67 AllocateProducerIds;
    68 ConsumerGroupHeartbeat;
    69 ConsumerGroupDescribe;
    70 ControllerRegistration;
    71 GetTelemetrySubscriptions;
    72 PushTelemetry;
    73 AssignReplicasToDirs;
    74 ListConfigResources;
    75 DescribeTopicPartitions;
    76 ShareGroupHeartbeat;
    77 ShareGroupDescribe;
    78 ShareFetch;
    79 ShareAcknowledge;
    80 AddRaftVoter;
    81 RemoveRaftVoter;
    82 UpdateRaftVoter;
    83 InitializeShareGroupState;
    84 ReadShareGroupState;
    85 WriteShareGroupState;
    86 DeleteShareGroupState;
    87 ReadShareGroupStateSummary;
    88 StreamsGroupHeartbeat;
    89 StreamsGroupDescribe;
    90 DescribeShareGroupOffsets;
    91 AlterShareGroupOffsets;
    92 DeleteShareGroupOffsets;
    20000 OttlaGroupExplain;
    20001 OttlaGroupReset;
}

impl ApiKey {
    /// The number on the wire.
    pub fn code(self) -> i16 {
        self as i16
    }

    /// Whether Kafka has no such API: it is Ottla's own (`docs/explain.md`), from 20000 on.
    pub fn is_ours(self) -> bool {
        self.code() >= 20_000
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
