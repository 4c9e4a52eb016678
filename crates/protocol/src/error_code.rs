//! Kafka's error codes.

use std::fmt;

/// A code as it travels in responses. Codes newer than this list stay what they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub i16);

macro_rules! error_codes {
    ($($code:literal $name:ident $kind:ident;)*) => {
        /// The codes of Kafka 4.3, by Kafka's names.
        impl ErrorCode {
            $(
                #[doc = concat!("Code ", stringify!($code), ", ", stringify!($kind), ".")]
                pub const $name: ErrorCode = ErrorCode($code);
            )*

            /// Kafka's name, for logs and people; `None` for a code that this list does not have.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some(stringify!($name)),)*
                    _ => None,
                }
            }

            /// Whether Kafka's clients may simply send the request again.
            pub fn retriable(self) -> bool {
                match self.0 {
                    $($code => error_codes!(@$kind),)*
                    _ => false,
                }
            }
        }
    };
    (@retriable) => { true };
    (@terminal) => { false };
}

error_codes! {
    -1 UNKNOWN_SERVER_ERROR terminal;
    0 NONE terminal;
    1 OFFSET_OUT_OF_RANGE terminal;
    2 CORRUPT_MESSAGE retriable;
    3 UNKNOWN_TOPIC_OR_PARTITION retriable;
    4 INVALID_FETCH_SIZE terminal;
    5 LEADER_NOT_AVAILABLE retriable;
    6 NOT_LEADER_OR_FOLLOWER retriable;
    7 REQUEST_TIMED_OUT retriable;
    8 BROKER_NOT_AVAILABLE terminal;
    9 REPLICA_NOT_AVAILABLE retriable;
    10 MESSAGE_TOO_LARGE terminal;
    11 STALE_CONTROLLER_EPOCH terminal;
    12 OFFSET_METADATA_TOO_LARGE terminal;
    13 NETWORK_EXCEPTION retriable;
    14 COORDINATOR_LOAD_IN_PROGRESS retriable;
    15 COORDINATOR_NOT_AVAILABLE retriable;
    16 NOT_COORDINATOR retriable;
    17 INVALID_TOPIC_EXCEPTION terminal;
    18 RECORD_LIST_TOO_LARGE terminal;
    19 NOT_ENOUGH_REPLICAS retriable;
    20 NOT_ENOUGH_REPLICAS_AFTER_APPEND retriable;
    21 INVALID_REQUIRED_ACKS terminal;
    22 ILLEGAL_GENERATION terminal;
    23 INCONSISTENT_GROUP_PROTOCOL terminal;
    24 INVALID_GROUP_ID terminal;
    25 UNKNOWN_MEMBER_ID terminal;
    26 INVALID_SESSION_TIMEOUT terminal;
    27 REBALANCE_IN_PROGRESS terminal;
    28 INVALID_COMMIT_OFFSET_SIZE terminal;
    29 TOPIC_AUTHORIZATION_FAILED terminal;
    30 GROUP_AUTHORIZATION_FAILED terminal;
    31 CLUSTER_AUTHORIZATION_FAILED terminal;
    32 INVALID_TIMESTAMP terminal;
    33 UNSUPPORTED_SASL_MECHANISM terminal;
    34 ILLEGAL_SASL_STATE terminal;
    35 UNSUPPORTED_VERSION terminal;
    36 TOPIC_ALREADY_EXISTS terminal;
    37 INVALID_PARTITIONS terminal;
    38 INVALID_REPLICATION_FACTOR terminal;
    39 INVALID_REPLICA_ASSIGNMENT terminal;
    40 INVALID_CONFIG terminal;
    41 NOT_CONTROLLER retriable;
    42 INVALID_REQUEST terminal;
    43 UNSUPPORTED_FOR_MESSAGE_FORMAT terminal;
    44 POLICY_VIOLATION terminal;
    45 OUT_OF_ORDER_SEQUENCE_NUMBER terminal;
    46 DUPLICATE_SEQUENCE_NUMBER terminal;
    47 INVALID_PRODUCER_EPOCH terminal;
    48 INVALID_TXN_STATE terminal;
    49 INVALID_PRODUCER_ID_MAPPING terminal;
    50 INVALID_TRANSACTION_TIMEOUT terminal;
    51 CONCURRENT_TRANSACTIONS retriable;
    52 TRANSACTION_COORDINATOR_FENCED terminal;
    53 TRANSACTIONAL_ID_AUTHORIZATION_FAILED terminal;
    54 SECURITY_DISABLED terminal;
    55 OPERATION_NOT_ATTEMPTED terminal;
    56 KAFKA_STORAGE_ERROR retriable;
    57 LOG_DIR_NOT_FOUND terminal;
    58 SASL_AUTHENTICATION_FAILED terminal;
    59 UNKNOWN_PRODUCER_ID terminal;
    60 REASSIGNMENT_IN_PROGRESS terminal;
    61 DELEGATION_TOKEN_AUTH_DISABLED terminal;
    62 DELEGATION_TOKEN_NOT_FOUND terminal;
    63 DELEGATION_TOKEN_OWNER_MISMATCH terminal;
    64 DELEGATION_TOKEN_REQUEST_NOT_ALLOWED terminal;
    65 DELEGATION_TOKEN_AUTHORIZATION_FAILED terminal;
    66 DELEGATION_TOKEN_EXPIRED terminal;
    67 INVALID_PRINCIPAL_TYPE terminal;
    68 NON_EMPTY_GROUP terminal;
    69 GROUP_ID_NOT_FOUND terminal;
    70 FETCH_SESSION_ID_NOT_FOUND retriable;
    71 INVALID_FETCH_SESSION_EPOCH retriable;
    72 LISTENER_NOT_FOUND retriable;
    73 TOPIC_DELETION_DISABLED terminal;
    74 FENCED_LEADER_EPOCH retriable;
    75 UNKNOWN_LEADER_EPOCH retriable;
    76 UNSUPPORTED_COMPRESSION_TYPE terminal;
    77 STALE_BROKER_EPOCH terminal;
    78 OFFSET_NOT_AVAILABLE retriable;
    79 MEMBER_ID_REQUIRED terminal;
    80 PREFERRED_LEADER_NOT_AVAILABLE retriable;
    81 GROUP_MAX_SIZE_REACHED terminal;
    82 FENCED_INSTANCE_ID terminal;
    83 ELIGIBLE_LEADERS_NOT_AVAILABLE retriable;
    84 ELECTION_NOT_NEEDED retriable;
    85 NO_REASSIGNMENT_IN_PROGRESS terminal;
    86 GROUP_SUBSCRIBED_TO_TOPIC terminal;
    87 INVALID_RECORD terminal;
    88 UNSTABLE_OFFSET_COMMIT retriable;
    89 THROTTLING_QUOTA_EXCEEDED retriable;
    90 PRODUCER_FENCED terminal;
    91 RESOURCE_NOT_FOUND terminal;
    92 DUPLICATE_RESOURCE terminal;
    93 UNACCEPTABLE_CREDENTIAL terminal;
    94 INCONSISTENT_VOTER_SET terminal;
    95 INVALID_UPDATE_VERSION terminal;
    96 FEATURE_UPDATE_FAILED terminal;
    97 PRINCIPAL_DESERIALIZATION_FAILURE terminal;
    98 SNAPSHOT_NOT_FOUND terminal;
    99 POSITION_OUT_OF_RANGE terminal;
    100 UNKNOWN_TOPIC_ID retriable;
    101 DUPLICATE_BROKER_REGISTRATION terminal;
    102 BROKER_ID_NOT_REGISTERED terminal;
    103 INCONSISTENT_TOPIC_ID retriable;
    104 INCONSISTENT_CLUSTER_ID terminal;
    105 TRANSACTIONAL_ID_NOT_FOUND terminal;
    106 FETCH_SESSION_TOPIC_ID_ERROR retriable;
    107 INELIGIBLE_REPLICA terminal;
    108 NEW_LEADER_ELECTED terminal;
    109 OFFSET_MOVED_TO_TIERED_STORAGE terminal;
    110 FENCED_MEMBER_EPOCH terminal;
    111 UNRELEASED_INSTANCE_ID terminal;
    112 UNSUPPORTED_ASSIGNOR terminal;
    113 STALE_MEMBER_EPOCH terminal;
    114 MISMATCHED_ENDPOINT_TYPE terminal;
    115 UNSUPPORTED_ENDPOINT_TYPE terminal;
    116 UNKNOWN_CONTROLLER_ID terminal;
    117 UNKNOWN_SUBSCRIPTION_ID terminal;
    118 TELEMETRY_TOO_LARGE terminal;
    119 INVALID_REGISTRATION terminal;
    120 TRANSACTION_ABORTABLE terminal;
    121 INVALID_RECORD_STATE terminal;
    122 SHARE_SESSION_NOT_FOUND retriable;
    123 INVALID_SHARE_SESSION_EPOCH retriable;
    124 FENCED_STATE_EPOCH terminal;
    125 INVALID_VOTER_KEY terminal;
    126 DUPLICATE_VOTER terminal;
    127 VOTER_NOT_FOUND terminal;
    128 INVALID_REGULAR_EXPRESSION terminal;
    129 REBOOTSTRAP_REQUIRED terminal;
    130 STREAMS_INVALID_TOPOLOGY terminal;
    131 STREAMS_INVALID_TOPOLOGY_EPOCH terminal;
    132 STREAMS_TOPOLOGY_FENCED terminal;
    133 SHARE_SESSION_LIMIT_REACHED retriable;
}

impl ErrorCode {
    /// Whether it says that nothing is wrong.
    pub fn is_none(self) -> bool {
        self == ErrorCode::NONE
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "error {}", self.0),
        }
    }
}
