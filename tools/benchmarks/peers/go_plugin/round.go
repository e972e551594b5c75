package main

import (
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type roundAnswer struct {
	Seconds float64 `json:"seconds"`
	P50     float64 `json:"p50_us"`
	P99     float64 `json:"p99_us"`
}

// measureRound makes the calls asked for, so many of them open at any time.
func measureRound(server echoer, asked request) (roundAnswer, error) {
	payload := strings.Repeat("x", asked.Bytes)
	times := make([]time.Duration, asked.Calls)
	failures := make(chan error, asked.InFlight)
	var begun atomic.Int64
	callInTurn := func() error {
		for {
			index := begun.Add(1) - 1
			if index >= int64(asked.Calls) {
				return nil
			}
			begin := time.Now()
			if err := checkedEcho(server, payload); err != nil {
				return err
			}
			times[index] = time.Since(begin)
		}
	}
	var callers sync.WaitGroup
	callers.Add(asked.InFlight)
	begin := time.Now()
	for i := 0; i < asked.InFlight; i++ {
		go func() {
			defer callers.Done()
			if err := callInTurn(); err != nil {
				failures <- err
			}
		}()
	}
	callers.Wait()
	took := time.Since(begin)
	select {
	case err := <-failures:
		return roundAnswer{}, err
	default:
	}
	sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
	microsecondsAt := func(percent int) float64 {
		return float64(times[asked.Calls*percent/100]) / float64(time.Microsecond)
	}
	return roundAnswer{took.Seconds(), microsecondsAt(50), microsecondsAt(99)}, nil
}
