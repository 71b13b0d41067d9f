// cri SOCKET SERVICE/METHOD JSON: asks a container runtime what kubelet asks it. Answers and requests are JSON of their messages.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const patience = 100 * time.Second

func main() {
	answer, err := ask(os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(answer)
}

func ask(socket, call, request string) (string, error) {
	service, method, _ := strings.Cut(call, "/")
	file := (&runtime.VersionRequest{}).ProtoReflect().Descriptor().ParentFile()
	found := file.Services().ByName(protoreflect.Name(service)).
		Methods().ByName(protoreflect.Name(method))
	in, out := dynamicpb.NewMessage(found.Input()), dynamicpb.NewMessage(found.Output())
	if err := protojson.Unmarshal([]byte(request), in); err != nil {
		return "", err
	}
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := conn.Invoke(ctx, fmt.Sprintf("/runtime.v1.%s/%s", service, method), in, out); err != nil {
		return "", err
	}
	return protojson.Format(out), nil
}
