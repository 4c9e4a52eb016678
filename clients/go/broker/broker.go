// Package broker is what the tests know of the broker they run against: where it is, how it is killed, and names that nobody used before.
package broker

import (
	"context"
	"crypto/rand"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

const (
	deadline = 60 * time.Second
	interval = 20 * time.Millisecond
)

// Bootstrap is the broker's HOST:PORT.
func Bootstrap(t testing.TB) string {
	t.Helper()
	return fromEnvironment(t, "BROKER_BOOTSTRAP")
}

// Restart kills the broker with SIGKILL and returns when it serves requests again.
func Restart(t testing.TB) {
	t.Helper()
	request, err := http.NewRequestWithContext(Context(t), http.MethodPost, fromEnvironment(t, "BROKER_CONTROL")+"/restart", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("restart of the broker: %v", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("restart of the broker: %s", response.Status)
	}
}

// Name is new in each call, so that tests share nothing but the broker.
func Name(kind string) string {
	return kind + "-" + strings.ToLower(rand.Text()[:12])
}

// Context ends with the test, or when a single wait has taken far too long.
func Context(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

// Eventually asks until the answer is yes. It is for what a broker makes known a moment after it has answered.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	ctx := Context(t)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("did not come: %s", what)
		}
	}
}

func fromEnvironment(t testing.TB, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: run the tests with clients/matrix/run", name)
	}
	if name == "BROKER_CONTROL" && !strings.Contains(value, "://") {
		value = "http://" + value
	}
	return strings.TrimSuffix(value, "/")
}
