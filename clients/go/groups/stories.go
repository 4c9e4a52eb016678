package groups

import (
	"fmt"
	"slices"
	"testing"
)

// Partitions is how many partitions the topic of a story has.
const Partitions = 4

// Group is one client's way to send records and to have members.
type Group interface {
	// Send writes the values evenly to all partitions and waits until they are acknowledged.
	Send(values ...string)
	// Join starts a member that tells the observer, and returns what makes it leave.
	Join(observer *Observer, member string) (leave func())
}

// Share lets two members, then five, then fewer share the partitions, while records come.
func Share(t *testing.T, group Group) {
	observer := Watch(t)
	var sent []string
	send := func(round string) {
		values := numbered(round, 10*Partitions)
		group.Send(values...)
		sent = append(sent, values...)
	}
	send("before")
	leaveA, leaveB := group.Join(observer, "a"), group.Join(observer, "b")
	observer.AwaitShares(2, 2)
	send("two")
	leaveC, leaveD, leaveE := group.Join(observer, "c"), group.Join(observer, "d"), group.Join(observer, "e")
	observer.AwaitShares(1, 1, 1, 1)
	send("five")
	leaveA()
	leaveC()
	leaveE()
	observer.AwaitShares(2, 2)
	send("rest")
	leaveB()
	observer.AwaitShares(Partitions)
	observer.AwaitProcessed(sent...)
	leaveD()
}

// Keep lets a second member join a cooperative group: the first one gives up what the second gets, once, and nothing else.
func Keep(t *testing.T, group Group) {
	observer := Watch(t)
	leaveA := group.Join(observer, "a")
	observer.AwaitShares(Partitions)
	leaveB := group.Join(observer, "b")
	observer.AwaitShares(2, 2)
	if gave, got := observer.GivenUp("a"), observer.Owned("b"); !slices.Equal(gave, got) {
		t.Errorf("the first member gave up %v for %v of the second", gave, got)
	}
	values := numbered("both", Partitions)
	group.Send(values...)
	observer.AwaitProcessed(values...)
	leaveB()
	observer.AwaitShares(Partitions)
	if gave := observer.GivenUp("a"); len(gave) != 2 {
		t.Errorf("the first member gave up %v, when only two partitions were wanted", gave)
	}
	leaveA()
}

func numbered(prefix string, count int) []string {
	values := make([]string, count)
	for number := range values {
		values[number] = fmt.Sprintf("%s-%d", prefix, number)
	}
	return values
}
