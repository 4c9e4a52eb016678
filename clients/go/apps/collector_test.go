package apps

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"ottla/clients/broker"
)

const partitions = 4

func TestCollectorRestart(t *testing.T) {
	topic, group, sink := newTopic(t), broker.Name("group"), newSink(t)
	from := startSender(t, topic)
	startReceiver(t, sink, "a", topic, group)
	before, after := numbered("before", 20), numbered("after", 20)
	from.send(before...)
	sink.await(before)
	broker.Restart(t)
	from.send(after...)
	sink.await(after)
	checkNoLag(t, group, topic)
}

func TestCollectorPipeline(t *testing.T) {
	t.Parallel()
	topic, group, sink := newTopic(t), broker.Name("group"), newSink(t)
	lines := numbered("line", 200)
	startSender(t, topic).send(lines...)
	stop := startReceiver(t, sink, "a", topic, group)
	sink.await(lines)
	stop()
	if got := sink.lines("a"); !slices.Equal(got, slices.Sorted(slices.Values(lines))) {
		t.Errorf("%d lines came for %d", len(got), len(lines))
	}
	checkNoLag(t, group, topic)
	// Who comes later goes on where the group has committed.
	startReceiver(t, sink, "b", topic, group)
	startSender(t, topic).send("one more")
	sink.await([]string{"one more"})
	if got := sink.lines("b"); !slices.Equal(got, []string{"one more"}) {
		t.Errorf("the second receiver got %v", got)
	}
}

func TestCollectorGroup(t *testing.T) {
	t.Parallel()
	topic, group, sink := newTopic(t), broker.Name("group"), newSink(t)
	from := startSender(t, topic)
	stopA := startReceiver(t, sink, "a", topic, group)
	startReceiver(t, sink, "b", topic, group)
	awaitMembers(t, group, 2)
	both := numbered("both", 40)
	from.send(both...)
	sink.await(both)
	if a, b := len(sink.lines("a")), len(sink.lines("b")); a == 0 || b == 0 {
		t.Errorf("of two receivers one got %d lines, the other %d", a, b)
	}
	stopA()
	alone, had := numbered("alone", 40), len(sink.lines("a"))
	from.send(alone...)
	sink.await(alone)
	if now := len(sink.lines("a")); now != had {
		t.Errorf("a receiver that has ended got %d more lines", now-had)
	}
	checkNoLag(t, group, topic)
}

func newAdmin(t *testing.T) *kadm.Client {
	t.Helper()
	admin, err := kadm.NewOptClient(kgo.SeedBrokers(broker.Bootstrap(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	return admin
}

func newTopic(t *testing.T) string {
	t.Helper()
	name := broker.Name("logs")
	if _, err := newAdmin(t).CreateTopic(broker.Context(t), partitions, 1, nil, name); err != nil {
		t.Fatal(err)
	}
	return name
}

// awaitMembers waits until so many members share all partitions evenly.
func awaitMembers(t *testing.T, group string, count int) {
	t.Helper()
	admin := newAdmin(t)
	broker.Eventually(t, fmt.Sprintf("%d members with partitions", count), func() bool {
		described, err := admin.DescribeGroups(broker.Context(t), group)
		if err != nil || len(described[group].Members) != count || described[group].State != "Stable" {
			return false
		}
		for _, member := range described[group].Members {
			assigned, known := member.Assigned.AsConsumer()
			if !known || len(assigned.Topics) != 1 || len(assigned.Topics[0].Partitions) != partitions/count {
				return false
			}
		}
		return true
	})
}

// checkNoLag waits for the Collector's next commit, which comes every second.
func checkNoLag(t *testing.T, group, topic string) {
	t.Helper()
	admin := newAdmin(t)
	broker.Eventually(t, "a commit of everything", func() bool {
		lags, err := admin.Lag(broker.Context(t), group)
		if err != nil || len(lags[group].Lag[topic]) != partitions {
			return false
		}
		return lags[group].Lag.Total() == 0
	})
}

// sink is where Collectors send what they have read, each below a path of its own.
type sink struct {
	t       *testing.T
	url     string
	mutex   sync.Mutex
	changed chan struct{} // closed with each change, and made anew
	got     map[string][]string
}

func newSink(t *testing.T) *sink {
	sink := &sink{t: t, changed: make(chan struct{}), got: map[string][]string{}}
	server := httptest.NewServer(sink)
	t.Cleanup(server.Close)
	sink.url = server.URL
	return sink
}

func startReceiver(t *testing.T, sink *sink, name, topic, group string) (stop func()) {
	t.Helper()
	return startCollector(t, receiverConfig, settings{Bootstrap: broker.Bootstrap(t), Topic: topic, Group: group, Endpoint: sink.url + "/" + name})
}

// ServeHTTP takes logs in OTLP's JSON.
func (s *sink) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	var logs struct {
		ResourceLogs []struct {
			ScopeLogs []struct {
				LogRecords []struct {
					Body struct{ StringValue string }
				}
			}
		}
	}
	if err := json.NewDecoder(request.Body).Decode(&logs); err != nil {
		s.t.Error(err)
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(request.URL.Path, "/"), "/")
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, resource := range logs.ResourceLogs {
		for _, scope := range resource.ScopeLogs {
			for _, record := range scope.LogRecords {
				s.got[name] = append(s.got[name], record.Body.StringValue)
			}
		}
	}
	close(s.changed)
	s.changed = make(chan struct{})
	writer.Header().Set("Content-Type", "application/json")
	writer.Write([]byte("{}"))
}

// lines are what one Collector has sent so far, in order of the alphabet.
func (s *sink) lines(name string) []string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.Sorted(slices.Values(s.got[name]))
}

// await waits until each of the lines has come from somebody.
func (s *sink) await(lines []string) {
	s.t.Helper()
	for ctx := broker.Context(s.t); ; {
		s.mutex.Lock()
		there := map[string]bool{}
		for _, got := range s.got {
			for _, line := range got {
				there[line] = true
			}
		}
		changed := s.changed
		s.mutex.Unlock()
		if !slices.ContainsFunc(lines, func(line string) bool { return !there[line] }) {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			s.t.Fatalf("not all of %d lines came: there are %d", len(lines), len(there))
		}
	}
}

func numbered(prefix string, count int) []string {
	lines := make([]string, count)
	for number := range lines {
		lines[number] = fmt.Sprintf("%s-%d", prefix, number)
	}
	return lines
}
