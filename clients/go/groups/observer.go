// Package groups watches the members of a consumer group from outside, whatever client they are made of.
package groups

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"ottla/clients/broker"
)

// Observer is told by members what they get, give up and process. A partition with two owners fails the test.
type Observer struct {
	t testing.TB

	mutex     sync.Mutex
	changed   chan struct{} // closed with each change, and made anew
	owners    map[int32]string
	released  map[string][]int32
	processed map[string]int
}

// Watch returns an observer of a group that has no members yet.
func Watch(t testing.TB) *Observer {
	return &Observer{
		t:         t,
		changed:   make(chan struct{}),
		owners:    map[int32]string{},
		released:  map[string][]int32{},
		processed: map[string]int{},
	}
}

// Assigned says that the member owns these partitions from now on, beside those it has.
func (o *Observer) Assigned(member string, partitions ...int32) {
	o.change(func() {
		for _, partition := range partitions {
			if owner, taken := o.owners[partition]; taken {
				o.t.Errorf("partition %d was given to %s while %s had it", partition, member, owner)
			}
			o.owners[partition] = member
		}
	})
}

// Released says that the member does nothing with these partitions any more.
func (o *Observer) Released(member string, partitions ...int32) {
	o.change(func() {
		for _, partition := range partitions {
			if o.owners[partition] == member {
				delete(o.owners, partition)
			}
			o.released[member] = append(o.released[member], partition)
		}
	})
}

// Processed says that somebody has processed the record with this value.
func (o *Observer) Processed(value string) {
	o.change(func() { o.processed[value]++ })
}

// Owned is what the member has now, in order.
func (o *Observer) Owned(member string) []int32 {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	var owned []int32
	for partition, owner := range o.owners {
		if owner == member {
			owned = append(owned, partition)
		}
	}
	slices.Sort(owned)
	return owned
}

// GivenUp is what the member has released so far, in order, with repetitions.
func (o *Observer) GivenUp(member string) []int32 {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return slices.Sorted(slices.Values(o.released[member]))
}

// AwaitShares waits until the partitions are spread over so many owners with these shares, largest first.
func (o *Observer) AwaitShares(shares ...int) {
	o.t.Helper()
	o.await(fmt.Sprintf("shares of %v", shares), func() bool { return slices.Equal(o.shares(), shares) })
}

// AwaitProcessed waits until each of the values was processed at least once.
func (o *Observer) AwaitProcessed(values ...string) {
	o.t.Helper()
	o.await(fmt.Sprintf("%d records to be processed", len(values)), func() bool {
		return !slices.ContainsFunc(values, func(value string) bool { return o.processed[value] == 0 })
	})
}

// Count is how many different records were processed.
func (o *Observer) Count() int {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return len(o.processed)
}

// AwaitCount waits until so many different records were processed.
func (o *Observer) AwaitCount(count int) {
	o.t.Helper()
	o.await(fmt.Sprintf("%d different records", count), func() bool { return len(o.processed) >= count })
}

func (o *Observer) shares() []int {
	counts := map[string]int{}
	for _, owner := range o.owners {
		counts[owner]++
	}
	return slices.SortedFunc(maps.Values(counts), func(a, b int) int { return b - a })
}

func (o *Observer) change(what func()) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	what()
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *Observer) await(what string, holds func() bool) {
	o.t.Helper()
	ctx := broker.Context(o.t)
	for {
		o.mutex.Lock()
		done, changed, state := holds(), o.changed, fmt.Sprintf("owners %v, %d records", o.owners, len(o.processed))
		o.mutex.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			o.t.Fatalf("did not come: %s; there were %s", what, state)
		}
	}
}
