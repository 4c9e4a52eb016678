package segmentio

import (
	"errors"
	"testing"

	"github.com/segmentio/kafka-go"

	"ottla/clients/broker"
)

// TestTransactionRequests does what kafka-go has of transactions: the requests for offsets in them.
func TestTransactionRequests(t *testing.T) {
	t.Parallel()
	t.Run("offsets", offsetsInTransactions)
	t.Run("fencing", fencing)
}

// transaction is a producer as far as kafka-go has one: its session with the coordinator.
type transaction struct {
	t      *testing.T
	client *kafka.Client
	id     string
	kafka.ProducerSession
}

func newTransaction(t *testing.T, id string) transaction {
	t.Helper()
	client, request := newClient(t), &kafka.InitProducerIDRequest{TransactionalID: id, TransactionTimeoutMs: 60_000, ProducerID: -1, ProducerEpoch: -1}
	var answer *kafka.InitProducerIDResponse
	broker.Eventually(t, "a session, once the coordinator is there and has ended what another one left open", func() bool {
		var err error
		if answer, err = client.InitProducerID(broker.Context(t), request); err != nil {
			t.Fatal(err)
		}
		return !isTemporary(answer.Error)
	})
	if answer.Error != nil {
		t.Fatal(answer.Error)
	}
	return transaction{t, client, id, *answer.Producer}
}

// isTemporary adds to kafka-go's own idea what is answered as long as a transaction is being ended.
func isTemporary(err error) bool {
	var code kafka.Error
	return errors.As(err, &code) && (code.Temporary() || code == kafka.ConcurrentTransactions)
}

func (tx transaction) commitOffset(group, topic string, offset int64) {
	tx.t.Helper()
	broker.Eventually(tx.t, "the end of the transaction before", func() bool {
		added, err := tx.client.AddOffsetsToTxn(broker.Context(tx.t), &kafka.AddOffsetsToTxnRequest{
			TransactionalID: tx.id, ProducerID: tx.ProducerID, ProducerEpoch: tx.ProducerEpoch, GroupID: group})
		if err != nil || added.Error != nil && !isTemporary(added.Error) {
			tx.t.Fatal(err, added)
		}
		return added.Error == nil
	})
	committed, err := tx.client.TxnOffsetCommit(broker.Context(tx.t), &kafka.TxnOffsetCommitRequest{
		TransactionalID: tx.id, ProducerID: tx.ProducerID, ProducerEpoch: tx.ProducerEpoch, GroupID: group, GenerationID: -1,
		Topics: map[string][]kafka.TxnOffsetCommit{topic: {{Partition: 0, Offset: offset, Metadata: "in a transaction"}}}})
	if err != nil || committed.Topics[topic][0].Error != nil {
		tx.t.Fatal(err, committed)
	}
}

func (tx transaction) end(commit bool) error {
	ended, err := tx.client.EndTxn(broker.Context(tx.t), &kafka.EndTxnRequest{
		TransactionalID: tx.id, ProducerID: tx.ProducerID, ProducerEpoch: tx.ProducerEpoch, Committed: commit})
	if err != nil {
		return err
	}
	return ended.Error
}

func offsetsInTransactions(t *testing.T) {
	t.Parallel()
	topic, group, id := newTopic(t, 1), broker.Name("group"), broker.Name("copier")
	for _, end := range []struct {
		commit   bool
		want     int64
		metadata string
	}{{false, -1, ""}, {true, 7, "in a transaction"}} {
		copier := newTransaction(t, id)
		copier.commitOffset(group, topic, 7)
		if err := copier.end(end.commit); err != nil {
			t.Fatal(err)
		}
		checkCommitted(t, group, topic, end.want, end.metadata)
	}
}

func fencing(t *testing.T) {
	t.Parallel()
	topic, group, id := newTopic(t, 1), broker.Name("group"), broker.Name("producer")
	first := newTransaction(t, id)
	first.commitOffset(group, topic, 1)
	second := newTransaction(t, id)
	second.commitOffset(group, topic, 2)
	if err := second.end(true); err != nil {
		t.Fatal(err)
	}
	if err := first.end(true); !errors.Is(err, kafka.ProducerFenced) && !errors.Is(err, kafka.InvalidProducerEpoch) {
		t.Errorf("the first producer is told %v", err)
	}
	checkCommitted(t, group, topic, 2, "in a transaction")
}
