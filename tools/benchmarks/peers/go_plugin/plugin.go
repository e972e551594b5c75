package main

import (
	"io"
	"os"
	"os/exec"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
)

// echoer is what the plugin offers, over either protocol.
type echoer interface {
	Echo(text string) (string, error)
}

const pluginName = "echo"

var handshake = plugin.HandshakeConfig{
	ProtocolVersion:  1,
	MagicCookieKey:   "ECHO_PLUGIN",
	MagicCookieValue: "echo",
}

// The descriptor at which the plugin sees its client's end, however that comes.
const lifelineFd = 3

func pluginSet(protocol string) plugin.PluginSet {
	if protocol == "grpc" {
		return plugin.PluginSet{pluginName: &grpcPlugin{}}
	}
	return plugin.PluginSet{pluginName: &netrpcPlugin{}}
}

// servePlugin is the plugin process.
func servePlugin(protocol string) {
	go func() {
		_, _ = io.Copy(io.Discard, os.NewFile(lifelineFd, "lifeline"))
		os.Exit(0)
	}()
	config := &plugin.ServeConfig{
		HandshakeConfig: handshake,
		Plugins:         pluginSet(protocol),
		Logger:          hclog.NewNullLogger(),
	}
	if protocol == "grpc" {
		config.GRPCServer = plugin.DefaultGRPCServer
	}
	plugin.Serve(config)
}

// server is a running plugin process.
type server struct {
	echoer
	client   *plugin.Client
	lifeline *os.File
}

func start(protocol string) (*server, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ended, lifeline, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer ended.Close()
	command := exec.Command(program, "--plugin", "--protocol", protocol)
	command.ExtraFiles = []*os.File{ended}
	started := &server{lifeline: lifeline, client: plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  handshake,
		Plugins:          pluginSet(protocol),
		Cmd:              command,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolNetRPC, plugin.ProtocolGRPC},
		Logger:           hclog.NewNullLogger(),
		SyncStdout:       io.Discard,
		SyncStderr:       io.Discard,
	})}
	if err := started.connect(); err != nil {
		started.stop()
		return nil, err
	}
	return started, nil
}

func (s *server) connect() error {
	connection, err := s.client.Client()
	if err != nil {
		return err
	}
	dispensed, err := connection.Dispense(pluginName)
	if err != nil {
		return err
	}
	s.echoer = dispensed.(echoer)
	return nil
}

func (s *server) stop() {
	s.client.Kill()
	s.lifeline.Close()
}
