// Package metrics is what Prometheus sees of the worker.
package metrics

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Metrics of one worker, with their own registry so that tests do not share counters.
type Metrics struct {
	Registry   *prometheus.Registry
	Processed  prometheus.Counter
	Duplicates prometheus.Counter
	Invalid    prometheus.Counter
	Reclaimed  prometheus.Counter
	Errors     *prometheus.CounterVec
	BatchSize  prometheus.Histogram
	Lag        prometheus.Histogram
}

// New makes the metrics; queueLength is asked at each scrape.
func New(queueLength func(context.Context) (int64, error)) *Metrics {
	m := &Metrics{
		Registry:   prometheus.NewRegistry(),
		Processed:  prometheus.NewCounter(prometheus.CounterOpts{Name: "worker_votes_processed_total", Help: "Votes committed to Postgres for the first time."}),
		Duplicates: prometheus.NewCounter(prometheus.CounterOpts{Name: "worker_votes_duplicate_total", Help: "Votes that had been committed before."}),
		Invalid:    prometheus.NewCounter(prometheus.CounterOpts{Name: "worker_votes_invalid_total", Help: "Records set aside in votes:invalid."}),
		Reclaimed:  prometheus.NewCounter(prometheus.CounterOpts{Name: "worker_votes_reclaimed_total", Help: "Votes put back from the lists of dead workers."}),
		Errors:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "worker_errors_total", Help: "Calls that failed and will be repeated."}, []string{"system"}),
		BatchSize:  prometheus.NewHistogram(prometheus.HistogramOpts{Name: "worker_batch_size", Help: "Votes in one transaction.", Buckets: prometheus.ExponentialBuckets(1, 2, 11)}),
		Lag:        prometheus.NewHistogram(prometheus.HistogramOpts{Name: "worker_vote_lag_seconds", Help: "From a vote's acceptance to its commit.", Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}}),
	}
	for _, system := range []string{"redis", "postgres"} {
		m.Errors.WithLabelValues(system)
	}
	m.Registry.MustRegister(m.Processed, m.Duplicates, m.Invalid, m.Reclaimed, m.Errors, m.BatchSize, m.Lag,
		queueCollector{queueLength}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// queueCollector reports no value while Redis is away: a zero would read as an empty queue.
type queueCollector struct {
	length func(context.Context) (int64, error)
}

var queueLength = prometheus.NewDesc("worker_queue_length", "Votes that nobody has taken yet.", nil, nil)

func (c queueCollector) Describe(out chan<- *prometheus.Desc) { out <- queueLength }

func (c queueCollector) Collect(out chan<- prometheus.Metric) {
	if length, err := c.length(context.Background()); err == nil {
		out <- prometheus.MustNewConstMetric(queueLength, prometheus.GaugeValue, float64(length))
	}
}
