package main

import (
	"context"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// The service is described by hand, with one of protobuf's own messages, so that no protoc is
// needed to build it.

const (
	serviceName = "echo.Echo"
	methodName  = "Echo"
)

type grpcPlugin struct{ plugin.NetRPCUnsupportedPlugin }

func (*grpcPlugin) GRPCServer(_ *plugin.GRPCBroker, server *grpc.Server) error {
	server.RegisterService(&serviceDescription, grpcServer{})
	return nil
}

func (*grpcPlugin) GRPCClient(
	_ context.Context, _ *plugin.GRPCBroker, connection *grpc.ClientConn,
) (any, error) {
	return &grpcClient{connection}, nil
}

type grpcEcho interface {
	Echo(context.Context, *wrapperspb.StringValue) (*wrapperspb.StringValue, error)
}

var serviceDescription = grpc.ServiceDesc{
	ServiceName: serviceName,
	HandlerType: (*grpcEcho)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: methodName, Handler: handleEcho}},
}

func handleEcho(
	service any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor,
) (any, error) {
	asked := new(wrapperspb.StringValue)
	if err := decode(asked); err != nil {
		return nil, err
	}
	return service.(grpcEcho).Echo(ctx, asked)
}

type grpcServer struct{}

func (grpcServer) Echo(
	_ context.Context, asked *wrapperspb.StringValue,
) (*wrapperspb.StringValue, error) {
	return wrapperspb.String(asked.GetValue()), nil
}

type grpcClient struct{ connection *grpc.ClientConn }

func (c *grpcClient) Echo(text string) (string, error) {
	echoed := new(wrapperspb.StringValue)
	method := "/" + serviceName + "/" + methodName
	err := c.connection.Invoke(context.Background(), method, wrapperspb.String(text), echoed)
	return echoed.GetValue(), err
}
