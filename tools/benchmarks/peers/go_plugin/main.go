// The peer hashicorp/go-plugin: an echo over gRPC or net/rpc to a plugin process, which is this
// same program. Speaks the line protocol of ../README.md.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"
)

// What one line asks for: a round of calls, or fresh starts.
type request struct {
	Bytes    int `json:"bytes"`
	InFlight int `json:"in_flight"`
	Calls    int `json:"calls"`
	Starts   int `json:"starts"`
}

func main() {
	protocol := flag.String("protocol", "grpc", "grpc or netrpc")
	asPlugin := flag.Bool("plugin", false, "be the plugin process; for this program itself")
	flag.Parse()
	if *protocol != "grpc" && *protocol != "netrpc" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if *asPlugin {
		servePlugin(*protocol)
		return
	}
	if err := serveLines(*protocol); err != nil {
		fmt.Fprintln(os.Stderr, "go_plugin:", err)
		os.Exit(1)
	}
}

func serveLines(protocol string) error {
	running, ms, err := timedStart(protocol)
	if err != nil {
		return err
	}
	defer running.stop()
	answers := json.NewEncoder(os.Stdout)
	if err := answers.Encode(map[string]any{"ready": true, "start_ms": ms}); err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		answer, err := serveLine(protocol, running, lines.Bytes())
		if err != nil {
			return err
		}
		if err := answers.Encode(answer); err != nil {
			return err
		}
	}
	return lines.Err()
}

func serveLine(protocol string, running *server, line []byte) (any, error) {
	var asked request
	if err := json.Unmarshal(line, &asked); err != nil {
		return nil, err
	}
	if asked.Starts > 0 {
		return freshStarts(protocol, asked.Starts)
	}
	if asked.Bytes <= 0 || asked.InFlight <= 0 || asked.Calls <= 0 {
		return nil, fmt.Errorf("not all of bytes, in_flight and calls are positive: %s", line)
	}
	return measureRound(running.echoer, asked)
}

func timedStart(protocol string) (*server, float64, error) {
	begin := time.Now()
	started, err := start(protocol)
	if err != nil {
		return nil, 0, err
	}
	if err := checkedEcho(started.echoer, "x"); err != nil {
		started.stop()
		return nil, 0, err
	}
	return started, float64(time.Since(begin)) / float64(time.Millisecond), nil
}

func freshStarts(protocol string, count int) (any, error) {
	var times []float64
	for i := 0; i < count; i++ {
		started, ms, err := timedStart(protocol)
		if err != nil {
			return nil, err
		}
		started.stop()
		times = append(times, ms)
	}
	return map[string]any{"starts_ms": times}, nil
}

func checkedEcho(server echoer, text string) error {
	echoed, err := server.Echo(text)
	if err == nil && echoed != text {
		err = errors.New("another text came back")
	}
	return err
}
