// The same job by hand in Go, as a team would first write it: franz-go, net/http, a goroutine a
// request in flight. It keeps no order, makes no error events, and does not tell the API's failures
// from its own: whatever is not found ends it.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

type request struct {
	RequestID   json.RawMessage `json:"requestId"`
	Email       string          `json:"email"`
	PhoneNumber string          `json:"phoneNumber"`
}

type reply struct {
	Case struct {
		ID string `json:"id"`
	} `json:"case"`
}

type origin struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

type result struct {
	RequestID   json.RawMessage `json:"requestId"`
	Outcome     string          `json:"outcome"`
	CaseID      string          `json:"caseId"`
	Attempts    int             `json:"attempts"`
	Request     origin          `json:"request"`
	CompletedAt string          `json:"completedAt"`
}

var (
	brokers  = flag.String("brokers", "127.0.0.1:9092", "")
	group    = flag.String("group", "peer", "")
	input    = flag.String("input", "", "")
	output   = flag.String("output", "", "")
	base     = flag.String("url", "", "")
	key      = flag.String("key", "bench-key", "")
	caFile   = flag.String("ca-file", "", "")
	http2    = flag.Bool("http2", false, "")
	inFlight = flag.Int("in-flight", 256, "")
)

func newHTTPClient() *http.Client {
	transport := &http.Transport{
		MaxIdleConns:        *inFlight,
		MaxIdleConnsPerHost: *inFlight,
		DisableCompression:  true,
		ForceAttemptHTTP2:   *http2,
	}
	if *caFile != "" {
		pem, err := os.ReadFile(*caFile)
		if err != nil {
			log.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

func lookUp(client *http.Client, asked request) (string, error) {
	query := url.Values{}
	if asked.Email != "" {
		query.Set("email", asked.Email)
	}
	if asked.PhoneNumber != "" {
		query.Set("phoneNumber", asked.PhoneNumber)
	}
	get, err := http.NewRequest("GET", *base+"/api/v1/customer-latest-case-id?"+query.Encode(), nil)
	if err != nil {
		return "", err
	}
	get.Header.Set("CV-Api-Key", *key)
	get.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(get)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", err
	}
	var found reply
	if err := json.Unmarshal(body, &found); err != nil || answer.StatusCode != 200 || found.Case.ID == "" {
		return "", fmt.Errorf("HTTP %d, %v", answer.StatusCode, err)
	}
	return found.Case.ID, nil
}

func handle(client *http.Client, kafka *kgo.Client, record *kgo.Record, done func()) {
	var asked request
	if err := json.Unmarshal(record.Value, &asked); err != nil {
		log.Fatal(err)
	}
	found, err := lookUp(client, asked)
	if err != nil {
		log.Fatal(err)
	}
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	value, err := json.Marshal(result{asked.RequestID, "found", found, 1,
		origin{record.Topic, record.Partition, record.Offset}, now})
	if err != nil {
		log.Fatal(err)
	}
	id := fmt.Sprintf("%s/%d/%d", record.Topic, record.Partition, record.Offset)
	kafka.Produce(context.Background(), &kgo.Record{Topic: *output, Key: record.Key, Value: value,
		Headers: []kgo.RecordHeader{
			{Key: "content-type", Value: []byte("application/json")},
			{Key: "ce_specversion", Value: []byte("1.0")},
			{Key: "ce_id", Value: []byte(id)},
			{Key: "ce_source", Value: []byte("/peer/" + *group)},
			{Key: "ce_type", Value: []byte("care360.lookup.found.v1")},
			{Key: "ce_time", Value: []byte(now)},
		}}, func(_ *kgo.Record, err error) {
		if err != nil {
			log.Fatal(err)
		}
		done()
	})
}

// Commits what was polled once all of it is acknowledged.
func main() {
	flag.Parse()
	client := newHTTPClient()
	kafka, err := kgo.NewClient(
		kgo.SeedBrokers(*brokers),
		kgo.ConsumerGroup(*group),
		kgo.ConsumeTopics(*input),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.AutoCommitMarks(),
		kgo.AutoCommitInterval(200*time.Millisecond),
		kgo.FetchMaxBytes(1<<20),
		kgo.ProducerLinger(time.Millisecond),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
	)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	room := make(chan struct{}, *inFlight)
	for ctx.Err() == nil {
		fetches := kafka.PollRecords(ctx, 10000)
		records := fetches.Records()
		var polled sync.WaitGroup
		polled.Add(len(records))
		for _, record := range records {
			room <- struct{}{}
			go func(record *kgo.Record) {
				handle(client, kafka, record, polled.Done)
				<-room
			}(record)
		}
		go func() {
			polled.Wait()
			kafka.MarkCommitRecords(records...)
		}()
	}
	if err := kafka.CommitMarkedOffsets(context.Background()); err != nil {
		log.Print(err)
	}
	kafka.Close()
}
