package main

import (
	"net/rpc"

	"github.com/hashicorp/go-plugin"
)

type netrpcPlugin struct{}

func (*netrpcPlugin) Server(*plugin.MuxBroker) (any, error) { return &netrpcServer{}, nil }

func (*netrpcPlugin) Client(_ *plugin.MuxBroker, client *rpc.Client) (any, error) {
	return &netrpcClient{client}, nil
}

type netrpcServer struct{}

func (*netrpcServer) Echo(text string, echoed *string) error {
	*echoed = text
	return nil
}

type netrpcClient struct{ client *rpc.Client }

func (c *netrpcClient) Echo(text string) (string, error) {
	var echoed string
	err := c.client.Call("Plugin.Echo", text, &echoed)
	return echoed, err
}
