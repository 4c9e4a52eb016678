package apps

import (
	"bytes"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/template"

	"ottla/clients/broker"
)

const configVariable = "COLLECTOR_CONFIG"

// TestMain makes this program the Collector where it is started with a configuration, so that nothing else has to be built.
func TestMain(m *testing.M) {
	config := os.Getenv(configVariable)
	if config == "" {
		os.Exit(m.Run())
	}
	if err := runCollector(config); err != nil {
		log.Fatal(err)
	}
}

var senderConfig = template.Must(template.New("sender").Parse(`
receivers:
  otlp: {protocols: {http: {endpoint: "{{.Endpoint}}"}}}
exporters:
  kafka:
    brokers: ["{{.Bootstrap}}"]
    logs: {topic: "{{.Topic}}"}
    record_partitioner: {round_robin: {}}
    retry_on_failure: {initial_interval: 200ms, max_interval: 1s}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    logs: {receivers: [otlp], exporters: [kafka]}
`))

var receiverConfig = template.Must(template.New("receiver").Parse(`
receivers:
  kafka:
    brokers: ["{{.Bootstrap}}"]
    logs: {topics: ["{{.Topic}}"]}
    group_id: "{{.Group}}"
    initial_offset: earliest
    session_timeout: 6s
    heartbeat_interval: 200ms
    message_marking: {after: true}
exporters:
  otlphttp: {endpoint: "{{.Endpoint}}", encoding: json, compression: none}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    logs: {receivers: [kafka], exporters: [otlphttp]}
`))

// settings fill the configurations in.
type settings struct {
	Bootstrap, Topic, Group, Endpoint string
}

// startCollector returns what tells the process to end and waits for that.
func startCollector(t *testing.T, config *template.Template, with settings) (stop func()) {
	t.Helper()
	var text bytes.Buffer
	if err := config.Execute(&text, with); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "collector.yaml")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	process := exec.Command(os.Args[0])
	process.Env = append(os.Environ(), configVariable+"="+path)
	output := &bytes.Buffer{}
	process.Stdout, process.Stderr = output, output
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		process.Process.Signal(syscall.SIGTERM)
		if err := process.Wait(); err != nil {
			t.Errorf("the Collector ended with %v", err)
		}
		if t.Failed() {
			t.Logf("the Collector said:\n%s", output)
		}
	})
	t.Cleanup(stop)
	return stop
}

// sender is a Collector that takes logs over HTTP and writes them to Kafka.
type sender struct {
	t   *testing.T
	url string
}

func startSender(t *testing.T, topic string) sender {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	startCollector(t, senderConfig, settings{Bootstrap: broker.Bootstrap(t), Topic: topic, Endpoint: address})
	broker.Eventually(t, "the Collector to listen", func() bool {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			connection.Close()
		}
		return err == nil
	})
	return sender{t, "http://" + address + "/v1/logs"}
}

// send hands each line in by itself, so that each becomes a record of Kafka.
func (s sender) send(lines ...string) {
	s.t.Helper()
	for _, line := range lines {
		body := fmt.Sprintf(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":%q}}]}]}]}`, line)
		response, err := http.Post(s.url, "application/json", strings.NewReader(body))
		if err != nil {
			s.t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			s.t.Fatalf("%s was refused: %s", line, response.Status)
		}
	}
}
